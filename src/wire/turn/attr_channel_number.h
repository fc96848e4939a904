#pragma once
// CHANNEL-NUMBER (RFC 8656 section 18.1).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |        Channel Number         |         RFFU = 0              |

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::turn {

// The number as sent, which the server may refuse to bind. Nothing if the length is not
// four.
std::optional<std::uint16_t> parse_channel_number(Bytes value);
void add_channel_number(stun::MessageBuilder& builder, std::uint16_t channel_number);

}  // namespace offhook::turn
