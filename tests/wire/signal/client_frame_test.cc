#include "wire/signal/client_frame.h"

#include <gtest/gtest.h>

namespace offhook::signal {
namespace {

const std::string kCall = "c_" + std::string(22, 'x');

std::string with_call(const std::string& type, const std::string& more = "") {
  return R"({"seq":1,"type":")" + type + R"(","call":")" + kCall + "\"" + more + "}";
}

std::string parse_error(const std::string& text) {
  const auto frame = parse_client_frame(text);
  return frame ? "" : frame.error().text;
}

// The message of a numbered frame. The frame must have a place in the order.
NumberedMessage numbered(const std::string& text) {
  const auto frame = parse_client_frame(text);
  if (!frame || !std::holds_alternative<Numbered>(frame->content)) {
    ADD_FAILURE() << text;
    return Bye{};
  }
  return std::get<Numbered>(frame->content).message;
}

std::string refusal(const std::string& text) {
  const NumberedMessage message = numbered(text);
  const auto* refused = std::get_if<Refused>(&message);
  return refused == nullptr ? "" : std::string(name(refused->code)) + ": " + refused->message;
}

TEST(ClientFrame, Hello) {
  const auto frame = parse_client_frame(
      R"({"type":"hello","version":1,"token":"T","resume":{"session":"s_1","resume_token":"R","ack":17,"attempt":3}})");
  ASSERT_TRUE(frame);
  const Hello& hello = std::get<Hello>(frame->content);
  EXPECT_EQ(hello.token.reveal(), "T");
  ASSERT_TRUE(hello.resume);
  EXPECT_EQ(hello.resume->session, "s_1");
  EXPECT_EQ(hello.resume->resume_token.reveal(), "R");
  EXPECT_EQ(hello.resume->ack, 17U);
  EXPECT_EQ(hello.resume->attempt, 3U);
  const auto uncounted = parse_client_frame(
      R"({"type":"hello","version":1,"token":"T","resume":{"session":"s","resume_token":"R","ack":0}})");
  ASSERT_TRUE(uncounted);
  EXPECT_EQ(std::get<Hello>(uncounted->content).resume->attempt, 0U);

  const auto first =
      parse_client_frame(R"({"type":"hello","version":1,"token":"T","resume":null,"more":[1]})");
  ASSERT_TRUE(first);
  EXPECT_FALSE(std::get<Hello>(first->content).resume);
  EXPECT_FALSE(std::get<Hello>(first->content).warm_path);
}

TEST(ClientFrame, AHelloMayWishForAWarmPath) {
  const auto wish = [](const std::string& value) {
    return R"({"type":"hello","version":1,"token":"T","warm_path":)" + value + "}";
  };
  for (const WarmPath warm_path : kWarmPaths) {
    const auto frame = parse_client_frame(wish("\"" + std::string(offhook::name(warm_path)) + "\""));
    ASSERT_TRUE(frame);
    EXPECT_EQ(std::get<Hello>(frame->content).warm_path, warm_path);
  }
  for (const char* value : {R"("Direct")", R"("")", R"("on")"}) {
    EXPECT_EQ(parse_error(wish(value)), "bad_message: warm_path must be one of direct, relay, off") << value;
  }
  EXPECT_EQ(parse_error(wish("1")), "bad_message: warm_path must be a string");
}

TEST(ClientFrame, AnOfferMayBeFresh) {
  const auto is_fresh = [](const std::string& more) {
    return std::get<Offer>(numbered(with_call("offer", R"(,"generation":1,"sdp":"v=0")" + more))).fresh;
  };
  EXPECT_FALSE(is_fresh(""));
  EXPECT_FALSE(is_fresh(R"(,"fresh":false)"));
  EXPECT_TRUE(is_fresh(R"(,"fresh":true)"));
  EXPECT_EQ(refusal(with_call("offer", R"(,"generation":1,"sdp":"v=0","fresh":"yes")")).substr(0, 18),
            "bad_message: fresh");
}

TEST(ClientFrame, AHelloThatIsWrongNamesTheField) {
  EXPECT_EQ(parse_error(R"({"type":"hello","version":2,"token":"T"})"), "bad_message: version must be 1");
  EXPECT_EQ(parse_error(R"({"type":"hello","token":"T"})"), "bad_message: version is missing");
  EXPECT_EQ(parse_error(R"({"type":"hello","version":1})"), "bad_message: token is missing");
  EXPECT_EQ(parse_error(R"({"type":"hello","version":1,"token":"T","resume":{}})"),
            "bad_message: resume.session is missing");
  for (const char* attempt : {"-1", "0.5", "\"1\""}) {
    const std::string resume =
        R"({"session":"s","resume_token":"R","ack":0,"attempt":)" + std::string(attempt);
    EXPECT_TRUE(parse_error(R"({"type":"hello","version":1,"token":"T","resume":)" + resume + "}}")
                    .starts_with("bad_message: resume.attempt "))
        << attempt;
  }
  EXPECT_EQ(parse_error(R"({"type":"hello","version":1,"token":")" + std::string(kMaxToken + 1, 't') + "\"}"),
            "bad_message: token must have 1 to 8192 bytes");
}

