#include "wire/push/vapid.h"

#include "crypto/base64.h"
#include "wire/json/json.h"

namespace offhook::push {

std::string vapid_authorization(const crypto::P256Key& key, const VapidClaims& claims) {
  json::Writer header;
  header.begin_object().field("typ", "JWT").field("alg", "ES256").end_object();
  json::Writer body;
  body.begin_object().field("aud", claims.audience).field("exp", claims.expiry.seconds);
  if (!claims.subject.empty()) body.field("sub", claims.subject);
  body.end_object();
  const std::string signed_part = crypto::base64url_encode(as_bytes(header.text())) + "." +
                                  crypto::base64url_encode(as_bytes(body.text()));
  const std::string token = signed_part + "." + crypto::base64url_encode(key.sign(as_bytes(signed_part)));
  return "vapid t=" + token + ", k=" + application_server_key(key);
}

std::string application_server_key(const crypto::P256Key& key) {
  return crypto::base64url_encode(key.public_point());
}

}  // namespace offhook::push
