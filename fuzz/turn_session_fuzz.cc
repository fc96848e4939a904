// The input drives a TURN server on a virtual clock: requests with right credentials and any attributes,
// whole or with bytes changed; raw packets; Send indications and ChannelData; packets and ICMP errors at
// relay sockets; relay sockets that open, fail, or take their time; closed streams, revoked users, the clock;
// calls that introduce peers and end; clients that bind channels to each other.
// After each step the server's tables agree with themselves and with the quota, nothing is sent to a peer
// that is none, and only requests are answered.

#include <cstdlib>
#include <map>
#include <set>

#include "core/turn/nonce.h"
#include "core/turn/server.h"
#include "wire/stun/attr_error_code.h"
#include "wire/stun/attr_nonce.h"
#include "wire/stun/attr_realm.h"
#include "wire/stun/attr_username.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/stun/long_term_key.h"
#include "wire/turn/channel_data.h"

namespace {

using namespace offhook;
using namespace offhook::turn;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::string_view kUsers[] = {"alice", "bob"};
constexpr std::string_view kPassword = "secret";
constexpr std::string_view kPeers[] = {
    "8.8.8.8:5000",          "8.8.8.8:5001",           "9.9.9.9:53",
    "10.0.0.1:5000",         "127.0.0.1:5000",         "5.9.0.1:50000",
    "5.9.0.1:3478",          "[2a00:1450::5]:5000",    "[::1]:5000",
    "[::ffff:8.8.8.8]:5000", "[2002:808:808::1]:5000", "[2a01:4f8::1]:50001",
};
constexpr std::size_t kStepsLimit = 200;  // keeps one run short

class Counter final : public Random {
 public:
  void fill(MutableBytes target) override {
    for (std::uint8_t& byte : target)
      byte = static_cast<std::uint8_t>((state_ = state_ * 0x5851F42D4C957F2DULL + 1) >> 33U);
  }

 private:
  std::uint64_t state_ = 1;
};

class Users final : public CredentialSource {
 public:
  std::optional<Candidate> find(std::string_view username, UnixTime now) const override {
    for (const std::string_view known : kUsers) {
      if (known != username) continue;
      Candidate candidate{std::string(username), {}, std::string(username), now.seconds > 2000};
      candidate.passwords.emplace_back(std::string(kPassword));
      return candidate;
    }
    return std::nullopt;
  }
  std::optional<Candidate> find_by_userhash(Bytes /*userhash*/, UnixTime /*now*/) const override {
    return std::nullopt;
  }
  bool offers_userhash() const override { return false; }
};

class FourEach final : public Quota {
 public:
  Taking try_take(std::string_view user) override {
    std::size_t& taken = taken_[std::string(user)];
    if (taken == 4) return Taking::user_limit;
    taken += 1;
    return Taking::taken;
  }
  void give_back(std::string_view user) override {
    std::size_t& taken = taken_[std::string(user)];
    require(taken > 0);
    taken -= 1;
  }
  std::size_t total() const {
    std::size_t sum = 0;
    for (const auto& [user, taken] : taken_) sum += taken;
    return sum;
  }

 private:
  std::map<std::string, std::size_t> taken_;
};

class Live final : public LiveRelays {
 public:
  std::set<Address> addresses;
  std::map<Address, std::uint32_t> openings;

  void open(const Address& relayed_address) {
    addresses.insert(relayed_address);
    openings[relayed_address] += 1;
  }
  bool contains(const Address& relayed_address) const override { return addresses.contains(relayed_address); }
  std::uint32_t incarnation(const Address& relayed_address) const override {
    return contains(relayed_address) ? openings.at(relayed_address) : 0;
  }
};

Settings fuzzed_settings(bool by_call) {
  Settings settings;
  settings.permissions_limit = 4;
  settings.channels_limit = 3;
  settings.peer_rule = by_call ? PeerRule::call : PeerRule::open;
  settings.own_addresses = {*Ip::parse("5.9.0.1"), *Ip::parse("2a01:4f8::1"), *Ip::parse("127.0.0.1")};
  return settings;
}

// The last byte may ask for the rule of calls.
bool ends_with_rule(Bytes input) { return !input.empty() && input.back() == 0xCA; }

class Session {
 public:
  explicit Session(Bytes input)
      : input_(input), server_(fuzzed_settings(ends_with_rule(input)), {random_, users_, quota_, live_}) {}

  void run() {
    for (std::size_t step = 0; step < kStepsLimit && !input_.at_end(); ++step) {
      take_step();
      require(server_.broken_invariant().empty());
      require(quota_.total() == server_.allocation_count());
      require(open_.size() <= 2 * server_.allocation_count());
    }
    settle();
  }

