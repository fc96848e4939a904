#pragma once
// Mutates an input of signal_envelope_fuzz by whole lines: messages as a client would write them, steps of time,
// connections that come and go. Bytes alone seldom make a conversation.

#include <cstddef>
#include <cstdint>

namespace offhook::fuzz {

// As LLVMFuzzerCustomMutator: changes the input in place, and returns its new size, at most max_size.
std::size_t mutate_session(std::uint8_t* bytes, std::size_t size, std::size_t max_size, unsigned int seed);

}  // namespace offhook::fuzz
