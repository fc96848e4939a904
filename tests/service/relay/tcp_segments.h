#pragma once

#include <cstdint>

namespace offhook::test {

// That this TCP socket has received, acknowledgements among them.
std::uint32_t segments_received(int fd);

}  // namespace offhook::test
