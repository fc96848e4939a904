#include "service/relay/relay_sockets.h"

#include <cassert>
#include <cerrno>

namespace offhook::relay {
namespace {

// A port that is free for us may be another program's; this many such in a row mean that the range is not
// ours.
constexpr int kBindTries = 32;
// A relay's share of what the socket of all holds (kListenBufferBytes), in 2^24 ns, which is 17 ms: 30,000
// datagrams or 500 Mbit a second.
constexpr unsigned kTickShift = 24;
constexpr std::uint32_t kSharedDatagramsLimit = 512;
constexpr std::size_t kSharedBytesLimit = 1024 * 1024;
// Fuller than this after a turn, and the shard does not keep pace. Up to 25 of it may have been read already
// (io::receive_queue_percent), so 1,600 small datagrams wait at least.
constexpr unsigned kSharedPercentLimit = 40;
// Long enough that going back and forth costs nothing that can be told where the cause goes on.
constexpr std::chrono::seconds kAloneFor{1};

std::size_t index_of(Family family) { return family == Family::ipv6 ? 1 : 0; }

using turn::Server;

}  // namespace

RelaySockets::RelaySockets(const Borrowed& borrowed, RelayAddressRule rule, unsigned shard)
    : borrowed_(borrowed), rule_(rule), shard_(shard) {}

RelaySockets::Outcome RelaySockets::open(const turn::OpenRelaySocket& effect) {
  last_error_ = 0;
  const auto indices = choices(effect.listen_address.ip, effect.relay.family);
  if (indices.empty()) return fail(Server::RelayFailure::family_not_supported);
  turn_ += 1;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    auto leased = open_at(indices[(turn_ + i) % indices.size()], effect);
    if (!leased) continue;
    auto outcome = watch(effect.relay, std::move(*leased));
    // The core keeps no reservation of an allocation that failed, so nobody else would release it.
    if (!outcome && effect.reserve_next) borrowed_.reservations.release(effect.token);
    return outcome;
  }
  return fail(Server::RelayFailure::no_port_free);
}

RelaySockets::Outcome RelaySockets::claim(const turn::ClaimReservation& effect) {
  last_error_ = 0;
  auto leased = borrowed_.reservations.claim(effect.token);
  if (!leased) return fail(Server::RelayFailure::reservation_unknown);
  return watch(effect.relay, std::move(*leased));
}

void RelaySockets::close(const turn::RelayId& relay) {
  if (find(relay) == nullptr) return;
  Relay& slot = relays_[position(relay.allocation.index, relay.family)];
  // First no more a permitted peer, then closed, then free for others.
  slot.leased->lease.unpublish();
  slot.leased.reset();
  size_ -= 1;
}

void RelaySockets::close_all() {
  relays_.clear();
  unfinished_.clear();
  size_ = 0;
}

const io::Socket* RelaySockets::find(const turn::RelayId& relay) const {
  const std::size_t at = position(relay.allocation.index, relay.family);
  if (at >= relays_.size() || relays_[at].generation != relay.allocation.generation) return nullptr;
  return relays_[at].leased ? &relays_[at].leased->socket : nullptr;
}

void RelaySockets::leave(const EventTag& tag, bool with_errors) {
  if (!find(tag)) return;
  Relay& relay = relays_[position(tag.index, tag.family)];
  relay.has_errors_left |= with_errors;
  if (std::exchange(relay.is_unfinished, true)) return;
  unfinished_.push_back(tag);
}

RelaySockets::Unfinished RelaySockets::take_unfinished() {
  const EventTag tag = unfinished_.front();
  unfinished_.pop_front();
  if (!find(tag)) return {tag, false};
  Relay& relay = relays_[position(tag.index, tag.family)];
  relay.is_unfinished = false;
  return {tag, std::exchange(relay.has_errors_left, false)};
}

Address RelaySockets::relayed_address(const turn::RelayId& relay) const {
  assert(find(relay) != nullptr);
  return relays_[position(relay.allocation.index, relay.family)].leased->lease.address();
}

std::optional<turn::RelayId> RelaySockets::find(const EventTag& tag) const {
  const std::size_t at = position(tag.index, tag.family);
  if (at >= relays_.size() || !relays_[at].leased) return std::nullopt;
  if ((relays_[at].generation & kSerialMask) != tag.serial) return std::nullopt;
  return turn::RelayId{{tag.index, relays_[at].generation}, tag.family};
}

void RelaySockets::note_shared_queue(Family family, unsigned percent_full) {
  shared_percent_full_[index_of(family)] = percent_full;
}

