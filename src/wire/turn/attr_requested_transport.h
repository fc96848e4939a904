#pragma once
// REQUESTED-TRANSPORT (RFC 8656 section 18.7): the transport between server and peer, a number of IANA's
// protocols.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |    Protocol   |                    RFFU                       |

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::turn {

inline constexpr std::uint8_t kRequestedTransportUdp = 17;

// The protocol as sent; any but 17 deserves error 442. Nothing if the length is not four.
std::optional<std::uint8_t> parse_requested_transport(Bytes value);
void add_requested_transport(stun::MessageBuilder& builder, std::uint8_t protocol);

}  // namespace offhook::turn
