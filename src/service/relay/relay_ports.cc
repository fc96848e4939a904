#include "service/relay/relay_ports.h"

#include <algorithm>
#include <cassert>

namespace offhook::relay {
namespace {

// Random draws before the ports are searched one after the other: with half of them free, one in 256 needs
// the search.
constexpr int kDraws = 8;

}  // namespace

PortLease::PortLease(PortLease&& other) noexcept
    : ports_(std::exchange(other.ports_, nullptr)),
      address_index_(other.address_index_),
      port_(other.port_) {}

PortLease& PortLease::operator=(PortLease&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  ports_ = std::exchange(other.ports_, nullptr);
  address_index_ = other.address_index_;
  port_ = other.port_;
  return *this;
}

Address PortLease::address() const {
  assert(ports_ != nullptr);
  return {ports_->addresses_[address_index_], port_};
}

void PortLease::publish(const RelayHolder& holder) {
  RelayPorts::Live& live = ports_->live(address_index_, port_);
  const turn::AllocationId& allocation = holder.relay.allocation;
  live.shard = holder.shard;
  live.allocation = std::uint64_t{allocation.generation} << 32U | allocation.index;
  live.incarnation |= 1U;
  receive_shared(holder.shard);
}

void PortLease::unpublish() {
  RelayPorts::Live& live = ports_->live(address_index_, port_);
  if (live.incarnation % 2 == 0) return;
  receive_alone();
  live.incarnation += 1;
}

void PortLease::receive_alone() {
  if (ports_->lookup_ != nullptr) ports_->lookup_->take_back(address_index_, port_);
}

void PortLease::receive_shared(unsigned shard) {
  if (ports_->lookup_ != nullptr) ports_->lookup_->give(address_index_, port_, shard);
}

void PortLease::give_back() {
  if (ports_ == nullptr) return;
  unpublish();
  ports_->ports_[address_index_]->taken.clear(port_);
  ports_ = nullptr;
}

bool RelayPorts::Bitmap::set(std::uint16_t port) {
  const std::uint64_t bit = std::uint64_t{1} << (port % 64U);
  return (words_[port / 64U].fetch_or(bit) & bit) == 0;
}

void RelayPorts::Bitmap::clear(std::uint16_t port) {
  words_[port / 64U].fetch_and(~(std::uint64_t{1} << (port % 64U)));
}

RelayPorts::RelayPorts(std::vector<Ip> addresses, std::uint16_t first, std::uint16_t last, unsigned shards)
    : addresses_(std::move(addresses)), first_(first), last_(last), shards_(shards) {
  assert(first_ <= last_ && shards_ > 0);
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    ports_.push_back(std::make_unique<Ports>(last_ - first_ + 1));
  }
}

// Pairs are numbered from the one that holds first_; the first and the last may be in range by half.
std::size_t RelayPorts::pairs_of(unsigned shard) const {
  const std::uint32_t pairs = pairs_in(first_, last_);
  return shard < pairs ? (pairs - shard - 1) / shards_ + 1 : 0;
}

std::uint32_t RelayPorts::even_port(unsigned shard, std::size_t pair) const {
  return (first_ / 2 + shard + static_cast<std::uint32_t>(pair) * shards_) * 2;
}

bool RelayPorts::try_take(std::size_t address_index, std::uint32_t port) {
  return in_range(port) && ports_[address_index]->taken.set(static_cast<std::uint16_t>(port));
}

// Calls try_pair(even port, prefer the odd one) for pairs of this shard until one answers with something.
template <typename Try>
auto RelayPorts::draw(unsigned shard, Random& random, Try try_pair) -> decltype(try_pair(0U, false)) {
  const std::size_t pairs = pairs_of(shard);
  if (pairs == 0) return std::nullopt;
  std::size_t pair = 0;
  for (int i = 0; i < kDraws; ++i) {
    const std::uint64_t drawn = random.below(2 * pairs);
    pair = drawn / 2;
    if (auto taken = try_pair(even_port(shard, pair), drawn % 2 != 0)) return taken;
  }
  for (std::size_t step = 1; step <= pairs; ++step) {
    const std::uint32_t even = even_port(shard, (pair + step) % pairs);
    if (auto taken = try_pair(even, false)) return taken;
    if (auto taken = try_pair(even, true)) return taken;
  }
  return std::nullopt;
}

std::optional<PortLease> RelayPorts::take(std::size_t address_index, unsigned shard, Parity parity,
                                          Random& random) {
  return draw(shard, random, [&](std::uint32_t even, bool odd_drawn) -> std::optional<PortLease> {
    const std::uint32_t port = even + (odd_drawn && parity == Parity::any ? 1 : 0);
    if (!try_take(address_index, port)) return std::nullopt;
    return PortLease(*this, static_cast<std::uint32_t>(address_index), static_cast<std::uint16_t>(port));
  });
}

std::optional<std::pair<PortLease, PortLease>> RelayPorts::take_pair(std::size_t address_index,
                                                                     unsigned shard, Random& random) {
  using Pair = std::pair<PortLease, PortLease>;
  const auto index = static_cast<std::uint32_t>(address_index);
  return draw(shard, random, [&](std::uint32_t even, bool) -> std::optional<Pair> {
    if (!try_take(address_index, even)) return std::nullopt;
    PortLease first(*this, index, static_cast<std::uint16_t>(even));
    if (!try_take(address_index, even + 1)) return std::nullopt;
    return Pair(std::move(first), PortLease(*this, index, static_cast<std::uint16_t>(even + 1)));
  });
}

const RelayPorts::Live* RelayPorts::find(const Address& relayed_address) const {
  const auto found = std::find(addresses_.begin(), addresses_.end(), relayed_address.ip);
  if (found == addresses_.end() || !in_range(relayed_address.port)) return nullptr;
  return &ports_[static_cast<std::size_t>(found - addresses_.begin())]->live[relayed_address.port - first_];
}

bool RelayPorts::contains(const Address& relayed_address) const { return incarnation(relayed_address) != 0; }

std::uint32_t RelayPorts::incarnation(const Address& relayed_address) const {
  const Live* live = find(relayed_address);
  if (live == nullptr) return 0;
  const std::uint32_t incarnation = live->incarnation.load(std::memory_order_acquire);
  return incarnation % 2 != 0 ? incarnation : 0;
}

std::optional<RelayHolder> RelayPorts::holder(const Address& relayed_address) const {
  const Live* live = find(relayed_address);
  const std::uint32_t before = incarnation(relayed_address);
  if (before == 0) return std::nullopt;
  const std::uint32_t shard = live->shard;
  const std::uint64_t allocation = live->allocation;
  if (live->incarnation != before) return std::nullopt;
  return RelayHolder{shard,
                     {{static_cast<std::uint32_t>(allocation), static_cast<std::uint32_t>(allocation >> 32U)},
                      relayed_address.family()}};
}

}  // namespace offhook::relay
