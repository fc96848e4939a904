#include "service/api/api_service.h"

#include <array>

#include "service/api/backend_fixture.h"

namespace offhook::service {
namespace {

TEST_F(Backend, NobodyPassesWithoutAKey) {
  SignalClient alice = sign_in("alice");
  const std::string user_token = "Bearer " + token("alice");
  for (const auto& [method, target] :
       std::vector<std::pair<std::string, std::string>>{{"GET", "/api/calls"},
                                                        {"POST", "/api/calls/" + id(1) + "/end"},
                                                        {"GET", "/api/users/alice"},
                                                        {"GET", "/api/users/alice/blocks"},
                                                        {"PUT", "/api/users/alice/blocks/bob"},
                                                        {"DELETE", "/api/users/alice/blocks/bob"},
                                                        {"POST", "/api/revocations"}}) {
    const ApiAnswer none = ask(method, target, R"({"user":"alice"})", "");
    EXPECT_EQ(none.status(), 401) << target;
    EXPECT_EQ(none.at("error.code"), "key_missing");
    EXPECT_EQ(none.http.headers.at("www-authenticate"), "Bearer");
    for (const std::string& wrong : {std::string("Bearer the-key-of-the-backenx"), std::string("Bearer x"),
                                     std::string("Basic dGhlOmtleQ=="), user_token}) {
      EXPECT_EQ(ask(method, target, R"({"user":"alice"})", wrong).status(), 401) << target << " " << wrong;
    }
    EXPECT_NE(ask(method, target, R"({"user":"nobody"})", "Bearer another-key-of-it").status(), 401)
        << "each of the keys counts";
  }
  alice.socket().send_text(R"({"type":"ping"})");
  EXPECT_EQ(Received{alice.socket().read_text()}.type(), "pong") << "nobody has revoked alice";
}

TEST_F(Backend, ShowsACallWhileItRingsAndAfterItsEnd) {
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  call(alice, bob, id(1), "bob", false);
  ApiAnswer live = get("/api/calls/" + id(1));
  EXPECT_EQ(live.status(), 200);
  EXPECT_EQ(live.http.headers.at("cache-control"), "no-store");
  EXPECT_EQ(live.at("state"), "ringing");
  EXPECT_EQ(live.at("caller"), "alice");
  EXPECT_EQ(live.at("callee"), "bob");
  EXPECT_EQ(live.at("media.audio"), "true");
  EXPECT_EQ(live.at("media.video"), "false");
  EXPECT_EQ(live.at("verdict"), "null");
  EXPECT_EQ(live.at("timeline.2.event"), "ringing");
  bob.say(R"("type":"reject","call":")" + id(1) + R"(","reason":"declined")");
  EXPECT_EQ(alice.next("ended").member("reason"), "declined");
  ApiAnswer ended = get("/api/calls/" + id(1));
  EXPECT_EQ(ended.at("state"), "ended");
  EXPECT_EQ(ended.at("accepted"), "false");
  EXPECT_EQ(ended.at("verdict.caller.reason"), "declined");
  EXPECT_EQ(ended.at("verdict.callee.sentence"), "You declined the call.");
  EXPECT_EQ(ended.at("dialled_at"), live.at("dialled_at"));
  EXPECT_EQ(ended.at("timeline.3.event"), "ended: declined");
  for (const char* unknown : {"c_0123456789abcdefghijkl", "nonsense", "c_"}) {
    const ApiAnswer answer = get(std::string("/api/calls/") + unknown);
    EXPECT_EQ(answer.status(), 404) << unknown;
    EXPECT_EQ(answer.at("error.code"), "unknown_call");
  }
}

TEST_F(Backend, AUserReadsTheirOwnCallsAndTheirOwnVerdictAlone) {
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  call(alice, bob, id(1), "bob", true);
  alice.say(R"("type":"hangup","call":")" + id(1) + '"');
  EXPECT_EQ(bob.next("ended").member("reason"), "hangup");
  const std::string target = "/api/calls/" + id(1);
  const ApiAnswer callers = ask("GET", target, "", "Bearer " + token("alice"));
  EXPECT_EQ(callers.status(), 200);
  EXPECT_EQ(callers.at("verdict.caller.sentence"), "You hung up.");
  EXPECT_EQ(callers.at("verdict.callee"), "");
  const ApiAnswer callees = ask("GET", target, "", "Bearer " + token("bob"));
  EXPECT_EQ(callees.at("verdict.callee.sentence"), "The other person hung up.");
  EXPECT_EQ(callees.at("verdict.caller"), "");
  const ApiAnswer stranger = ask("GET", target, "", "Bearer " + token("mallory"));
  EXPECT_EQ(stranger.status(), 404);
  EXPECT_EQ(stranger.http.body, ask("GET", "/api/calls/" + id(2), "", "Bearer " + token("mallory")).http.body)
      << "whether there is such a call is not told";
  EXPECT_EQ(ask("GET", target, "", "").at("error.code"), "key_missing");
  EXPECT_EQ(ask("GET", target, "", "Bearer no-such-key-at-all").at("error.code"), "key_invalid");
  const ApiAnswer forged = ask("GET", target, "", "Bearer " + token("alice") + "x");
  EXPECT_EQ(forged.status(), 401);
  EXPECT_EQ(forged.at("error.code"), "token_invalid");
}

TEST_F(Backend, ListsPageByPage) {
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  for (int i = 1; i <= 5; ++i) {
    call(alice, bob, id(i), "bob", false);
    if (i == 5) break;
    alice.say(R"("type":"hangup","call":")" + id(i) + '"');
    EXPECT_EQ(bob.next("ended").member("call"), id(i));
  }
  const ApiAnswer first = get("/api/calls?limit=2");
  EXPECT_EQ(first.at("calls"), "[2]");
  EXPECT_EQ(first.at("calls.0.call"), id(5));
  EXPECT_EQ(first.at("calls.0.state"), "ringing");
  EXPECT_EQ(first.at("calls.0.timeline"), "") << "one call alone has it";
  EXPECT_EQ(first.at("calls.1.call"), id(4));
  const ApiAnswer second = get("/api/calls?limit=2&cursor=" + first.at("next_cursor"));
  EXPECT_EQ(second.at("calls.0.call"), id(3));
  const ApiAnswer last = get("/api/calls?limit=2&cursor=" + second.at("next_cursor"));
  EXPECT_EQ(last.at("calls"), "[1]");
  EXPECT_EQ(last.at("next_cursor"), "null");
  EXPECT_EQ(get("/api/calls?state=live").at("calls"), "[1]");
  EXPECT_EQ(get("/api/calls?state=ended&user=alice").at("calls"), "[4]");
  EXPECT_EQ(get("/api/calls?user=carol").at("calls"), "[0]");
  EXPECT_EQ(get("/api/calls").at("next_cursor"), "null");
}

TEST_F(Backend, KeepsNoMoreRecordsThanItsLimit) {
  SignalClient alice = sign_in("alice");
  for (int i = 1; i <= 25; ++i) {
    alice.say(R"("type":"dial","call":")" + id(i) + R"(","to":"nobody","media":{"audio":true,"video":true})");
    alice.say(R"("type":"hangup","call":")" + id(i) + '"');
    EXPECT_EQ(alice.next("ended").member("call"), id(i));
  }
  EXPECT_EQ(get("/api/calls").at("calls"), "[20]");
  EXPECT_EQ(get("/api/calls/" + id(5)).status(), 404);
  EXPECT_EQ(get("/api/calls/" + id(6)).status(), 200);
}

TEST_F(Backend, RefusesQueriesThatMeanNothing) {
  for (const auto& [query, code] :
       std::vector<std::pair<std::string, std::string>>{{"limit=0", "bad_limit"},
                                                        {"limit=101", "bad_limit"},
                                                        {"limit=ten", "bad_limit"},
                                                        {"limit=-1", "bad_limit"},
                                                        {"cursor=x", "bad_cursor"},
                                                        {"cursor=0", "bad_cursor"},
                                                        {"cursor=99999999999999999999999", "bad_cursor"},
                                                        {"state=over", "bad_state"},
                                                        {"user=" + std::string(129, 'u'), "bad_user"},
                                                        {"user=a%0Ab", "bad_user"}}) {
    const ApiAnswer answer = get("/api/calls?" + query);
    EXPECT_EQ(answer.status(), 400) << query;
    EXPECT_EQ(answer.at("error.code"), code) << query;
  }
  EXPECT_EQ(get("/api/users/" + std::string(129, 'u')).at("error.code"), "bad_user");
}

TEST_F(Backend, EndsACallForBoth) {
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  call(alice, bob, id(1), "bob", true);
  const ApiAnswer answer = ask("POST", "/api/calls/" + id(1) + "/end");
  EXPECT_EQ(answer.status(), 200) << answer.http.body;
  EXPECT_EQ(answer.at("state"), "ended");
  EXPECT_EQ(answer.at("verdict.caller.sentence"), "The app ended the call.");
  for (SignalClient* client : {&alice, &bob}) {
    const Received ended = client->next("ended");
    EXPECT_EQ(ended.member("reason"), "hangup");
    EXPECT_EQ(ended.member("verdict"), "The app ended the call.");
  }
  const ApiAnswer again = ask("POST", "/api/calls/" + id(1) + "/end");
  EXPECT_EQ(again.status(), 409);
  EXPECT_EQ(again.at("error.code"), "call_is_over");
  EXPECT_EQ(ask("POST", "/api/calls/" + id(2) + "/end").status(), 404);
}

TEST_F(Backend, AsksTheDevicesOfTheCallerToCall) {
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  const ApiAnswer placed =
      ask("POST", "/api/calls", R"({"caller":"alice","callee":"bob","media":{"audio":true,"video":true}})");
  EXPECT_EQ(placed.status(), 202) << placed.http.body;
  EXPECT_EQ(placed.at("devices"), "1");
  const Received asked = alice.next("place");
  EXPECT_EQ(asked.member("call"), placed.at("call"));
  EXPECT_EQ(asked.member("to"), "bob");
  EXPECT_NE(asked.text.find(R"("media":{"audio":true,"video":true})"), std::string::npos) << asked.text;
  EXPECT_EQ(get("/api/calls/" + placed.at("call")).status(), 404) << "nobody has dialled";
  call(alice, bob, placed.at("call"), "bob", true);
  EXPECT_EQ(get("/api/calls/" + placed.at("call")).at("state"), "accepted");

  EXPECT_EQ(ask("POST", "/api/calls", R"({"caller":"nobody","callee":"bob"})").at("error.code"),
            "caller_offline");
  for (const char* body : {R"({"caller":"alice"})", R"({"callee":"bob"})", R"({"caller":"a","callee":"a"})",
                           R"({"caller":"alice","callee":"bob","media":{}})",
                           R"({"caller":"alice","callee":"bob","media":{"audio":1}})",
                           R"({"caller":"alice","callee":"bob","media":true})"}) {
    EXPECT_EQ(ask("POST", "/api/calls", body).at("error.code"), "bad_body") << body;
  }
  EXPECT_EQ(ask("POST", "/api/calls", R"({"caller":"alice","callee":"bob"})").status(), 202);
  EXPECT_NE(alice.next("place").text.find(R"("media":{"audio":true,"video":false})"), std::string::npos);
}

TEST_F(Backend, ShowsWhoIsOnlineAndInACall) {
  const ApiAnswer nobody = get("/api/users/alice");
  EXPECT_EQ(nobody.status(), 200);
  EXPECT_EQ(nobody.at("online"), "false");
  EXPECT_EQ(nobody.at("sessions"), "[0]");
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  SignalClient other = sign_in("bob");
  call(alice, bob, id(1), "bob", true);
  const ApiAnswer presence = get("/api/users/bob");
  EXPECT_EQ(presence.at("user"), "bob");
  EXPECT_EQ(presence.at("online"), "true");
  EXPECT_EQ(presence.at("in_call"), "true");
  EXPECT_EQ(presence.at("sessions"), "[2]");
  EXPECT_EQ(presence.at("sessions.0.connected"), "true");
  EXPECT_EQ(presence.at("sessions.0.calls.0"), id(1));
  EXPECT_EQ(presence.at("sessions.1.calls"), "[0]");
  EXPECT_EQ(get("/api/users/team%2Fbob").at("user"), "team/bob") << "a slash in a name is no separator";
}

TEST_F(Backend, BlocksForAUserAndTakesItBack) {
  SignalClient alice = sign_in("alice");
  SignalClient bob = sign_in("bob");
  call(bob, alice, id(1), "alice", false);
  const ApiAnswer blocked = ask("PUT", "/api/users/alice/blocks/bob");
  EXPECT_EQ(blocked.status(), 200) << blocked.http.body;
  EXPECT_EQ(blocked.at("user"), "alice");
  EXPECT_EQ(blocked.at("peer"), "bob");
  EXPECT_EQ(blocked.at("blocked"), "true");
  for (SignalClient* client : {&alice, &bob}) EXPECT_EQ(client->next("ended").member("reason"), "blocked");
  EXPECT_EQ(ask("PUT", "/api/users/alice/blocks/bob").at("blocked"), "true") << "twice is once";
  EXPECT_EQ(get("/api/users/alice/blocks").at("blocks"), "[1]");
  EXPECT_EQ(get("/api/users/bob/blocks").at("blocks"), "[0]") << "it is alice's";

  bob.say(R"("type":"dial","call":")" + id(2) + R"(","to":"alice","media":{"audio":true,"video":true})");
  EXPECT_EQ(bob.next("ended").member("verdict"), "You cannot call this person.");
  const ApiAnswer record = get("/api/calls/" + id(2));
  EXPECT_EQ(record.at("verdict.caller.reason"), "blocked");
  EXPECT_EQ(record.at("timeline.1.event"), "ended: blocked");
  for (const char* body : {R"({"caller":"alice","callee":"bob"})", R"({"caller":"bob","callee":"alice"})"}) {
    const ApiAnswer placed = ask("POST", "/api/calls", body);
    EXPECT_EQ(placed.status(), 409);
    EXPECT_EQ(placed.at("error.code"), "blocked");
  }

  EXPECT_EQ(ask("DELETE", "/api/users/alice/blocks/bob").at("blocked"), "false");
  EXPECT_EQ(ask("DELETE", "/api/users/alice/blocks/bob").status(), 200) << "it is as asked for";
  EXPECT_EQ(get("/api/users/alice/blocks").at("blocks"), "[0]");
  call(bob, alice, id(3), "alice", true);
}

TEST_F(Backend, ListsBlocksPageByPageUpToTheirLimit) {
  for (const char* peer : {"team%2Fe", "d", "c", "b", "a"})
    EXPECT_EQ(ask("PUT", std::string("/api/users/alice/blocks/") + peer).status(), 200);
  const ApiAnswer full = ask("PUT", "/api/users/alice/blocks/f");
  EXPECT_EQ(full.status(), 507);
  EXPECT_EQ(full.at("error.code"), "too_many_blocks");
  const ApiAnswer first = get("/api/users/alice/blocks?limit=3");
  EXPECT_EQ(first.at("user"), "alice");
  EXPECT_EQ(first.at("blocks"), "[3]");
  EXPECT_EQ(first.at("blocks.0"), "a");
  EXPECT_EQ(first.at("next_cursor"), "c");
  const ApiAnswer second = get("/api/users/alice/blocks?limit=3&cursor=" + first.at("next_cursor"));
  EXPECT_EQ(second.at("blocks"), "[2]");
  EXPECT_EQ(second.at("blocks.1"), "team/e");
  EXPECT_EQ(second.at("next_cursor"), "null");
}

TEST_F(Backend, RefusesBlocksThatMeanNothing) {
  const std::string too_long(129, 'u');
  for (const auto& [method, target, code] : std::vector<std::array<std::string, 3>>{
           {"PUT", "/api/users/alice/blocks/alice", "bad_user"},
           {"PUT", "/api/users/alice/blocks/" + too_long, "bad_user"},
           {"PUT", "/api/users/" + too_long + "/blocks/bob", "bad_user"},
           {"DELETE", "/api/users/alice/blocks/a%0Ab", "bad_user"},
           {"GET", "/api/users/" + too_long + "/blocks", "bad_user"},
           {"GET", "/api/users/alice/blocks?limit=0", "bad_limit"},
           {"GET", "/api/users/alice/blocks?cursor=" + too_long, "bad_cursor"}}) {
    const ApiAnswer answer = ask(method, target);
    EXPECT_EQ(answer.status(), 400) << target;
    EXPECT_EQ(answer.at("error.code"), code) << target;
  }
  EXPECT_EQ(get("/api/users/alice/blocks").at("blocks"), "[0]");
}

TEST_F(Backend, RefusesBodiesThatMeanNothing) {
  const auto post = [this](std::string_view body, std::string_view type = "application/json") {
    return ask("POST", "/api/revocations", body, "Bearer " + kKey, type);
  };
  for (const char* body : {"", "nonsense", "[]", "{}", R"({"user":5})", R"({"user":""})",
                           R"({"user":"a\nb"})", R"({"user":"a","user":"b"})"}) {
    const ApiAnswer answer = post(body);
    EXPECT_EQ(answer.status(), 400) << body;
    EXPECT_EQ(answer.at("error.code"), "bad_body") << body;
  }
  EXPECT_EQ(post(R"({"user":")" + std::string(129, 'u') + "\"}").status(), 400);
  EXPECT_EQ(post(std::string(5000, ' ') + R"({"user":"bob"})").status(), 400);
  EXPECT_EQ(post(std::string(70000, ' ')).status(), 413);
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"}) {
    const ApiAnswer answer = post(R"({"user":"bob"})", type);
    EXPECT_EQ(answer.status(), 415) << type;
    EXPECT_EQ(answer.at("error.code"), "unsupported_media_type");
  }
  EXPECT_EQ(post(R"({"user":"bob"})", "Application/JSON ; charset=utf-8").status(), 201);
}

TEST_F(Backend, KnowsItsMethods) {
  const ApiAnswer wrong = ask("DELETE", "/api/calls/" + id(1));
  EXPECT_EQ(wrong.status(), 405);
  EXPECT_EQ(wrong.at("error.code"), "method_not_allowed");
  EXPECT_EQ(wrong.http.headers.at("allow"), "GET, HEAD");
  EXPECT_EQ(ask("GET", "/api/revocations").http.headers.at("allow"), "POST");
  EXPECT_EQ(get("/api/nothing").status(), 404);
  const ApiAnswer head = ask("HEAD", "/api/calls");
  EXPECT_EQ(head.status(), 200);
  EXPECT_EQ(head.http.body, "");
  EXPECT_EQ(ask("HEAD", "/api/calls", "", "").status(), 401);
}

}  // namespace
}  // namespace offhook::service
