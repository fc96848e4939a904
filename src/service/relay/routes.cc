#include "service/relay/routes.h"

#include <algorithm>

#include "core/turn/payload_limit.h"

namespace offhook::relay {
namespace {

bool same_way(const io::RelayedChannel& a, const io::RelayedChannel& b) {
  return a.client_address == b.client_address && a.listen_address == b.listen_address &&
         a.relayed_address == b.relayed_address && a.peer_address == b.peer_address;
}

}  // namespace

std::vector<io::RelayedChannel>::iterator Routes::find(Held& held, Family family, std::uint16_t number) {
  return std::ranges::find_if(held.channels, [&](const io::RelayedChannel& channel) {
    return channel.channel_number == number && channel.peer_address.family() == family;
  });
}

void Routes::install(const turn::InstallRoute& effect, const Address& relayed_address) {
  if (fast_path_ == nullptr || effect.client.five_tuple.transport != turn::Transport::udp) return;
  const auto& relay_ips = rules_.relay_ips;
  const bool to_own_relay = std::ranges::find(relay_ips, effect.peer_address.ip) != relay_ips.end();
  if (to_own_relay && !rules_.hops) return;
  auto held = channels_.find(effect.relay.allocation);
  if (held == channels_.end()) {
    const auto account = fast_path_->open_account();
    if (!account) return counters_.add(Counter::routes_refused);
    fast_path_->limit(*account, rules_.payload_bytes_per_s,
                      turn::payload_burst_bytes(rules_.payload_bytes_per_s));
    held = channels_.emplace(effect.relay.allocation, Held{*account, {}}).first;
  }
  io::RelayedChannel wanted;
  wanted.client_address = effect.client.five_tuple.client_address;
  wanted.listen_address = effect.client.five_tuple.listen_address;
  wanted.relayed_address = relayed_address;
  wanted.peer_address = effect.peer_address;
  wanted.channel_number = effect.channel_number;
  wanted.to_own_relay = to_own_relay;
  wanted.expires_at = effect.expires_at;
  wanted.account = held->second.account;
  auto channel = find(held->second, effect.relay.family, effect.channel_number);
  if (channel == held->second.channels.end()) {
    channel = held->second.channels.insert(channel, wanted);
  } else {
    if (!same_way(*channel, wanted)) fast_path_->remove(*channel);
    *channel = wanted;
  }
  if (fast_path_->install(wanted)) return;
  counters_.add(Counter::routes_refused);
  drop(held, channel);
}

void Routes::remove(const turn::RemoveRoute& effect) {
  const auto held = channels_.find(effect.relay.allocation);
  if (held == channels_.end()) return;
  const auto channel = find(held->second, effect.relay.family, effect.channel_number);
  if (channel != held->second.channels.end()) drop(held, channel);
}

void Routes::drop(Channels::iterator held, std::vector<io::RelayedChannel>::iterator channel) {
  fast_path_->remove(*channel);
  held->second.channels.erase(channel);
  if (!held->second.channels.empty()) return;
  fast_path_->close_account(held->second.account);
  channels_.erase(held);
}

void Routes::remove_all() {
  while (!channels_.empty()) drop(channels_.begin(), channels_.begin()->second.channels.begin());
}

}  // namespace offhook::relay
