#include "crypto/p256.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include <cstdlib>

#include "crypto/openssl_free.h"

namespace offhook::crypto {
namespace {

using Number = std::unique_ptr<BIGNUM, Freer<BN_clear_free>>;
using Group = std::unique_ptr<EC_GROUP, Freer<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, Freer<EC_POINT_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freer<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freer<OSSL_PARAM_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;

// Failure of the library with a good key is out of memory.
void require(bool done) {
  if (!done) std::abort();
}

const EC_GROUP* curve() {
  static const Group kCurve(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  require(kCurve != nullptr);
  return kCurve.get();
}

// `scalar` is nullptr for a public key.
Key make_key(Bytes point, const BIGNUM* scalar) {
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  require(builder != nullptr);
  bool pushed =
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) ==
          1;
  if (scalar != nullptr)
    pushed = pushed && OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1;
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  const int selection = scalar == nullptr ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR;
  const bool made = pushed && params && context && EVP_PKEY_fromdata_init(context.get()) == 1 &&
                    EVP_PKEY_fromdata(context.get(), &key, selection, params.get()) == 1;
  return Key(made ? key : nullptr);
}

P256Point point_of(const BIGNUM* scalar) {
  const Point point(EC_POINT_new(curve()));
  P256Point octets{};
  require(point && EC_POINT_mul(curve(), point.get(), scalar, nullptr, nullptr, nullptr) == 1 &&
          EC_POINT_point2oct(curve(), point.get(), POINT_CONVERSION_UNCOMPRESSED, octets.data(),
                             octets.size(), nullptr) == octets.size());
  return octets;
}

}  // namespace

bool is_p256_point(Bytes bytes) {
  constexpr std::uint8_t kUncompressed = 0x04;
  if (bytes.size() != kP256PointBytes || bytes[0] != kUncompressed) return false;
  const Point point(EC_POINT_new(curve()));
  // OpenSSL checks that the point is on the curve; infinity has another form.
  return point && EC_POINT_oct2point(curve(), point.get(), bytes.data(), bytes.size(), nullptr) == 1;
}

P256Key P256Key::generate(Random& random) {
  for (;;) {
    std::array<std::uint8_t, kP256ScalarBytes> scalar{};
    random.fill(scalar);
    if (auto key = from_scalar(scalar)) return *key;  // all but one of 2^32 are good
  }
}

std::optional<P256Key> P256Key::from_scalar(Bytes scalar) {
  if (scalar.size() != kP256ScalarBytes) return std::nullopt;
  const Number number(BN_bin2bn(scalar.data(), static_cast<int>(scalar.size()), nullptr));
  require(number != nullptr);
  BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  if (BN_is_zero(number.get()) || BN_cmp(number.get(), EC_GROUP_get0_order(curve())) >= 0)
    return std::nullopt;
  P256Key key;
  key.scalar_.assign(scalar.begin(), scalar.end());
  key.point_ = point_of(number.get());
  Key pkey = make_key(key.point_, number.get());
  require(pkey != nullptr);
  key.pkey_ = std::shared_ptr<void>(pkey.release(),
                                    [](void* object) { EVP_PKEY_free(static_cast<EVP_PKEY*>(object)); });
  return key;
}

std::optional<P256Secret> P256Key::agree(Bytes peer) const {
  if (!is_p256_point(peer)) return std::nullopt;
  const Key other = make_key(peer, nullptr);
  const KeyContext context(EVP_PKEY_CTX_new(static_cast<EVP_PKEY*>(pkey_.get()), nullptr));
  P256Secret secret{};
  std::size_t size = secret.size();
  require(other && context && EVP_PKEY_derive_init(context.get()) == 1 &&
          EVP_PKEY_derive_set_peer(context.get(), other.get()) == 1 &&
          EVP_PKEY_derive(context.get(), secret.data(), &size) == 1 && size == secret.size());
  return secret;
}

Es256Signature P256Key::sign(Bytes message) const {
  const DigestContext context(EVP_MD_CTX_new());
  std::array<std::uint8_t, 80> der{};  // two numbers of 33 bytes at most, with their headers
  std::size_t size = der.size();
  require(context &&
          EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr,
                             static_cast<EVP_PKEY*>(pkey_.get())) == 1 &&
          EVP_DigestSign(context.get(), der.data(), &size, message.data(), message.size()) == 1);
  const std::uint8_t* at = der.data();
  const EcdsaSignature parts(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  Es256Signature signature{};
  constexpr int kHalf = 32;
  require(parts && BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), signature.data(), kHalf) == kHalf &&
          BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), signature.data() + kHalf, kHalf) == kHalf);
  return signature;
}

}  // namespace offhook::crypto
