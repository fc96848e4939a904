#pragma once
// Where datagrams leave this machine: the interface, and the Ethernet addresses of its next hop, as a packet
// socket needs them. The kernel's tables of routes and neighbours are asked once a destination
// (rtnetlink(7)), and heeded when they change. Neighbours are the kernel's to find and to check, which it
// does for what it sends itself: so whoever sends past it leaves it a packet now and then, and all of them
// while a neighbour is not known.

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "io/loop/fd.h"
#include "io/net/netlink_message.h"

namespace offhook::io {

struct NextHop {
  int interface = 0;                        // its index
  std::array<std::uint8_t, 12> ethernet{};  // addresses: destination, source
  std::size_t ip_bytes_limit = 0;           // of a packet with its headers
  std::uint16_t identification = 0;         // another one for each packet to this destination
};

class NextHops {
 public:
  // Of the calling thread's network namespace. Nothing with an errno if the kernel refuses.
  static std::optional<NextHops> open();

  // Who sends a packet: we, over `hop`; the kernel this time, for it is its turn or the way is not known yet;
  // or the kernel each time, as long as nothing changes, for the way is not one of plain Ethernet.
  enum class Sender : std::uint8_t { ours, kernel_now, kernel };
  // `now` as it is read once a round: a round asks the kernel a few times at most.
  Sender find(const Ip& from, const Ip& to, Instant now, NextHop& hop);

  // find() is called for it soon: what it looks at is fetched meanwhile.
  void expect(const Ip& to) const {
    if (!paths_.empty()) __builtin_prefetch(&paths_[hash_value(to) & (paths_.size() - 1)]);
  }

  // Readable when something has changed; handle_changes() is called then.
  int changes_fd() const { return changes_.get(); }
  void handle_changes();
  std::vector<int> fds() const { return {questions_.get(), changes_.get()}; }

 private:
  using EthernetAddress = std::array<std::uint8_t, 6>;
  struct NeighbourKey {
    int interface = 0;
    Ip ip;
    bool operator==(const NeighbourKey&) const = default;
  };
  struct NeighbourHash {
    std::size_t operator()(const NeighbourKey& key) const {
      return hash_value(key.ip) * 31 + static_cast<std::size_t>(key.interface);
    }
  };
  struct Neighbour {
    int interface = 0;
    EthernetAddress source{};                 // the interface's
    std::optional<EthernetAddress> ethernet;  // nothing: the kernel does not know, or has lost it
    Instant kernel_turn_at{};
  };
  // Found for each packet, so as small as it can be.
  struct Path {
    Ip to;
    std::uint8_t from = 0;  // in locals_
    bool is_used = false;
    std::uint16_t identification = 0;
    std::uint16_t ip_bytes_limit = 0;
    std::uint16_t neighbour = kNoNeighbour;  // in neighbours_
    std::uint32_t asked_at_s = 0;
  };
  struct Link {
    bool is_ethernet = false;  // up, with Ethernet addresses and neighbours that are looked for
    EthernetAddress ethernet{};
    std::size_t mtu = 0;
  };
  static constexpr std::uint16_t kNoNeighbour = 0xFFFF;  // left to the kernel
  // A route of many ways, or what a driver tells of a link.
  static constexpr std::size_t kMessageBytes = 32 * 1024;

  NextHops(Fd questions, Fd changes, std::uint16_t salt)
      : questions_(std::move(questions)),
        changes_(std::move(changes)),
        salt_(salt),
        message_(kMessageBytes) {}
  std::optional<std::uint8_t> local(const Ip& ip);
  // Where it is, or would be. Null: too many others are in its place.
  Path* place_of(std::uint8_t from, const Ip& to);
  Path* path(std::uint8_t from, const Ip& to, Instant now);
  void make_room();
  bool may_ask(Instant now);
  void ask_for_path(Path& path);
  std::uint16_t neighbour(const NeighbourKey& key, const Link& link);
  const Link& link(int interface);
  bool is_unsettled(Instant now);
  // Valid until the next one. Nothing if the kernel refused.
  std::optional<NetlinkMessage> ask(NetlinkRequest& request, std::uint16_t reply_type);
  void handle_change(Bytes messages);
  void handle_neighbour(const NetlinkMessage& message);
  void forget_paths();
  void forget_all();

  Fd questions_;
  Fd changes_;
  std::uint16_t salt_;  // so that nobody outside knows identifications ahead
  Buffer message_;      // received last
  std::uint32_t sequence_ = 0;
  std::vector<Ip> locals_;
  std::vector<Path> paths_;  // by hash, the next free place; at most half full
  std::size_t path_count_ = 0;
  std::vector<Neighbour> neighbours_;
  std::unordered_map<NeighbourKey, std::uint16_t, NeighbourHash> neighbour_places_;
  std::unordered_map<int, Link> links_;
  Instant asked_at_{};
  std::size_t asked_ = 0;  // at asked_at_
  // Changes that were lost, or are not read yet: until they are, nothing that is known counts.
  bool is_behind_ = false;
  Instant unsettled_since_{};
  std::size_t forgotten_ = 0;  // times, in the second since then
};

}  // namespace offhook::io
