#pragma once
// The relay addresses of this process, which of their ports are taken, and which are live relayed addresses.
//
// Shards share nothing but these tables: ports belong to shards in pairs (even, odd), so that two shards
// never draw the same one and EVEN-PORT finds its neighbour in its own shard. All of it may be called from
// any thread.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/random.h"
#include "core/turn/ports.h"
#include "core/turn/types.h"
#include "io/fastpath/socket_lookup.h"

namespace offhook::relay {

class RelayPorts;

// Which shard has a live relayed address, and what the shard calls it.
struct RelayHolder {
  unsigned shard = 0;
  turn::RelayId relay;
};

// One port of one relay address, given back on destruction. Must not outlive its RelayPorts.
class PortLease {
 public:
  PortLease() = default;
  PortLease(PortLease&& other) noexcept;
  PortLease& operator=(PortLease&& other) noexcept;
  ~PortLease() { give_back(); }

  explicit operator bool() const { return ports_ != nullptr; }
  Address address() const;
  // From now on, until unpublish() or the end of the lease, this is a live relayed address
  // (turn::LiveRelays), in a new incarnation.
  void publish(const RelayHolder& holder);
  void unpublish();
  // While it is live, with a lookup: whether what comes for it goes to its own socket or to the shard's.
  void receive_alone();
  void receive_shared(unsigned shard);
  void give_back();

 private:
  friend class RelayPorts;
  PortLease(RelayPorts& ports, std::uint32_t address_index, std::uint16_t port)
      : ports_(&ports), address_index_(address_index), port_(port) {}

  RelayPorts* ports_ = nullptr;
  std::uint32_t address_index_ = 0;
  std::uint16_t port_ = 0;
};

class RelayPorts final : public turn::LiveRelays {
 public:
  // Ports from first to last inclusive, on each of these addresses, for so many shards.
  RelayPorts(std::vector<Ip> addresses, std::uint16_t first, std::uint16_t last, unsigned shards);

  const std::vector<Ip>& addresses() const { return addresses_; }
  // Told of every relayed address that goes live or ends from now on. Before the first one; it must outlive
  // them.
  void set_lookup(io::SocketLookup& lookup) { lookup_ = &lookup; }
  // The pairs that such a range touches: more shards than this leave some without a port.
  static unsigned pairs_in(std::uint32_t first, std::uint32_t last) { return last / 2 - first / 2 + 1; }

  enum class Parity : std::uint8_t { any, even };
  // A free port of this shard on addresses()[address_index], drawn at random; nothing if there is none.
  std::optional<PortLease> take(std::size_t address_index, unsigned shard, Parity parity, Random& random);
  // A free even port and the next one.
  std::optional<std::pair<PortLease, PortLease>> take_pair(std::size_t address_index, unsigned shard,
                                                           Random& random);

  bool contains(const Address& relayed_address) const override;
  std::uint32_t incarnation(const Address& relayed_address) const override;
  // Nothing if it is not live.
  std::optional<RelayHolder> holder(const Address& relayed_address) const;

 private:
  friend class PortLease;
  // One bit a port.
  class Bitmap {
   public:
    bool set(std::uint16_t port);  // false if it was set already
    void clear(std::uint16_t port);

   private:
    std::array<std::atomic<std::uint64_t>, 1024> words_{};
  };
  // Whether a port is live, and whose it is. Its shard alone writes; the holder is written first, and counts
  // only if the incarnation is the same before and after it was read.
  struct Live {
    std::atomic<std::uint32_t> incarnation = 0;  // odd while it is live
    std::atomic<std::uint32_t> shard = 0;
    std::atomic<std::uint64_t> allocation = 0;  // generation, index
  };
  struct Ports {
    explicit Ports(std::size_t count) : live(count) {}
    Bitmap taken;
    std::vector<Live> live;  // from first_ on
  };
  // Null if it is no port of ours.
  const Live* find(const Address& relayed_address) const;
  Live& live(std::uint32_t address_index, std::uint16_t port) {
    return ports_[address_index]->live[port - first_];
  }

  std::size_t pairs_of(unsigned shard) const;
  std::uint32_t even_port(unsigned shard, std::size_t pair) const;
  bool in_range(std::uint32_t port) const { return port >= first_ && port <= last_; }
  bool try_take(std::size_t address_index, std::uint32_t port);
  template <typename Try>
  auto draw(unsigned shard, Random& random, Try try_pair) -> decltype(try_pair(0U, false));

  std::vector<Ip> addresses_;
  io::SocketLookup* lookup_ = nullptr;
  std::uint32_t first_;
  std::uint32_t last_;
  unsigned shards_;
  std::vector<std::unique_ptr<Ports>> ports_;  // as addresses_
};

}  // namespace offhook::relay
