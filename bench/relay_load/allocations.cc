#include "relay_load/allocations.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/address.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/secure_random.h"
#include "relay_load/server_cpu.h"
#include "wire/stun/attr_error_code.h"
#include "wire/stun/attr_nonce.h"
#include "wire/stun/attr_realm.h"
#include "wire/stun/attr_username.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/stun/long_term_key.h"
#include "wire/stun/message.h"
#include "wire/turn/attr_channel_number.h"
#include "wire/turn/attr_requested_transport.h"
#include "wire/turn/channel_data.h"

namespace offhook::bench {
namespace {

// Enough to keep one relay thread busy, few enough that no default socket buffer overflows.
constexpr std::size_t kRequestsAtOnce = 32;
// RFC 8489 section 6.2.1: first retransmission after 500 ms, doubling; given up after seven sends.
constexpr double kFirstRetransmission_s = 0.5;
constexpr int kSendsLimit = 7;
// 401 once, 438 a few times at most; more is a server that accepts no nonce of its own.
constexpr int kChallengesLimit = 5;

std::uint32_t to_number(const Ip& ip) {
  const Bytes octets = ip.octets();
  return Reader(octets).u32();
}

// waiting: for the relayed address of the other of its pair.
enum class Stage { allocate, waiting, channel_bind, done };

// One client on its way to a bound channel.
struct Client {
  Allocation allocation;
  std::string username;
  std::string password;
  Stage stage = Stage::allocate;
  std::string realm;  // empty until the first challenge
  std::string nonce;
  stun::LongTermKeyMd5 key{};
  stun::TransactionId transaction_id{};
  int sends = 0;
  int challenges = 0;
  double retransmit_at_s = 0;
};

class SetUp {
 public:
  SetUp(MessageSockets& socket, const AllocationPlan& plan) : socket_(socket), plan_(plan) {
    clients_.resize(plan.count);
    for (std::size_t i = 0; i < plan.count; ++i) {
      Client& client = clients_[i];
      const auto offset = static_cast<std::uint32_t>(i);
      client.allocation.client_ip = plan.first_client_ip + offset;
      client.allocation.server = plan.server;
      client.allocation.peer = {plan.first_peer_ip + offset, plan.peer_port};
      client.allocation.channel_number = static_cast<std::uint16_t>(
          turn::kChannelNumberFirst + i % (turn::kChannelNumberLast - turn::kChannelNumberFirst + 1));
      client.username = fmt::format("{}:bench-{}", plan.expiry_unix_s, i);
      client.password = crypto::base64_encode(
          crypto::hmac_sha1(as_bytes(plan.shared_secret.reveal()), as_bytes(client.username)));
    }
  }

  Result<std::vector<Allocation>, std::string> run() {
    while (finished_ < clients_.size()) {
      if (auto step = start_more(); !step) return fail(step.error());
      const auto batch = socket_.receive();
      if (!batch) return fail(batch.error());
      for (const auto& received : *batch) {
        if (auto step = handle(received); !step) return fail(step.error());
      }
      if (!batch->empty()) continue;
      socket_.wait_readable(20);
      if (auto step = retransmit(); !step) return fail(step.error());
    }
    std::vector<Allocation> allocations;
    for (const Client& client : clients_) allocations.push_back(client.allocation);
    return allocations;
  }

 private:
  Result<void, std::string> start_more() {
    while (started_ < clients_.size() && started_ - finished_ < kRequestsAtOnce) {
      send_new(clients_[started_++]);
    }
    return socket_.flush();
  }

  void send_new(Client& client) {
    random_.fill(client.transaction_id);
    client.sends = 0;
    send(client);
  }

  void send(Client& client) {
    if (socket_.queued() == MessageSockets::kBatch)
      (void)socket_.flush();  // the flush that follows tells the error
    std::array<std::uint8_t, stun::kMessageBytesLimit> buffer;
    const stun::Method method =
        client.stage == Stage::allocate ? stun::Method::allocate : stun::Method::channel_bind;
    stun::MessageBuilder builder(buffer, stun::MessageClass::request, method, client.transaction_id);
    if (client.stage == Stage::allocate) {
      turn::add_requested_transport(builder, turn::kRequestedTransportUdp);
    } else {
      turn::add_channel_number(builder, client.allocation.channel_number);
      const Endpoint& peer = client.allocation.peer;
      stun::add_xor_address(builder, stun::AttributeType::xor_peer_address,
                            Address{Ip::v4(peer.ip), peer.port});
    }
    if (!client.realm.empty()) {
      stun::add_username(builder, client.username);
      stun::add_realm(builder, client.realm);
      stun::add_nonce(builder, client.nonce);
      builder.add_message_integrity(client.key);
    }
    const Bytes message = builder.finish();
    MutableBytes out = socket_.queue(client.allocation.client_ip, plan_.server, message.size());
    std::copy(message.begin(), message.end(), out.begin());
    ++client.sends;
    client.retransmit_at_s = monotonic_seconds() + kFirstRetransmission_s * (1 << (client.sends - 1));
  }

  Result<void, std::string> retransmit() {
    const double now_s = monotonic_seconds();
    for (std::size_t i = 0; i < started_; ++i) {
      Client& client = clients_[i];
      const bool asks = client.stage == Stage::allocate || client.stage == Stage::channel_bind;
      if (!asks || client.retransmit_at_s > now_s) continue;
      if (client.sends == kSendsLimit) {
        return fail(fmt::format("{} of client {} was never answered", method_name(client), i));
      }
      send(client);
    }
    return socket_.flush();
  }

