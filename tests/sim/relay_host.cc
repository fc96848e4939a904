#include "relay_host.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/stun/attr_xor_address.h"
#include "wire/turn/channel_data.h"

namespace offhook::sim {
namespace {

using std::chrono::seconds;

// So that a permission for one relay is not one for all.
constexpr std::array<std::uint8_t, 6> kRelayHosts = {1, 2, 3, 4, 5, 6};
constexpr std::int64_t kCredentialLifetime_s = 3600;
constexpr std::size_t kIntroducedPermissionsLimit = 64;

Ip relay_ip(std::uint8_t host) { return Ip::v4(std::array<std::uint8_t, 4>{5, 9, 0, host}); }

turn::Settings turn_settings(const Plan& plan) {
  turn::Settings settings;
  settings.peer_rule = plan.peers_by_call ? turn::PeerRule::call : turn::PeerRule::open;
  settings.listen_addresses = {RelayHost::kListenAddress};
  settings.own_addresses = {RelayHost::kListenAddress.ip};
  for (const std::uint8_t host : kRelayHosts) {
    settings.relay_ips.push_back(relay_ip(host));
    settings.own_addresses.push_back(relay_ip(host));
  }
  return settings;
}

std::string password_of(std::string_view username) { return "password of " + std::string(username); }

}  // namespace

const Address RelayHost::kListenAddress = {Ip::v4(std::array<std::uint8_t, 4>{5, 9, 0, 100}), 3478};

std::optional<turn::CredentialSource::Candidate> RelayTables::find(std::string_view username,
                                                                   UnixTime now) const {
  const std::size_t colon = username.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::int64_t expires_at_s = 0;
  (void)std::from_chars(username.data(), username.data() + colon, expires_at_s);
  Candidate candidate;
  candidate.username = username;
  candidate.passwords.emplace_back(password_of(username));
  candidate.user = username.substr(colon + 1);
  candidate.expired = now.seconds >= expires_at_s;
  return candidate;
}

turn::Quota::Taking RelayTables::try_take(std::string_view user) {
  std::size_t& count = taken[std::string(user)];
  if (count >= kUserQuota) return Taking::user_limit;
  count += 1;
  return Taking::taken;
}

void RelayTables::give_back(std::string_view user) {
  const auto found = taken.find(user);
  require(found != taken.end() && found->second > 0, "quota is given back once", std::string(user));
  found->second -= 1;
}

std::uint32_t RelayTables::incarnation(const Address& relayed_address) const {
  return live.contains(relayed_address) ? openings.at(relayed_address) : 0;
}

std::size_t RelayTables::total() const {
  std::size_t sum = 0;
  for (const auto& [user, count] : taken) sum += count;
  return sum;
}

RelayHost::RelayHost(Stage& stage, SendDatagram send)
    : stage_(stage),
      send_(std::move(send)),
      settings_(turn_settings(stage.plan)),
      dice_(stage.plan.seed, 3),
      timer_(stage.timetable) {
  start();
}

void RelayHost::start() {
  const turn::Dependencies dependencies{dice_, tables_, tables_, tables_};
  server_ = std::make_unique<turn::Server>(settings_, dependencies);
}

RelayCredentials RelayHost::mint(std::string_view user) const {
  const std::int64_t expires_at_s = stage_.timetable.wall().seconds + kCredentialLifetime_s;
  std::string username = std::to_string(expires_at_s) + ":" + std::string(user);
  std::string password = password_of(username);
  return {std::move(username), std::move(password)};
}

void RelayHost::crash() {
  server_.reset();
  tables_ = RelayTables();
  address_by_relay_.clear();
  calls_by_introduced_.clear();
  asked_.clear();
  start();
  arm();
}

const RelayTables::Opened* RelayHost::find(const Address& relayed_address) const {
  const auto found = tables_.live.find(relayed_address);
  return found == tables_.live.end() ? nullptr : &found->second;
}

void RelayHost::receive(const Address& client_address, Buffer datagram) {
  buffer_.assign(turn::kHeadroomBytes + datagram.size() + turn::kTailroomBytes, 0);
  std::copy(datagram.begin(), datagram.end(), buffer_.begin() + turn::kHeadroomBytes);
  turn::Client client;
  client.five_tuple = {client_address, kListenAddress, turn::Transport::udp};
  turn::Outbox outbox;
  (void)server_->handle_client_packet(client, {buffer_, turn::kHeadroomBytes, datagram.size()}, time(),
                                      outbox);
  settle(outbox);
}

void RelayHost::settle(turn::Outbox& outbox) {
  obey(outbox);
  check();
  arm();
}

void RelayHost::obey(turn::Outbox& outbox) {
  for (std::size_t i = 0; i < outbox.size(); ++i) {
    const turn::Effect effect = std::move(outbox[i]);
    if (const auto* sent = std::get_if<turn::SendToClient>(&effect)) {
      send_(sent->client.five_tuple.client_address, sent->bytes);
    } else if (const auto* wanted = std::get_if<turn::OpenRelaySocket>(&effect)) {
      open(*wanted, outbox);
    } else if (const auto* closed = std::get_if<turn::CloseRelaySocket>(&effect)) {
      close(closed->relay);
    } else if (const auto* audit = std::get_if<turn::Audit>(&effect)) {
      note(*audit);
    }
  }
}

void RelayHost::open(const turn::OpenRelaySocket& wanted, turn::Outbox& outbox) {
  if (dice_.percent(2)) {
    return server_->handle_relay_failed(wanted.relay, turn::Server::RelayFailure::no_port_free, time(),
                                        outbox);
  }
  const Address opened{relay_ip(kRelayHosts[dice_.under(kRelayHosts.size())]), next_port_++};
  if (next_port_ > 65'000) next_port_ = 50'000;
  tables_.openings[opened] += 1;
  tables_.live[opened] = {wanted.relay, "", {}};
  address_by_relay_[wanted.relay] = opened;
  server_->handle_relay_opened(wanted.relay, opened, time(), outbox);
}

void RelayHost::close(const turn::RelayId& relay) {
  const auto found = address_by_relay_.find(relay);
  require(found != address_by_relay_.end(), "a relay is closed once", "a relay that is not open");
  tables_.live.erase(found->second);
  address_by_relay_.erase(found);
}

void RelayHost::note(const turn::Audit& audit) {
  if (audit.event != turn::AuditEvent::allocation_created) return;
  stage_.tally.add(Count::allocations);
  RelayTables::Opened& opened = tables_.live.at(audit.address);
  opened.user = audit.username.substr(audit.username.find(':') + 1);
  opened.client_address = audit.client.five_tuple.client_address;
  for (const auto& [introduced, calls] : calls_by_introduced_) {
    if (introduced.user != opened.user) continue;
    for (const auto& [address, other] : tables_.live) {
      if (address.ip != introduced.ip || other.user.empty() || address == audit.address) continue;
      require_or_say(admits(audit.address, address), "who is introduced is let in by a later allocation",
                     [&, &ip = introduced.ip] { return ip.text() + " of " + opened.user; });
    }
  }
  if (stage_.traces()) stage_.note(fmt::format("relay {} of {}", audit.address.text(), opened.user));
}

void RelayHost::arm() {
  const Instant next = server_->next_deadline();
  if (next == armed_for_ && timer_.is_set()) return;
  armed_for_ = next;
  timer_.cancel();
  if (next != kNever)
    timer_.set(std::max(next - stage_.now(), Duration::zero()), [this] { run_deadlines(); });
}

void RelayHost::run_deadlines() {
  turn::Outbox outbox;
  server_->handle_deadlines(time(), outbox);
  require(server_->next_deadline() > stage_.now(), "deadlines of the relay go forward",
          "the same is due again");
  settle(outbox);
}

void RelayHost::check() {
  const std::string_view broken = server_->broken_invariant();
  require(broken.empty(), "the relay's tables agree", std::string(broken));
  require(tables_.total() == server_->allocation_count(), "quota and allocations add up",
          std::to_string(tables_.total()));
  require(tables_.live.size() == server_->allocation_count(), "relays and allocations add up",
          std::to_string(tables_.live.size()));
}

std::vector<Address> RelayHost::relays_of(const std::string& user) const {
  std::vector<Address> relays;
  for (const auto& [address, opened] : tables_.live) {
    if (opened.user == user) relays.push_back(address);
  }
  return relays;
}

bool RelayHost::admits(const Address& to, const Address& peer_address) {
  const std::string_view payload = "hello";
  buffer_.assign(turn::kHeadroomBytes + payload.size() + turn::kTailroomBytes, 0);
  std::copy(payload.begin(), payload.end(), buffer_.begin() + turn::kHeadroomBytes);
  const turn::Forward forward = server_->handle_peer_packet(
      tables_.live.at(to).relay, peer_address, {buffer_, turn::kHeadroomBytes, payload.size()}, time());
  stage_.tally.add(Count::relay_checks);
  if (forward.via == turn::Forward::Via::nobody) return false;
  require(forward.via == turn::Forward::Via::client &&
              forward.client.five_tuple.client_address == tables_.live.at(to).client_address,
          "a packet reaches the client that has the relay", to.text());
  return true;
}

void RelayHost::introduce(const std::string& user, const std::string& call, const Address& peer_address) {
  if (stage_.traces()) stage_.note(fmt::format("introduced to {}: {}", user, peer_address.text()));
  turn::Outbox outbox;
  require(server_->handle_peer_introduced(user, call, peer_address, time(), outbox),
          "introductions have room", call);
  calls_by_introduced_[{user, peer_address.ip}].insert(call);
  settle(outbox);
  const auto known = std::count_if(calls_by_introduced_.begin(), calls_by_introduced_.end(),
                                   [&user](const auto& entry) { return entry.first.user == user; });
  const bool is_relay = tables_.contains(peer_address);
  if (!is_relay || static_cast<std::size_t>(known) > kIntroducedPermissionsLimit) return;
  for (const Address& relay : relays_of(user)) {
    require_or_say(admits(relay, peer_address), "who is introduced is let in",
                   [&] { return peer_address.text() + " to " + relay.text() + " of " + user; });
  }
}

void RelayHost::part(const std::string& call) {
  turn::Outbox outbox;
  server_->handle_call_over(call, time(), outbox);
  settle(outbox);
  for (auto entry = calls_by_introduced_.begin(); entry != calls_by_introduced_.end();) {
    entry->second.erase(call);
    if (!entry->second.empty()) {
      ++entry;
      continue;
    }
    const auto [user, ip] = entry->first;
    entry = calls_by_introduced_.erase(entry);
    if (asked_.contains({user, ip})) continue;
    const auto stranger = std::find_if(tables_.live.begin(), tables_.live.end(),
                                       [&ip = ip](const auto& one) { return one.first.ip == ip; });
    if (stranger == tables_.live.end()) continue;
    for (const Address& relay : relays_of(user)) {
      require_or_say(!admits(relay, stranger->first), "an introduction ends with its call",
                     [&, ip = ip, user = user] { return ip.text() + " to " + relay.text() + " of " + user; });
    }
  }
}

bool RelayHost::passes(const Address& from, const Address& to) {
  const RelayTables::Opened* sender = find(from);
  if (sender == nullptr || find(to) == nullptr) return false;
  std::array<std::uint8_t, 256> storage{};
  stun::TransactionId id{};
  dice_.fill(id);
  stun::MessageBuilder builder(storage, stun::MessageClass::indication, stun::Method::send, id);
  stun::add_xor_address(builder, stun::AttributeType::xor_peer_address, to);
  builder.add(stun::AttributeType::data, as_bytes("media"));
  const Bytes built = builder.finish();
  buffer_.assign(turn::kHeadroomBytes + built.size() + turn::kTailroomBytes, 0);
  std::copy(built.begin(), built.end(), buffer_.begin() + turn::kHeadroomBytes);
  turn::Client client;
  client.five_tuple = {sender->client_address, kListenAddress, turn::Transport::udp};
  turn::Outbox outbox;
  const turn::Forward forward =
      server_->handle_client_packet(client, {buffer_, turn::kHeadroomBytes, built.size()}, time(), outbox);
  if (forward.via != turn::Forward::Via::peer) return false;
  require(forward.peer_address == to && address_by_relay_.at(forward.relay) == from,
          "a packet leaves by its client's relay", from.text());
  return admits(to, from);
}

void RelayHost::check_nothing_left() {
  require(server_->allocation_count() == 0, "no allocation is left",
          std::to_string(server_->allocation_count()));
  require(tables_.total() == 0, "no quota is left", std::to_string(tables_.total()));
  require(server_->next_deadline() == kNever, "no deadline of the relay is left", "one is set");
  require(calls_by_introduced_.empty(), "no introduction is left", "a call");
}

}  // namespace offhook::sim
