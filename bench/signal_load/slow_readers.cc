#include "signal_load/slow_readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "io/loop/clock.h"
#include "signal_load/description.h"
#include "signal_load/frame_member.h"

namespace offhook::bench {
namespace {

// How often each is rung or hung up on, or gets an offer with candidates: a session's queue of 512 messages
// is full in a minute. What talks to a thousand of them is some 9,000 frames a second, a quarter of what one
// core takes: more often, and the load would be measured, which is the same whether they read or not.
constexpr Duration kTurn = std::chrono::milliseconds(2000);
constexpr std::size_t kCandidatesOfRing = 20;  // half a minute fills what rings may fill
constexpr std::size_t kCandidatesOfTurn = 15;
constexpr Duration kPatience = std::chrono::seconds(30);
constexpr std::string_view kMedia = R"("media":{"audio":true,"video":true})";

std::string json_of(const std::map<std::string, std::size_t>& counts) {
  std::string members;
  for (const auto& [name, count] : counts) {
    members += fmt::format("{}\"{}\":{}", members.empty() ? "" : ",", name, count);
  }
  return "{" + members + "}";
}

}  // namespace

// A slow reader and the one that talks to it.
class SlowReaders::Victim final : public Party {
 public:
  Victim(SlowReaders& all, Device& slow, Device& talker, bool in_call, std::size_t number)
      : all_(all), slow_(slow), talker_(talker), in_call_(in_call), number_(number) {
    slow.belong_to(*this);
    talker.belong_to(*this);
  }

  bool in_call() const { return in_call_; }
  bool is_accepted() const { return accepted_; }
  bool calls() const { return !call_.empty(); }
  bool has_heard_all() const { return in_call_ ? slow_.is_gone() : fenced_; }

  void dial() {
    call_ = fmt::format("c_slow{:010}{:010}", number_, ++serial_);
    ufrag_ = ufrag_of(serial_, 's');
    generation_ = 0;
    talker_.say(fmt::format(R"("type":"dial","call":"{}","to":"{}",{})", call_, slow_.user(), kMedia));
    say_offer();
    if (!in_call_) say_candidates(kCandidatesOfRing);
  }

  void take_turn() {
    if (in_call_) {
      if (!calls()) return;
      generation_ += 1;
      say_offer();
      return say_candidates(kCandidatesOfTurn);
    }
    if (calls()) return hang_up();
    dial();
  }

  void hang_up() { talker_.say(fmt::format(R"("type":"hangup","call":"{}")", call_)); }
  void read_nothing() { slow_.set_deaf(true); }
  void read_on() {
    slow_.set_deaf(false);
    if (!in_call_) slow_.say(R"("type":"elsewhere")");  // its answer comes after all else
  }

 private:
  void say_offer() {
    talker_.say(fmt::format(R"("type":"offer","call":"{}","generation":{},"sdp":"{}")", call_, generation_,
                            escaped_description(ufrag_)));
  }
  void say_candidates(std::size_t count) {
    for (std::size_t index = 0; index < count; ++index) {
      talker_.say(fmt::format(R"("type":"ice-candidate","call":"{}","generation":{},{})", call_, generation_,
                              extra_candidate_member(ufrag_, index)));
    }
  }

  void handle_message(Device& device, std::string_view type, std::string_view frame) override {
    if (&device == &slow_) return handle_slow(type, frame);
    if (type == "accepted") accepted_ = true;
    if (type != "ended") return;
    const std::string_view call = text_member(frame, R"("call":)");
    if (call != call_) all_.crowd_.fault(fmt::format("{} ended twice, or never was", call));
    call_.clear();
    const std::string reason(text_member(frame, R"("reason":)"));
    const bool is_due = in_call_ ? reason == "signaling_lost" : reason == "canceled" || reason == "busy";
    if (!is_due) all_.crowd_.fault(fmt::format("{} ended with {}", call, reason));
    (in_call_ ? all_.ends_in_call_ : all_.ends_when_rung_)[reason] += 1;
    if (in_call_) all_.lost_ += 1;
  }