bool RelaySockets::note_shared(const turn::RelayId& relay, std::size_t bytes, Instant now) {
  if (find(relay) == nullptr) return false;
  Relay& slot = relays_[position(relay.allocation.index, relay.family)];
  const auto tick = static_cast<std::uint32_t>(now.time_since_epoch().count() >> kTickShift);
  if (std::exchange(slot.tick, tick) != tick) {
    slot.datagrams = 0;
    slot.bytes = 0;
  }
  slot.datagrams += 1;
  slot.bytes += bytes;
  const bool has_its_share = slot.datagrams <= kSharedDatagramsLimit && slot.bytes <= kSharedBytesLimit;
  const bool keeps_pace = shared_percent_full_[index_of(relay.family)] <= kSharedPercentLimit;
  if (slot.alone_until != kShares || (has_its_share && keeps_pace)) return false;
  slot.alone_until = now + kAloneFor;
  slot.leased->lease.receive_alone();
  return true;
}

bool RelaySockets::share_again(const turn::RelayId& relay, Instant now) {
  if (find(relay) == nullptr) return false;
  Relay& slot = relays_[position(relay.allocation.index, relay.family)];
  if (slot.alone_until == kShares || now < slot.alone_until) return false;
  slot.alone_until = kShares;
  slot.leased->lease.receive_shared(shard_);
  return true;
}

std::vector<std::size_t> RelaySockets::choices(const Ip& listen_ip, Family family) const {
  const auto& addresses = borrowed_.ports.addresses();
  std::vector<std::size_t> of_family;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (addresses[i].family() != family) continue;
    if (rule_ == RelayAddressRule::by_listen_address && addresses[i] == listen_ip) return {i};
    of_family.push_back(i);
  }
  if (rule_ == RelayAddressRule::fixed || of_family.empty()) return of_family;
  // The other family: a client on loopback is served on loopback, one from outside never.
  for (const std::size_t i : of_family) {
    if (addresses[i].is_loopback() == listen_ip.is_loopback()) return {i};
  }
  if (!listen_ip.is_loopback()) return {};
  return {of_family.front()};
}

std::optional<LeasedSocket> RelaySockets::open_at(std::size_t address_index,
                                                  const turn::OpenRelaySocket& effect) {
  if (effect.reserve_next) return open_pair_at(address_index, effect.token);
  const auto parity = effect.even_port ? RelayPorts::Parity::even : RelayPorts::Parity::any;
  std::vector<PortLease> refused;  // kept until the end, so that none is drawn twice
  for (int i = 0; i < kBindTries; ++i) {
    auto lease = borrowed_.ports.take(address_index, shard_, parity, borrowed_.random);
    if (!lease) return std::nullopt;
    auto socket = io::open_relay_socket(lease->address());
    if (socket) return LeasedSocket(std::move(*lease), std::move(*socket));
    last_error_ = socket.error();
    if (last_error_ != EADDRINUSE) return std::nullopt;
    refused.push_back(std::move(*lease));
  }
  return std::nullopt;
}

std::optional<LeasedSocket> RelaySockets::open_pair_at(std::size_t address_index,
                                                       const turn::ReservationToken& token) {
  std::vector<std::pair<PortLease, PortLease>> refused;
  for (int i = 0; i < kBindTries; ++i) {
    auto leases = borrowed_.ports.take_pair(address_index, shard_, borrowed_.random);
    if (!leases) return std::nullopt;
    auto even = io::open_relay_socket(leases->first.address());
    auto next = io::open_relay_socket(leases->second.address());
    if (even && next) {
      if (!borrowed_.reservations.hold(token, LeasedSocket(std::move(leases->second), std::move(*next)))) {
        return std::nullopt;
      }
      return LeasedSocket(std::move(leases->first), std::move(*even));
    }
    last_error_ = even ? next.error() : even.error();
    if (last_error_ != EADDRINUSE) return std::nullopt;
    refused.push_back(std::move(*leases));
  }
  return std::nullopt;
}

RelaySockets::Outcome RelaySockets::watch(const turn::RelayId& relay, LeasedSocket leased) {
  const EventTag tag{EventKind::relay, relay.family, relay.allocation.generation & kSerialMask,
                     relay.allocation.index};
  if (!borrowed_.poller.add(leased.socket.get(), {.once = true}, tag.pack())) {
    last_error_ = errno;
    return fail(Server::RelayFailure::no_port_free);
  }
  io::take_merged(leased.socket);
  const std::size_t at = position(relay.allocation.index, relay.family);
  if (at >= relays_.size()) relays_.resize(at + 1);
  const Address relayed_address = leased.lease.address();
  leased.lease.publish({shard_, relay});
  relays_[at].generation = relay.allocation.generation;
  relays_[at].is_unfinished = false;
  relays_[at].has_errors_left = false;
  relays_[at].alone_until = kShares;
  relays_[at].leased.emplace(std::move(leased));
  size_ += 1;
  return relayed_address;
}

}  // namespace offhook::relay
