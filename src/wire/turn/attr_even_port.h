#pragma once
// EVEN-PORT (RFC 8656 section 18.8): the relayed port shall be even and, with R, the next one reserved.
//
//    0 1 2 3 4 5 6 7
//   |R|    RFFU     |

#include <optional>

#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::turn {

struct EvenPort {
  bool reserve_next = false;  // the R bit
};

// Nothing if the length is not one.
std::optional<EvenPort> parse_even_port(Bytes value);
void add_even_port(stun::MessageBuilder& builder, EvenPort even_port);

}  // namespace offhook::turn
