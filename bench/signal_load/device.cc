#include "signal_load/device.h"

#include <fmt/format.h>

#include <chrono>

#include "io/loop/clock.h"
#include "signal_load/frame_member.h"
#include "wire/jwt/jwt.h"

namespace offhook::bench {
namespace {

constexpr Duration kPingInterval = std::chrono::seconds(10);  // ping_interval_ms of `welcome`
// docs/protocol.md, "Numbers and acknowledgement".
constexpr Duration kAckDelay = std::chrono::milliseconds(50);
constexpr std::uint32_t kAckAfterMessages = 16;

// Fewer than the server's listen backlog may hold.
constexpr std::size_t kOpeningAtOnce = 200;
constexpr Duration kSignInLimit = std::chrono::seconds(120);

constexpr std::int64_t kTokenLife_s = 86400;

std::string token_of(const Secret& secret, const std::string& user) {
  jwt::Claims claims;
  claims.sub = user;
  claims.iat = io::read_now().wall.seconds;
  claims.exp = *claims.iat + kTokenLife_s;
  return jwt::encode_hs256(secret, claims);
}

}  // namespace

Pulse::Pulse() : acks_(kAckDelay), pings_(kPingInterval) {}

Instant Pulse::next_due() const { return std::min(acks_.next(), pings_.next()); }

void Pulse::handle_due(Instant now) {
  while (const auto device = acks_.take_due(now)) (*device)->ack_is_due();
  while (const auto device = pings_.take_due(now)) {
    if ((*device)->is_gone()) continue;
    (*device)->send_ping();
    pings_.put(*device, now);
  }
}

void Device::say(std::string_view members) {
  sent_ += 1;
  unacknowledged_ = 0;
  crowd_.send(socket_, fmt::format("{{{},\"seq\":{},\"ack\":{}}}", members, sent_, received_));
}

void Device::send_ack() {
  unacknowledged_ = 0;
  crowd_.send(socket_, fmt::format(R"({{"type":"ack","ack":{}}})", received_));
}

void Device::send_ping() { crowd_.send(socket_, R"({"type":"ping"})"); }

void Device::ack_is_due() {
  ack_waits_ = false;
  if (!gone_ && owes_ack()) send_ack();
}

void Device::set_deaf(bool deaf) {
  deaf_ = deaf;
  crowd_.set_deaf(socket_, deaf);
}

void Device::handle_open() {
  crowd_.send(socket_, fmt::format(R"({{"type":"hello","version":1,"token":"{}"}})", token_));
  token_.clear();
}

void Device::handle_text(std::string_view frame) {
  crowd_.count_received();
  if (frame.starts_with(R"({"seq":)")) {
    return handle_numbered(number_member(frame, R"({"seq":)").value_or(0), frame);
  }
  const std::string_view type = text_member(frame, R"("type":)");
  if (type == "welcome" && !signed_in_) {
    signed_in_ = true;
    pulse_.want_ping(*this, crowd_.now());
    return;
  }
  const bool is_known = type == "pong" || type == "ack" || type == "credentials";
  if (!is_known || !signed_in_) crowd_.fault(fmt::format("{} got an unexpected {}", user_, type));
}

void Device::handle_numbered(std::uint64_t seq, std::string_view frame) {
  if (seq != received_ + 1) {
    crowd_.fault(fmt::format("{} got number {} after {}", user_, seq, received_));
  }
  received_ = seq;
  unacknowledged_ += 1;
  const std::string_view type = text_member(frame, R"("type":)");
  if (type == "error") crowd_.fault(fmt::format("{}: {}", user_, frame));
  if (party_ != nullptr) party_->handle_message(*this, type, frame);
  if (gone_ || !owes_ack()) return;
  if (unacknowledged_ >= kAckAfterMessages) return send_ack();
  if (!ack_waits_) pulse_.want_ack(*this, crowd_.now());
  ack_waits_ = true;
}

void Device::handle_closed(std::uint16_t code, std::string_view reason) {
  gone_ = true;
  if (party_ != nullptr) return party_->handle_gone(*this, code, reason);
  crowd_.fault(fmt::format("{} was closed: {} {}", user_, code, reason));
}

Devices::Devices(Crowd& crowd, Secret secret) : crowd_(crowd), secret_(std::move(secret)) {
  crowd_.add(pulse_);
}

Device& Devices::add(std::string_view prefix, std::size_t number) {
  std::string user = fmt::format("{}-{:05}", prefix, number);
  std::string token = token_of(secret_, user);
  devices_.push_back(std::make_unique<Device>(crowd_, pulse_, std::move(user), std::move(token)));
  return *devices_.back();
}

bool Devices::sign_in(int receive_buffer) {
  const auto done = [&] {
    while (signed_in_ < opened_ &&
           (devices_[signed_in_]->is_signed_in() || devices_[signed_in_]->is_gone())) {
      signed_in_ += 1;
    }
    while (opened_ < devices_.size() && opened_ - signed_in_ < kOpeningAtOnce) {
      devices_[opened_++]->open(receive_buffer);
    }
    return signed_in_ == devices_.size() || crowd_.faults() > 0;
  };
  return crowd_.serve_until(crowd_.now() + kSignInLimit, done) && crowd_.faults() == 0;
}

}  // namespace offhook::bench
