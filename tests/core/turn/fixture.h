#pragma once
// A TURN server on a virtual clock: plain ports around it, a client that builds requests, and a service that
// obeys effects by opening relay sockets that do not exist.

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/turn/server.h"
#include "wire/stun/message.h"

namespace offhook::turn::test {

using namespace std::chrono_literals;
using stun::AttributeType;
using stun::ErrorCode;
using stun::Message;
using stun::MessageBuilder;
using stun::MessageClass;
using stun::Method;

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(MutableBytes target) override;

 private:
  std::uint64_t state_;
};

class PlainCredentials final : public CredentialSource {
 public:
  struct User {
    std::vector<std::string> passwords;
    std::string user;
    std::int64_t expires_at_s = INT64_MAX;
  };
  std::map<std::string, User, std::less<>> users;
  std::string realm = "offhook";
  bool userhash_is_offered = false;
  mutable std::size_t lookups = 0;

  std::optional<Candidate> find(std::string_view username, UnixTime now) const override;
  std::optional<Candidate> find_by_userhash(Bytes userhash, UnixTime now) const override;
  mutable std::size_t userhash_questions = 0;
  bool offers_userhash() const override {
    userhash_questions += 1;
    return userhash_is_offered;
  }
};

class PlainQuota final : public Quota {
 public:
  std::size_t limit = 1000;
  std::size_t total_limit = 100'000;
  std::map<std::string, std::size_t, std::less<>> taken;

  Taking try_take(std::string_view user) override;
  void give_back(std::string_view user) override;
  std::size_t total() const;
};

class PlainRelays final : public LiveRelays {
 public:
  std::set<Address> live;
  bool is_mute = false;                       // of incarnations: then no hop can be taken
  std::map<Address, std::uint32_t> openings;  // in which incarnation an address is or was last

  void open(const Address& relayed_address) {
    openings[relayed_address] += 1;
    live.insert(relayed_address);
  }
  bool contains(const Address& relayed_address) const override { return live.contains(relayed_address); }
  std::uint32_t incarnation(const Address& relayed_address) const override {
    return is_mute || !live.contains(relayed_address) ? 0 : openings.at(relayed_address);
  }
};

inline Ip ip(std::string_view text) { return Ip::parse(text).value(); }
inline Address address(std::string_view text) { return Address::parse(text).value(); }
inline Bytes bytes(std::string_view text) { return as_bytes(text); }

// How a client asks.
enum class KeyOf { md5, sha256 };
enum class Protect { nothing, sha1, sha256, both };
struct TestClient {
  Client client;
  std::string username = "alice";
  std::string password = "secret";
  std::string realm = "offhook";
  std::string nonce;  // empty: asks the server first
  KeyOf algorithm = KeyOf::md5;
  Protect protect = Protect::sha1;
  bool by_userhash = false;
  bool fingerprint = false;

  Buffer key() const;
};

// What the server made of one input.
struct Outcome {
  Forward forward;
  Outbox effects;
};

// An answer, taken apart.
struct Answer {
  Buffer bytes;
  MessageClass message_class{};
  Method method{};
  std::uint16_t error = 0;  // 0: success

  Message message() const { return Message::parse(bytes).value(); }
  bool has(AttributeType type) const { return message().has(type); }
  Address address_in(AttributeType type) const;
  std::chrono::seconds lifetime() const;
};

class World {
 public:
  World() : World(Settings{}) {}
  explicit World(Settings settings);

  using Fill = std::function<void(MessageBuilder&)>;

  // ---- a client
  TestClient client(std::string_view client_address = "198.41.0.4:40000",
                    Transport transport = Transport::udp);
  Buffer build(TestClient& from, Method method, const Fill& fill, std::optional<stun::TransactionId> id = {});
  Outcome deliver(const Client& from, Bytes datagram);
  // Builds, delivers, obeys every OpenRelaySocket, and returns all effects.
  Outcome ask(
      TestClient& from, Method method, const Fill& fill = [](MessageBuilder&) {});
  // Of ask(): the error of the answer; 0 for success; nothing if there was no answer.
  std::optional<int> code(
      TestClient& from, Method method, const Fill& fill = [](MessageBuilder&) {});
  std::string fetch_nonce(const TestClient& from);
  stun::TransactionId next_id();

  // ---- the usual requests
  Answer allocate(
      TestClient& from, const Fill& more = [](MessageBuilder&) {});
  std::optional<int> permit(TestClient& from, std::string_view peer_address);
  std::optional<int> bind(TestClient& from, std::uint16_t number, std::string_view peer_address);
  std::optional<int> refresh(TestClient& from, std::chrono::seconds lifetime);
  Outcome send(const TestClient& from, std::string_view peer_address, std::string_view payload,
               bool dont_fragment = false);
  Outcome channel_data(const TestClient& from, std::uint16_t number, std::string_view payload);

  // The same past no hop: through the relay socket and in at the peer's, where that is a relayed address.
  Outcome channel_data_over_sockets(const TestClient& from, std::uint16_t number, std::string_view payload);
  Outbox introduce(std::string_view user, std::string_view call, std::string_view peer_address);
  Outbox call_over(std::string_view call);

  // ---- the service
  void obey(Outbox& effects);  // appends what the server says to it
  Outcome from_peer(const RelayId& relay, std::string_view peer_address, std::string_view payload);
  RelayId relay_of(const Address& relayed_address) const;
  Outbox wait(std::chrono::milliseconds span);  // moves the clock and runs deadlines

  Ip relay_ipv4 = ip("5.9.0.1");
  Ip relay_ipv6 = ip("2a01:4f8::1");
  Settings settings;
  SeededRandom random{1};
  PlainCredentials credentials;
  PlainQuota quota;
  PlainRelays relays;
  Now now{Instant{} + 10'000s, UnixTime{1'700'000'000}};
  std::map<RelayId, Address> open_relays;
  std::map<ReservationToken, Address> reserved;
  std::optional<Server::RelayFailure> next_failure;  // of every opening, until reset
  std::optional<Family> failing_family;              // narrows next_failure to one family
  bool hops_are_lost = false;                        // obey() leaves InstallHop and RemoveHop
  bool relays_stay_opening = false;                  // obey() leaves OpenRelaySocket unanswered
  std::uint16_t next_port = 50'000;
  Outbox challenge_effects;  // of the last fetch_nonce()
  Server server;

 private:
  void change_hop(const Effect& effect);
  void open(const OpenRelaySocket& wanted, Outbox& effects);
  void claim(const ClaimReservation& wanted, Outbox& effects);
  Buffer buffer_;  // of the last packet, which a Forward borrows
};

// The one answer among the effects; nothing if there is none.
std::optional<Answer> answer_in(const Outbox& effects);
// One line an effect, for exact comparison: "SendToClient Refresh success", "CloseRelaySocket ipv4", ...
std::vector<std::string> described(const Outbox& effects, Instant start);

// Fills for the common attributes.
World::Fill nothing();
World::Fill udp();
World::Fill peer(std::string_view peer_address);
World::Fill all(std::vector<World::Fill> fills);
World::Fill raw(std::uint16_t type, std::string_view value);

}  // namespace offhook::turn::test
