#pragma once
// Keys on the curve P-256: agreement (ECDH) and ES256 signatures of our own, for Web Push (RFC 8291, RFC
// 8292).

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/random.h"

namespace offhook::crypto {

inline constexpr std::size_t kP256ScalarBytes = 32;
inline constexpr std::size_t kP256PointBytes = 65;  // uncompressed (SEC 1 section 2.3.3)

using P256Point = std::array<std::uint8_t, kP256PointBytes>;
using P256Secret = std::array<std::uint8_t, 32>;
using Es256Signature = std::array<std::uint8_t, 64>;  // R || S, as a JWS carries it (RFC 7518 section 3.4)

// Whether these bytes are an uncompressed point of the curve.
bool is_p256_point(Bytes bytes);

class P256Key {
 public:
  static P256Key generate(Random& random);
  // Nothing unless the scalar is 32 bytes and from 1 to the order of the curve less 1.
  static std::optional<P256Key> from_scalar(Bytes scalar);

  const P256Point& public_point() const { return point_; }
  Buffer scalar() const { return scalar_; }  // secret
  // The x coordinate of the point that both sides reach. Nothing if `peer` is no point of the curve.
  std::optional<P256Secret> agree(Bytes peer) const;
  Es256Signature sign(Bytes message) const;

 private:
  P256Key() = default;

  Buffer scalar_;
  P256Point point_{};
  std::shared_ptr<void> pkey_;  // EVP_PKEY, immutable after construction
};

}  // namespace offhook::crypto
