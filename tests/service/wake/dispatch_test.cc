// Messages over real sockets to a server of the test's own. How long pauses are is the core's matter
// (tests/core/wake); here they are a millisecond.

#include "service/wake/dispatch.h"

#include <gtest/gtest.h>

#include "io/http/loopback_client.h"
#include "io/http/running_server.h"
#include "io/tls/client_context.h"
#include "service/wake/receivers.h"

namespace offhook::service {
namespace {

using namespace offhook::testing;
using std::chrono::milliseconds;

class Dispatching : public ::testing::Test {
 protected:
  void SetUp() override {
    running_.server().route("POST", "/in", [this](const io::HttpRequest& request) {
      arrivals_.add(request);
      const std::lock_guard lock(mutex_);
      if (statuses_.empty()) return io::HttpResponse{.status = 200};
      const unsigned status = statuses_.front();
      statuses_.pop_front();
      return io::HttpResponse{.status = status};
    });
    running_.start();
  }
  void TearDown() override {
    running_.on_loop([this] { dispatch_.reset(); });
    running_.stop();
  }
  void start(std::deque<unsigned> statuses, wake::DeliverySettings settings = {}) {
    statuses_ = std::move(statuses);
    settings.first_pause = milliseconds(1);
    const auto tls = io::client_context("");
    ASSERT_TRUE(tls);
    running_.on_loop([&] {
      dispatch_.emplace("the test", running_.loop(), settings, io::HttpClientSettings{}, *tls, random_,
                        [](const Dispatch::Answer& answer, const io::HttpUrl&) {
                          if (!answer || answer->status / 100 == 5) return wake::Outcome::failed;
                          return answer->status / 100 == 2 ? wake::Outcome::delivered
                                                           : wake::Outcome::refused;
                        });
    });
  }
  OutgoingMessage message(const std::string& lane, const std::string& body, Settled<Fate>* fate = nullptr) {
    OutgoingMessage message;
    message.lane = lane;
    message.expiry = io::ControlLoop::now().monotonic + std::chrono::minutes(10);
    message.request = [this, body, attempt = std::make_shared<int>(0)](const Now&) {
      *attempt += 1;
      return io::OutgoingRequest{*io::HttpUrl::parse("http://" + running_.address().text() + "/in"),
                                 "POST",
                                 {},
                                 body + " " + std::to_string(*attempt)};
    };
    if (fate != nullptr) message.on_over = [fate](Fate value) { fate->set(value); };
    return message;
  }
  std::optional<wake::MessageId> send(OutgoingMessage message) {
    return running_.on_loop([&] { return dispatch_->send(std::move(message)); });
  }
  DispatchCounters counters() {
    return running_.on_loop([this] { return dispatch_->counters(); });
  }

  RunningServer running_;
  crypto::SecureRandom random_;
  std::optional<Dispatch> dispatch_;
  Arrivals arrivals_;
  std::mutex mutex_;
  std::deque<unsigned> statuses_;
};

TEST_F(Dispatching, TriesAgainUntilItIsTakenAndMakesTheRequestAnew) {
  start({500, 503, 200});
  Settled<Fate> fate;
  send(message("call", "dialled", &fate));
  EXPECT_EQ(fate.get(), Fate::delivered);
  EXPECT_EQ(arrivals_.next().body, "dialled 1");
  EXPECT_EQ(arrivals_.next().body, "dialled 2");
  EXPECT_EQ(arrivals_.next().body, "dialled 3");
  const DispatchCounters counted = counters();
  EXPECT_EQ(counted.attempts, 3U);
  EXPECT_EQ(counted.failed_attempts, 2U);
  EXPECT_EQ(counted.delivered, 1U);
  EXPECT_EQ(counted.waiting, 0U);
}

TEST_F(Dispatching, TheNextOfALaneWaitsForTheOneThatFails) {
  start({500, 500, 200, 200});
  Settled<Fate> fate;
  running_.on_loop([&] {
    (void)dispatch_->send(message("call", "dialled"));
    (void)dispatch_->send(message("call", "canceled", &fate));
  });
  EXPECT_EQ(fate.get(), Fate::delivered);
  for (const std::string body : {"dialled 1", "dialled 2", "dialled 3", "canceled 1"})
    EXPECT_EQ(arrivals_.next().body, body);
}

TEST_F(Dispatching, TellsGoneFromRefused) {
  start({410, 404, 403});
  for (const Fate expected : {Fate::gone, Fate::gone, Fate::refused}) {
    Settled<Fate> fate;
    send(message("call", "x", &fate));
    EXPECT_EQ(fate.get(), expected);
  }
  EXPECT_EQ(counters().refused, 3U);
}

TEST_F(Dispatching, AFullQueueIsSaidAtOnceAndCounted) {
  wake::DeliverySettings settings;
  settings.max_messages = 2;
  start({}, settings);
  Settled<Fate> first;
  Settled<Fate> second;
  const bool kept = running_.on_loop([&] {
    (void)dispatch_->send(message("call", "1", &first));
    (void)dispatch_->send(message("call", "2", &second));
    return dispatch_->send(message("other", "3")).has_value();
  });
  EXPECT_FALSE(kept);
  EXPECT_EQ(first.get(), Fate::delivered);
  EXPECT_EQ(second.get(), Fate::delivered);
  EXPECT_EQ(counters().queue_full, 1U);
  EXPECT_EQ(counters().accepted, 2U);
  EXPECT_EQ(arrivals_.next().body, "1 1");
  EXPECT_EQ(arrivals_.next().body, "2 1");
  EXPECT_EQ(arrivals_.waiting(), 0U);
}

TEST_F(Dispatching, WhatIsTakenBackIsNotSent) {
  start({});
  Settled<Fate> first;
  Settled<Fate> second;
  running_.on_loop([&] {
    const auto under_way = dispatch_->send(message("call", "1", &first));
    const auto waiting = dispatch_->send(message("call", "2", &second));
    dispatch_->take_back(*under_way);
    dispatch_->take_back(*waiting);
    dispatch_->take_back(*waiting);
  });
  EXPECT_EQ(second.get(), Fate::dropped);
  EXPECT_EQ(first.get(), Fate::delivered);
  EXPECT_EQ(counters().dropped, 1U);
  EXPECT_EQ(arrivals_.next().body, "1 1");
  EXPECT_EQ(arrivals_.waiting(), 0U);
}

TEST_F(Dispatching, GivesUpWhatIsTooOld) {
  start({500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500});
  Settled<Fate> fate;
  OutgoingMessage old = message("call", "x", &fate);
  old.expiry = io::ControlLoop::now().monotonic + milliseconds(30);
  send(std::move(old));
  EXPECT_EQ(fate.get(), Fate::dropped);
  EXPECT_EQ(counters().waiting, 0U);
}

}  // namespace
}  // namespace offhook::service
