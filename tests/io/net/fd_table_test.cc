#include "io/net/fd_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "io/net/descriptor_queue.h"
#include "io/net/socket.h"

namespace offhook::io {
namespace {

const Address kAnyLoopbackPort{*Ip::parse("127.0.0.1"), 0};

[[maybe_unused]] bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

[[maybe_unused]] Socket open_socket() {
  return std::move(*open_udp_listener(kAnyLoopbackPort, PortSharing::exclusive));
}

#if defined(OFFHOOK_SANITIZE_THREAD)

TEST(FdTable, StaysSharedUnderTheThreadSanitizer) { EXPECT_FALSE(own_fd_table({})); }

#else

TEST(FdTable, OfAThreadHoldsWhatItKeepsAndNothingElse) {
  std::vector<Socket> sockets;
  for (int i = 0; i < 7; ++i) sockets.push_back(open_socket());
  const std::vector<int> keep = {sockets[4].get(), sockets[1].get(), sockets[2].get()};
  std::thread([&] {
    ASSERT_TRUE(own_fd_table(keep));
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, keep[0], keep[1], keep[2]})
      EXPECT_TRUE(is_open(fd)) << fd;
    for (const std::size_t other : {0U, 3U, 5U, 6U}) EXPECT_FALSE(is_open(sockets[other].get())) << other;
    close_own_fd_table();
    for (const int fd : keep) EXPECT_FALSE(is_open(fd));
    EXPECT_TRUE(is_open(STDERR_FILENO));
  }).join();
  for (const Socket& socket : sockets) EXPECT_TRUE(is_open(socket.get()));
}

TEST(FdTable, OfAThreadThatKeepsNothingHoldsTheStandardStreams) {
  const Socket socket = open_socket();
  std::thread([&] {
    ASSERT_TRUE(own_fd_table({}));
    EXPECT_FALSE(is_open(socket.get()));
    EXPECT_TRUE(is_open(STDERR_FILENO));
  }).join();
}

TEST(FdTable, OfAThreadKeepsNoPortOfAStrangerBound) {
  Socket stranger = open_socket();
  const Address at = *bound_address(stranger);
  std::thread([&] {
    ASSERT_TRUE(own_fd_table({}));
    EXPECT_FALSE(open_udp_listener(at, PortSharing::exclusive)) << "the process still holds it";
    close_own_fd_table();
  }).join();
  stranger.close();
  EXPECT_TRUE(open_udp_listener(at, PortSharing::exclusive));
}

TEST(FdTable, OfAThreadIsReleasedBeforeTheThreadIsJoined) {
  for (int i = 0; i < 100; ++i) {
    Address at;
    std::thread([&] {
      ASSERT_TRUE(own_fd_table({}));
      const Socket socket = open_socket();
      at = *bound_address(socket);
      close_own_fd_table();
    }).join();
    ASSERT_TRUE(open_udp_listener(at, PortSharing::exclusive)) << i;
  }
}

#endif

TEST(DescriptorQueue, CarriesDescriptorsFromThreadToThreadInOrder) {
  DescriptorQueue queue(16);
  std::vector<Address> addresses;
  std::thread([&] {
    const auto own = own_fd_table(queue.fds());
    for (std::uint64_t label = 0; label < 16; ++label) {
      Socket socket = open_socket();
      addresses.push_back(*bound_address(socket));
      EXPECT_TRUE(queue.push(label, std::move(socket)));
    }
    if (own) close_own_fd_table();
  }).join();
  for (std::uint64_t label = 0; label < 16; ++label) {
    const auto next = queue.pop();
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->label, label);
    EXPECT_EQ(bound_address(next->descriptor), addresses[label]);
  }
  EXPECT_FALSE(queue.pop().has_value());
}

TEST(DescriptorQueue, HoldsOpenWhatWaitsInItAndNoLonger) {
  Address at;
  {
    DescriptorQueue queue(2);
    Socket socket = open_socket();
    at = *bound_address(socket);
    ASSERT_TRUE(queue.push(7, std::move(socket)));
    EXPECT_FALSE(open_udp_listener(at, PortSharing::exclusive));
  }
  EXPECT_TRUE(open_udp_listener(at, PortSharing::exclusive));
}

TEST(DescriptorQueue, RefusesWhatDoesNotFitAndClosesIt) {
  DescriptorQueue queue(4);
  std::size_t taken = 0;
  Address refused;
  for (;;) {
    Socket socket = open_socket();
    refused = *bound_address(socket);
    if (!queue.push(taken, std::move(socket))) break;
    taken += 1;
  }
  EXPECT_GE(taken, 4U);
  EXPECT_TRUE(open_udp_listener(refused, PortSharing::exclusive));
  ASSERT_TRUE(queue.pop().has_value());
  EXPECT_TRUE(queue.push(taken, open_socket()));
}

TEST(DescriptorQueue, TellsWhenTheTableIsFull) {
  DescriptorQueue queue(1);
  ASSERT_TRUE(queue.push(7, open_socket()));
  std::vector<Fd> fillers;
  for (int fd = dup(STDERR_FILENO); fd >= 0; fd = dup(STDERR_FILENO)) fillers.emplace_back(fd);
  const auto next = queue.pop();
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->label, 7U);
  EXPECT_FALSE(next->descriptor);
  fillers.clear();
  EXPECT_FALSE(queue.pop().has_value());
}

}  // namespace
}  // namespace offhook::io
