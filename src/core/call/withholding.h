#pragma once
// What may pass between two parties, by the call's warm path and before or after its accept
// (docs/protocol.md, "Warm path").

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/warm_path.h"
#include "wire/sdp/candidate.h"
#include "wire/signal/types.h"

namespace offhook::call {

enum class Passage : std::uint8_t {
  whole,    // as it came
  guarded,  // nothing that tells where its sender is but relayed addresses of this server
  settled,  // as it came, with the origin line that it had while it was guarded
};
inline constexpr std::size_t kPassages = 3;
Passage passage(WarmPath warm_path, bool accepted);

// What is shown while guarded is decided once, when it comes: an address of a relay is one only as long as
// its allocation lives, and what was withheld then is what is released at accept.

struct GuardedDescription {
  std::string sdp;
  std::vector<signal::Candidate> withheld;  // what `sdp` does not have, as if it had been trickled
};
GuardedDescription guarded_description(std::string_view sdp, const sdp::IsOwnRelay& is_own_relay);
// The text that is shown; nothing if it is withheld.
std::optional<std::string> guarded_candidate(const signal::Candidate& candidate,
                                             const sdp::IsOwnRelay& is_own_relay);

// Where the party whose message this is can be reached: addresses of UDP candidates that are IP literals.
std::vector<Address> introduced_by(std::string_view sdp);
std::optional<Address> introduced_by(const signal::Candidate& candidate);

}  // namespace offhook::call
