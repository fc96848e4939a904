#include "io/http/control_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/loop/fd.h"

namespace offhook::io {
namespace {

using std::chrono::milliseconds;

TEST(ControlLoop, RunsTasksOfOtherThreadsInTheirOrder) {
  ControlLoop loop;
  std::vector<int> order;
  std::thread other([&] {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(loop.post([&order, i] { order.push_back(i); }));
    EXPECT_TRUE(loop.post([&loop] { loop.stop(); }));
  });
  loop.run();
  other.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(ControlLoop, RefusesTasksBeyondTheMailboxLimit) {
  ControlLoop loop;
  for (std::size_t i = 0; i < ControlLoop::kMailboxLimit; ++i) ASSERT_TRUE(loop.post([] {}));
  EXPECT_FALSE(loop.post([] {}));
}

TEST(ControlLoop, AStopBeforeRunCounts) {
  ControlLoop loop;
  loop.stop();
  loop.run();
}

// A thread with a table of its own cannot post; it writes, and the loop sees it although nothing else
// happens.
TEST(Watch, WakesAQuietLoopForWhatAnotherThreadWritesEachTime) {
  ControlLoop loop;
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  std::atomic<int> seen = 0;
  ControlLoop::Watch watch(loop, reader.get(), [&] {
    char byte = 0;
    while (read(reader.get(), &byte, 1) == 1) seen += 1;
    seen.notify_all();
    if (seen == 3) loop.stop();
  });
  ASSERT_TRUE(watch);
  std::thread other([&] {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(write(writer.get(), "x", 1), 1);
      seen.wait(i);
    }
  });
  loop.run();
  other.join();
  EXPECT_EQ(seen, 3);
}

TEST(Watch, SaysSoIfThereIsNoDescriptor) {
  ControlLoop loop;
  EXPECT_FALSE(ControlLoop::Watch(loop, -1, [] {}));
}

TEST(Timer, CallsBackInOrderOfTheirDeadlines) {
  ControlLoop loop;
  std::string order;
  const Instant start = ControlLoop::now().monotonic;
  ControlLoop::Timer later(loop, [&] {
    order += "b";
    loop.stop();
  });
  ControlLoop::Timer sooner(loop, [&] { order += "a"; });
  later.set(start + milliseconds(20));
  sooner.set(start + milliseconds(1));
  loop.run();
  EXPECT_EQ(order, "ab");
  EXPECT_GE(ControlLoop::now().monotonic, start + milliseconds(20));
}

TEST(Timer, ANewDeadlineReplacesTheOldOneAndNeverCancels) {
  ControlLoop loop;
  std::string order;
  const Instant start = ControlLoop::now().monotonic;
  ControlLoop::Timer canceled(loop, [&] { order += "x"; });
  ControlLoop::Timer moved(loop, [&] { order += "a"; });
  ControlLoop::Timer last(loop, [&] { loop.stop(); });
  canceled.set(start);
  canceled.set(kNever);
  moved.set(start);
  moved.set(start + milliseconds(2));
  last.set(start + milliseconds(10));
  loop.run();
  EXPECT_EQ(order, "a");
}

TEST(Timer, MayBeDestroyedInItsOwnCallback) {
  ControlLoop loop;
  std::optional<ControlLoop::Timer> timer;
  timer.emplace(loop, [&] {
    timer.reset();
    loop.stop();
  });
  timer->set(ControlLoop::now().monotonic);
  loop.run();
  EXPECT_FALSE(timer.has_value());
}

TEST(ControlLoop, CallsBackForEachStopSignal) {
  ControlLoop loop;
  std::vector<int> signals;
  loop.on_stop_signal([&](int signal) {
    signals.push_back(signal);
    if (signals.size() == 1) {
      ASSERT_EQ(std::raise(SIGTERM), 0);
    } else {
      loop.stop();
    }
  });
  ASSERT_EQ(std::raise(SIGINT), 0);
  loop.run();
  EXPECT_EQ(signals, (std::vector<int>{SIGINT, SIGTERM}));
}

}  // namespace
}  // namespace offhook::io
