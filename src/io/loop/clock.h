#pragma once
// The one reader of clocks on the data path: a loop calls it once a wake-up and passes the result down.

#include "base/time.h"

namespace offhook::io {

// CLOCK_MONOTONIC, and CLOCK_REALTIME in whole seconds.
Now read_now();

// The calling thread's pauses end when they are to, not up to 50 microseconds later (PR_SET_TIMERSLACK).
void ask_for_precise_pauses();
// Does nothing for so long; a signal ends it early. Zero: returns at once.
void pause_for(Duration pause);

}  // namespace offhook::io
