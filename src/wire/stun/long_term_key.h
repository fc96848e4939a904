#pragma once
// Keys and names of the long-term credential mechanism (RFC 8489 sections 9.2.2, 14.4, 18.5.1).
//
// All texts are UTF-8 that has gone through the OpaqueString profile (RFC 8265) already: plain ASCII is
// unchanged by it.

#include <string_view>

#include "crypto/digest.h"

namespace offhook::stun {

using LongTermKeyMd5 = crypto::Md5Digest;
using LongTermKeySha256 = crypto::Sha256Digest;
using Userhash = crypto::Sha256Digest;

// MD5(username ":" realm ":" password): the key of every server before RFC 8489, and of PASSWORD-ALGORITHM 1.
LongTermKeyMd5 long_term_key_md5(std::string_view username, std::string_view realm,
                                 std::string_view password);
// SHA-256 over the same text: the key of PASSWORD-ALGORITHM 2.
LongTermKeySha256 long_term_key_sha256(std::string_view username, std::string_view realm,
                                       std::string_view password);
// SHA-256(username ":" realm).
Userhash userhash(std::string_view username, std::string_view realm);

}  // namespace offhook::stun
