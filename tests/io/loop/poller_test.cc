#include "io/loop/poller.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

#include "io/loop/clock.h"
#include "io/loop/mailbox.h"

namespace offhook::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) == 0) {
      reader = Fd(ends[0]);
      writer = Fd(ends[1]);
    }
  }
  Fd reader;
  Fd writer;
};

TEST(Poller, TellsWhichDescriptorIsReadyUntilItIsServed) {
  const auto poller = make_epoll_poller();
  const Pipe one;
  const Pipe other;
  ASSERT_TRUE(poller->add(one.reader.get(), {}, 7));
  ASSERT_TRUE(poller->add(other.reader.get(), {}, (std::uint64_t{1} << 63U) + 8));
  ASSERT_EQ(write(other.writer.get(), "x", 1), 1);
  for (int i = 0; i < 2; ++i) {
    const auto ready = poller->wait(kNever, read_now().monotonic);
    ASSERT_EQ(ready.size(), 1U);
    EXPECT_EQ(ready[0].tag, (std::uint64_t{1} << 63U) + 8);
    EXPECT_TRUE(ready[0].readable);
  }
  char taken = 0;
  ASSERT_EQ(read(other.reader.get(), &taken, 1), 1);
  const Instant now = read_now().monotonic;
  EXPECT_TRUE(poller->wait(now, now).empty());
}

TEST(Poller, TellsOnceWhereItIsAskedTo) {
  const auto poller = make_epoll_poller();
  const Pipe pipe;
  ASSERT_EQ(write(pipe.writer.get(), "x", 1), 1);
  ASSERT_TRUE(poller->add(pipe.reader.get(), {.once = true}, 7));
  for (int i = 0; i < 2; ++i) {
    const auto ready = poller->wait(kNever, read_now().monotonic);
    ASSERT_EQ(ready.size(), 1U) << "what was there before it was added, and what came after";
    EXPECT_TRUE(ready[0].readable);
    const Instant now = read_now().monotonic;
    EXPECT_TRUE(poller->wait(now, now).empty()) << "though nothing was taken";
    ASSERT_EQ(write(pipe.writer.get(), "x", 1), 1);
  }
}

TEST(Poller, WhatIsToldOnceSaysWithTheDataThatAnEndStandsBehindIt) {
  const auto poller = make_epoll_poller();
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  ASSERT_TRUE(poller->add(reader.get(), {.once = true}, 7));
  for (const bool is_end : {false, true}) {
    ASSERT_EQ(write(writer.get(), "x", 1), 1);
    if (is_end) {
      ASSERT_EQ(shutdown(writer.get(), SHUT_WR), 0);
    }
    const auto ready = poller->wait(kNever, read_now().monotonic);
    ASSERT_EQ(ready.size(), 1U);
    EXPECT_TRUE(ready[0].readable);
    EXPECT_EQ(ready[0].error, is_end);
  }
}

TEST(Poller, ReturnsAtTheDeadlineAndNotBefore) {
  const auto poller = make_epoll_poller();
  const Instant start = read_now().monotonic;
  EXPECT_TRUE(poller->wait(start + milliseconds(5), start).empty());
  EXPECT_GE(read_now().monotonic, start + milliseconds(5));
}

TEST(Poller, ADeadlineThatIsOverDoesNotWait) {
  const auto poller = make_epoll_poller();
  const Instant now = read_now().monotonic;
  EXPECT_TRUE(poller->wait(now - seconds(5), now).empty());
}

TEST(Poller, WritableOnlyWhenAsked) {
  const auto poller = make_epoll_poller();
  const Pipe pipe;
  ASSERT_TRUE(poller->add(pipe.writer.get(), {.readable = false, .writable = false}, 1));
  const Instant now = read_now().monotonic;
  EXPECT_TRUE(poller->wait(now, now).empty());
  ASSERT_TRUE(poller->modify(pipe.writer.get(), {.readable = false, .writable = true}, 2));
  const auto ready = poller->wait(kNever, now);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0].tag, 2U);
  EXPECT_TRUE(ready[0].writable);
  poller->remove(pipe.writer.get());
  EXPECT_TRUE(poller->wait(now, now).empty());
}

TEST(Poller, RefusesWhatIsNoDescriptor) {
  const auto poller = make_epoll_poller();
  EXPECT_FALSE(poller->add(-1, {}, 1));
}

TEST(Mailbox, WakesTheLoopAndKeepsOrder) {
  const auto poller = make_epoll_poller();
  Mailbox<int> mailbox(100);
  ASSERT_TRUE(poller->add(mailbox.fd(), {}, 9));
  std::thread sender([&] {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(mailbox.post(i));
  });
  std::vector<int> taken;
  while (taken.size() < 3) {
    const auto ready = poller->wait(kNever, read_now().monotonic);
    ASSERT_EQ(ready.size(), 1U);
    for (const int letter : mailbox.take()) taken.push_back(letter);
  }
  sender.join();
  EXPECT_EQ(taken, (std::vector<int>{0, 1, 2}));
}

TEST(Mailbox, ALetterThatCanWaitWakesNobodyUntilThereAreMany) {
  const auto poller = make_epoll_poller();
  Mailbox<int> mailbox(100);
  ASSERT_TRUE(poller->add(mailbox.fd(), {}, 1));
  const Instant now = read_now().monotonic;
  ASSERT_TRUE(mailbox.post_quietly(1, 3));
  ASSERT_TRUE(mailbox.post_quietly(2, 3));
  EXPECT_TRUE(mailbox.waiting());
  EXPECT_TRUE(poller->wait(now, now).empty());
  ASSERT_TRUE(mailbox.post_quietly(3, 3));
  EXPECT_EQ(poller->wait(now, now).size(), 1U);
  EXPECT_EQ(mailbox.take(), (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(poller->wait(now, now).empty());
  ASSERT_TRUE(mailbox.post_quietly(4, 3));
  ASSERT_TRUE(mailbox.post(5));
  EXPECT_EQ(poller->wait(now, now).size(), 1U);
  EXPECT_EQ(mailbox.take(), (std::vector<int>{4, 5}));
}

TEST(Mailbox, RefusesBeyondItsLimitUntilTaken) {
  Mailbox<int> mailbox(2);
  EXPECT_TRUE(mailbox.post(1));
  EXPECT_TRUE(mailbox.post(2));
  EXPECT_FALSE(mailbox.post(3));
  EXPECT_EQ(mailbox.take(), (std::vector<int>{1, 2}));
  EXPECT_TRUE(mailbox.post(4));
}

TEST(Clock, MonotonicTimeDoesNotRunBackwardsAndWallTimeIsToday) {
  const Now first = read_now();
  const Now second = read_now();
  EXPECT_LE(first.monotonic, second.monotonic);
  EXPECT_GT(first.wall.seconds, 1'700'000'000);
}

TEST(Fd, ClosesWhatItHoldsWhenItTakesAnother) {
  Pipe pipe;
  const int old_fd = pipe.reader.get();
  pipe.reader = std::move(pipe.writer);
  EXPECT_EQ(write(old_fd, "x", 1), -1);
  EXPECT_TRUE(pipe.reader);
  EXPECT_FALSE(pipe.writer);
}

}  // namespace
}  // namespace offhook::io