 private:
  void take_step() {
    switch (input_.u8() % 15) {
      case 0:
      case 1:
      case 2:
        built_request();
        break;
      case 3:
        raw_packet();
        break;
      case 4:
        send_indication();
        break;
      case 5:
        channel_data();
        break;
      case 6:
      case 7:
        peer_packet();
        break;
      case 8:
        pass_time();
        break;
      case 9:
        failing_ = input_.u8() % 3;
        break;
      case 10:
        finish_openings();
        break;
      case 11:
        icmp();
        break;
      case 12:
        end_something();
        break;
      case 13:
        introduce();
        break;
      case 14:
        channels_between_clients();
        break;
    }
  }

  Client any_client() {
    const std::uint8_t choice = input_.u8();
    Client client;
    client.five_tuple = {{*Ip::parse("198.41.0.4"), static_cast<std::uint16_t>(40000 + choice % 6)},
                         *Address::parse("5.9.0.1:3478"),
                         choice % 2 == 0 ? Transport::udp : Transport::tcp};
    client.handle = (choice >> 4U) % 2;
    return client;
  }
  Address any_peer() { return *Address::parse(kPeers[input_.u8() % std::size(kPeers)]); }

  void add_attributes(stun::MessageBuilder& builder) {
    static constexpr std::uint16_t kTypes[] = {0x0019, 0x0017, 0x8000, 0x0018, 0x0022, 0x000D,
                                               0x000C, 0x001A, 0x0013, 0x7F01, 0x8022};
    for (std::uint8_t count = input_.u8() % 6; count > 0; --count) {
      const std::uint8_t choice = input_.u8();
      if (choice % 4 == 0) {
        stun::add_xor_address(builder, stun::AttributeType::xor_peer_address, any_peer());
        continue;
      }
      const auto type = static_cast<stun::AttributeType>(kTypes[(choice / 4) % std::size(kTypes)]);
      builder.add(type, input_.take(std::min<std::size_t>(input_.u8() % 10, input_.remaining())));
    }
  }

  void built_request() {
    static constexpr stun::Method kMethods[] = {stun::Method::binding,           stun::Method::allocate,
                                                stun::Method::allocate,          stun::Method::refresh,
                                                stun::Method::create_permission, stun::Method::channel_bind};
    const Client client = any_client();
    const std::uint8_t how = input_.u8();
    std::array<std::uint8_t, stun::kMessageBytesLimit> storage{};
    stun::TransactionId id{};
    id[0] = how & 3U;  // few, so that retransmissions happen
    stun::MessageBuilder builder(storage, stun::MessageClass::request,
                                 kMethods[input_.u8() % std::size(kMethods)], id);
    if ((how & 4U) != 0)
      builder.add(stun::AttributeType::requested_transport, std::array<std::uint8_t, 4>{17, 0, 0, 0});
    add_attributes(builder);
    const std::string_view user = kUsers[(how >> 3U) & 1U];
    sign(builder, client, user, (how & 16U) != 0);
    const Bytes built = builder.finish();
    Buffer request(built.begin(), built.end());
    if ((how & 0xE0U) == 0xE0U && !request.empty()) request[input_.u16() % request.size()] ^= input_.u8();
    deliver(client, request);
  }

  void sign(stun::MessageBuilder& builder, const Client& client, std::string_view user, bool sha256) const {
    stun::add_username(builder, user);
    stun::add_realm(builder, "offhook");
    const Nonces nonces({}, std::chrono::seconds(3600));
    stun::add_nonce(builder, nonces.make({.password_algorithms = true}, client.five_tuple.client_address,
                                         now_.monotonic));
    const auto key = stun::long_term_key_md5(user, "offhook", kPassword);
    if (sha256) {
      builder.add_message_integrity_sha256(key);
    } else {
      builder.add_message_integrity(key);
    }
  }

  void raw_packet() {
    const Client client = any_client();
    deliver(client, input_.take(std::min<std::size_t>(input_.u8(), input_.remaining())));
  }

  void send_indication() {
    const Client client = any_client();
    std::array<std::uint8_t, stun::kMessageBytesLimit> storage{};
    stun::MessageBuilder builder(storage, stun::MessageClass::indication, stun::Method::send, {});
    stun::add_xor_address(builder, stun::AttributeType::xor_peer_address, any_peer());
    add_attributes(builder);
    builder.add(stun::AttributeType::data, as_bytes("payload"));
    deliver(client, builder.finish());
  }

  void channel_data() {
    const Client client = any_client();
    Buffer datagram(8);
    write_channel_data_header(datagram, static_cast<std::uint16_t>(0x4000 + input_.u8() % 4), 4);
    deliver(client, datagram);
  }

