// Replays the fuzz corpus through the fuzz target itself, so that every build checks what the fuzzer once
// reached.

#define LLVMFuzzerTestOneInput fuzz_stream_framing
#include "../fuzz/stream_framing_fuzz.cc"
#undef LLVMFuzzerTestOneInput

#include "wire/turn/fuzz_corpus.h"

TEST(FuzzCorpus, StreamFraming) { offhook::replay_corpus("stream_framing", fuzz_stream_framing); }
