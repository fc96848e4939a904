// Replays the fuzz corpus through the fuzz target itself, so that every build checks what the fuzzer once
// reached.

#define LLVMFuzzerTestOneInput fuzz_sdp
#include "../fuzz/sdp_fuzz.cc"
#undef LLVMFuzzerTestOneInput

#include "wire/turn/fuzz_corpus.h"

TEST(FuzzCorpus, Sdp) { offhook::replay_corpus("sdp", fuzz_sdp); }
