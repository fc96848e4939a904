#pragma once
// Which addresses are the public internet: where a relay, or a client of ours that somebody else told where
// to go, may go by default.

#include "base/address.h"

namespace offhook {

// Not private, loopback, link-local, metadata, reserved or multicast; of IPv6 only what is in 2000::/3, and
// nothing that hides an IPv4 address.
bool is_public(const Ip& ip);

// ISATAP (RFC 5214 section 6.1) lives in the interface identifier, under any prefix: [u and g
// bits]00:5efe:v4.
bool is_isatap(const Ip& ip);

}  // namespace offhook
