#include "crypto/aead.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <cstdlib>
#include <memory>
#include <vector>

namespace offhook::crypto {
namespace {

struct Free {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

void require(bool done) {
  if (!done) std::abort();
}

// OpenSSL takes parameters without const and does not write to them.
OSSL_PARAM octets(const char* name, Bytes bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

void hkdf_sha256(Bytes salt, Bytes secret, Bytes info, MutableBytes out) {
  const std::unique_ptr<EVP_KDF, Free> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, Free> context(EVP_KDF_CTX_new(kdf.get()));
  char digest[] = "SHA256";
  // An empty value is one that is left out: OpenSSL refuses the pointer of an empty span.
  std::vector<OSSL_PARAM> params{OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0)};
  if (!salt.empty()) params.push_back(octets(OSSL_KDF_PARAM_SALT, salt));
  if (!secret.empty()) params.push_back(octets(OSSL_KDF_PARAM_KEY, secret));
  if (!info.empty()) params.push_back(octets(OSSL_KDF_PARAM_INFO, info));
  params.push_back(OSSL_PARAM_construct_end());
  require(context && EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) == 1);
}

Buffer aes128_gcm_seal(const Aes128Key& key, const GcmNonce& nonce, Bytes plaintext) {
  const std::unique_ptr<EVP_CIPHER_CTX, Free> context(EVP_CIPHER_CTX_new());
  Buffer sealed(plaintext.size() + kGcmTagBytes);
  int written = 0;
  int last = 0;
  require(context &&
          EVP_EncryptInit_ex2(context.get(), EVP_aes_128_gcm(), key.data(), nonce.data(), nullptr) == 1 &&
          EVP_EncryptUpdate(context.get(), sealed.data(), &written, plaintext.data(),
                            static_cast<int>(plaintext.size())) == 1 &&
          EVP_EncryptFinal_ex(context.get(), sealed.data() + written, &last) == 1 &&
          EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kGcmTagBytes),
                              sealed.data() + plaintext.size()) == 1);
  return sealed;
}

}  // namespace offhook::crypto
