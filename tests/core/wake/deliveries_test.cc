#include "core/wake/deliveries.h"

#include <gtest/gtest.h>

#include <random>

namespace offhook::wake {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class SeededRandom final : public Random {
 public:
  void fill(MutableBytes target) override {
    for (std::uint8_t& byte : target) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_{1};
};

// Deliveries with a clock that only advance() moves.
class Post {
 public:
  explicit Post(DeliverySettings settings = {}) : deliveries(settings, random_) {}

  MessageId add(std::string_view lane, Duration life = minutes(10)) {
    const auto id = deliveries.add(lane, now + life, now, effects_);
    EXPECT_TRUE(id);
    return *id;
  }
  bool has_room(std::string_view lane) {
    return deliveries.add(lane, now + minutes(10), now, effects_).has_value();
  }
  bool finish(MessageId id, Outcome outcome, std::optional<Duration> pause = std::nullopt) {
    return deliveries.handle_outcome(id, outcome, pause, now, effects_);
  }
  bool cancel(MessageId id) { return deliveries.cancel(id, now, effects_); }
  void advance(Duration span) {
    const Instant target = now + span;
    while (deliveries.next_deadline() <= target) {
      now = deliveries.next_deadline();
      deliveries.handle_deadlines(now, effects_);
    }
    now = target;
  }
  std::vector<MessageId> attempts() {
    std::vector<MessageId> ids;
    for (const Attempt& attempt : std::exchange(effects_.attempts, {})) ids.push_back(attempt.message);
    return ids;
  }
  std::vector<MessageId> dropped() {
    std::vector<MessageId> ids;
    for (const Dropped& one : std::exchange(effects_.dropped, {})) ids.push_back(one.message);
    return ids;
  }

  Instant now{std::chrono::hours(1)};
  SeededRandom random_;
  Deliveries deliveries;

