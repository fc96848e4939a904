#include "wire/signal/server_frame.h"

#include <gtest/gtest.h>

namespace offhook::signal {
namespace {

const CallId kCall = *CallId::parse("c_" + std::string(22, 'x'));

TEST(ServerFrame, Welcome) {
  Welcome welcome;
  welcome.session = "s_1";
  welcome.resume_token = Secret("R");
  welcome.resumed = true;
  welcome.user = "a\"b";
  welcome.ack = 4;
  welcome.ping_interval_ms = 10'000;
  welcome.ring_timeout_ms = 45'000;
  welcome.warm_path = WarmPath::off;
  EXPECT_EQ(welcome_frame(welcome),
            R"({"type":"welcome","session":"s_1","resume_token":"R","resumed":true,"user":"a\"b","ack":4,)"
            R"("ping_interval_ms":10000,"ring_timeout_ms":45000,"warm_path":"off"})");
}

TEST(ServerFrame, UnnumberedFrames) {
  EXPECT_EQ(pong_frame(), R"({"type":"pong"})");
  EXPECT_EQ(ack_frame(7), R"({"type":"ack","ack":7})");
  EXPECT_EQ(credentials_frame(R"({"username":"u"})"), R"({"type":"credentials","username":"u"})");
}

TEST(ServerFrame, EveryMessage) {
  const std::string call = R"("call":")" + kCall.text() + "\"";
  EXPECT_EQ(incoming(kCall, "alice", {true, false}, WarmPath::relay).object,
            R"({"type":"incoming",)" + call +
                R"(,"from":"alice","media":{"audio":true,"video":false},"warm_path":"relay"})");
  EXPECT_EQ(ringing(kCall).object, R"({"type":"ringing",)" + call + "}");
  EXPECT_EQ(accepted(kCall, {true, true}, false).object,
            R"({"type":"accepted",)" + call + R"(,"media":{"audio":true,"video":true}})");
  EXPECT_EQ(accepted(kCall, {true, true}, true).object,
            R"({"type":"accepted",)" + call + R"(,"media":{"audio":true,"video":true},"fresh":true})");
  EXPECT_EQ(offer(kCall, "alice", 0, "v=0\r\n", false).object,
            R"({"type":"offer",)" + call + R"(,"from":"alice","generation":0,"sdp":"v=0\r\n"})");
  EXPECT_EQ(offer(kCall, "alice", 3, "v=0", true).object,
            R"({"type":"offer",)" + call + R"(,"from":"alice","generation":3,"sdp":"v=0","fresh":true})");
  EXPECT_EQ(answer(kCall, "bob", 2, "a").object,
            R"({"type":"answer",)" + call + R"(,"from":"bob","generation":2,"sdp":"a"})");
  EXPECT_EQ(ice_candidate(kCall, "bob", 1, {"k", "0", std::uint16_t{0}, "u"}).object,
            R"({"type":"ice-candidate",)" + call +
                R"(,"from":"bob","generation":1,"candidate":{"candidate":"k","sdpMid":"0","sdpMLineIndex":0,)"
                R"("usernameFragment":"u"}})");
  EXPECT_EQ(
      ice_candidate(kCall, "bob", 1, {}).object,
      R"({"type":"ice-candidate",)" + call +
          R"(,"from":"bob","generation":1,"candidate":{"candidate":"","sdpMid":null,"sdpMLineIndex":null,)"
          R"("usernameFragment":null}})");
  EXPECT_EQ(restored(kCall, 4).object, R"({"type":"restored",)" + call + R"(,"generation":4})");
  const MediaState shown{{true, false}, true, false};
  const std::string switches = R"("media":{"audio":true,"video":false,"screen":true},"hold":false)";
  EXPECT_EQ(state(kCall, "bob", shown).object,
            R"({"type":"state",)" + call + R"(,"from":"bob",)" + switches + "}");
  const std::string takeable = call + R"(,"peer":"bob","role":"caller",)" + switches;
  EXPECT_EQ(taken({kCall, "bob", true, shown}, 4).object,
            R"({"type":"taken",)" + takeable + R"(,"generation":4})");
  EXPECT_EQ(taken({kCall, "bob", true, shown}, std::nullopt).object, R"({"type":"taken",)" + takeable + "}");
  EXPECT_EQ(elsewhere({{kCall, "bob", true, shown}}).object,
            R"({"type":"elsewhere","calls":[{)" + takeable + "}]}");
  EXPECT_EQ(elsewhere({}).object, R"({"type":"elsewhere","calls":[]})");
  EXPECT_EQ(ended(kCall, EndReason::no_answer, "Nobody.", true).object,
            R"({"type":"ended",)" + call + R"(,"reason":"no_answer","verdict":"Nobody.","retryable":true})");
  EXPECT_EQ(
      place(kCall, "bob", {true, false}).object,
      R"({"type":"place","call":")" + kCall.text() + R"(","to":"bob","media":{"audio":true,"video":false}})");
  EXPECT_EQ(error(ErrorCode::self_call, "no", &kCall, 9).object,
            R"({"type":"error","code":"self_call","message":"no",)" + call + R"(,"ref":9})");
  EXPECT_EQ(error(ErrorCode::too_many_dials, "no", nullptr, 9, 1500).object,
            R"({"type":"error","code":"too_many_dials","message":"no","ref":9,"retry_after_ms":1500})");
  EXPECT_EQ(error(ErrorCode::unknown_type, "no", nullptr, 9).object,
            R"({"type":"error","code":"unknown_type","message":"no","ref":9})");
}

