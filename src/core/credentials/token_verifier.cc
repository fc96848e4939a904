#include "core/credentials/token_verifier.h"

#include <algorithm>

#include "wire/jwt/jwt.h"

namespace offhook::credentials {
namespace {

TokenError from_parse_error(jwt::ParseError error) {
  switch (error) {
    case jwt::ParseError::too_long:
      return TokenError::too_long;
    case jwt::ParseError::not_three_parts:
    case jwt::ParseError::bad_base64url:
    case jwt::ParseError::bad_header:
      return TokenError::malformed;
    case jwt::ParseError::critical_header:
      return TokenError::critical_header;
    case jwt::ParseError::bad_claims:
      return TokenError::bad_claims;
  }
  return TokenError::malformed;
}

std::string_view sentence(TokenError error) {
  switch (error) {
    case TokenError::too_long:
      return "the token is too long";
    case TokenError::malformed:
      return "this is no JSON Web Token";
    case TokenError::critical_header:
      return "the header asks for an extension (crit)";
    case TokenError::unknown_key:
      return "no key here has this kid";
    case TokenError::wrong_algorithm:
      return "the algorithm (alg) is not the key's";
    case TokenError::bad_signature:
      return "the signature does not match: made with another key, or changed";
    case TokenError::bad_claims:
      return "the claims are no JSON, or one is of the wrong type or twice there";
    case TokenError::no_expiry:
      return "the claim exp is missing";
    case TokenError::expired:
      return "the token's time (exp) is over";
    case TokenError::not_yet_valid:
      return "the token's time (nbf) has not come; compare the clocks";
    case TokenError::wrong_issuer:
      return "the issuer (iss) is not the one that is set here";
    case TokenError::wrong_audience:
      return "the audience (aud) does not name this server";
    case TokenError::bad_subject:
      return "the claim sub must be 1 to 128 bytes of printable text";
    case TokenError::revoked:
      return "the user was signed out after this token was issued; sign in again";
    case TokenError::bad_warm_path:
      return "the claim warm_path must be direct, relay or off";
  }
  return "";
}

// Control characters, and what some programs take for the end of a line (U+2028, U+2029).
bool printable(char32_t point) {
  const bool control = point < 0x20 || (point >= 0x7F && point < 0xA0);
  return !control && point != 0x2028 && point != 0x2029;
}

// Decodes one code point off the front (RFC 3629); nothing for overlong forms, surrogates, and what is cut
// off.
std::optional<char32_t> take_code_point(std::string_view& rest) {
  const auto byte = [&rest](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
  const unsigned char lead = byte(0);
  const std::size_t size = lead < 0x80   ? 1U
                           : lead < 0xC2 ? 0U
                           : lead < 0xE0 ? 2U
                           : lead < 0xF0 ? 3U
                           : lead < 0xF5 ? 4U
                                         : 0U;
  if (size == 0 || size > rest.size()) return std::nullopt;
  char32_t point = size == 1 ? lead : lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return std::nullopt;
    point = (point << 6U) | (byte(i) & 0x3FU);
  }
  const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
  const bool surrogate = point >= 0xD800 && point < 0xE000;
  if (overlong || surrogate || point > 0x10FFFF) return std::nullopt;
  rest.remove_prefix(size);
  return point;
}

}  // namespace

std::string_view code(TokenError error) {
  if (error == TokenError::revoked) return "token_revoked";
  return error == TokenError::expired ? std::string_view("token_expired") : std::string_view("token_invalid");
}

std::string text(TokenError error) { return std::string(code(error)) + ": " + std::string(sentence(error)); }

bool valid_user(std::string_view user) {
  if (user.empty() || user.size() > kUserBytesLimit) return false;
  while (!user.empty()) {
    const auto point = take_code_point(user);
    if (!point || !printable(*point)) return false;
  }
  return true;
}

TokenVerifier::TokenVerifier(std::vector<TokenKey> keys, TokenPolicy policy)
    : keys_(std::move(keys)), policy_(std::move(policy)) {}

Result<VerifiedToken, TokenError> TokenVerifier::verify(std::string_view token, UnixTime now) const {
  const auto parsed = jwt::parse(token);
  if (!parsed) return fail(from_parse_error(parsed.error()));
  TokenError error = TokenError::unknown_key;
  for (const TokenKey& candidate : keys_) {
    const bool named =
        candidate.kid.empty() || parsed->header.kid.empty() || candidate.kid == parsed->header.kid;
    if (!named) continue;
    if (crypto::name(candidate.key.algorithm()) != parsed->header.alg) {
      if (error == TokenError::unknown_key) error = TokenError::wrong_algorithm;
      continue;
    }
    if (candidate.key.verify(as_bytes(parsed->signing_input), parsed->signature))
      return judge(parsed->payload, now);
    error = TokenError::bad_signature;
  }
  return fail(error);
}

Result<VerifiedToken, TokenError> TokenVerifier::judge(Bytes payload, UnixTime now) const {
  const auto claims = jwt::parse_claims(payload);
  if (!claims) return fail(from_parse_error(claims.error()));
  if (!claims->exp) return fail(TokenError::no_expiry);
  const std::int64_t leeway = policy_.leeway.count();
  // "on or after which the JWT MUST NOT be accepted" (RFC 7519 section 4.1.4)
  if (now.seconds >= *claims->exp + leeway) return fail(TokenError::expired);
  if (claims->nbf && now.seconds + leeway < *claims->nbf) return fail(TokenError::not_yet_valid);
  if (policy_.issuer && claims->iss != policy_.issuer) return fail(TokenError::wrong_issuer);
  const auto& audience = claims->aud;
  if (policy_.audience && std::find(audience.begin(), audience.end(), *policy_.audience) == audience.end()) {
    return fail(TokenError::wrong_audience);
  }
  if (!claims->sub || !valid_user(*claims->sub)) return fail(TokenError::bad_subject);
  if (revocations_ != nullptr && revocations_->covers(*claims->sub, claims->iat)) {
    return fail(TokenError::revoked);
  }
  VerifiedToken token{*claims->sub, claims->name.value_or(""), UnixTime{*claims->exp}, std::nullopt};
  if (!claims->warm_path) return token;
  token.warm_path = parse_warm_path(*claims->warm_path);
  if (!token.warm_path) return fail(TokenError::bad_warm_path);
  return token;
}

std::string mint_token(const Secret& secret, std::string_view user, std::chrono::seconds ttl, UnixTime now) {
  jwt::Claims claims;
  claims.sub = std::string(user);
  claims.iat = now.seconds;
  claims.exp = (now + ttl).seconds;
  return jwt::encode_hs256(secret, claims);
}

std::optional<std::string_view> bearer_token(std::string_view authorization) {
  static constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char letter = authorization[i];
    if ((letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter) != kScheme[i]) return std::nullopt;
  }
  authorization.remove_prefix(kScheme.size());
  while (!authorization.empty() && authorization.front() == ' ') authorization.remove_prefix(1);
  return authorization.empty() ? std::nullopt : std::optional(authorization);
}

}  // namespace offhook::credentials
