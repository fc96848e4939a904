// Replays the fuzz corpus through the fuzz target itself, so that every build checks what the fuzzer once
// reached.

#define LLVMFuzzerTestOneInput fuzz_stun_message
#include "../fuzz/stun_message_fuzz.cc"
#undef LLVMFuzzerTestOneInput

#include "wire/turn/fuzz_corpus.h"

TEST(FuzzCorpus, StunMessage) { offhook::replay_corpus("stun_message", fuzz_stun_message); }
