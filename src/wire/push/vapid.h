#pragma once
// VAPID (RFC 8292): by which a push service knows that messages come from the server that the page subscribed
// to.

#include <string>
#include <string_view>

#include "base/time.h"
#include "crypto/p256.h"

namespace offhook::push {

struct VapidClaims {
  std::string_view audience;  // the origin of the push service: "https://push.example.net"
  UnixTime expiry;            // at most 24 hours ahead
  std::string_view subject;   // mailto: or https:, whom the service may write to; empty: left out
};

// The value of the header Authorization: a JWT signed with `key` (ES256), and the public key.
std::string vapid_authorization(const crypto::P256Key& key, const VapidClaims& claims);

// What a page gives to PushManager.subscribe() as applicationServerKey.
std::string application_server_key(const crypto::P256Key& key);

}  // namespace offhook::push
