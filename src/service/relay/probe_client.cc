#include "service/relay/probe_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "io/loop/clock.h"
#include "io/net/datagram_queue.h"
#include "wire/stun/attr_error_code.h"
#include "wire/stun/attr_nonce.h"
#include "wire/stun/attr_realm.h"
#include "wire/stun/attr_username.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/stun/long_term_key.h"
#include "wire/turn/attr_lifetime.h"
#include "wire/turn/attr_requested_address_family.h"
#include "wire/turn/attr_requested_transport.h"

namespace offhook::relay {
namespace {

// RFC 8489 section 6.2.1 waits 500 ms and doubles; on one machine a lost datagram is a full buffer, soon
// empty.
constexpr std::chrono::milliseconds kRetransmission{200};

std::string reason_of(const stun::Message& answer) {
  const stun::Attribute* attribute = answer.find(stun::AttributeType::error_code);
  const auto error = attribute != nullptr ? stun::parse_error_code(attribute->value) : std::nullopt;
  if (!error) return "an error without a code";
  return "error " + std::to_string(error->number) + " " + std::string(error->reason);
}

bool is_challenge(const stun::Message& answer) {
  const stun::Attribute* attribute = answer.find(stun::AttributeType::error_code);
  const auto error = attribute != nullptr ? stun::parse_error_code(attribute->value) : std::nullopt;
  return error && (error->number == static_cast<std::uint16_t>(stun::ErrorCode::unauthenticated) ||
                   error->number == static_cast<std::uint16_t>(stun::ErrorCode::stale_nonce));
}

stun::TransactionId new_transaction_id(Random& random) {
  stun::TransactionId id{};
  random.fill(id);
  return id;
}

}  // namespace

ProbeClient::ProbeClient(const Address& server, credentials::TurnCredential credential, Instant deadline,
                         Random& random)
    : server_(server),
      credential_(std::move(credential)),
      deadline_(deadline),
      random_(random),
      received_(stun::kMessageBytesLimit) {
  auto socket = io::open_udp_listener({server.ip, 0}, io::PortSharing::exclusive);
  if (socket) socket_ = std::move(*socket);
}

ProbeClient::~ProbeClient() {
  if (!allocated_) return;
  deadline_ = std::min(deadline_, io::read_now().monotonic + kRetransmission);
  // Without an answer the allocation ends by its age.
  (void)ask(stun::Method::refresh,
            [](stun::MessageBuilder& builder) { turn::add_lifetime(builder, std::chrono::seconds(0)); });
}

Result<Address, std::string> ProbeClient::allocate() {
  if (!socket_) return fail(std::string("no socket could be opened on ") + server_.ip.text());
  const auto add = [&](stun::MessageBuilder& builder) {
    turn::add_requested_transport(builder, turn::kRequestedTransportUdp);
    turn::add_requested_address_family(builder, server_.family());
  };
  auto answer = ask(stun::Method::allocate, add);
  if (!answer) return fail(answer.error());
  if (is_challenge(*answer)) {
    take_challenge(*answer);
    answer = ask(stun::Method::allocate, add);
    if (!answer) return fail(answer.error());
  }
  if (answer->message_class() != stun::MessageClass::success_response) return fail(reason_of(*answer));
  allocated_ = true;
  const stun::Attribute* attribute = answer->find(stun::AttributeType::xor_relayed_address);
  const auto relayed = attribute != nullptr
                           ? stun::parse_xor_address(attribute->value, answer->transaction_id())
                           : std::nullopt;
  if (!relayed) return fail(std::string("the answer has no XOR-RELAYED-ADDRESS"));
  return *relayed;
}

Result<void, std::string> ProbeClient::permit(const Address& peer_address) {
  const auto answer = ask(stun::Method::create_permission, [&](stun::MessageBuilder& builder) {
    stun::add_xor_address(builder, stun::AttributeType::xor_peer_address, peer_address);
  });
  if (!answer) return fail(answer.error());
  if (answer->message_class() != stun::MessageClass::success_response) return fail(reason_of(*answer));
  return {};
}

Result<void, std::string> ProbeClient::send(const Address& peer_address, Bytes payload) {
  std::array<std::uint8_t, stun::kMessageBytesLimit> buffer{};
  stun::MessageBuilder builder(buffer, stun::MessageClass::indication, stun::Method::send,
                               new_transaction_id(random_));
  stun::add_xor_address(builder, stun::AttributeType::xor_peer_address, peer_address);
  builder.add(stun::AttributeType::data, payload);
  if (!io::send_datagram(socket_.get(), server_, builder.finish())) return fail(std::string("cannot send"));
  return {};
}

Result<void, std::string> ProbeClient::await(const Address& peer_address, Bytes payload) {
  for (;;) {
    const Bytes datagram = receive(deadline_);
    if (datagram.empty()) return fail(std::string("nothing arrived"));
    const auto message = stun::Message::parse(datagram);
    if (!message || message->method() != stun::Method::data) continue;
    const stun::Attribute* from = message->find(stun::AttributeType::xor_peer_address);
    const stun::Attribute* what = message->find(stun::AttributeType::data);
    if (from == nullptr || what == nullptr || !equal(what->value, payload)) continue;
    if (stun::parse_xor_address(from->value, message->transaction_id()) == peer_address) return {};
  }
}

template <typename AddAttributes>
Bytes ProbeClient::build_request(stun::Method method, MutableBytes buffer, AddAttributes add) {
  stun::MessageBuilder builder(buffer, stun::MessageClass::request, method, new_transaction_id(random_));
  add(builder);
  if (!nonce_.empty()) {
    stun::add_username(builder, credential_.username);
    stun::add_realm(builder, realm_);
    stun::add_nonce(builder, nonce_);
    builder.add_message_integrity(
        stun::long_term_key_md5(credential_.username, realm_, credential_.password));
  }
  return builder.finish();
}

template <typename AddAttributes>
ProbeClient::Answer ProbeClient::ask(stun::Method method, AddAttributes add) {
  std::array<std::uint8_t, stun::kMessageBytesLimit> buffer{};
  const Bytes request = build_request(method, buffer, add);
  const Bytes transaction_id = request.subspan(8, sizeof(stun::TransactionId));
  while (io::read_now().monotonic < deadline_) {
    (void)io::send_datagram(socket_.get(), server_, request);
    const Instant again = std::min(deadline_, io::read_now().monotonic + kRetransmission);
    for (Bytes datagram = receive(again); !datagram.empty(); datagram = receive(again)) {
      auto message = stun::Message::parse(datagram);
      if (message && equal(message->transaction_id(), transaction_id)) return *message;
    }
  }
  return fail(std::string("no answer"));
}

Bytes ProbeClient::receive(Instant until) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - io::read_now().monotonic).count();
    if (left <= 0) return {};
    pollfd wanted{socket_.get(), POLLIN, 0};
    if (poll(&wanted, 1, static_cast<int>(left)) <= 0) return {};
    const ssize_t count = recv(socket_.get(), received_.data(), received_.size(), MSG_DONTWAIT);
    if (count > 0) return Bytes(received_).first(static_cast<std::size_t>(count));
  }
}

void ProbeClient::take_challenge(const stun::Message& challenge) {
  const stun::Attribute* realm = challenge.find(stun::AttributeType::realm);
  const stun::Attribute* nonce = challenge.find(stun::AttributeType::nonce);
  if (realm != nullptr) realm_ = to_string(realm->value);
  if (nonce != nullptr) nonce_ = to_string(nonce->value);
}

}  // namespace offhook::relay
