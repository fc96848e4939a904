#pragma once

#include <cstdint>

namespace offhook::test {

// That this TCP socket has received, acknowledgements among them.
std::uint32_t segments_received(int fd);
// Of these, with data.
std::uint32_t data_segments_received(int fd);
// That it has sent and the other side has not acknowledged yet.
std::uint32_t segments_unacknowledged(int fd);

}  // namespace offhook::test
