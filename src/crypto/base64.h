#pragma once
// Base64 (RFC 4648 section 4, padded) and base64url (section 5, unpadded). Decoders are strict: no white
// space, no foreign characters, no stray bits.

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace offhook::crypto {

std::string base64_encode(Bytes input);
std::string base64url_encode(Bytes input);
std::optional<Buffer> base64_decode(std::string_view text);
std::optional<Buffer> base64url_decode(std::string_view text);

}  // namespace offhook::crypto