TEST(ClientFrame, UnnumberedFrames) {
  EXPECT_TRUE(std::holds_alternative<Ping>(parse_client_frame(R"({"type":"ping"})")->content));
  EXPECT_TRUE(std::holds_alternative<Pong>(parse_client_frame(R"({"type":"pong"})")->content));
  const auto ack = parse_client_frame(R"({"type":"ack","ack":5})");
  EXPECT_TRUE(std::holds_alternative<Ack>(ack->content));
  EXPECT_EQ(ack->ack, 5U);
}

TEST(ClientFrame, WhatHasNoPlaceInTheOrderIsNoFrame) {
  EXPECT_EQ(parse_error(""), "bad_message: the frame is not JSON at byte 0");
  EXPECT_EQ(parse_error("[]"), "bad_message: the value must be an object");
  EXPECT_EQ(parse_error("{}"), "bad_message: type is missing");
  EXPECT_EQ(parse_error(R"({"type":7})"), "bad_message: type must be a string");
  EXPECT_EQ(parse_error(R"({"type":"ack"})"), "bad_message: ack is missing");
  EXPECT_EQ(parse_error(R"({"type":"ping","ack":-1})").substr(0, 33), "bad_message: ack must be an integ");
  EXPECT_EQ(parse_error(R"({"type":"dial"})"), "bad_message: seq is missing");
  EXPECT_EQ(parse_error(R"({"type":"dance"})"), "bad_message: seq is missing");
  EXPECT_EQ(parse_error(R"({"type":"bye","seq":0})").substr(0, 33), "bad_message: seq must be an integ");
  EXPECT_EQ(parse_error(R"({"type":"bye","seq":1.5})").substr(0, 33), "bad_message: seq must be an integ");
  EXPECT_EQ(parse_error(R"({"type":"bye","seq":1,"seq":2})"),
            "bad_message: the frame has a key twice in one object");
  EXPECT_EQ(parse_error(std::string(kMaxFrame + 1, ' ')), "bad_message: the frame is too long");
}

TEST(ClientFrame, EveryMessage) {
  EXPECT_TRUE(std::holds_alternative<Bye>(numbered(R"({"seq":1,"type":"bye"})")));
  const auto dial =
      std::get<Dial>(numbered(with_call("dial", R"(,"to":"bob","media":{"audio":true,"video":false})")));
  EXPECT_EQ(dial.call.text(), kCall);
  EXPECT_EQ(dial.to, "bob");
  EXPECT_EQ(dial.media, (Media{true, false}));
  EXPECT_EQ(std::get<Ringing>(numbered(with_call("ringing"))).call.text(), kCall);
  EXPECT_EQ(std::get<Accept>(numbered(with_call("accept", R"(,"media":{"audio":false,"video":true})"))).media,
            (Media{false, true}));
  EXPECT_EQ(std::get<Reject>(numbered(with_call("reject"))).reason, EndReason::declined);
  EXPECT_EQ(std::get<Reject>(numbered(with_call("reject", R"(,"reason":"busy")"))).reason, EndReason::busy);
  EXPECT_EQ(std::get<Hangup>(numbered(with_call("hangup"))).reason, EndReason::hangup);
  EXPECT_EQ(std::get<Hangup>(numbered(with_call("hangup", R"(,"reason":"ice_lost")"))).reason,
            EndReason::ice_lost);
  const auto offer = std::get<Offer>(numbered(with_call("offer", R"(,"generation":3,"sdp":"v=0\r\n")")));
  EXPECT_EQ(offer.generation, 3U);
  EXPECT_EQ(offer.sdp, "v=0\r\n");
  EXPECT_EQ(std::get<Answer>(numbered(with_call("answer", R"(,"generation":0,"sdp":"a")"))).sdp, "a");
}

