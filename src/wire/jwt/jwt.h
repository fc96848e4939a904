#pragma once
// JSON Web Tokens in compact serialisation (RFC 7515 section 7.1, RFC 7519), strictly (RFC 8725): three parts
// of unpadded base64url, JSON without duplicate members, no extension that must be understood.
//
//   BASE64URL(header) "." BASE64URL(claims) "." BASE64URL(signature)
//
// Reading is in two steps, so that nobody believes, or even parses, claims whose signature has not been
// verified.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/redact.h"
#include "base/result.h"

namespace offhook::jwt {

// A token travels in an HTTP header, and those end at 8 KiB.
inline constexpr std::size_t kTokenBytesLimit = std::size_t{8} * 1024;
// Claims are times of this century and the next few; the limit is what a double holds exactly.
inline constexpr std::int64_t kNumericDateLimit = std::int64_t{1} << 53;

enum class ParseError {
  too_long,         // more than kTokenBytesLimit
  not_three_parts,  // RFC 7515 section 7.1
  bad_base64url,    // padding, white space, foreign characters, stray bits
  bad_header,       // not an object, a duplicate member, or alg missing, or a member of the wrong type
  critical_header,  // `crit` (RFC 7515 section 4.1.11): it asks for an extension, and there is none here
  bad_claims,       // not an object, a duplicate member, or a registered claim of the wrong type
};

struct Header {
  std::string alg;
  std::string kid;  // empty if absent
  std::string typ;  // empty if absent
};

// Parsed, not verified.
struct Token {
  Header header;
  std::string_view signing_input;  // borrows from the text: what the signature covers
  Buffer payload;                  // for parse_claims, once the signature is good
  Buffer signature;
};
Result<Token, ParseError> parse(std::string_view compact);

// The registered claims of RFC 7519 section 4.1 that matter here. Times are seconds since 1970; fractions are
// cut.
struct Claims {
  std::optional<std::string> sub;
  std::optional<std::int64_t> exp;
  std::optional<std::int64_t> nbf;
  std::optional<std::int64_t> iat;
  std::optional<std::string> iss;
  std::vector<std::string> aud;          // one string or an array of strings; empty if absent
  std::optional<std::string> name;       // OpenID Connect Core section 5.1: what people call the user
  std::optional<std::string> warm_path;  // our own: the user's, in place of the server's (docs/protocol.md)
};
Result<Claims, ParseError> parse_claims(Bytes payload);

// A signed token (HS256).
std::string encode_hs256(const Secret& secret, const Claims& claims);

}  // namespace offhook::jwt
