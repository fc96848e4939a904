#include "signal_load/pair.h"

#include <fmt/format.h>

#include "io/loop/clock.h"
#include "signal_load/description.h"
#include "signal_load/frame_member.h"

namespace offhook::bench {
namespace {

constexpr std::string_view kMedia = R"("media":{"audio":true,"video":true})";
constexpr std::size_t kToldBytes = 200;

Instant clock_now() { return io::read_now().monotonic; }

}  // namespace

Pair::Pair(Crowd& crowd, Operator& its_operator, Device& caller, Device& callee)
    : crowd_(crowd), operator_(its_operator), caller_(caller), callee_(callee) {
  caller.belong_to(*this);
  callee.belong_to(*this);
}

void Pair::dial(std::size_t serial, Instant due) {
  call_ = fmt::format("c_{:024}", serial);
  caller_ufrag_ = ufrag_of(serial, 'a');
  callee_ufrag_ = ufrag_of(serial, 'b');
  due_ = due;
  caller_heard_ = callee_heard_ = {};
  incoming_ = ringing_ = accepted_ = caller_connected_ = callee_connected_ = false;
  caller_.say(fmt::format(R"("type":"dial","call":"{}","to":"{}",{})", call_, callee_.user(), kMedia));
  caller_.say(fmt::format(R"("type":"offer","call":"{}","generation":0,"sdp":"{}")", call_,
                          escaped_description(caller_ufrag_)));
  say_candidates(caller_, caller_ufrag_);
}

void Pair::say_candidates(Device& device, std::string_view ufrag) {
  for (std::size_t index = 0; index <= kCandidates; ++index) {
    device.say(fmt::format(R"("type":"ice-candidate","call":"{}","generation":0,{})", call_,
                           candidate_member(ufrag, index)));
  }
}

void Pair::expect(bool holds, std::string_view what, std::string_view frame) {
  if (!holds) crowd_.fault(fmt::format("{}: {}: {}", call_, what, frame.substr(0, kToldBytes)));
}

void Pair::handle_message(Device& device, std::string_view type, std::string_view frame) {
  const bool is_ours = !call_.empty() && text_member(frame, R"("call":)") == call_;
  expect(is_ours, "not of the pair's call", frame);
  if (!is_ours) return;
  const bool is_caller = &device == &caller_;
  expect(!(is_caller ? caller_heard_ : callee_heard_).ended, "after the end", frame);
  if (is_caller) {
    handle_caller(type, frame);
  } else {
    handle_callee(type, frame);
  }
}

void Pair::handle_caller(std::string_view type, std::string_view frame) {
  if (type == "ringing") {
    expect(!ringing_, "rang twice", frame);
    ringing_ = true;
    operator_.note(Operator::Step::ringing, due_, clock_now() - due_);
  } else if (type == "answer") {
    expect(!caller_heard_.description && frame.find(callee_ufrag_) != std::string_view::npos,
           "another answer", frame);
    caller_heard_.description = true;
  } else if (type == "accepted") {
    expect(!accepted_ && ringing_, "accepted twice, or before it rang", frame);
    accepted_ = true;
    operator_.note(Operator::Step::accepted, due_, clock_now() - accepted_at_);
  } else if (type == "ice-candidate") {
    handle_candidate(caller_heard_, callee_ufrag_, frame);
  } else if (type == "ended") {
    return handle_ended(caller_heard_, frame);
  } else {
    expect(type == "state", "not for a caller", frame);
  }
  settle();
}

void Pair::handle_callee(std::string_view type, std::string_view frame) {
  if (type == "incoming") {
    expect(!incoming_ && text_member(frame, R"("from":)") == caller_.user(), "rang twice, or by another",
           frame);
    incoming_ = true;
    operator_.note(Operator::Step::incoming, due_, clock_now() - due_);
    callee_.say(fmt::format(R"("type":"ringing","call":"{}")", call_));
  } else if (type == "offer") {
    expect(incoming_ && !callee_heard_.description && frame.find(caller_ufrag_) != std::string_view::npos,
           "another offer, or before it rang", frame);
    callee_heard_.description = true;
    answer();
  } else if (type == "ice-candidate") {
    handle_candidate(callee_heard_, caller_ufrag_, frame);
  } else if (type == "ended") {
    return handle_ended(callee_heard_, frame);
  } else {
    expect(type == "state", "not for a callee", frame);
  }
  settle();
}

void Pair::answer() {
  callee_.say(fmt::format(R"("type":"answer","call":"{}","generation":0,"sdp":"{}")", call_,
                          escaped_description(callee_ufrag_)));
  say_candidates(callee_, callee_ufrag_);
  accepted_at_ = clock_now();
  callee_.say(fmt::format(R"("type":"accept","call":"{}",{})", call_, kMedia));
}

// Candidates are told in their order, and the end of them last.
void Pair::handle_candidate(Heard& heard, std::string_view ufrag, std::string_view frame) {
  const std::string_view text = text_member(frame, R"({"candidate":)");
  const bool is_end = heard.candidates == kCandidates;
  const bool is_next =
      is_end ? text.empty() : text.starts_with(fmt::format("candidate:{} ", heard.candidates + 1));
  expect(is_next && heard.description && frame.find(ufrag) != std::string_view::npos,
         "a candidate out of its order", frame);
  heard.candidates += 1;
}

bool Pair::has_all(const Heard& heard) const {
  return accepted_ && heard.description && heard.candidates == kCandidates + 1;
}

void Pair::settle() {
  const std::string connected =
      R"("type":"connected","call":")" + call_ +
      R"(","time_to_connect_ms":187,"pair":{"local":"host","remote":"srflx","protocol":"udp"})";
  if (!caller_connected_ && has_all(caller_heard_)) {
    caller_connected_ = true;
    caller_.say(connected);
    if (callee_connected_) caller_.say(fmt::format(R"("type":"hangup","call":"{}")", call_));
  }
  if (!callee_connected_ && has_all(callee_heard_)) {
    callee_connected_ = true;
    callee_.say(connected);
    if (caller_connected_) callee_.say(fmt::format(R"("type":"hangup","call":"{}")", call_));
  }
}

void Pair::handle_ended(Heard& heard, std::string_view frame) {
  expect(text_member(frame, R"("reason":)") == "hangup" && caller_connected_ && callee_connected_,
         "ended otherwise than by hanging up", frame);
  heard.ended = true;
  if (caller_heard_.ended && callee_heard_.ended) operator_.handle_over(*this);
}

void Pair::handle_gone(Device& device, std::uint16_t code, std::string_view reason) {
  crowd_.fault(fmt::format("{} was closed: {} {}", device.user(), code, reason));
}

}  // namespace offhook::bench