  void handle_slow(std::string_view type, std::string_view frame) {
    const std::string call(text_member(frame, R"("call":)"));
    if (type == "elsewhere") {
      fenced_ = true;
      if (!rings_.empty()) all_.crowd_.fault(fmt::format("{} rings and never ended", rings_));
    } else if (type == "incoming") {
      if (!rings_.empty()) all_.crowd_.fault(fmt::format("{} rings beside {}", call, rings_));
      rings_ = call;
    } else if (call != rings_) {
      all_.crowd_.fault(fmt::format("{} of {}, which does not ring", type, call));
    } else if (type == "ended") {
      rings_.clear();
    } else if (type == "offer" && in_call_ && !accepted_) {
      accept();
    }
  }

  void accept() {
    slow_.say(fmt::format(R"("type":"ringing","call":"{}")", call_));
    slow_.say(fmt::format(R"("type":"answer","call":"{}","generation":0,"sdp":"{}")", call_,
                          escaped_description(ufrag_of(serial_, 'r'))));
    slow_.say(fmt::format(R"("type":"accept","call":"{}",{})", call_, kMedia));
  }

  void handle_gone(Device& device, std::uint16_t code, std::string_view reason) override {
    if (&device == &slow_ && in_call_ && call_.empty()) return;
    all_.crowd_.fault(fmt::format("{} was closed: {} {}", device.user(), code, reason));
  }

  SlowReaders& all_;
  Device& slow_;
  Device& talker_;
  bool in_call_;
  std::size_t number_;
  std::size_t serial_ = 0;
  std::string call_;  // the talker's; empty while it has none
  std::string ufrag_;
  std::uint32_t generation_ = 0;
  bool accepted_ = false;
  std::string rings_;  // the call that the slow reader has last heard of, unless it has ended there
  bool fenced_ = false;
};

SlowReaders::SlowReaders(Devices& devices, std::size_t count) : crowd_(devices.crowd()), turns_(kTurn) {
  for (std::size_t number = 0; number < count; ++number) {
    Device& slow = devices.add("slow", number);
    Device& talker = devices.add("talker", number);
    const bool in_call = number % 2 == 1;
    in_call_ += in_call ? 1 : 0;
    victims_.push_back(std::make_unique<Victim>(*this, slow, talker, in_call, number));
  }
  crowd_.add(*this);
}

SlowReaders::~SlowReaders() = default;

bool SlowReaders::prepare() {
  for (const auto& victim : victims_) {
    if (victim->in_call()) victim->dial();
  }
  const auto accepted = [this] {
    return std::ranges::all_of(victims_,
                               [](const auto& one) { return !one->in_call() || one->is_accepted(); });
  };
  return crowd_.serve_until(crowd_.now() + kPatience, accepted) && crowd_.faults() == 0;
}

void SlowReaders::begin() {
  going_on_ = true;
  const Instant now = io::read_now().monotonic;
  const Duration between = kTurn / static_cast<Duration::rep>(std::max<std::size_t>(victims_.size(), 1));
  Duration offset{};
  for (const auto& victim : victims_) {
    victim->read_nothing();
    turns_.put(victim.get(), now - kTurn + offset);  // spread over one turn
    offset += between;
  }
}

void SlowReaders::handle_due(Instant now) {
  while (const auto victim = turns_.take_due(now)) {
    if (!going_on_) continue;
    (*victim)->take_turn();
    turns_.put(*victim, now);
  }
}

void SlowReaders::end() {
  going_on_ = false;
  for (const auto& victim : victims_) {
    if (victim->calls()) victim->hang_up();
  }
  const auto over = [this] {
    return std::ranges::none_of(victims_, [](const auto& one) { return one->calls(); });
  };
  if (!crowd_.serve_until(crowd_.now() + kPatience, over))
    crowd_.fault("a call with a slow reader never ended");
  for (const auto& victim : victims_) victim->read_on();
  const auto heard = [this] {
    return std::ranges::all_of(victims_, [](const auto& one) { return one->has_heard_all(); });
  };
  if (!crowd_.serve_until(crowd_.now() + kPatience, heard))
    crowd_.fault("a slow reader never heard the rest");
}

std::string SlowReaders::json() const {
  return fmt::format(R"({{"rung":{},"in_call":{},"ends_when_rung":{},"ends_in_call":{}}})",
                     victims_.size() - in_call_, in_call_, json_of(ends_when_rung_), json_of(ends_in_call_));
}

}  // namespace offhook::bench