  static std::string_view method_name(const Client& client) {
    return client.stage == Stage::allocate ? "Allocate" : "ChannelBind";
  }

  Result<void, std::string> handle(const MessageSockets::Received& received) {
    const std::uint32_t index = received.local_ip - plan_.first_client_ip;
    if (index >= started_ || received.remote != plan_.server) return {};
    Client& client = clients_[index];
    const auto message = stun::Message::parse(received.message);
    const bool asks = client.stage == Stage::allocate || client.stage == Stage::channel_bind;
    if (!message || !asks || message->transaction_id() != client.transaction_id) return {};
    if (message->message_class() == stun::MessageClass::error_response)
      return refused(client, index, *message);
    if (message->message_class() != stun::MessageClass::success_response) return {};
    if (!message->verify_integrity(client.key)) {
      return fail(fmt::format("the answer to {} of client {} has no valid MESSAGE-INTEGRITY",
                              method_name(client), index));
    }
    if (client.stage == Stage::channel_bind) {
      client.stage = Stage::done;
      ++finished_;
      return {};
    }
    return allocated(client, index, *message);
  }

  Result<void, std::string> allocated(Client& client, std::uint32_t index, const stun::Message& message) {
    const stun::Attribute* attribute = message.find(stun::AttributeType::xor_relayed_address);
    if (attribute == nullptr) return fail(fmt::format("no XOR-RELAYED-ADDRESS for client {}", index));
    const auto relayed = stun::parse_xor_address(attribute->value, message.transaction_id());
    if (!relayed || !relayed->ip.is_v4())
      return fail(fmt::format("client {} got no IPv4 relayed address", index));
    client.allocation.relayed = {to_number(relayed->ip), relayed->port};
    client.challenges = 0;
    if (!plan_.in_pairs) {
      bind_to(client, client.allocation.peer);
      return socket_.flush();
    }
    client.stage = Stage::waiting;
    Client& partner = clients_[partner_of(index)];
    if (partner.stage != Stage::waiting) return {};
    bind_to(client, partner.allocation.relayed);
    bind_to(partner, client.allocation.relayed);
    return socket_.flush();
  }

  void bind_to(Client& client, const Endpoint& peer) {
    client.allocation.peer = peer;
    client.stage = Stage::channel_bind;
    send_new(client);
  }

  // 401 and 438 bring realm and nonce for another try; anything else ends the run.
  Result<void, std::string> refused(Client& client, std::uint32_t index, const stun::Message& message) {
    const stun::Attribute* error = message.find(stun::AttributeType::error_code);
    const auto code = error == nullptr ? std::nullopt : stun::parse_error_code(error->value);
    const std::uint16_t number = code ? code->number : std::uint16_t{0};
    const stun::Attribute* realm = message.find(stun::AttributeType::realm);
    const stun::Attribute* nonce = message.find(stun::AttributeType::nonce);
    const bool challenge = number == static_cast<std::uint16_t>(stun::ErrorCode::unauthenticated) ||
                           number == static_cast<std::uint16_t>(stun::ErrorCode::stale_nonce);
    if (!challenge || realm == nullptr || nonce == nullptr || ++client.challenges > kChallengesLimit) {
      return fail(fmt::format("{} of client {} was answered {} {}", method_name(client), index, number,
                              code ? code->reason : "without ERROR-CODE"));
    }
    client.realm = to_string(realm->value);
    client.nonce = to_string(nonce->value);
    client.key = stun::long_term_key_md5(client.username, client.realm, client.password);
    send_new(client);
    return socket_.flush();
  }

  MessageSockets& socket_;
  const AllocationPlan& plan_;
  crypto::SecureRandom random_;
  std::vector<Client> clients_;
  std::size_t started_ = 0;
  std::size_t finished_ = 0;
};

}  // namespace

std::vector<Allocation> forwarded_flows(const AllocationPlan& plan, std::uint16_t first_port,
                                        const Endpoint& outer) {
  std::vector<Allocation> flows(plan.count);
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const auto offset = static_cast<std::uint32_t>(i);
    const Endpoint entry{plan.server.ip, static_cast<std::uint16_t>(first_port + i)};
    flows[i] = {
        plan.first_client_ip + offset, entry, {plan.first_peer_ip + offset, plan.peer_port}, 0, outer};
  }
  return flows;
}

Result<void, std::string> wait_for_server(MessageSockets& clients, const AllocationPlan& plan,
                                          double timeout_s) {
  crypto::SecureRandom random;
  stun::TransactionId transaction_id{};
  random.fill(transaction_id);
  std::array<std::uint8_t, stun::kMessageBytesLimit> buffer{};
  stun::MessageBuilder builder(buffer, stun::MessageClass::request, stun::Method::binding, transaction_id);
  const Bytes request = builder.finish();
  const double deadline_s = monotonic_seconds() + timeout_s;
  while (monotonic_seconds() < deadline_s) {
    MutableBytes out = clients.queue(plan.first_client_ip, plan.server, request.size());
    std::copy(request.begin(), request.end(), out.begin());
    if (auto sent = clients.flush(); !sent) return fail(sent.error());
    clients.wait_readable(50);
    const auto batch = clients.receive();
    if (!batch) return fail(batch.error());
    for (const auto& received : *batch) {
      const auto message = stun::Message::parse(received.message);
      if (message && message->transaction_id() == transaction_id) return {};
    }
  }
  return fail(fmt::format("no answer to a Binding request within {} s", timeout_s));
}

Result<std::vector<Allocation>, std::string> make_allocations(MessageSockets& clients,
                                                              const AllocationPlan& plan) {
  return SetUp(clients, plan).run();
}

}  // namespace offhook::bench
