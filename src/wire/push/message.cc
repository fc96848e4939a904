#include "wire/push/message.h"

#include <cassert>

#include "crypto/aead.h"

namespace offhook::push {
namespace {

constexpr std::uint32_t kRecordBytes = 4096;
constexpr std::uint8_t kLastRecord = 0x02;
// Each label ends with a zero byte.
constexpr std::string_view kInfoOfSecret{"WebPush: info\0", 14};
constexpr std::string_view kInfoOfKey{"Content-Encoding: aes128gcm\0", 28};
constexpr std::string_view kInfoOfNonce{"Content-Encoding: nonce\0", 24};

void append(Buffer& buffer, Bytes bytes) { buffer.insert(buffer.end(), bytes.begin(), bytes.end()); }

// RFC 8291 section 3.4.
std::array<std::uint8_t, 32> input_key(const Recipient& recipient, const crypto::P256Key& sender) {
  const auto shared = sender.agree(recipient.point);
  assert(shared);
  Buffer info;
  append(info, as_bytes(kInfoOfSecret));
  append(info, recipient.point);
  append(info, sender.public_point());
  std::array<std::uint8_t, 32> key{};
  crypto::hkdf_sha256(recipient.auth, *shared, info, key);
  return key;
}

}  // namespace

Buffer encrypt(Bytes text, const Recipient& recipient, const crypto::P256Key& sender, const Salt& salt) {
  assert(text.size() <= kMaxText);
  const auto secret = input_key(recipient, sender);
  crypto::Aes128Key key{};
  crypto::GcmNonce nonce{};
  crypto::hkdf_sha256(salt, secret, as_bytes(kInfoOfKey), key);
  crypto::hkdf_sha256(salt, secret, as_bytes(kInfoOfNonce), nonce);

  std::array<std::uint8_t, 21 + crypto::kP256PointBytes> head{};
  Writer out(head);
  out.bytes(salt);
  out.u32(kRecordBytes);
  out.u8(static_cast<std::uint8_t>(crypto::kP256PointBytes));
  out.bytes(sender.public_point());
  assert(out.ok() && out.size() == head.size());

  Buffer record(text.begin(), text.end());
  record.push_back(kLastRecord);
  Buffer body(head.begin(), head.end());
  append(body, crypto::aes128_gcm_seal(key, nonce, record));
  return body;
}

}  // namespace offhook::push
