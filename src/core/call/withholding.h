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
#include "wire/signal/types.h"

namespace offhook::call {

enum class Passage : std::uint8_t {
  whole,    // as it came
  guarded,  // nothing that tells where its sender is but addresses of relays
  settled,  // as it came, with the origin line that it had while it was guarded
};
inline constexpr std::size_t kPassages = 3;
Passage passage(WarmPath warm_path, bool accepted);

std::string description_for(Passage passage, std::string_view sdp);
// Nothing if it is withheld for now.
std::optional<signal::Candidate> candidate_for(Passage passage, const signal::Candidate& candidate);

// The candidates that the guarded form of this description does not have, as if they had been trickled.
std::vector<signal::Candidate> withheld_candidates(std::string_view sdp);

// Where the party whose message this is can be reached: addresses of UDP candidates that are IP literals.
std::vector<Address> introduced_by(std::string_view sdp);
std::optional<Address> introduced_by(const signal::Candidate& candidate);

}  // namespace offhook::call
