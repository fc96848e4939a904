#pragma once
// What is at the other ends: a push service with a browser behind it that decrypts, and an app's backend that
// verifies. Written against the RFCs, apart from what sends.

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "crypto/aead.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/p256.h"
#include "crypto/secure_random.h"
#include "crypto/signature.h"
#include "io/http/http_server.h"
#include "wire/json/json.h"

namespace offhook::testing {

// What came, in its order; the test waits for the next one.
class Arrivals {
 public:
  // Only a guard against a test that hangs.
  static constexpr std::chrono::seconds kGuard{20};

  void add(io::HttpRequest request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
    changed_.notify_all();
  }
  io::HttpRequest next() {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, kGuard, [this] { return !requests_.empty(); });
    EXPECT_TRUE(came) << "no request came";
    if (!came) return {};
    io::HttpRequest request = std::move(requests_.front());
    requests_.pop_front();
    return request;
  }
  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return requests_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<io::HttpRequest> requests_;
};

// "data.call" of a JSON text; "" where it is absent.
inline std::string member(const std::string& text, std::string_view path) {
  const auto document = json::parse(text, {.max_bytes = 1 << 16});
  if (!document) return "";
  json::Value value = document->root();
  while (!path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    const auto inner = value.find(path.substr(0, dot));
    if (!inner) return "";
    value = *inner;
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  if (const auto string = value.string()) return std::string(*string);
  if (const auto integer = value.integer()) return std::to_string(*integer);
  if (const auto boolean = value.boolean()) return *boolean ? "true" : "false";
  return "";
}

// A browser with one subscription.
class Browser {
 public:
  explicit Browser(std::string endpoint) : endpoint_(std::move(endpoint)) { random_.fill(auth_); }

  // As PushSubscription.toJSON() gives it.
  std::string subscription() const {
    json::Writer out;
    out.begin_object().field("endpoint", endpoint_).key("expirationTime").null().key("keys").begin_object();
    out.field("p256dh", crypto::base64url_encode(key_.public_point()));
    out.field("auth", crypto::base64url_encode(auth_)).end_object().end_object();
    return out.take();
  }
  const std::string& endpoint() const { return endpoint_; }

  // The text of a message (RFC 8188 section 2, RFC 8291 section 3); empty if it is not for this browser.
  std::string open(const io::HttpRequest& request) const {
    EXPECT_EQ(request.header("Content-Encoding"), "aes128gcm");
    Reader body(as_bytes(request.body));
    const Bytes salt = body.take(16);
    EXPECT_GE(body.u32(), 18U);
    const Bytes sender = body.take(body.u8());
    const Bytes sealed = body.take_rest();
    if (!body.ok() || sealed.size() < crypto::kGcmTagBytes) return "";
    const auto shared = key_.agree(sender);
    if (!shared) return "";
    Buffer info = text_bytes("WebPush: info");
    info.insert(info.end(), key_.public_point().begin(), key_.public_point().end());
    info.insert(info.end(), sender.begin(), sender.end());
    std::array<std::uint8_t, 32> secret{};
    crypto::hkdf_sha256(auth_, *shared, info, secret);
    crypto::Aes128Key key{};
    crypto::GcmNonce nonce{};
    crypto::hkdf_sha256(salt, secret, text_bytes("Content-Encoding: aes128gcm"), key);
    crypto::hkdf_sha256(salt, secret, text_bytes("Content-Encoding: nonce"), nonce);
    const Buffer plain = unseal(key, nonce, sealed);
    const auto end = std::find(plain.rbegin(), plain.rend(), 0x02);  // the delimiter of the last record
    return std::string(plain.begin(), end == plain.rend() ? plain.begin() : end.base() - 1);
  }

 private:
  static Buffer text_bytes(std::string_view text) {
    Buffer bytes(text.begin(), text.end());
    bytes.push_back(0);
    return bytes;
  }
  static Buffer unseal(const crypto::Aes128Key& key, const crypto::GcmNonce& nonce, Bytes sealed) {
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                  &EVP_CIPHER_CTX_free);
    Buffer tag(sealed.end() - 16, sealed.end());
    const Bytes text = sealed.first(sealed.size() - tag.size());
    Buffer plain(text.size());
    int size = 0;
    int last = 0;
    EVP_DecryptInit_ex2(context.get(), EVP_aes_128_gcm(), key.data(), nonce.data(), nullptr);
    EVP_DecryptUpdate(context.get(), plain.data(), &size, text.data(), static_cast<int>(text.size()));
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, 16, tag.data());
    if (EVP_DecryptFinal_ex(context.get(), plain.data() + size, &last) != 1) return {};
    return plain;
  }

  std::string endpoint_;
  crypto::SecureRandom random_;
  crypto::P256Key key_ = crypto::P256Key::generate(random_);
  std::array<std::uint8_t, 16> auth_{};
};

// The claims of a VAPID header whose signature is good for the key that it shows (RFC 8292); "" if it is not.
inline std::string vapid_claims(const io::HttpRequest& request, const std::string& application_server_key) {
  const std::string header(request.header("Authorization"));
  const std::size_t comma = header.find(", k=");
  if (!header.starts_with("vapid t=") || comma == std::string::npos) return "";
  if (header.substr(comma + 4) != application_server_key) return "";
  const std::string token = header.substr(8, comma - 8);
  const std::size_t first = token.find('.');
  const std::size_t last = token.rfind('.');
  const Buffer point = *crypto::base64url_decode(application_server_key);
  const auto key = crypto::VerificationKey::from_p256(Bytes(point).subspan(1, 32), Bytes(point).subspan(33));
  const auto signature = crypto::base64url_decode(token.substr(last + 1));
  if (!key || !signature || !key->verify(as_bytes(token.substr(0, last)), *signature)) return "";
  return to_string(*crypto::base64url_decode(token.substr(first + 1, last - first - 1)));
}

// What docs/waking.md tells a backend to do.
inline bool webhook_is_ours(const io::HttpRequest& request, const std::string& secret) {
  const Buffer key = *crypto::base64_decode(secret.substr(std::string("whsec_").size()));
  const std::string covered = std::string(request.header("webhook-id")) + "." +
                              std::string(request.header("webhook-timestamp")) + "." + request.body;
  const std::string expected = "v1," + crypto::base64_encode(crypto::hmac_sha256(key, as_bytes(covered)));
  return request.header("webhook-signature") == expected;
}

}  // namespace offhook::testing