TEST(ClientFrame, MessagesOfACallThatIsUnderWay) {
  const auto state = std::get<State>(
      numbered(with_call("state", R"(,"media":{"audio":true,"video":false,"screen":true},"hold":true)")));
  EXPECT_EQ(state.call.text(), kCall);
  EXPECT_EQ(state.state, (MediaState{{true, false}, true, true}));
  const auto bare = std::get<State>(numbered(with_call("state", R"(,"media":{"audio":false,"video":true})")));
  EXPECT_EQ(bare.state, (MediaState{{false, true}, false, false}));
  EXPECT_EQ(std::get<Take>(numbered(with_call("take", R"(,"media":{"audio":true,"video":false})"))).media,
            (Media{true, false}));
  EXPECT_TRUE(std::holds_alternative<Elsewhere>(numbered(R"({"seq":1,"type":"elsewhere"})")));
  EXPECT_FALSE(std::get<Reject>(numbered(with_call("reject"))).here);
  EXPECT_TRUE(std::get<Reject>(numbered(with_call("reject", R"(,"here":true)"))).here);
}

TEST(ClientFrame, CandidatesAsBrowsersSendThem) {
  const auto full = std::get<IceCandidate>(numbered(with_call(
      "ice-candidate",
      R"(,"generation":1,"candidate":{"candidate":"candidate:1 1 udp","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"u"})")));
  EXPECT_EQ(full.generation, 1U);
  EXPECT_EQ(full.candidate, (Candidate{"candidate:1 1 udp", "0", std::uint16_t{0}, "u"}));
  const auto bare = std::get<IceCandidate>(numbered(with_call(
      "ice-candidate",
      R"(,"generation":0,"candidate":{"candidate":"","sdpMid":null,"sdpMLineIndex":null,"usernameFragment":null})")));
  EXPECT_EQ(bare.candidate, Candidate{});
}

TEST(ClientFrame, ConnectedWithAndWithoutItsReport) {
  const auto full = std::get<Connected>(numbered(with_call(
      "connected",
      R"(,"time_to_connect_ms":312.75,"pair":{"local":"host","remote":"relay","protocol":"udp"})")));
  EXPECT_EQ(full.time_to_connect_ms, 312U);
  ASSERT_TRUE(full.pair);
  EXPECT_EQ(full.pair->remote, "relay");
  EXPECT_FALSE(std::get<Connected>(numbered(with_call("connected"))).pair);
}

TEST(ClientFrame, SnapshotsOfCallsThatLiveAndOfThoseThatAreOver) {
  const auto ringing = std::get<Snapshot>(numbered(with_call(
      "snapshot",
      R"(,"peer":"bob","role":"caller","state":"ringing","media":{"audio":true,"video":false},"age_ms":1200)")));
  EXPECT_EQ(ringing.call.text(), kCall);
  EXPECT_EQ(ringing.peer, "bob");
  EXPECT_TRUE(ringing.is_caller);
  EXPECT_EQ(ringing.state, Snapshot::State::ringing);
  EXPECT_EQ(ringing.media, (Media{true, false}));
  EXPECT_EQ(ringing.age_ms, 1200U);
  EXPECT_FALSE(ringing.generation);
  const auto talking = std::get<Snapshot>(numbered(with_call(
      "snapshot",
      R"(,"peer":"bob","role":"callee","state":"connected","media":{"audio":true,"video":true},"generation":3)")));
  EXPECT_FALSE(talking.is_caller);
  EXPECT_EQ(talking.state, Snapshot::State::connected);
  EXPECT_EQ(talking.generation, 3U);
  const auto over = std::get<Snapshot>(numbered(with_call(
      "snapshot", R"(,"peer":"bob","role":"caller","state":"ended","reason":"no_answer","accepted":true)")));
  EXPECT_EQ(over.reason, EndReason::no_answer);
  EXPECT_TRUE(over.was_accepted);
}

TEST(ClientFrame, MessagesOfRooms) {
  EXPECT_EQ(std::get<Join>(numbered(R"({"seq":1,"type":"join","room":"standup"})")).room.text(), "standup");
  EXPECT_EQ(std::get<Leave>(numbered(R"({"seq":1,"type":"leave","room":"a.b"})")).room.text(), "a.b");
  const std::string media = R"(,"media":{"audio":true,"video":false})";
  const std::string dial = R"(,"to":"bob")" + media;
  EXPECT_EQ(std::get<Dial>(numbered(with_call("dial", dial + R"(,"room":"standup")"))).room->text(),
            "standup");
  EXPECT_FALSE(std::get<Dial>(numbered(with_call("dial", dial))).room);
  const std::string talks = R"(,"peer":"bob","role":"caller","state":"connected")" + media;
  EXPECT_EQ(std::get<Snapshot>(numbered(with_call("snapshot", talks + R"(,"room":"standup")"))).room->text(),
            "standup");

  const std::string rule = "bad_message: room must be 1 to 64 letters, digits, '-', '_' or '.'";
  EXPECT_EQ(refusal(R"({"seq":1,"type":"join","room":"a b"})"), rule);
  EXPECT_EQ(refusal(R"({"seq":1,"type":"leave","room":""})"), rule);
  EXPECT_EQ(refusal(with_call("dial", dial + R"(,"room":"a/b")")), rule);
  EXPECT_EQ(refusal(R"({"seq":1,"type":"join"})"), "bad_message: room is missing");
  EXPECT_EQ(refusal(R"({"seq":1,"type":"join","room":1})"), "bad_message: room must be a string");
}

TEST(ClientFrame, MessagesOfBlocks) {
  EXPECT_EQ(std::get<Block>(numbered(R"({"seq":1,"type":"block","user":"bob"})")).user, "bob");
  EXPECT_EQ(std::get<Unblock>(numbered(R"({"seq":1,"type":"unblock","user":"Zoë"})")).user, "Zoë");
  EXPECT_EQ(refusal(R"({"seq":1,"type":"block"})"), "bad_message: user is missing");
  EXPECT_EQ(refusal(R"({"seq":1,"type":"block","user":5})"), "bad_message: user must be a string");
  EXPECT_EQ(refusal(R"({"seq":1,"type":"unblock","user":""})"), "bad_message: user must have 1 to 128 bytes");
  EXPECT_EQ(refusal(R"({"seq":1,"type":"unblock","user":"a\nb"})"),
            "bad_message: user must have no control characters");
}

TEST(ClientFrame, AMessageThatBreaksARuleIsRefusedAndNamesTheField) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"seq":1,"type":"dance"})", "unknown_type: there is no message of this type"},
      {R"({"seq":1,"type":"ringing"})", "bad_message: call is missing"},
      {R"({"seq":1,"type":"ringing","call":7})", "bad_message: call must be a string"},
      {R"({"seq":1,"type":"ringing","call":"c_short"})",
       "bad_call_id: call must be c_ and 22 to 62 letters of base64url"},
      {with_call("dial"), "bad_message: to is missing"},
      {with_call("dial", R"(,"to":"bob")"), "bad_message: media is missing"},
      {with_call("dial", R"(,"to":"bob","media":{"audio":true})"), "bad_message: media.video is missing"},
      {with_call("dial", R"(,"to":"b\u0000b","media":{"audio":true,"video":true})"),
       "bad_message: to must have no control characters"},
      {with_call("reject", R"(,"reason":"hangup")"),
       "bad_message: reason must be one of declined, busy, media_denied"},
      {with_call("hangup", R"(,"reason":"declined")"),
       "bad_message: reason must be one of hangup, ice_failed, ice_lost, media_denied, error"},
      {with_call("offer", R"(,"sdp":"x")"), "bad_message: generation is missing"},
      {with_call("offer", R"(,"generation":-1,"sdp":"x")"),
       "bad_message: generation must be an integer from 0 to 1000000"},
      {with_call("answer", R"(,"generation":0)"), "bad_message: sdp is missing"},
      {with_call("offer", R"(,"generation":0,"sdp":")" + std::string(kMaxSdp + 1, 'x') + "\""),
       "bad_message: sdp must have 1 to 61440 bytes"},
      {with_call("ice-candidate", R"(,"generation":0)"), "bad_message: candidate is missing"},
      {with_call("ice-candidate", R"(,"generation":0,"candidate":{})"),
       "bad_message: candidate.candidate is missing"},
      {with_call("ice-candidate", R"(,"generation":0,"candidate":{"candidate":"k","sdpMLineIndex":70000})"),
       "bad_message: candidate.sdpMLineIndex must be an integer from 0 to 65535"},
      {with_call("state", R"(,"media":{"audio":true})"), "bad_message: media.video is missing"},
      {with_call("state", R"(,"media":{"audio":true,"video":true,"screen":1})"),
       "bad_message: media.screen must be true or false"},
      {with_call("state", R"(,"media":{"audio":true,"video":true},"hold":"yes")"),
       "bad_message: hold must be true or false"},
      {with_call("take"), "bad_message: media is missing"},
      {with_call("reject", R"(,"here":1)"), "bad_message: here must be true or false"},
      {with_call("connected", R"(,"pair":{"local":"host"})"), "bad_message: pair.remote is missing"},
      {with_call("snapshot"), "bad_message: peer is missing"},
      {with_call("snapshot", R"(,"peer":"b\u0000b")"), "bad_message: peer must have no control characters"},
      {with_call("snapshot", R"(,"peer":"bob","role":"boss")"),
       "bad_message: role must be one of caller, callee"},
      {with_call("snapshot", R"(,"peer":"bob","role":"caller","state":"lost")"),
       "bad_message: state must be one of ringing, accepted, connected, ended"},
      {with_call("snapshot", R"(,"peer":"bob","role":"caller","state":"accepted")"),
       "bad_message: media is missing"},
      {with_call("snapshot", R"(,"peer":"bob","role":"caller","state":"ended","reason":"bored")"),
       "bad_message: reason must be an end reason"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(refusal(text), expected) << text.substr(0, 200);
}