  void deliver(const Client& client, Bytes datagram) {
    Buffer storage(kHeadroomBytes + datagram.size() + kTailroomBytes);
    std::copy(datagram.begin(), datagram.end(), storage.begin() + kHeadroomBytes);
    Outbox effects;
    const Forward forward =
        server_.handle_client_packet(client, {storage, kHeadroomBytes, datagram.size()}, now_, effects);
    if (forward.via != Forward::Via::nobody) {
      require(effects.empty());
      if (forward.via == Forward::Via::hop) {
        require(parse_channel_data(forward.bytes).has_value());
        require(client_of_relay_.contains(forward.client.five_tuple));
      } else {
        require(forward.via == Forward::Via::peer);
        require_peer(forward.peer_address);
        require(open_.contains(forward.relay));
      }
    }
    const auto request = stun::Message::parse(datagram);
    const bool is_request = request && request->message_class() == stun::MessageClass::request;
    require(is_request || effects.empty());
    obey(effects);
  }

  void peer_packet() {
    if (open_.empty()) return;
    const auto& [relay, bound] =
        *std::next(open_.begin(), static_cast<std::ptrdiff_t>(input_.u8() % open_.size()));
    Address from = any_peer();
    if (from.family() != relay.family) return;
    const std::size_t size = input_.u8();
    Buffer storage(kHeadroomBytes + size + kTailroomBytes, 0xA5);
    const Forward forward = server_.handle_peer_packet(relay, from, {storage, kHeadroomBytes, size}, now_);
    if (forward.via == Forward::Via::nobody) return;
    require(forward.via == Forward::Via::client);
    require_peer(from);
    if (stun::looks_like_stun(forward.bytes)) {
      require(stun::Message::parse(forward.bytes).has_value());
    } else {
      require(parse_channel_data(forward.bytes).has_value());
    }
  }

  // What the gate is for, said once more and in other words.
  void require_peer(const Address& peer) const {
    require(peer.port >= 1024);
    if (live_.contains(peer)) return;
    static const std::set<Ip> kPublic = {*Ip::parse("8.8.8.8"), *Ip::parse("9.9.9.9"),
                                         *Ip::parse("2a00:1450::5")};
    const Bytes octets = peer.ip.octets();
    const bool ipv4_public =
        peer.ip.is_v4() && octets[0] != 10 && octets[0] != 127 && octets[0] != 0 && octets[0] < 224;
    const bool ipv6_public =
        !peer.ip.is_v4() && (octets[0] & 0xE0U) == 0x20 && !(octets[0] == 0x20 && octets[1] == 0x02);
    require(kPublic.contains(peer.ip) || ipv4_public || ipv6_public);
  }

  void icmp() {
    if (open_.empty()) return;
    const std::uint8_t type = input_.u8();
    Outbox effects;
    server_.handle_peer_icmp(open_.begin()->first, any_peer(), type, input_.u8(), input_.u32(), now_,
                             effects);
    obey(effects);
  }

  void pass_time() {
    const std::uint16_t seconds = input_.u16() % 1000;
    now_.monotonic += std::chrono::seconds(seconds);
    now_.wall = now_.wall + std::chrono::seconds(seconds);
    if (seconds % 3 == 0) return;  // and deadlines come late
    run_deadlines();
  }
  void run_deadlines() {
    Outbox effects;
    server_.handle_deadlines(now_, effects);
    require(server_.next_deadline() > now_.monotonic);
    obey(effects);
  }

  void end_something() {
    Outbox effects;
    const std::uint8_t choice = input_.u8();
    if (choice % 4 == 0) {
      server_.revoke(kUsers[choice / 4 % 2], now_);
    } else {
      server_.handle_client_closed(any_client(), now_, effects);
    }
    obey(effects);
  }

  void introduce() {
    const std::uint8_t choice = input_.u8();
    const std::string call = "call " + std::to_string(choice % 4);
    Outbox effects;
    if (choice >= 0xC0) {
      server_.handle_call_over(call, now_, effects);
    } else {
      (void)server_.handle_peer_introduced(kUsers[choice / 4 % 2], call, any_peer(), now_, effects);
    }
    obey(effects);
  }

  // The same channel number in two sessions, towards each other's first live relayed addresses.
  void channels_between_clients() {
    const std::uint8_t choice = input_.u8();
    const auto pick = [&](unsigned number) {
      return *std::next(live_.addresses.begin(),
                        static_cast<std::ptrdiff_t>(number % live_.addresses.size()));
    };
    for (const unsigned side : {choice & 3U, (choice >> 2U) & 3U}) {
      if (live_.addresses.empty()) return;  // also where the first request found the last one expired
      const Client client = any_client();
      const std::string_view user = kUsers[(choice >> 4U) & 1U];
      std::array<std::uint8_t, stun::kMessageBytesLimit> storage{};
      stun::MessageBuilder builder(storage, stun::MessageClass::request, stun::Method::channel_bind, {});
      builder.add(stun::AttributeType::channel_number, std::array<std::uint8_t, 4>{0x40, 0, 0, 0});
      stun::add_xor_address(builder, stun::AttributeType::xor_peer_address, pick(side));
      sign(builder, client, user, false);
      const Bytes built = builder.finish();
      deliver(client, Buffer(built.begin(), built.end()));
    }
  }

