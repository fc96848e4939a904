#pragma once
// Three networks in a row, of this process's own: clients - server - peers, joined by veth pairs. Sockets
// belong to the network that their thread was in when it opened them.

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "base/address.h"
#include "io/loop/fd.h"

namespace offhook::test {

inline const Ip kClientHost4 = *Ip::parse("203.0.113.9");
inline const Ip kClientHost6 = *Ip::parse("2001:db8:1::9");
inline const Ip kServerForClients4 = *Ip::parse("203.0.113.1");
inline const Ip kServerForClients6 = *Ip::parse("2001:db8:1::1");
inline const Ip kServerForPeers4 = *Ip::parse("198.51.100.1");
inline const Ip kServerForPeers6 = *Ip::parse("2001:db8:2::1");
inline const Ip kPeerHost4 = *Ip::parse("198.51.100.9");
inline const Ip kPeerHost6 = *Ip::parse("2001:db8:2::9");
// Behind the peer's host, once there is a narrow link.
inline const Ip kFarHost4 = *Ip::parse("192.0.2.9");
inline const Ip kFarHost6 = *Ip::parse("2001:db8:3::9");
inline constexpr std::size_t kNarrowMtu = 1280;

class ThreeNetworks {
 public:
  ThreeNetworks() : origin_(current()) {
    clients_ = make();
    peers_ = make();
    server_ = make();
    if (!clients_ || !peers_ || !server_) return;
    ready_ =
        join("clients", clients_, "203.0.113.1/24", "203.0.113.9/24", "2001:db8:1::1/64",
             "2001:db8:1::9/64") &&
        join("peers", peers_, "198.51.100.1/24", "198.51.100.9/24", "2001:db8:2::1/64", "2001:db8:2::9/64");
  }
  ~ThreeNetworks() { enter(origin_); }
  ThreeNetworks(const ThreeNetworks&) = delete;
  ThreeNetworks& operator=(const ThreeNetworks&) = delete;

  // False if the system allows no namespaces, or ip(8) or ethtool(8) is missing.
  bool ready() const { return ready_; }
  void enter_clients() const { enter(clients_); }
  void enter_server() const { enter(server_); }
  void enter_peers() const { enter(peers_); }
  void enter_far() const { enter(far_); }

  // A fourth network behind the peers', whose host forwards to it over a link of kNarrowMtu. The server
  // learns of it by the way there alone.
  bool add_narrow_link() {
    far_ = make();
    enter(far_);
    const std::string mtu = std::to_string(kNarrowMtu);
    const bool joined = run(kNoDad) && run("ip link add far mtu " + mtu + " type veth peer name far mtu " +
                                           mtu + " netns " + file_of(peers_));
    enter(peers_);
    const bool forwards =
        joined && run(kNoDad) &&
        run("ip address add 192.0.2.1/24 dev far && ip address add 2001:db8:3::1/64 dev far && "
            "ip link set far up && echo 1 >/proc/sys/net/ipv4/ip_forward && "
            "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
    enter(far_);
    const bool answers =
        forwards && run("ip address add 192.0.2.9/24 dev far && ip address add 2001:db8:3::9/64 dev far && "
                        "ip link set lo up && ip link set far up && ip route add default via 192.0.2.1 && "
                        "ip route add default via 2001:db8:3::1");
    enter(server_);
    // Segments leave the server cut, as through a network card: a router refuses a whole one for its largest.
    return answers && run("ip route add 192.0.2.0/24 via 198.51.100.9 && "
                          "ip route add 2001:db8:3::/64 via 2001:db8:2::9 && "
                          "ethtool -K peers tx-udp-segmentation off");
  }

 private:
  // A router asks for its neighbours from its link-local address, which it could not use for a second or two.
  static constexpr const char* kNoDad =
      "for each in all default far; do f=/proc/sys/net/ipv6/conf/$each/accept_dad; "
      "[ ! -e $f ] || echo 0 >$f; done";

  static io::Fd current() { return io::Fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)); }
  static io::Fd make() { return unshare(CLONE_NEWNET) == 0 ? current() : io::Fd(); }
  static void enter(const io::Fd& network) { (void)setns(network.get(), CLONE_NEWNET); }
  static std::string file_of(const io::Fd& network) {
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(network.get());
  }
  static bool run(const std::string& command) {
    FILE* shell = popen(("{ " + command + "; } >/dev/null 2>&1").c_str(), "w");
    return shell != nullptr && pclose(shell) == 0;
  }
  // A device of this name in both. The far end hands over whole checksums, as a network does, and takes
  // frames from programs (which a veth does while GRO is on).
  bool join(const std::string& device, const io::Fd& far, const std::string& near4, const std::string& far4,
            const std::string& near6, const std::string& far6) const {
    const std::string far_file = file_of(far);
    const std::string up = "ip link set lo up && ip link set " + device + " up";
    const auto addresses = [&](const std::string& ipv4, const std::string& ipv6) {
      return "ip address add " + ipv4 + " dev " + device + " && ip address add " + ipv6 + " dev " + device +
             " nodad && ";
    };
    enter(server_);
    if (!run("ip link add " + device + " type veth peer name " + device + " netns " + far_file)) return false;
    if (!run(addresses(near4, near6) + up)) return false;
    enter(far);
    const bool good =
        run(addresses(far4, far6) + up + " && ethtool -K " + device + " gro on tx-checksumming off");
    enter(server_);
    return good;
  }

  io::Fd origin_;
  io::Fd clients_;
  io::Fd peers_;
  io::Fd server_;
  io::Fd far_;
  bool ready_ = false;
};

}  // namespace offhook::test
