#include "core/call/verdict.h"

#include <gtest/gtest.h>

namespace offhook::call {
namespace {

using signal::EndReason;

constexpr EndReason kAll[] = {
    EndReason::hangup,
    EndReason::canceled,
    EndReason::declined,
    EndReason::answered_elsewhere,
    EndReason::declined_elsewhere,
    EndReason::busy,
    EndReason::no_answer,
    EndReason::unreachable,
    EndReason::media_denied,
    EndReason::ice_failed,
    EndReason::ice_lost,
    EndReason::signaling_lost,
    EndReason::credentials,
    EndReason::blocked,
    EndReason::server_shutdown,
    EndReason::error,
};

TEST(Verdict, EveryReasonHasASentenceForEverybody) {
  for (const EndReason reason : kAll) {
    for (const Side side : {Side::caller, Side::callee}) {
      for (const Cause cause : {Cause::this_end, Cause::other_end, Cause::app}) {
        const Verdict told = verdict(reason, side, cause);
        ASSERT_FALSE(told.sentence.empty()) << signal::name(reason);
        EXPECT_EQ(told.sentence.back(), '.') << signal::name(reason);
      }
    }
  }
}

TEST(Verdict, AFaultOfTheNetworkIsWorthAnotherTryAndADecisionIsNot) {
  EXPECT_TRUE(verdict(EndReason::ice_failed, Side::caller, Cause::other_end).retryable);
  EXPECT_TRUE(verdict(EndReason::signaling_lost, Side::callee, Cause::other_end).retryable);
  EXPECT_TRUE(verdict(EndReason::server_shutdown, Side::caller, Cause::other_end).retryable);
  EXPECT_TRUE(verdict(EndReason::busy, Side::caller, Cause::other_end).retryable);
  EXPECT_FALSE(verdict(EndReason::declined, Side::caller, Cause::other_end).retryable);
  EXPECT_FALSE(verdict(EndReason::hangup, Side::caller, Cause::this_end).retryable);
}

TEST(Verdict, SaysWhoDidIt) {
  EXPECT_EQ(verdict(EndReason::hangup, Side::callee, Cause::this_end).sentence, "You hung up.");
  EXPECT_EQ(verdict(EndReason::hangup, Side::caller, Cause::other_end).sentence, "The other person hung up.");
  EXPECT_EQ(verdict(EndReason::blocked, Side::caller, Cause::other_end).sentence,
            "You cannot call this person.");
  EXPECT_EQ(verdict(EndReason::blocked, Side::caller, Cause::this_end).sentence,
            "You have blocked this person. Unblock them, then call again.");
  EXPECT_EQ(verdict(EndReason::blocked, Side::callee, Cause::this_end).sentence,
            "Calls from this person are blocked.");
}

}  // namespace
}  // namespace offhook::call
