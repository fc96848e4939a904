#include "wire/jwt/jwt.h"

#include <cmath>

#include "crypto/base64.h"
#include "crypto/digest.h"
#include "wire/json/json.h"

namespace offhook::jwt {
namespace {

constexpr std::size_t kAudiencesLimit = 32;
// `aud` is the deepest thing that is read; a token may hold a few more levels of its own.
constexpr json::ParseLimits kJsonLimits{.max_bytes = kTokenBytesLimit, .max_depth = 8};
constexpr json::StringLimits kText{.min = 0, .max = kTokenBytesLimit};

std::optional<std::string> optional_text(json::Fields& fields, std::string_view key) {
  const auto value = fields.optional_string(key, kText);
  return value ? std::optional(std::string(*value)) : std::nullopt;
}

// NumericDate may have a fraction (RFC 7519 section 2).
std::optional<std::int64_t> optional_date(json::Fields& fields, std::string_view key) {
  const auto value = fields.optional_number(key, 0, static_cast<double>(kNumericDateLimit));
  return value ? std::optional(static_cast<std::int64_t>(std::floor(*value))) : std::nullopt;
}

// One string, or an array of strings (RFC 7519 section 4.1.3). False for anything else.
bool read_audience(const json::Value& claims, std::vector<std::string>& audience) {
  const auto value = claims.find("aud");
  if (!value || value->is_null()) return true;
  if (const auto one = value->string()) {
    audience.emplace_back(*one);
    return true;
  }
  if (!value->is_array() || value->size() > kAudiencesLimit) return false;
  for (std::size_t i = 0; i < value->size(); ++i) {
    const auto element = value->at(i).string();
    if (!element) return false;
    audience.emplace_back(*element);
  }
  return true;
}

Result<Header, ParseError> parse_header(Bytes text) {
  const auto document = json::parse(as_text(text), kJsonLimits);
  if (!document) return fail(ParseError::bad_header);
  json::Fields fields(document->root());
  Header header;
  header.alg = fields.string("alg", {.min = 1, .max = 32});
  header.kid = optional_text(fields, "kid").value_or("");
  header.typ = optional_text(fields, "typ").value_or("");
  if (!fields.ok()) return fail(ParseError::bad_header);
  // Also without encoding of the payload (RFC 7797), which is such an extension.
  if (document->root().find("crit") || document->root().find("b64")) return fail(ParseError::critical_header);
  return header;
}

}  // namespace

Result<Token, ParseError> parse(std::string_view compact) {
  if (compact.size() > kTokenBytesLimit) return fail(ParseError::too_long);
  const std::size_t first = compact.find('.');
  if (first == std::string_view::npos) return fail(ParseError::not_three_parts);
  const std::size_t second = compact.find('.', first + 1);
  if (second == std::string_view::npos || compact.find('.', second + 1) != std::string_view::npos) {
    return fail(ParseError::not_three_parts);
  }
  const auto header_text = crypto::base64url_decode(compact.substr(0, first));
  auto payload = crypto::base64url_decode(compact.substr(first + 1, second - first - 1));
  auto signature = crypto::base64url_decode(compact.substr(second + 1));
  if (!header_text || !payload || !signature) return fail(ParseError::bad_base64url);
  auto header = parse_header(*header_text);
  if (!header) return fail(header.error());
  return Token{std::move(*header), compact.substr(0, second), std::move(*payload), std::move(*signature)};
}

Result<Claims, ParseError> parse_claims(Bytes payload) {
  const auto document = json::parse(as_text(payload), kJsonLimits);
  if (!document) return fail(ParseError::bad_claims);
  json::Fields fields(document->root());
  Claims claims;
  claims.sub = optional_text(fields, "sub");
  claims.exp = optional_date(fields, "exp");
  claims.nbf = optional_date(fields, "nbf");
  claims.iat = optional_date(fields, "iat");
  claims.iss = optional_text(fields, "iss");
  claims.name = optional_text(fields, "name");
  claims.warm_path = optional_text(fields, "warm_path");
  if (!fields.ok() || !read_audience(document->root(), claims.aud)) return fail(ParseError::bad_claims);
  return claims;
}

std::string encode_hs256(const Secret& secret, const Claims& claims) {
  json::Writer out;
  out.begin_object();
  if (claims.sub) out.field("sub", *claims.sub);
  if (claims.exp) out.field("exp", *claims.exp);
  if (claims.nbf) out.field("nbf", *claims.nbf);
  if (claims.iat) out.field("iat", *claims.iat);
  if (claims.iss) out.field("iss", *claims.iss);
  if (claims.aud.size() == 1) out.field("aud", claims.aud.front());
  if (claims.aud.size() > 1) {
    out.key("aud").begin_array();
    for (const std::string& audience : claims.aud) out.string(audience);
    out.end_array();
  }
  if (claims.name) out.field("name", *claims.name);
  if (claims.warm_path) out.field("warm_path", *claims.warm_path);
  out.end_object();
  const std::string signing_input = crypto::base64url_encode(as_bytes(R"({"alg":"HS256","typ":"JWT"})")) +
                                    "." + crypto::base64url_encode(as_bytes(out.text()));
  const auto signature = crypto::hmac_sha256(as_bytes(secret.reveal()), as_bytes(signing_input));
  return signing_input + "." + crypto::base64url_encode(signature);
}

}  // namespace offhook::jwt
