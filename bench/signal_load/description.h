#pragma once
// What the calls of the load carry: a description as long as a browser's with audio and video (6 KB), and
// candidates.

#include <cstddef>
#include <string>
#include <string_view>

namespace offhook::bench {

// Of each side: a host, a server-reflexive and two relayed ones; then comes the end of candidates.
inline constexpr std::size_t kCandidates = 4;

// Eight letters that belong to this call and side alone, so that what arrives can be told from what does not.
std::string ufrag_of(std::size_t call, char side);
// Inside the quotes of JSON.
std::string escaped_description(std::string_view ufrag);
// `"candidate":{…}` number `index`; kCandidates is the end of candidates.
std::string candidate_member(std::string_view ufrag, std::size_t index);
// As many different ones as wanted.
std::string extra_candidate_member(std::string_view ufrag, std::size_t index);

}  // namespace offhook::bench
