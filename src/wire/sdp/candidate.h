#pragma once
// One candidate attribute (RFC 8839 section 5.1):
//
//   candidate:<foundation> <component-id> <transport> <priority> <connection-address> <port> typ <cand-type>
//       [raddr <connection-address>] [rport <port>] *(<ext-name> <ext-value>)

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace offhook::sdp {

enum class CandidateType : std::uint8_t { host, srflx, prflx, relay, other };
enum class Transport : std::uint8_t { udp, tcp, other };

// The views borrow from the text that was parsed.
struct Candidate {
  std::string_view foundation;
  std::uint16_t component = 0;
  std::string_view transport_text;
  Transport transport = Transport::other;
  std::uint32_t priority = 0;
  std::string_view connection_address;  // an IP literal or a name ("x.local")
  std::uint16_t port = 0;
  CandidateType type = CandidateType::other;
  std::string_view after_type;  // what follows the type, with its leading space; may be empty

  // Where it is, if that is said as an IP literal.
  std::optional<Address> address() const;
};

// Reads "candidate:…", also with "a=" in front and line ends behind. Nothing for anything that the grammar
// does not allow.
std::optional<Candidate> parse_candidate(std::string_view text);

// Whether an address is a relayed address of this server. Empty: none is.
using IsOwnRelay = std::function<bool(const Address&)>;

// The same text (in its form, with or without "a=") for a relay candidate that may be shown to somebody who
// may not learn where its owner is: `raddr 0.0.0.0 rport 0` (`::` where the candidate is IPv6), and of the
// extensions those that are known to hold no address. Nothing for every other candidate, for what is no
// candidate, and where the address is no relay of ours: that it is a relay is only what its owner says.
std::optional<std::string> guarded_relay_candidate(std::string_view text, const IsOwnRelay& is_own_relay);

}  // namespace offhook::sdp
