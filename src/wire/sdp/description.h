#pragma once
// A session description (RFC 8866, RFC 8839) as lines: which candidates it carries, and what it looks like
// without the addresses of its sender. Nothing else of it is understood, and everything else passes as it
// came.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "wire/sdp/candidate.h"

namespace offhook::sdp {

// A candidate line that was taken out, in the form in which it would have been trickled (RFC 8840).
struct CutCandidate {
  std::string candidate;  // "candidate:…"; empty: end of candidates
  std::optional<std::string> mid;
  std::optional<std::uint16_t> m_line_index;  // absent for an end of candidates of the whole description
  std::optional<std::string> ufrag;           // of its section, or of the session
  auto operator<=>(const CutCandidate&) const = default;
};

struct Guarded {
  std::string sdp;
  std::vector<CutCandidate> cut;  // in their order
};

// Takes out what tells where the sender is: candidates that are no relay candidates of this server (what
// cannot be read is none) and the end of candidates are cut; `c=`, `a=rtcp:` and the ports of `m=` become
// those of a description without candidates (RFC 8839 section 4.3.1); `o=` has 127.0.0.1; any other address
// of the text becomes the unspecified one.
Guarded guard(std::string_view sdp, const IsOwnRelay& is_own_relay);

// `o=` as guard() leaves it, and nothing else changed.
std::string with_plain_origin(std::string_view sdp);

// The addresses of the UDP candidates that are IP literals; the first `limit`.
std::vector<Address> candidate_addresses(std::string_view sdp, std::size_t limit);

}  // namespace offhook::sdp