TEST(ClientFrame, ARefusalKeepsTheCallItIsAbout) {
  const NumberedMessage message = numbered(with_call("dial"));
  EXPECT_EQ(std::get<Refused>(message).call->text(), kCall);
}

TEST(ClientFrame, ALongDescriptionFits) {
  std::string sdp;
  while (sdp.size() < 58'000) sdp += "a=candidate:1 1 udp 2122260223 192.0.2.1 1 typ host\\r\\n";
  EXPECT_EQ(refusal(with_call("offer", R"(,"generation":0,"sdp":")" + sdp + "\"")), "");
}

TEST(CallId, IsPrefixedAndLongEnough) {
  EXPECT_TRUE(CallId::parse("c_" + std::string(22, 'A')));
  EXPECT_TRUE(CallId::parse("c_" + std::string(62, '-')));
  EXPECT_FALSE(CallId::parse("c_" + std::string(21, 'A')));
  EXPECT_FALSE(CallId::parse("c_" + std::string(63, 'A')));
  EXPECT_FALSE(CallId::parse("d_" + std::string(22, 'A')));
  EXPECT_FALSE(CallId::parse("c_" + std::string(21, 'A') + "="));
  EXPECT_FALSE(CallId::parse("c_" + std::string(21, 'A') + "\n"));
}

TEST(User, IsPrintableAndShort) {
  EXPECT_TRUE(is_user("alice"));
  EXPECT_TRUE(is_user("Zoë Müller"));
  EXPECT_FALSE(is_user(""));
  EXPECT_FALSE(is_user("a\nb"));
  EXPECT_FALSE(is_user(std::string(kMaxUser + 1, 'a')));
}

}  // namespace
}  // namespace offhook::signal
