// On its own: the kernel's header, which knows all of tcp_info, and the C library's cannot be together.

#include "service/relay/tcp_segments.h"

#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace offhook::test {

namespace {

tcp_info info_of(int fd) {
  tcp_info about{};
  socklen_t length = sizeof about;
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &about, &length), 0);
  return about;
}

}  // namespace

std::uint32_t segments_received(int fd) { return info_of(fd).tcpi_segs_in; }

std::uint32_t data_segments_received(int fd) { return info_of(fd).tcpi_data_segs_in; }

std::uint32_t segments_unacknowledged(int fd) { return info_of(fd).tcpi_unacked; }

}  // namespace offhook::test
