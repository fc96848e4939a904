#pragma once
// The keys of the state directory by which others know this server.
//
//   vapid-key        private key of Web Push (RFC 8292): 32 bytes in base64url
//   webhook-secret   key of the webhook's signatures: whsec_ and base64

#include <string>

#include "base/random.h"
#include "base/redact.h"
#include "base/result.h"
#include "crypto/p256.h"

namespace offhook::service {

std::string vapid_key_path(const std::string& state_dir);
std::string webhook_secret_path(const std::string& state_dir);

// Reads the file, or makes it with a new key. Pages subscribe with this key: with another one all their
// subscriptions are worth nothing. The error is a sentence for the operator.
Result<crypto::P256Key, std::string> load_or_make_vapid_key(const std::string& state_dir, Random& random);
// The text, as the receiver gets it too.
Result<Secret, std::string> load_or_make_webhook_secret(const std::string& state_dir, Random& random);

// The key that the text stands for (Standard Webhooks: "whsec_" and base64 of 24 to 64 bytes).
Result<Secret, std::string> parse_webhook_secret(const Secret& text);

}  // namespace offhook::service
