#include "io/http/control_loop.h"

#include <gtest/gtest.h>

#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <vector>

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
