#include "core/turn/fixture.h"

#include <array>
#include <stdexcept>

#include "wire/stun/attr_error_code.h"
#include "wire/stun/attr_nonce.h"
#include "wire/stun/attr_password_algorithms.h"
#include "wire/stun/attr_realm.h"
#include "wire/stun/attr_userhash.h"
#include "wire/stun/attr_username.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/stun/long_term_key.h"
#include "wire/turn/attr_channel_number.h"
#include "wire/turn/attr_dont_fragment.h"
#include "wire/turn/attr_lifetime.h"
#include "wire/turn/attr_requested_transport.h"
#include "wire/turn/channel_data.h"

namespace offhook::turn::test {

void SeededRandom::fill(MutableBytes target) {
  for (std::uint8_t& byte : target) {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t value = state_;
    value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
    byte = static_cast<std::uint8_t>((value ^ (value >> 31U)) & 0xFFU);
  }
}

std::optional<CredentialSource::Candidate> PlainCredentials::find(std::string_view username,
                                                                  UnixTime now) const {
  lookups += 1;
  const auto found = users.find(username);
  if (found == users.end()) return std::nullopt;
  Candidate candidate;
  candidate.username = found->first;
  for (const std::string& password : found->second.passwords) candidate.passwords.emplace_back(password);
  candidate.user = found->second.user;
  candidate.expired = now.seconds >= found->second.expires_at_s;
  return candidate;
}

std::optional<CredentialSource::Candidate> PlainCredentials::find_by_userhash(Bytes userhash,
                                                                              UnixTime now) const {
  for (const auto& [username, user] : users) {
    if (equal(stun::userhash(username, realm), userhash)) return find(username, now);
  }
  return std::nullopt;
}

Quota::Taking PlainQuota::try_take(std::string_view user) {
  if (total() >= total_limit) return Taking::total_limit;
  std::size_t& count = taken[std::string(user)];
  if (count >= limit) return Taking::user_limit;
  count += 1;
  return Taking::taken;
}

void PlainQuota::give_back(std::string_view user) {
  const auto found = taken.find(user);
  if (found == taken.end() || found->second == 0) throw std::logic_error("quota given back twice");
  found->second -= 1;
}

std::size_t PlainQuota::total() const {
  std::size_t sum = 0;
  for (const auto& [user, count] : taken) sum += count;
  return sum;
}

Buffer TestClient::key() const {
  if (algorithm == KeyOf::md5) {
    const auto digest = stun::long_term_key_md5(username, realm, password);
    return Buffer(digest.begin(), digest.end());
  }
  const auto digest = stun::long_term_key_sha256(username, realm, password);
  return Buffer(digest.begin(), digest.end());
}

Address Answer::address_in(AttributeType type) const {
  const Message parsed = message();
  const auto* attribute = parsed.find(type);
  if (attribute == nullptr) throw std::logic_error("no such address in the answer");
  return stun::parse_xor_address(attribute->value, parsed.transaction_id()).value();
}

std::chrono::seconds Answer::lifetime() const {
  const Message parsed = message();
  return parse_lifetime(parsed.find(AttributeType::lifetime)->value).value();
}

namespace {

Settings with_own_addresses(Settings settings, const Ip& ipv4, const Ip& ipv6) {
  if (settings.relay_ips.empty()) settings.relay_ips = {ipv4, ipv6};
  if (settings.own_addresses.empty()) settings.own_addresses = {ip("127.0.0.1"), ip("::1"), ipv4, ipv6};
  return settings;
}

}  // namespace

World::World(Settings wanted)
    : settings(with_own_addresses(std::move(wanted), relay_ipv4, relay_ipv6)),
      server(settings, Dependencies{random, credentials, quota, relays}) {
  credentials.users["alice"] = {{"secret"}, "alice"};
  credentials.users["bob"] = {{"hunter2"}, "bob"};
}

TestClient World::client(std::string_view client_address, Transport transport) {
  TestClient made;
  made.client.five_tuple = {address(client_address), address("5.9.0.1:3478"), transport};
  if (made.client.five_tuple.client_address.family() == Family::ipv6) {
    made.client.five_tuple.listen_address = address("[2a01:4f8::1]:3478");
  }
  made.client.handle = 7;
  return made;
}

stun::TransactionId World::next_id() {
  stun::TransactionId id{};
  random.fill(id);
  return id;
}

Buffer World::build(TestClient& from, Method method, const Fill& fill,
                    std::optional<stun::TransactionId> id) {
  std::array<std::uint8_t, 2048> storage{};
  MessageBuilder builder(storage, MessageClass::request, method, id ? *id : next_id());
  fill(builder);
  if (from.protect != Protect::nothing) {
    if (from.nonce.empty()) from.nonce = fetch_nonce(from);
    if (from.by_userhash) {
      stun::add_userhash(builder, stun::userhash(from.username, from.realm));
    } else {
      stun::add_username(builder, from.username);
    }
    stun::add_realm(builder, from.realm);
    stun::add_nonce(builder, from.nonce);
    if (from.algorithm == KeyOf::sha256) {
      const std::array<stun::PasswordAlgorithm, 2> offered = {
          {{stun::kPasswordAlgorithmSha256, {}}, {stun::kPasswordAlgorithmMd5, {}}}};
      stun::add_password_algorithms(builder, offered);
      stun::add_password_algorithm(builder, offered[0]);
    }
    const bool sha1 = from.protect == Protect::sha1 || from.protect == Protect::both;
    if (sha1) builder.add_message_integrity(from.key());
    if (from.protect != Protect::sha1) builder.add_message_integrity_sha256(from.key());
  }
  if (from.fingerprint) builder.add_fingerprint();
  const Bytes built = builder.finish();
  return Buffer(built.begin(), built.end());
}

Outcome World::deliver(const Client& from, Bytes datagram) {
  // The packet lies at the very end of what it may touch, so that sanitizers see one byte too many.
  buffer_.assign(kHeadroomBytes + datagram.size() + kTailroomBytes, 0xA5);
  std::copy(datagram.begin(), datagram.end(), buffer_.begin() + kHeadroomBytes);
  Outcome outcome;
  outcome.forward =
      server.handle_client_packet(from, {buffer_, kHeadroomBytes, datagram.size()}, now, outcome.effects);
  return outcome;
}

Outcome World::ask(TestClient& from, Method method, const Fill& fill) {
  Outcome outcome = deliver(from.client, build(from, method, fill));
  obey(outcome.effects);
  return outcome;
}

std::optional<int> World::code(TestClient& from, Method method, const Fill& fill) {
  const auto answer = answer_in(ask(from, method, fill).effects);
  if (!answer) return std::nullopt;
  return answer->error;
}

std::string World::fetch_nonce(const TestClient& from) {
  TestClient bare = from;
  bare.protect = Protect::nothing;
  challenge_effects = deliver(bare.client, build(bare, Method::refresh, nothing())).effects;
  obey(challenge_effects);
  const auto answer = answer_in(challenge_effects);
  return std::string(stun::parse_nonce(answer.value().message().find(AttributeType::nonce)->value).value());
}

Answer World::allocate(TestClient& from, const Fill& more) {
  return answer_in(ask(from, Method::allocate, all({udp(), more})).effects).value();
}

std::optional<int> World::permit(TestClient& from, std::string_view peer_address) {
  return code(from, Method::create_permission, peer(peer_address));
}

std::optional<int> World::bind(TestClient& from, std::uint16_t number, std::string_view peer_address) {
  return code(
      from, Method::channel_bind,
      all({[number](MessageBuilder& builder) { add_channel_number(builder, number); }, peer(peer_address)}));
}

std::optional<int> World::refresh(TestClient& from, std::chrono::seconds lifetime) {
  return code(from, Method::refresh,
              [lifetime](MessageBuilder& builder) { add_lifetime(builder, lifetime); });
}

Outcome World::send(const TestClient& from, std::string_view peer_address, std::string_view payload,
                    bool dont_fragment) {
  std::array<std::uint8_t, 2048> storage{};
  MessageBuilder builder(storage, MessageClass::indication, Method::send, next_id());
  stun::add_xor_address(builder, AttributeType::xor_peer_address, address(peer_address));
  if (dont_fragment) add_dont_fragment(builder);
  builder.add(AttributeType::data, bytes(payload));
  return deliver(from.client, builder.finish());
}

Outcome World::channel_data(const TestClient& from, std::uint16_t number, std::string_view payload) {
  Buffer datagram(kChannelDataHeaderBytes + payload.size());
  write_channel_data_header(datagram, number, static_cast<std::uint16_t>(payload.size()));
  std::copy(payload.begin(), payload.end(), datagram.begin() + kChannelDataHeaderBytes);
  return deliver(from.client, datagram);
}

Outcome World::channel_data_over_sockets(const TestClient& from, std::uint16_t number,
                                         std::string_view payload) {
  relays.is_mute = true;
  Outcome outcome = channel_data(from, number, payload);
  relays.is_mute = false;
  if (outcome.forward.via != Forward::Via::peer) return outcome;
  const Buffer sent(outcome.forward.bytes.begin(), outcome.forward.bytes.end());
  const Address relayed_address = open_relays.at(outcome.forward.relay);
  return from_peer(relay_of(outcome.forward.peer_address), relayed_address.text(), as_text(sent));
}

Outbox World::introduce(std::string_view user, std::string_view call, std::string_view peer_address) {
  Outbox effects;
  if (!server.handle_peer_introduced(user, call, address(peer_address), now, effects)) {
    throw std::logic_error("a limit of introductions");
  }
  obey(effects);
  return effects;
}

Outbox World::call_over(std::string_view call) {
  Outbox effects;
  server.handle_call_over(call, now, effects);
  obey(effects);
  return effects;
}

void World::change_hop(const Effect& effect) {
  const auto* install = std::get_if<InstallHop>(&effect);
  const auto* remove = std::get_if<RemoveHop>(&effect);
  const Address& from = install != nullptr ? install->from : remove->from;
  for (const auto& [relay, bound] : open_relays) {
    if (bound != from) continue;
    if (install != nullptr) server.handle_hop_installed(relay, install->hop);
    if (remove != nullptr) server.handle_hop_removed(relay, remove->relayed_address, remove->incarnation);
  }
}

void World::obey(Outbox& effects) {
  for (std::size_t at = 0; at < effects.size(); ++at) {
    const Effect effect = effects[at];
    if (const auto* wanted = std::get_if<OpenRelaySocket>(&effect)) {
      if (!relays_stay_opening) open(*wanted, effects);
    } else if (const auto* claimed = std::get_if<ClaimReservation>(&effect)) {
      if (!relays_stay_opening) claim(*claimed, effects);
    } else if (const auto* closed = std::get_if<CloseRelaySocket>(&effect)) {
      const auto found = open_relays.find(closed->relay);
      if (found == open_relays.end()) continue;
      relays.live.erase(found->second);
      open_relays.erase(found);
    } else if (const auto* released = std::get_if<ReleaseReservation>(&effect)) {
      reserved.erase(released->token);
    } else if (std::holds_alternative<InstallHop>(effect) || std::holds_alternative<RemoveHop>(effect)) {
      if (!hops_are_lost) change_hop(effect);
    }
  }
}

void World::open(const OpenRelaySocket& wanted, Outbox& effects) {
  const Family family = wanted.relay.family;
  if (next_failure && (!failing_family || *failing_family == family)) {
    server.handle_relay_failed(wanted.relay, *next_failure, now, effects);
    return;
  }
  if (wanted.even_port && next_port % 2 != 0) next_port += 1;
  const Ip& relay_ip = family == Family::ipv4 ? relay_ipv4 : relay_ipv6;
  const Address opened{relay_ip, next_port++};
  if (wanted.reserve_next) reserved[wanted.token] = {relay_ip, next_port++};
  open_relays[wanted.relay] = opened;
  relays.open(opened);
  server.handle_relay_opened(wanted.relay, opened, now, effects);
}

void World::claim(const ClaimReservation& wanted, Outbox& effects) {
  const auto found = reserved.find(wanted.token);
  if (found == reserved.end()) {
    server.handle_relay_failed(wanted.relay, Server::RelayFailure::reservation_unknown, now, effects);
    return;
  }
  const Address opened = found->second;
  reserved.erase(found);
  open_relays[wanted.relay] = opened;
  relays.open(opened);
  server.handle_relay_opened(wanted.relay, opened, now, effects);
}

Outcome World::from_peer(const RelayId& relay, std::string_view peer_address, std::string_view payload) {
  buffer_.assign(kHeadroomBytes + payload.size() + kTailroomBytes, 0xA5);
  std::copy(payload.begin(), payload.end(), buffer_.begin() + kHeadroomBytes);
  Outcome outcome;
  outcome.forward =
      server.handle_peer_packet(relay, address(peer_address), {buffer_, kHeadroomBytes, payload.size()}, now);
  return outcome;
}

RelayId World::relay_of(const Address& relayed_address) const {
  for (const auto& [relay, bound] : open_relays) {
    if (bound == relayed_address) return relay;
  }
  throw std::logic_error("no such relay");
}

Outbox World::wait(std::chrono::milliseconds span) {
  now.monotonic += span;
  now.wall = now.wall + std::chrono::duration_cast<std::chrono::seconds>(span);
  Outbox effects;
  do {
    server.handle_deadlines(now, effects);
  } while (server.next_deadline() <= now.monotonic);
  obey(effects);
  return effects;
}

std::optional<Answer> answer_in(const Outbox& effects) {
  std::optional<Answer> answer;
  for (const Effect& effect : effects) {
    const auto* sent = std::get_if<SendToClient>(&effect);
    if (sent == nullptr) continue;
    if (answer) throw std::logic_error("two answers");
    answer.emplace();
    answer->bytes = sent->bytes;
    const Message message = answer->message();
    answer->message_class = message.message_class();
    answer->method = message.method();
    if (const auto* error = message.find(AttributeType::error_code)) {
      answer->error = stun::parse_error_code(error->value).value().number;
    }
  }
  return answer;
}

namespace {

std::string name_of(Family family) { return family == Family::ipv4 ? "ipv4" : "ipv6"; }

std::string name_of(AuditEvent event) {
  switch (event) {
    case AuditEvent::allocation_created:
      return "allocation_created";
    case AuditEvent::allocation_refreshed:
      return "allocation_refreshed";
    case AuditEvent::allocation_deleted:
      return "allocation_deleted";
    case AuditEvent::allocation_expired:
      return "allocation_expired";
    case AuditEvent::credentials_refused:
      return "credentials_refused";
    case AuditEvent::peer_refused:
      return "peer_refused";
    case AuditEvent::quota_refused:
      return "quota_refused";
    case AuditEvent::capacity_refused:
      return "capacity_refused";
  }
  return "?";
}

struct Describe {
  Instant start;

