#pragma once
// Two devices, one of which calls the other again and again, as the SDK does: dial, offer and candidates at
// once; ringing, answer and candidates while it rings; accept; both report media; hang up. Everything that
// the protocol says comes has to come, once, in its order, and with what was sent.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "signal_load/conversation.h"
#include "signal_load/device.h"

namespace offhook::bench {

class Pair final : public Conversation, public Party {
 public:
  // All must outlive it. The devices are this pair's own.
  Pair(Crowd& crowd, Operator& its_operator, Device& caller, Device& callee);

  void dial(std::size_t serial, Instant due) override;

 private:
  // What one of the two has heard of the call.
  struct Heard {
    bool description = false;
    std::size_t candidates = 0;  // the end of candidates is one
    bool ended = false;
  };

  void handle_message(Device& device, std::string_view type, std::string_view frame) override;
  void handle_gone(Device& device, std::uint16_t code, std::string_view reason) override;
  void handle_caller(std::string_view type, std::string_view frame);
  void handle_callee(std::string_view type, std::string_view frame);
  void handle_candidate(Heard& heard, std::string_view ufrag, std::string_view frame);
  void handle_ended(Heard& heard, std::string_view frame);
  void answer();
  void expect(bool holds, std::string_view what, std::string_view frame);
  void say_candidates(Device& device, std::string_view ufrag);
  // Reports media of each side that has everything, and hangs up once both have.
  void settle();
  bool has_all(const Heard& heard) const;

  Crowd& crowd_;
  Operator& operator_;
  Device& caller_;
  Device& callee_;

  std::string call_;  // its id
  std::string caller_ufrag_;
  std::string callee_ufrag_;
  Instant due_;
  Instant accepted_at_;
  Heard caller_heard_;
  Heard callee_heard_;
  bool incoming_ = false;
  bool ringing_ = false;
  bool accepted_ = false;
  bool caller_connected_ = false;
  bool callee_connected_ = false;
};

}  // namespace offhook::bench