  void finish_openings() {
    for (const OpenRelaySocket& wanted : std::exchange(slow_, {})) {
      Outbox effects;
      open(wanted, effects);
      obey(effects);
    }
  }

  void open(const OpenRelaySocket& wanted, Outbox& effects) {
    if (failing_ == 1) {
      server_.handle_relay_failed(wanted.relay, Server::RelayFailure::no_port_free, now_, effects);
      return;
    }
    const Address bound{*Ip::parse(wanted.relay.family == Family::ipv4 ? "5.9.0.1" : "2a01:4f8::1"),
                        next_port_};
    next_port_ = next_port_ == 65535 ? 50000 : static_cast<std::uint16_t>(next_port_ + 1);
    if (wanted.reserve_next) reserved_.insert(wanted.token);
    require(open_.emplace(wanted.relay, bound).second);
    live_.open(bound);
    server_.handle_relay_opened(wanted.relay, bound, now_, effects);
  }

  void obey(Outbox& effects) {
    for (std::size_t at = 0; at < effects.size(); ++at) {
      const Effect effect = effects[at];
      if (const auto* sent = std::get_if<SendToClient>(&effect)) {
        const auto answer = stun::Message::parse(sent->bytes);
        require(answer.has_value() && sent->bytes.size() <= 512);
        if (const auto* error = answer->find(stun::AttributeType::error_code)) {
          const std::uint16_t number = stun::parse_error_code(error->value)->number;
          require(number >= 400 && number != 500);
        }
      } else if (const auto* wanted = std::get_if<OpenRelaySocket>(&effect)) {
        if (failing_ == 2)
          slow_.push_back(*wanted);
        else
          open(*wanted, effects);
      } else if (const auto* claim = std::get_if<ClaimReservation>(&effect)) {
        if (reserved_.erase(claim->token) == 0) {
          server_.handle_relay_failed(claim->relay, Server::RelayFailure::reservation_unknown, now_, effects);
        } else {
          open({claim->relay, {}, false, false, {}}, effects);
        }
      } else if (const auto* release = std::get_if<ReleaseReservation>(&effect)) {
        reserved_.erase(release->token);
      } else if (const auto* close = std::get_if<CloseRelaySocket>(&effect)) {
        const auto found = open_.find(close->relay);
        require(found != open_.end());
        live_.addresses.erase(found->second);
        open_.erase(found);
      } else if (const auto* install = std::get_if<InstallRoute>(&effect)) {
        require_peer(install->peer_address);
        routes_.insert({install->relay, install->channel_number});
      } else if (const auto* remove = std::get_if<RemoveRoute>(&effect)) {
        require(routes_.erase({remove->relay, remove->channel_number}) == 1);
      } else if (const auto* hop = std::get_if<InstallHop>(&effect)) {
        client_of_relay_.insert(hop->hop.client.five_tuple);
        for (const auto& [relay, bound] : open_) {
          if (bound == hop->from) server_.handle_hop_installed(relay, hop->hop);
        }
      } else if (const auto* gone = std::get_if<RemoveHop>(&effect)) {
        if (input_.u8() % 2 == 0) continue;  // lost on the way
        for (const auto& [relay, bound] : open_) {
          if (bound == gone->from) {
            server_.handle_hop_removed(relay, gone->relayed_address, gone->incarnation);
          }
        }
      }
    }
  }

  // In the end everything expires, and nothing is left.
  void settle() {
    finish_openings();
    for (int i = 0; i < 4; ++i) {
      now_.monotonic += std::chrono::seconds(3600);
      run_deadlines();
    }
    require(server_.allocation_count() == 0 && server_.next_deadline() == kNever);
    require(quota_.total() == 0 && open_.empty() && reserved_.empty() && routes_.empty());
  }

  Reader input_;
  Counter random_;
  Users users_;
  FourEach quota_;
  Live live_;
  Now now_{Instant{} + std::chrono::seconds(10'000), UnixTime{1000}};
  Server server_;
  std::map<RelayId, Address> open_;
  std::set<ReservationToken> reserved_;
  std::set<std::pair<RelayId, std::uint16_t>> routes_;
  std::set<FiveTuple> client_of_relay_;  // of those that hops lead to
  std::vector<OpenRelaySocket> slow_;
  std::uint16_t next_port_ = 50000;
  unsigned failing_ = 0;  // 0: relay sockets open, 1: they fail, 2: they take their time
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Session({bytes, size}).run();
  return 0;
}
