#include "signal_load/peerjs.h"

#include <fmt/format.h>

#include <chrono>

#include "io/loop/clock.h"
#include "signal_load/description.h"
#include "signal_load/frame_member.h"

namespace offhook::bench {
namespace {

constexpr Duration kHeartbeatInterval = std::chrono::seconds(5);  // what its client does by default
constexpr std::size_t kOpeningAtOnce = 200;
constexpr Duration kSignInLimit = std::chrono::seconds(120);

Instant clock_now() { return io::read_now().monotonic; }

}  // namespace

void PeerClient::say(std::string_view type, const std::string& to, std::string_view payload) {
  crowd_.send(socket_, fmt::format(R"({{"type":"{}","payload":{},"dst":"{}"}})", type, payload, to));
}

void PeerClient::handle_text(std::string_view frame) {
  crowd_.count_received();
  const std::string_view type = text_member(frame, R"("type":)");
  if (type == "OPEN") {
    signed_in_ = true;
  } else if (party_ != nullptr) {
    party_->handle_message(*this, type, frame);
  } else {
    crowd_.fault(fmt::format("{} got an unexpected {}", id_, frame.substr(0, 200)));
  }
}

void PeerClient::handle_closed(std::uint16_t code, std::string_view reason) {
  crowd_.fault(fmt::format("{} was closed: {} {}", id_, code, reason));
}

PeerClients::PeerClients(Crowd& crowd) : crowd_(crowd), heartbeats_(kHeartbeatInterval) { crowd_.add(*this); }

PeerClient& PeerClients::add(std::string_view prefix, std::size_t number) {
  clients_.push_back(std::make_unique<PeerClient>(crowd_, fmt::format("{}-{:05}", prefix, number)));
  return *clients_.back();
}

bool PeerClients::sign_in() {
  const auto done = [&] {
    for (; signed_in_ < opened_ && clients_[signed_in_]->is_signed_in(); ++signed_in_) {
      heartbeats_.put(clients_[signed_in_].get(), crowd_.now());
    }
    while (opened_ < clients_.size() && opened_ - signed_in_ < kOpeningAtOnce) clients_[opened_++]->open();
    return signed_in_ == clients_.size() || crowd_.faults() > 0;
  };
  return crowd_.serve_until(crowd_.now() + kSignInLimit, done) && crowd_.faults() == 0;
}

void PeerClients::handle_due(Instant now) {
  while (const auto client = heartbeats_.take_due(now)) {
    (*client)->send_heartbeat();
    heartbeats_.put(*client, now);
  }
}

PeerExchange::PeerExchange(Crowd& crowd, Operator& its_operator, PeerClient& caller, PeerClient& callee)
    : crowd_(crowd), operator_(its_operator), caller_(caller), callee_(callee) {
  caller.belong_to(*this);
  callee.belong_to(*this);
}

void PeerExchange::dial(std::size_t serial, Instant due) {
  caller_ufrag_ = ufrag_of(serial, 'a');
  callee_ufrag_ = ufrag_of(serial, 'b');
  caller_heard_ = callee_heard_ = {};
  due_ = due;
  say_all(caller_, callee_, "OFFER", caller_ufrag_);
}

void PeerExchange::say_all(PeerClient& from, const PeerClient& to, std::string_view type,
                           std::string_view ufrag) {
  from.say(
      type, to.id(),
      fmt::format(R"({{"sdp":{{"sdp":"{}"}},"connectionId":"mc_{}"}})", escaped_description(ufrag), ufrag));
  for (std::size_t index = 0; index < kCandidates; ++index) {
    from.say("CANDIDATE", to.id(),
             fmt::format(R"({{"connectionId":"mc_{}",{}}})", ufrag, candidate_member(ufrag, index)));
  }
}

void PeerExchange::handle_message(PeerClient& client, std::string_view type, std::string_view frame) {
  const bool is_callee = &client == &callee_;
  Heard& heard = is_callee ? callee_heard_ : caller_heard_;
  const std::string_view ufrag = is_callee ? caller_ufrag_ : callee_ufrag_;
  const bool is_description = type == (is_callee ? "OFFER" : "ANSWER") && !heard.description;
  const bool is_candidate =
      type == "CANDIDATE" && heard.description && heard.candidates < kCandidates &&
      text_member(frame, R"({"candidate":)").starts_with(fmt::format("candidate:{} ", heard.candidates + 1));
  if (frame.find(ufrag) == std::string_view::npos || !(is_description || is_candidate)) {
    return crowd_.fault(fmt::format("{} got out of order: {}", client.id(), frame.substr(0, 200)));
  }
  if (is_description) return take_description(heard, is_callee);
  heard.candidates += 1;
  const bool over = caller_heard_.candidates == kCandidates && callee_heard_.candidates == kCandidates;
  if (over) operator_.handle_over(*this);
}

void PeerExchange::take_description(Heard& heard, bool is_callee) {
  heard.description = true;
  if (!is_callee) return operator_.note(Operator::Step::accepted, due_, clock_now() - answered_at_);
  operator_.note(Operator::Step::incoming, due_, clock_now() - due_);
  answered_at_ = clock_now();
  say_all(callee_, caller_, "ANSWER", callee_ufrag_);
}

}  // namespace offhook::bench
