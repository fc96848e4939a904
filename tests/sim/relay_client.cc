#include "relay_client.h"

#include <array>

#include "wire/stun/attr_error_code.h"
#include "wire/stun/attr_nonce.h"
#include "wire/stun/attr_realm.h"
#include "wire/stun/attr_username.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/stun/long_term_key.h"
#include "wire/turn/attr_lifetime.h"
#include "wire/turn/attr_requested_transport.h"

namespace offhook::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kRetransmission = milliseconds(500);
constexpr std::size_t kMaxTries = 6;
constexpr std::size_t kMaxChallenges = 2;
constexpr Duration kAgain = seconds(3);

}  // namespace

RelayClient::RelayClient(Stage& stage, std::uint64_t seed, SendDatagram send,
                         std::function<void()> handle_relay, std::function<void()> take_port)
    : stage_(stage),
      dice_(seed),
      send_(std::move(send)),
      handle_relay_(std::move(handle_relay)),
      take_port_(std::move(take_port)),
      retransmission_(stage.timetable),
      refresh_timer_(stage.timetable),
      again_timer_(stage.timetable) {}

void RelayClient::set_credentials(std::string username, std::string credential) {
  username_ = std::move(username);
  credential_ = std::move(credential);
  if (!relayed_address_ && requests_.empty() && !again_timer_.is_set()) allocate();
}

void RelayClient::allocate() {
  if (!username_.empty()) ask({stun::Method::allocate, {}, {}, 0, 0});
}

void RelayClient::allocate_later() {
  again_timer_.set(kAgain + dice_.between(Duration::zero(), kAgain), [this] { allocate(); });
}

void RelayClient::lose_allocation() {
  relayed_address_.reset();
  refresh_timer_.cancel();
  retransmission_.cancel();
  requests_.clear();
}

void RelayClient::handle_rebinding() {
  lose_allocation();
  allocate();
}

void RelayClient::ask_permission(const Address& peer_address) {
  if (relayed_address_) ask({stun::Method::create_permission, peer_address, {}, 0, 0});
}

void RelayClient::stop() {
  if (!relayed_address_) return;
  requests_.clear();
  ask({stun::Method::refresh, {}, seconds(0), 0, 0});
}

void RelayClient::ask(Request request) {
  requests_.push_back(std::move(request));
  if (requests_.size() == 1) transmit();
}

void RelayClient::transmit() {
  Request& request = requests_.front();
  if (request.tries == 0) dice_.fill(id_);
  request.tries += 1;
  if (request.tries > kMaxTries) return fail_request();
  send_(build(request));
  retransmission_.set(kRetransmission * (1U << request.tries), [this] { transmit(); });
}

// The server is silent: what there was is gone, as far as anybody can tell.
void RelayClient::fail_request() {
  const bool is_permission = requests_.front().method == stun::Method::create_permission;
  if (is_permission) {
    requests_.pop_front();
    if (!requests_.empty()) transmit();
    return;
  }
  lose_allocation();
  allocate_later();
}

Buffer RelayClient::build(const Request& request) {
  std::array<std::uint8_t, 1024> storage{};
  stun::MessageBuilder builder(storage, stun::MessageClass::request, request.method, id_);
  if (request.method == stun::Method::allocate)
    turn::add_requested_transport(builder, turn::kRequestedTransportUdp);
  if (request.lifetime) turn::add_lifetime(builder, *request.lifetime);
  if (request.peer_address) {
    stun::add_xor_address(builder, stun::AttributeType::xor_peer_address, *request.peer_address);
  }
  const bool is_own = request.method != stun::Method::allocate;
  const std::string& username = is_own ? owner_ : username_;
  const std::string& credential = is_own ? owner_credential_ : credential_;
  if (!nonce_.empty()) {
    stun::add_username(builder, username);
    stun::add_realm(builder, realm_);
    stun::add_nonce(builder, nonce_);
    builder.add_message_integrity(stun::long_term_key_md5(username, realm_, credential));
  }
  const Bytes built = builder.finish();
  return Buffer(built.begin(), built.end());
}

void RelayClient::receive(Bytes datagram) {
  const auto message = stun::Message::parse(datagram);
  if (!message || message->message_class() == stun::MessageClass::indication) return;
  if (requests_.empty() || message->transaction_id() != id_) return;  // of a request that was given up
  retransmission_.cancel();
  if (message->message_class() == stun::MessageClass::error_response) return handle_error(*message);
  handle_answer(*message);
}

void RelayClient::handle_answer(const stun::Message& answer) {
  const Request request = requests_.front();
  requests_.pop_front();
  if (request.method == stun::Method::allocate) {
    const auto* relayed = answer.find(stun::AttributeType::xor_relayed_address);
    require(relayed != nullptr, "an allocation has a relayed address", username_);
    relayed_address_ = stun::parse_xor_address(relayed->value, answer.transaction_id());
    owner_ = username_;
    owner_credential_ = credential_;
    handle_relay_();
  }
  const auto* lifetime = answer.find(stun::AttributeType::lifetime);
  const auto granted = lifetime != nullptr ? turn::parse_lifetime(lifetime->value) : std::nullopt;
  if (granted && granted->count() > 0) {
    refresh_timer_.set(*granted / 2, [this] { ask({stun::Method::refresh, {}, seconds(600), 0, 0}); });
  }
  if (!requests_.empty()) transmit();
}

void RelayClient::handle_error(const stun::Message& answer) {
  const auto* attribute = answer.find(stun::AttributeType::error_code);
  const auto error = attribute != nullptr ? stun::parse_error_code(attribute->value) : std::nullopt;
  require(error.has_value(), "an error has its code", username_);
  Request& request = requests_.front();
  if (const auto* realm = answer.find(stun::AttributeType::realm)) realm_ = to_string(realm->value);
  if (const auto* nonce = answer.find(stun::AttributeType::nonce)) nonce_ = to_string(nonce->value);
  const bool is_challenge = error->number == 401 || error->number == 438;
  if (is_challenge && request.challenges++ < kMaxChallenges) {
    request.tries = 0;
    return transmit();
  }
  require(!is_challenge || request.method == stun::Method::allocate ||
              stage_.now() < stage_.disturbed_until || !relayed_address_,
          "credentials that the server made are good", username_);
  const bool may_be_refused = request.method == stun::Method::create_permission;
  if (may_be_refused) {
    requests_.pop_front();
    if (!requests_.empty()) transmit();
    return;
  }
  // The server has an allocation for this address that we do not know of: the answer that told of it came
  // after an error that was for another copy of the request (RFC 8656 section 7.4).
  if (error->number == 437 && request.method == stun::Method::allocate) take_port_();
  lose_allocation();
  allocate_later();
}

}  // namespace offhook::sim
