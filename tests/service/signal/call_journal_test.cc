// Calls that ring, and the process that comes after the one that knew them: the file between the two, and the
// service on real sockets.

#include "service/signal/call_journal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "crypto/secure_random.h"
#include "io/http/running_server.h"
#include "service/signal/signal_client.h"
#include "service/signal/signal_service.h"

namespace offhook::service {
namespace {

using namespace offhook::testing;
using std::chrono::seconds;

const Secret kSecret(std::string(32, 's'));
const std::string kCall = "c_0123456789abcdefghijkl";
const std::string kMedia = R"("media":{"audio":true,"video":true})";

call::WaitingCall ringing_call(std::string_view id = kCall, Duration age = {}) {
  return {*signal::CallId::parse(id), "alice", "bob", {true, true}, WarmPath::direct, age};
}

class CallJournalFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "offhook-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/journal.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
  std::string path_;
};

TEST_F(CallJournalFile, KeepsTheAgeOfACallOverTheTimeBetween) {
  CallJournal(path_).keep(ringing_call(kCall, seconds(5)), UnixTime{1000});
  const auto waiting = CallJournal(path_).take_waiting(UnixTime{1007});
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_EQ(waiting[0].call.text(), kCall);
  EXPECT_EQ(waiting[0].caller, "alice");
  EXPECT_EQ(waiting[0].callee, "bob");
  EXPECT_EQ(waiting[0].warm_path, WarmPath::direct);
  EXPECT_EQ(waiting[0].age, seconds(12));
}

TEST_F(CallJournalFile, AClockThatWasSetBackMakesNothingYoungerThanNew) {
  CallJournal(path_).keep(ringing_call(), UnixTime{1000});
  EXPECT_EQ(CallJournal(path_).take_waiting(UnixTime{900}).at(0).age, Duration::zero());
}

TEST_F(CallJournalFile, WhatIsForgottenIsGone) {
  {
    CallJournal journal(path_);
    journal.keep(ringing_call(), UnixTime{1000});
    journal.forget(*signal::CallId::parse(kCall));
  }
  EXPECT_TRUE(CallJournal(path_).take_waiting(UnixTime{1000}).empty());
}

TEST_F(CallJournalFile, ARecordThatSomebodyHasSpoiltIsLeftOutAndRemoved) {
  io::Journal::open(path_, [](const std::string&) {
  })->journal->put({"no call id", "alice", "bob", true, true, "direct", UnixTime{1000}});
  EXPECT_TRUE(CallJournal(path_).take_waiting(UnixTime{1000}).empty());
  EXPECT_TRUE(io::Journal::open(path_, [](const std::string&) {})->records.empty());
}

TEST_F(CallJournalFile, WithoutOneNothingIsKept) {
  CallJournal journal("");
  journal.keep(ringing_call(), UnixTime{1000});
  journal.forget(*signal::CallId::parse(kCall));
  EXPECT_TRUE(journal.take_waiting(UnixTime{1000}).empty());
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(CallJournalFile, ADirectoryThatCannotBeIsNoReasonNotToServe) {
  CallJournal journal("/proc/nowhere/journal.db");
  journal.keep(ringing_call(), UnixTime{1000});
  EXPECT_TRUE(journal.take_waiting(UnixTime{1000}).empty());
}

TEST_F(CallJournalFile, KeepsBlocksUntilTheyAreTakenBack) {
  {
    CallJournal journal(path_);
    EXPECT_TRUE(journal.take_blocks().empty());
    journal.keep({"alice", "bob"});
    journal.keep({"alice", "carol"});
    journal.forget({"alice", "bob"});
  }
  EXPECT_EQ(CallJournal(path_).take_blocks(), (std::vector<call::UserBlock>{{"alice", "carol"}}));
}

TEST_F(CallJournalFile, ABlockThatSomebodyHasSpoiltIsLeftOutAndRemoved) {
  {
    const auto opened = io::Journal::open(path_, [](const std::string&) {});
    for (const auto& [by, of] : {std::pair("alice", ""), std::pair("a\nb", "bob"), std::pair("bob", "bob")})
      opened->journal->put_block({by, of});
  }
  EXPECT_TRUE(CallJournal(path_).take_blocks().empty());
  EXPECT_TRUE(io::Journal::open(path_, [](const std::string&) {})->blocks.empty());
}

TEST_F(CallJournalFile, WithoutOneNoBlockIsKept) {
  CallJournal journal("");
  journal.keep({"alice", "bob"});
  journal.forget({"alice", "bob"});
  EXPECT_TRUE(journal.take_blocks().empty());
}

class RestoredSignalling : public CallJournalFile {
 protected:
  void start() {
    SignalSettings settings;
    settings.journal_file = path_;
    service_.emplace(running_.loop(), running_.server(), std::move(settings), verifier_, random_,
                     SignalHooks{});
    running_.start();
  }
  void stop() {
    running_.stop();
    service_.reset();
  }
  SignalClient sign_in(std::string_view user) {
    SignalClient client(running_.address());
    EXPECT_EQ(
        client.hello(credentials::mint_token(kSecret, user, seconds(60), io::ControlLoop::now().wall)).type(),
        "welcome");
    return client;
  }
  static std::string of(std::string_view type, const std::string& more = "") {
    return R"("type":")" + std::string(type) + R"(","call":")" + kCall + '"' + more;
  }

  crypto::SecureRandom random_;
  credentials::TokenVerifier verifier_{{{"", *crypto::VerificationKey::symmetric(kSecret)}}, {}};
  RunningServer running_;
  std::optional<SignalService> service_;
};

TEST_F(RestoredSignalling, ACallOfTheProcessBeforeRingsOnAndIsAnswered) {
  CallJournal(path_).keep(ringing_call(kCall, seconds(20)), io::ControlLoop::now().wall);
  start();
  SignalClient bob = sign_in("bob");
  const Received incoming = bob.next("incoming");
  EXPECT_EQ(incoming.member("call"), kCall);
  EXPECT_GE(std::stoi(incoming.member("age_ms")), 20'000);
  SignalClient alice = sign_in("alice");
  alice.say(of("snapshot", R"(,"peer":"bob","role":"caller","state":"ringing",)" + kMedia));
  alice.say(of("offer", R"(,"generation":0,"sdp":"o0","fresh":true)"));
  EXPECT_EQ(bob.next("offer").member("sdp"), "o0");
  bob.say(of("ringing"));
  EXPECT_EQ(alice.next("ringing").member("call"), kCall);
  bob.say(of("accept", "," + kMedia));
  EXPECT_EQ(alice.next("accepted").member("call"), kCall);
  stop();
  EXPECT_TRUE(CallJournal(path_).take_waiting(io::ControlLoop::now().wall).empty());
}

TEST_F(RestoredSignalling, ADialIsKeptUntilItIsOver) {
  start();
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  alice.say(of("dial", R"(,"to":"bob",)" + kMedia));
  EXPECT_EQ(bob.next("incoming").member("from"), "alice");
  // The file of a process that lives, as one that is killed now leaves it; the disk may be a moment behind.
  const std::string copy = folder_ + "/copy.db";
  std::vector<call::WaitingCall> waiting;
  while (waiting.empty()) {
    for (const char* companion : {"", "-wal"})
      std::filesystem::copy_file(path_ + companion, copy + companion,
                                 std::filesystem::copy_options::overwrite_existing);
    waiting = CallJournal(copy).take_waiting(io::ControlLoop::now().wall);
  }
  EXPECT_EQ(waiting.at(0).call.text(), kCall);
  bob.say(of("reject", R"(,"reason":"declined")"));
  EXPECT_EQ(alice.next("ended").member("reason"), "declined");
  stop();
  EXPECT_TRUE(CallJournal(path_).take_waiting(io::ControlLoop::now().wall).empty());
}

TEST_F(RestoredSignalling, ABlockOutlivesTheProcess) {
  start();
  SignalClient bob = sign_in("bob");
  bob.say(R"("type":"block","user":"alice")");
  EXPECT_EQ(bob.next("blocked").member("user"), "alice");
  bob.say(R"("type":"block","user":"carol")");
  bob.say(R"("type":"unblock","user":"carol")");
  EXPECT_EQ(bob.next("unblocked").member("user"), "carol");
  stop();
  // A call of alice's that was to be forgotten, and was not.
  CallJournal(path_).keep(ringing_call(kCall, seconds(20)), io::ControlLoop::now().wall);
  RunningServer next;
  SignalSettings settings;
  settings.journal_file = path_;
  SignalService service(next.loop(), next.server(), std::move(settings), verifier_, random_, SignalHooks{});
  EXPECT_EQ(service.blocks("bob", "", 10).users, std::vector<std::string>{"alice"});
  EXPECT_EQ(service.counters().live.calls, 0U) << "it does not ring on";
  EXPECT_EQ(service.counters().calls_ended, 1U);
}

TEST_F(RestoredSignalling, ACallThatBothSidesTellOfGoesOn) {
  start();
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  alice.say(of("snapshot", R"(,"peer":"bob","role":"caller","state":"connected","generation":3,)" + kMedia));
  bob.say(of("snapshot", R"(,"peer":"alice","role":"callee","state":"connected","generation":3,)" + kMedia));
  EXPECT_EQ(alice.next("restored").member("generation"), "3");
  EXPECT_EQ(bob.next("restored").member("generation"), "3");
  bob.say(of("hangup"));
  EXPECT_EQ(alice.next("ended").member("reason"), "hangup");
  stop();
}

}  // namespace
}  // namespace offhook::service