 private:
  DeliveryEffects effects_;
};

using Ids = std::vector<MessageId>;

TEST(Deliveries, AMessageGoesAtOnceAndIsForgottenWhenItHasArrived) {
  Post post;
  const MessageId id = post.add("call");
  EXPECT_EQ(post.attempts(), Ids{id});
  EXPECT_TRUE(post.finish(id, Outcome::delivered));
  EXPECT_EQ(post.deliveries.size(), 0U);
  EXPECT_EQ(post.deliveries.next_deadline(), kNever);
  EXPECT_EQ(post.dropped(), Ids{});
}

TEST(Deliveries, ALaneKeepsItsOrderThroughFailures) {
  Post post;
  const MessageId first = post.add("call");
  const MessageId second = post.add("call");
  EXPECT_EQ(post.attempts(), Ids{first});
  EXPECT_FALSE(post.finish(first, Outcome::failed));
  EXPECT_EQ(post.attempts(), Ids{});
  post.advance(seconds(1));
  EXPECT_EQ(post.attempts(), Ids{first});
  EXPECT_TRUE(post.finish(first, Outcome::delivered));
  EXPECT_EQ(post.attempts(), Ids{second});
}

TEST(Deliveries, WhatIsRefusedMakesWayForTheNext) {
  Post post;
  const MessageId first = post.add("call");
  const MessageId second = post.add("call");
  (void)post.attempts();
  EXPECT_TRUE(post.finish(first, Outcome::refused));
  EXPECT_EQ(post.attempts(), Ids{second});
  EXPECT_EQ(post.dropped(), Ids{});
}

TEST(Deliveries, LanesDoNotWaitForEachOther) {
  Post post;
  const MessageId one = post.add("one");
  const MessageId other = post.add("other");
  EXPECT_EQ(post.attempts(), (Ids{one, other}));
}

TEST(Deliveries, PausesDoubleUpToTheLongestAndAreNeverAllTheSame) {
  Post post;
  const MessageId id = post.add("call", minutes(30));
  std::vector<Duration> pauses;
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(post.attempts(), Ids{id});
    EXPECT_FALSE(post.finish(id, Outcome::failed));
    pauses.push_back(post.deliveries.next_deadline() - post.now);
    post.advance(pauses.back());
  }
  Duration whole = seconds(1);
  std::size_t exact = 0;
  for (const Duration pause : pauses) {
    EXPECT_LE(pause, whole);
    EXPECT_GE(pause, whole / 2);
    exact += pause == whole || pause == whole / 2 ? 1U : 0U;
    whole = std::min<Duration>(whole * 2, minutes(1));
  }
  EXPECT_LT(exact, 3U);
}

TEST(Deliveries, ALongerPauseThatTheOtherSideAsksForIsKept) {
  Post post;
  const MessageId id = post.add("call");
  (void)post.attempts();
  EXPECT_FALSE(post.finish(id, Outcome::failed, seconds(30)));
  post.advance(milliseconds(29'999));
  EXPECT_EQ(post.attempts(), Ids{});
  post.advance(milliseconds(1));
  EXPECT_EQ(post.attempts(), Ids{id});
}

TEST(Deliveries, AMessageThatIsTooOldIsDroppedAndTheNextOneGoes) {
  Post post;
  const MessageId old = post.add("call", seconds(10));
  (void)post.attempts();
  EXPECT_FALSE(post.finish(old, Outcome::failed));
  const MessageId next = post.add("call", minutes(10));
  while (post.deliveries.size() == 2) {
    post.advance(seconds(1));
    if (post.attempts() == Ids{old}) (void)post.finish(old, Outcome::failed);
  }
  EXPECT_EQ(post.dropped(), Ids{old});
  EXPECT_LE(post.now, Instant{std::chrono::hours(1)} + seconds(11));
  EXPECT_EQ(post.deliveries.under_way(), 1U);
  EXPECT_TRUE(post.finish(next, Outcome::delivered));
}

TEST(Deliveries, APauseBeyondTheExpiryIsNotWaitedFor) {
  Post post;
  const MessageId id = post.add("call", seconds(45));
  (void)post.attempts();
  EXPECT_TRUE(post.finish(id, Outcome::failed, seconds(60)));
  EXPECT_EQ(post.dropped(), Ids{id});
  EXPECT_EQ(post.deliveries.size(), 0U);
}

TEST(Deliveries, WhatWaitsBehindTheOthersGrowsTooOldThere) {
  Post post;
  const MessageId first = post.add("call");
  const MessageId second = post.add("call", seconds(5));
  (void)post.attempts();
  post.advance(seconds(6));
  EXPECT_EQ(post.dropped(), Ids{second});
  EXPECT_TRUE(post.finish(first, Outcome::delivered));
  EXPECT_EQ(post.attempts(), Ids{});
}

TEST(Deliveries, OneThatIsUnderWayIsNotDroppedBeforeItsEnd) {
  Post post;
  const MessageId id = post.add("call", seconds(5));
  (void)post.attempts();
  post.advance(seconds(20));
  EXPECT_EQ(post.dropped(), Ids{});
  EXPECT_TRUE(post.finish(id, Outcome::delivered));
}

TEST(Deliveries, AFullQueueRefusesAndHasRoomAgainLater) {
  DeliverySettings settings;
  settings.max_messages = 3;
  Post post(settings);
  const MessageId first = post.add("a");
  post.add("a");
  post.add("b");
  EXPECT_FALSE(post.has_room("c"));
  EXPECT_EQ(post.deliveries.size(), 3U);
  EXPECT_TRUE(post.finish(first, Outcome::delivered));
  EXPECT_TRUE(post.has_room("c"));
}

TEST(Deliveries, NoMoreThanTheLimitIsUnderWay) {
  DeliverySettings settings;
  settings.max_under_way = 2;
  Post post(settings);
  const MessageId a = post.add("a");
  const MessageId b = post.add("b");
  const MessageId c = post.add("c");
  EXPECT_EQ(post.attempts(), (Ids{a, b}));
  EXPECT_FALSE(post.finish(a, Outcome::failed));  // a pause needs no place
  EXPECT_EQ(post.attempts(), Ids{c});
  post.advance(seconds(1));
  EXPECT_EQ(post.attempts(), Ids{});
  EXPECT_TRUE(post.finish(b, Outcome::delivered));
  EXPECT_EQ(post.attempts(), Ids{a});
}

TEST(Deliveries, WhatIsTakenBackIsNotSent) {
  Post post;
  const MessageId first = post.add("call");
  const MessageId second = post.add("call");
  const MessageId third = post.add("call");
  (void)post.attempts();
  EXPECT_FALSE(post.cancel(first));  // under way
  EXPECT_TRUE(post.cancel(second));
  EXPECT_FALSE(post.finish(first, Outcome::failed));
  EXPECT_TRUE(post.cancel(first));  // pausing
  EXPECT_EQ(post.attempts(), Ids{third});
  EXPECT_TRUE(post.cancel(first));  // gone
  EXPECT_EQ(post.deliveries.size(), 1U);
  EXPECT_EQ(post.dropped(), Ids{});
}

// Random operations: order in each lane, the limits, and nothing left over.
TEST(Deliveries, HoldsWhateverHappens) {
  std::mt19937 dice(7);
  DeliverySettings settings;
  settings.max_messages = 20;
  settings.max_under_way = 3;
  Post post(settings);
  std::map<MessageId, std::string> lane_of;
  std::vector<MessageId> under_way;
  std::map<std::string, MessageId> newest_by_lane;
  std::size_t delivered = 0;
  const auto look = [&] {
    for (const MessageId id : post.attempts()) {
      MessageId& newest = newest_by_lane[lane_of.at(id)];
      ASSERT_GE(id, newest);
      newest = id;
      under_way.push_back(id);
    }
    (void)post.dropped();
    ASSERT_EQ(under_way.size(), post.deliveries.under_way());
    ASSERT_LE(under_way.size(), settings.max_under_way);
    ASSERT_LE(post.deliveries.size(), settings.max_messages);
  };
  for (int i = 0; i < 20'000; ++i) {
    switch (dice() % 4) {
      case 0:
        if (post.deliveries.size() < settings.max_messages) {
          const std::string lane(1, static_cast<char>('a' + dice() % 5));
          // The attempt begins within add(): its lane has to be known before.
          lane_of[MessageId{static_cast<std::uint64_t>(lane_of.size()) + 1}] = lane;
          post.add(lane, seconds(1 + dice() % 100));
        }
        break;
      case 1:
        post.advance(milliseconds(dice() % 3000));
        break;
      default:
        if (under_way.empty()) break;
        const MessageId id = under_way[dice() % under_way.size()];
        std::erase(under_way, id);
        const Outcome outcome = static_cast<Outcome>(dice() % 3);
        delivered += outcome == Outcome::delivered ? 1U : 0U;
        (void)post.finish(id, outcome);
    }
    look();
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(delivered, 1000U);
  for (const MessageId id : under_way) (void)post.finish(id, Outcome::refused);
  under_way.clear();
  while (post.deliveries.size() > 0) {
    for (const MessageId id : post.attempts()) (void)post.finish(id, Outcome::refused);
    post.advance(seconds(1));
  }
  EXPECT_EQ(post.deliveries.next_deadline(), kNever);
}

}  // namespace
}  // namespace offhook::wake
