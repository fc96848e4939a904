#include "io/tls/record_protection.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace offhook::io {
namespace {

constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kRecordExpansionLimit13 = 256;
constexpr std::uint16_t kLegacyVersion = 0x0303;

int as_int(std::size_t size) { return static_cast<int>(size); }

}  // namespace

void RecordProtection::Free::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

std::optional<RecordProtection> RecordProtection::make(RecordCipher cipher, Purpose purpose,
                                                       const RecordKey& key, std::uint64_t next) {
  RecordProtection protection(EVP_CIPHER_CTX_new());
  const int encrypts = purpose == Purpose::seal ? 1 : 0;
  if (!protection.context_ || EVP_CipherInit_ex(protection.context_.get(), cipher.aead, nullptr,
                                                key.key.data(), nullptr, encrypts) != 1) {
    return std::nullopt;
  }
  protection.cipher_ = cipher;
  protection.iv_ = key.iv;
  protection.next_ = next;
  return protection;
}

std::size_t RecordProtection::overhead() const {
  const std::size_t type_bytes = cipher_.version == TlsVersion::tls13 ? 1 : 0;
  return kRecordHeaderBytes + sent_nonce_bytes() + type_bytes + kTagBytes;
}

// RFC 8446 section 5.3 and RFC 7905 section 2: the number of the record over the end of the IV. What RFC 5288
// section 3 leaves to the sender is the number, too, over zeros.
RecordProtection::Nonce RecordProtection::nonce() const {
  Nonce nonce = iv_;
  for (std::size_t i = 0; i < sizeof next_; ++i) {
    nonce[nonce.size() - 1 - i] ^= static_cast<std::uint8_t>(next_ >> (8U * i));
  }
  return nonce;
}

RecordProtection::Associated RecordProtection::associated(Bytes header, std::size_t content_bytes) const {
  Associated associated;
  Writer writer(associated.bytes);
  if (cipher_.version == TlsVersion::tls12) {
    writer.u64(next_);
    writer.bytes(header.first(3));
    writer.u16(static_cast<std::uint16_t>(content_bytes));
  } else {
    writer.bytes(header);
  }
  associated.size = writer.size();
  return associated;
}

std::size_t RecordProtection::seal(ContentType type, Bytes content, MutableBytes space) {
  assert(content.size() <= kRecordPlaintextLimit && space.size() >= content.size() + overhead());
  const bool hides_type = cipher_.version == TlsVersion::tls13;
  const std::size_t inner_bytes = content.size() + (hides_type ? 1 : 0);
  const std::size_t size = content.size() + overhead();
  const Nonce nonce = this->nonce();
  Writer writer(space.first(size));
  writer.u8(static_cast<std::uint8_t>(hides_type ? ContentType::application_data : type));
  writer.u16(kLegacyVersion);
  writer.u16(static_cast<std::uint16_t>(size - kRecordHeaderBytes));
  writer.bytes(Bytes(nonce).last(sent_nonce_bytes()));
  std::uint8_t* inner = space.data() + writer.size();
  writer.bytes(content);
  if (hides_type) writer.u8(static_cast<std::uint8_t>(type));
  const Associated with = associated(space.first(kRecordHeaderBytes), content.size());
  EVP_CIPHER_CTX* context = context_.get();
  int done = 0;
  const bool sealed =
      EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
      EVP_EncryptUpdate(context, nullptr, &done, with.bytes.data(), as_int(with.size)) == 1 &&
      EVP_EncryptUpdate(context, inner, &done, inner, as_int(inner_bytes)) == 1 &&
      EVP_EncryptFinal_ex(context, inner + done, &done) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, as_int(kTagBytes), inner + inner_bytes) == 1;
  ++next_;
  return sealed ? size : 0;
}

RecordProtection::Opened RecordProtection::open(MutableBytes record) {
  const std::size_t least = overhead();
  if (record.size() < least) return {.fault = Fault::bad_mac};
  const bool hides_type = cipher_.version == TlsVersion::tls13;
  const MutableBytes inner =
      record.subspan(kRecordHeaderBytes + sent_nonce_bytes(),
                     record.size() - kRecordHeaderBytes - sent_nonce_bytes() - kTagBytes);
  // RFC 8446 section 5.2 counts the tag, RFC 5246 section 6.2.3 leaves more.
  const std::size_t protected_limit =
      kRecordPlaintextLimit + (hides_type ? kRecordExpansionLimit13 : kRecordExpansionLimit);
  if (record.size() - kRecordHeaderBytes > protected_limit ||
      (!hides_type && inner.size() > kRecordPlaintextLimit))
    return {.fault = Fault::overflow};
  Nonce nonce = this->nonce();
  std::ranges::copy(record.subspan(kRecordHeaderBytes, sent_nonce_bytes()), nonce.end() - 8);
  const Associated with = associated(record.first(kRecordHeaderBytes), inner.size());
  EVP_CIPHER_CTX* context = context_.get();
  int done = 0;
  const bool opened =
      EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, as_int(kTagBytes), inner.data() + inner.size()) ==
          1 &&
      EVP_DecryptUpdate(context, nullptr, &done, with.bytes.data(), as_int(with.size)) == 1 &&
      EVP_DecryptUpdate(context, inner.data(), &done, inner.data(), as_int(inner.size())) == 1 &&
      EVP_DecryptFinal_ex(context, inner.data() + done, &done) == 1;
  ++next_;
  if (!opened) return {.fault = Fault::bad_mac};
  if (!hides_type) return {Fault::none, static_cast<ContentType>(record[0]), inner};
  // RFC 8446 section 5.4: the type is the last byte that is not zero.
  std::size_t end = inner.size();
  while (end > 0 && inner[end - 1] == 0) --end;
  if (end == 0) return {.fault = Fault::no_content};
  if (end - 1 > kRecordPlaintextLimit) return {.fault = Fault::overflow};
  return {Fault::none, static_cast<ContentType>(inner[end - 1]), inner.first(end - 1)};
}

}  // namespace offhook::io
