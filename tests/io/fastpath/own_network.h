#pragma once
// A network namespace of this process's own: the server's two interfaces, and what lies behind them as
// permanent neighbours. Gone with the process.

#include <net/if.h>
#include <sched.h>

#include <cstdio>
#include <string>

#include "base/address.h"
#include "frames.h"

namespace offhook::test {

// The interfaces of the server, towards clients and towards peers.
inline constexpr const char* kClientSide = "clientside";
inline constexpr const char* kPeerSide = "peerside";
inline constexpr Mac kClientSideMac{2, 0, 0, 0, 1, 1};
inline constexpr Mac kPeerSideMac{2, 0, 0, 0, 2, 1};
// Whoever is behind.
inline constexpr Mac kClientMac{2, 0, 0, 0, 1, 9};
inline constexpr Mac kPeerMac{2, 0, 0, 0, 2, 9};

inline const Ip kClient4 = *Ip::parse("203.0.113.9");
inline const Ip kClient6 = *Ip::parse("2001:db8:1::9");
inline const Ip kListen4 = *Ip::parse("203.0.113.1");
inline const Ip kListen6 = *Ip::parse("2001:db8:1::1");
inline const Ip kRelay4 = *Ip::parse("198.51.100.1");
inline const Ip kRelay6 = *Ip::parse("2001:db8:2::1");
inline const Ip kPeer4 = *Ip::parse("198.51.100.9");
inline const Ip kPeer6 = *Ip::parse("2001:db8:2::9");
// On the peers' network, and nobody knows its MAC address.
inline const Ip kStranger4 = *Ip::parse("198.51.100.77");
// Behind a route that forbids it, and behind none.
inline const Ip kUnreachable4 = *Ip::parse("192.0.2.5");
inline const Ip kNowhere4 = *Ip::parse("192.88.99.5");
inline constexpr unsigned kPeerSideMtu = 1400;

// False if the system allows no namespace, or ip(8) is missing.
inline bool enter_own_network() {
  if (unshare(CLONE_NEWNET) != 0) return false;
  FILE* ip = popen("ip -batch - >/dev/null 2>&1", "w");
  if (ip == nullptr) return false;
  (void)std::fputs(
      "link set lo up\n"
      "link add clientside address 02:00:00:00:01:01 type veth peer name clients\n"
      "link add peerside address 02:00:00:00:02:01 mtu 1400 type veth peer name peers\n"
      "address add 203.0.113.1/24 dev clientside\n"
      "address add 2001:db8:1::1/64 dev clientside nodad\n"
      "address add 198.51.100.1/24 dev peerside\n"
      "address add 2001:db8:2::1/64 dev peerside nodad\n"
      "link set clients up\nlink set peers up\nlink set clientside up\nlink set peerside up\n"
      "neighbour add 203.0.113.9 lladdr 02:00:00:00:01:09 dev clientside nud permanent\n"
      "neighbour add 2001:db8:1::9 lladdr 02:00:00:00:01:09 dev clientside nud permanent\n"
      "neighbour add 198.51.100.9 lladdr 02:00:00:00:02:09 dev peerside nud permanent\n"
      "neighbour add 2001:db8:2::9 lladdr 02:00:00:00:02:09 dev peerside nud permanent\n"
      "route add unreachable 192.0.2.0/24\n",
      ip);
  return pclose(ip) == 0;
}

}  // namespace offhook::test
