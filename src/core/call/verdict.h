#pragma once
// Why a call is over, in a sentence for the person at this end, and what to do about it.

#include <string_view>

#include "wire/signal/types.h"

namespace offhook::call {

enum class Side { caller, callee };
// Who brought the end about: the person at this end (or this device), the other one, or the app's backend.
enum class Cause { this_end, other_end, app };

struct Verdict {
  std::string_view sentence;
  bool retryable = false;  // dialling again, at once, can help
};

Verdict verdict(signal::EndReason reason, Side side, Cause cause);

}  // namespace offhook::call