  std::string operator()(const SendToClient& sent) const {
    const Message message = Message::parse(sent.bytes).value();
    std::string text = "SendToClient " + std::string(stun::name(message.method()));
    if (message.message_class() == MessageClass::success_response) return text + " success";
    const auto* error = message.find(AttributeType::error_code);
    if (error == nullptr) return text + " indication";
    return text + " " + std::to_string(stun::parse_error_code(error->value).value().number);
  }
  std::string operator()(const OpenRelaySocket& open) const {
    return "OpenRelaySocket " + name_of(open.relay.family) + (open.even_port ? " even" : "") +
           (open.reserve_next ? " reserve_next" : "");
  }
  std::string operator()(const ClaimReservation& claim) const {
    return "ClaimReservation " + name_of(claim.relay.family);
  }
  std::string operator()(const ReleaseReservation&) const { return "ReleaseReservation"; }
  std::string operator()(const CloseRelaySocket& close) const {
    return "CloseRelaySocket " + name_of(close.relay.family);
  }
  std::string operator()(const InstallRoute& route) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(route.expires_at - start).count();
    return "InstallRoute " + std::to_string(route.channel_number) + " " + route.peer_address.text() +
           " for " + std::to_string(seconds) + " s";
  }
  std::string operator()(const RemoveRoute& route) const {
    return "RemoveRoute " + std::to_string(route.channel_number);
  }
  std::string operator()(const InstallHop& install) const {
    const Hop& hop = install.hop;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(hop.expires_at - start).count();
    return "InstallHop " + install.from.text() + " to " + hop.relayed_address.text() + " channel " +
           std::to_string(hop.channel_number) + " for " + std::to_string(seconds) + " s";
  }
  std::string operator()(const RemoveHop& remove) const {
    return "RemoveHop " + remove.from.text() + " to " + remove.relayed_address.text();
  }
  std::string operator()(const Audit& audit) const {
    std::string text = "Audit " + name_of(audit.event);
    if (!audit.username.empty()) text += " " + audit.username;
    if (audit.address != Address{}) text += " " + audit.address.text();
    return text;
  }
};

}  // namespace

std::vector<std::string> described(const Outbox& effects, Instant start) {
  std::vector<std::string> lines;
  for (const Effect& effect : effects) lines.push_back(std::visit(Describe{start}, effect));
  return lines;
}

World::Fill nothing() {
  return [](MessageBuilder&) {};
}

World::Fill udp() {
  return [](MessageBuilder& builder) { add_requested_transport(builder, kRequestedTransportUdp); };
}

World::Fill peer(std::string_view peer_address) {
  return [named = address(peer_address)](MessageBuilder& builder) {
    stun::add_xor_address(builder, AttributeType::xor_peer_address, named);
  };
}

World::Fill all(std::vector<World::Fill> fills) {
  return [fills = std::move(fills)](MessageBuilder& builder) {
    for (const World::Fill& fill : fills) fill(builder);
  };
}

World::Fill raw(std::uint16_t type, std::string_view value) {
  return [type, held = std::string(value)](MessageBuilder& builder) {
    builder.add(static_cast<AttributeType>(type), as_bytes(held));
  };
}

}  // namespace offhook::turn::test