TEST(ServerFrame, MessagesOfRooms) {
  const RoomName room = *RoomName::parse("standup");
  const std::string bob = R"("user":"bob","device":"d_1")";
  EXPECT_EQ(joined(room, "d_2", {{"bob", "d_1"}}).object,
            R"({"type":"joined","room":"standup","device":"d_2","members":[{)" + bob + "}]}");
  EXPECT_EQ(joined(room, "d_2", {}).object,
            R"({"type":"joined","room":"standup","device":"d_2","members":[]})");
  EXPECT_EQ(member_joined(room, {"bob", "d_1"}).object,
            R"({"type":"member_joined","room":"standup",)" + bob + "}");
  EXPECT_EQ(member_left(room, {"bob", "d_1"}, EndReason::hangup).object,
            R"({"type":"member_left","room":"standup",)" + bob + R"(,"reason":"hangup"})");
  EXPECT_EQ(
      left(room, EndReason::answered_elsewhere, "There.", false).object,
      R"({"type":"left","room":"standup","reason":"answered_elsewhere","verdict":"There.","retryable":false})");
  EXPECT_EQ(error_about_room(ErrorCode::room_full, "no", room, 9, std::nullopt).object,
            R"({"type":"error","code":"room_full","message":"no","room":"standup","ref":9})");
  EXPECT_EQ(
      incoming(kCall, "alice", {true, false}, WarmPath::relay, room).object,
      R"({"type":"incoming","call":")" + kCall.text() +
          R"(","from":"alice","media":{"audio":true,"video":false},"warm_path":"relay","room":"standup"})");
}

TEST(ServerFrame, MessagesOfBlocks) {
  EXPECT_EQ(blocked("bob").object, R"({"type":"blocked","user":"bob"})");
  EXPECT_EQ(unblocked("b\"b").object, R"({"type":"unblocked","user":"b\"b"})");
  EXPECT_EQ(error_about_user(ErrorCode::too_many_blocks, "no", "bob", 9, std::nullopt).object,
            R"({"type":"error","code":"too_many_blocks","message":"no","user":"bob","ref":9})");
  EXPECT_EQ(
      error_about_user(ErrorCode::too_many_dials, "no", "bob", 9, 1500).object,
      R"({"type":"error","code":"too_many_dials","message":"no","user":"bob","ref":9,"retry_after_ms":1500})");
}

TEST(ServerFrame, ANumberedFrameCarriesNumberAcknowledgementAndAge) {
  const Body body = ringing(kCall);
  EXPECT_EQ(numbered_frame(3, 5, std::nullopt, body),
            R"({"seq":3,"ack":5,"type":"ringing","call":")" + kCall.text() + "\"}");
  EXPECT_EQ(numbered_frame(3, 6, 1500, body),
            R"({"seq":3,"ack":6,"age_ms":1500,"type":"ringing","call":")" + kCall.text() + "\"}");
}

TEST(Names, AreThoseOfTheProtocol) {
  EXPECT_EQ(name(EndReason::answered_elsewhere), "answered_elsewhere");
  EXPECT_EQ(name(EndReason::error), "error");
  EXPECT_EQ(name(ErrorCode::bad_message), "bad_message");
  EXPECT_EQ(name(ErrorCode::self_call), "self_call");
  for (int i = 0; i <= static_cast<int>(EndReason::error); ++i)
    EXPECT_FALSE(name(static_cast<EndReason>(i)).empty());
  for (int i = 0; i <= static_cast<int>(ErrorCode::too_many_blocks); ++i) {
    EXPECT_FALSE(name(static_cast<ErrorCode>(i)).empty());
  }
}

}  // namespace
}  // namespace offhook::signal
