#include "service/wake/subscription.h"

#include <algorithm>

#include "base/public_ip.h"
#include "crypto/base64.h"
#include "wire/json/json.h"

namespace offhook::service {
namespace {

constexpr std::size_t kMaxBody = 4096;
constexpr std::size_t kMaxKeyText = 128;

// Browsers write base64url without padding; some libraries pad it.
std::optional<Buffer> decode(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  return crypto::base64url_decode(text);
}

std::optional<std::string> endpoint_fault(const std::optional<io::HttpUrl>& url, EndpointPolicy policy) {
  if (!url) return "must be an https URL";
  if (policy == EndpointPolicy::any) return std::nullopt;
  if (!url->tls) return "must be an https URL";
  if (!url->has_default_port()) return "must have no port of its own";
  // Names are judged by what they resolve to, when they are connected to.
  const auto ip = Ip::parse(url->host);
  if (ip && !is_public(*ip)) return "must not be an address of a private network";
  return std::nullopt;
}

}  // namespace

Result<Subscription, std::string> parse_subscription(std::string_view text, EndpointPolicy policy) {
  const auto document = json::parse(text, {.max_bytes = kMaxBody, .max_depth = 4});
  if (!document) return fail(document.error().text());
  if (!document->root().is_object()) return fail(std::string("the subscription must be an object"));
  json::Fields fields(document->root());
  Subscription subscription;
  subscription.endpoint = fields.string("endpoint", {.max = kMaxEndpoint});
  json::Fields keys(fields.object("keys"));
  if (!fields.ok()) return fail(fields.problem().text());
  const std::string_view point_text = keys.string("p256dh", {.max = kMaxKeyText});
  const std::string_view auth_text = keys.string("auth", {.max = kMaxKeyText});
  if (!keys.ok()) return fail("keys." + keys.problem().text());

  const auto url = io::HttpUrl::parse(subscription.endpoint);
  if (const auto fault = endpoint_fault(url, policy)) return fail("endpoint " + *fault);
  const auto point = decode(point_text);
  if (!point || !crypto::is_p256_point(*point))
    return fail(std::string("keys.p256dh must be an uncompressed point of P-256 in base64url"));
  const auto auth = decode(auth_text);
  if (!auth || auth->size() != subscription.recipient.auth.size())
    return fail(std::string("keys.auth must be 16 bytes in base64url"));
  subscription.url = *url;
  std::ranges::copy(*point, subscription.recipient.point.begin());
  std::ranges::copy(*auth, subscription.recipient.auth.begin());
  return subscription;
}

Result<std::string, std::string> parse_endpoint(std::string_view text) {
  const auto document = json::parse(text, {.max_bytes = kMaxBody, .max_depth = 4});
  if (!document) return fail(document.error().text());
  if (!document->root().is_object()) return fail(std::string("the body must be an object"));
  json::Fields fields(document->root());
  const std::string endpoint(fields.string("endpoint", {.max = kMaxEndpoint}));
  if (!fields.ok()) return fail(fields.problem().text());
  return endpoint;
}

}  // namespace offhook::service
