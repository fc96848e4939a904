#include "signal_load/fan_out.h"

#include <fmt/format.h>

#include <chrono>

#include "io/loop/clock.h"
#include "signal_load/description.h"
#include "signal_load/frame_member.h"

namespace offhook::bench {
namespace {

constexpr Duration kCallLimit = std::chrono::seconds(10);
constexpr std::string_view kMedia = R"("media":{"audio":true,"video":true})";

Instant clock_now() { return io::read_now().monotonic; }

}  // namespace

// A caller, and a user with several devices.
class FanOut::Group final : public Party {
 public:
  Group(FanOut& all, Devices& devices, std::size_t number, std::size_t count)
      : all_(all), caller_(devices.add("caller", number)) {
    caller_.belong_to(*this);
    for (std::size_t i = 0; i < count; ++i) {
      devices_.push_back({&devices.add("callee", number)});
      devices_.back().device->belong_to(*this);
    }
  }

  void dial(std::size_t serial) {
    call_ = fmt::format("c_{:024}", serial);
    winner_ = serial % devices_.size();
    rang_ = offered_ = ended_ = 0;
    over_ = false;
    for (One& one : devices_) one = {one.device};
    dialled_at_ = clock_now();
    caller_.say(
        fmt::format(R"("type":"dial","call":"{}","to":"{}",{})", call_, devices_[0].device->user(), kMedia));
    caller_.say(fmt::format(R"("type":"offer","call":"{}","generation":0,"sdp":"{}")", call_,
                            escaped_description(ufrag_of(serial, 'a'))));
  }
  bool is_over() const { return over_; }

 private:
  struct One {
    Device* device = nullptr;
    bool rang = false;
    bool offered = false;
    bool ended = false;
  };

  void handle_message(Device& device, std::string_view type, std::string_view frame) override {
    expect(text_member(frame, R"("call":)") == call_, "of another call", frame);
    if (&device == &caller_) return handle_caller(type);
    for (One& one : devices_) {
      if (one.device == &device) return handle_device(one, type, frame);
    }
  }

  void handle_caller(std::string_view type) {
    if (type == "accepted") accepted_ = true;
    if (type == "ended") over_ = true;
    hang_up_if_ready();
  }

  void handle_device(One& one, std::string_view type, std::string_view frame) {
    if (type == "incoming") {
      expect(!std::exchange(one.rang, true), "rang twice", frame);
      rang_ += 1;
      if (rang_ == 1) all_.first_ring_.add(clock_now() - dialled_at_);
      if (rang_ == devices_.size()) all_.last_ring_.add(clock_now() - dialled_at_);
      one.device->say(fmt::format(R"("type":"ringing","call":"{}")", call_));
    } else if (type == "offer") {
      expect(one.rang && !std::exchange(one.offered, true), "another offer, or before it rang", frame);
      offered_ += 1;
      if (offered_ == devices_.size()) accept();
    } else if (type == "ended") {
      handle_ended(one, frame);
    }
  }

  void accept() {
    accepted_ = false;
    accepted_at_ = clock_now();
    devices_[winner_].device->say(fmt::format(R"("type":"accept","call":"{}",{})", call_, kMedia));
  }

  void handle_ended(One& one, std::string_view frame) {
    expect(!std::exchange(one.ended, true), "ended twice", frame);
    if (one.device == devices_[winner_].device) return;
    expect(text_member(frame, R"("reason":)") == "answered_elsewhere", "ended otherwise", frame);
    ended_ += 1;
    if (ended_ + 1 == devices_.size()) all_.last_elsewhere_.add(clock_now() - accepted_at_);
    hang_up_if_ready();
  }

  void hang_up_if_ready() {
    if (!accepted_ || ended_ + 1 != devices_.size()) return;
    accepted_ = false;
    caller_.say(fmt::format(R"("type":"hangup","call":"{}")", call_));
  }

  void expect(bool holds, std::string_view what, std::string_view frame) {
    if (!holds) all_.crowd_.fault(fmt::format("{}: {}: {}", call_, what, frame.substr(0, 200)));
  }

  void handle_gone(Device& device, std::uint16_t code, std::string_view reason) override {
    all_.crowd_.fault(fmt::format("{} was closed: {} {}", device.user(), code, reason));
  }

  FanOut& all_;
  Device& caller_;
  std::vector<One> devices_;
  std::string call_;
  std::size_t winner_ = 0;
  std::size_t rang_ = 0;
  std::size_t offered_ = 0;
  std::size_t ended_ = 0;
  bool accepted_ = false;
  bool over_ = false;
  Instant dialled_at_;
  Instant accepted_at_;
};

FanOut::FanOut(Devices& devices, std::size_t groups, std::size_t devices_of_user) : crowd_(devices.crowd()) {
  for (std::size_t number = 0; number < groups; ++number) {
    groups_.push_back(std::make_unique<Group>(*this, devices, number, devices_of_user));
  }
}

FanOut::~FanOut() = default;

bool FanOut::run(std::size_t calls) {
  for (std::size_t serial = 0; serial < calls && crowd_.faults() == 0; ++serial) {
    Group& group = *groups_[serial % groups_.size()];
    group.dial(serial);
    if (!crowd_.serve_until(crowd_.now() + kCallLimit, [&group] { return group.is_over(); })) {
      crowd_.fault("a call to several devices never came to its end");
    }
  }
  return crowd_.faults() == 0;
}

std::string FanOut::json() const {
  return fmt::format(R"({{"first_ring":{},"last_ring":{},"last_elsewhere":{}}})", first_ring_.json(),
                     last_ring_.json(), last_elsewhere_.json());
}

}  // namespace offhook::bench
