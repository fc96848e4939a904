// Every pair of state and event, three times: the table against one written out by hand, the server driven
// into each pair with frames, and the table against the one that the document shows.

#include "core/call/transitions.h"

#include <fstream>

#include "core/call/exchange.h"

namespace offhook::call {
namespace {

struct Expected {
  Event event;
  const char* name;
  // One letter a state, in the order dialing, ringing, accepted, connected, ended:
  // D R A C E the state that follows; i ignored; w wrong_state; b bad_call_id; u unknown_call;
  // - cannot be.
  const char* letters;
  // Where it cannot be: what the same act does there, being another event, or none. s is stale_generation.
  const char* same_act;
};

constexpr Expected kExpected[] = {
    {Event::caller_dial, "caller_dial", "iiiib", "....."},
    {Event::caller_ringing, "caller_ringing", "wwwwi", "....."},
    {Event::caller_accept, "caller_accept", "wwwwi", "....."},
    {Event::caller_reject, "caller_reject", "wwwwi", "....."},
    {Event::caller_hangup, "caller_hangup", "EEEEi", "....."},
    {Event::caller_offer, "caller_offer", "DRACi", "....."},
    {Event::caller_answer, "caller_answer", "DRACi", "....."},
    {Event::caller_candidate, "caller_candidate", "DRACi", "....."},
    {Event::caller_connected_warm, "caller_connected_warm", "DR--i", "..Ai."},
    {Event::caller_state, "caller_state", "DRACi", "....."},
    {Event::caller_take, "caller_take", "iiiiu", "....."},
    {Event::leg_dial, "leg_dial", "bb--b", "..bb."},
    {Event::leg_ringing, "leg_ringing", "RR--i", "..ii."},
    {Event::leg_accept, "leg_accept", "AA--i", "..ii."},
    {Event::leg_accept_fresh, "leg_accept_fresh", "AA--i", "..ii."},
    {Event::leg_decline, "leg_decline", "EE--i", "..ww."},
    {Event::leg_leave, "leg_leave", "DR--i", "..ww."},
    {Event::leg_leave_last, "leg_leave_last", "EE--i", "..ww."},
    {Event::leg_offer, "leg_offer", "ww--i", "..ww."},
    {Event::warm_leg_offer, "warm_leg_offer", "DR--i", "..ss."},
    {Event::leg_answer, "leg_answer", "DR--i", "..ss."},
    {Event::cold_leg_answer, "cold_leg_answer", "ww--i", "..ss."},
    {Event::leg_candidate, "leg_candidate", "DR--i", "..AC."},
    {Event::leg_connected, "leg_connected", "ww--i", "..Ai."},
    {Event::leg_state, "leg_state", "ww--i", "..AC."},
    {Event::leg_take, "leg_take", "ww--u", "..ii."},
    {Event::winner_dial, "winner_dial", "--bbb", "bb..."},
    {Event::winner_ringing, "winner_ringing", "--iii", "RR..."},
    {Event::winner_accept, "winner_accept", "--iii", "AA..."},
    {Event::winner_reject, "winner_reject", "--wwi", "EE..."},
    {Event::winner_hangup, "winner_hangup", "--EEi", "EE..."},
    {Event::winner_offer, "winner_offer", "--ACi", "ww..."},
    {Event::winner_answer, "winner_answer", "--ACi", "ss..."},
    {Event::winner_candidate, "winner_candidate", "--ACi", "DR..."},
    {Event::winner_state, "winner_state", "--ACi", "ww..."},
    {Event::winner_take, "winner_take", "--iiu", "ww..."},
    {Event::device_take, "device_take", "wwACu", "....."},
    {Event::connected_first, "connected_first", "wwA-i", "...i."},
    {Event::connected_both, "connected_both", "--C-i", "ww.i."},
    {Event::connected_again, "connected_again", "--iii", "ww..."},
    {Event::device_attached, "device_attached", "DRiii", "....."},
    {Event::waking, "waking", "DRiii", "....."},
    {Event::ring_timeout, "ring_timeout", "EE---", "..iii"},
    {Event::unreachable_timeout, "unreachable_timeout", "E----", ".iiii"},
    {Event::caller_gone, "caller_gone", "EEEEi", "....."},
    {Event::leg_gone, "leg_gone", "DR--i", "..EE."},
    {Event::leg_gone_last, "leg_gone_last", "DD--i", "..EE."},
    {Event::winner_gone, "winner_gone", "--EEi", "DD..."},
    {Event::app_end, "app_end", "EEEE-", "....i"},
    {Event::user_revoked, "user_revoked", "EEEE-", "....i"},
    {Event::user_blocked, "user_blocked", "EEii-", "....i"},
    {Event::shutdown, "shutdown", "EEEEi", "....."},
};

char letter_of(signal::ErrorCode error) {
  if (error == signal::ErrorCode::unknown_call) return 'u';
  return error == signal::ErrorCode::wrong_state ? 'w' : 'b';
}

std::string error_of(char letter) {
  switch (letter) {
    case 'w':
      return "wrong_state";
    case 'b':
      return "bad_call_id";
    case 'u':
      return "unknown_call";
    case 's':
      return "stale_generation";
  }
  return "";
}

char letter_of(const Transition& transition) {
  switch (transition.verb) {
    case Verb::act:
      return "DRACE"[static_cast<std::size_t>(transition.next)];
    case Verb::ignore:
      return 'i';
    case Verb::refuse:
      return letter_of(transition.error);
    case Verb::impossible:
      return '-';
  }
  return '?';
}

TEST(Transitions, TheTableIsTheOneWrittenByHand) {
  ASSERT_EQ(std::size(kExpected), kEvents);
  for (std::size_t i = 0; i < kEvents; ++i) {
    const Expected& expected = kExpected[i];
    ASSERT_EQ(static_cast<std::size_t>(expected.event), i);
    std::string letters;
    for (std::size_t state = 0; state < kStates; ++state) {
      letters += letter_of(transition(static_cast<State>(state), expected.event));
    }
    EXPECT_EQ(letters, expected.letters) << expected.name;
  }
}

TEST(Transitions, NothingLeavesTheEnd) {
  for (const Expected& expected : kExpected) {
    const Verb verb = transition(State::ended, expected.event).verb;
    EXPECT_NE(verb, Verb::act) << expected.name;
  }
}

// alice has called bob and the call is in `state`. bob's first device is the one that acts; the second one is
// there if the event needs another leg.
class Driven {
 public:
  Driven(State state, Event event) : event_(event) {
    alice = &exchange.add("alice");
    const WarmPath warm_path = event == Event::cold_leg_answer ? WarmPath::off : WarmPath::relay;
    const bool alone = event == Event::unreachable_timeout && state == State::dialing;
    if (!alone) bob = &exchange.add("bob", warm_path);
    const bool two_legs =
        event == Event::leg_leave || event == Event::leg_gone || event == Event::leg_accept_fresh;
    if (two_legs) other_bob = &exchange.add("bob");
    exchange.send(*alice, dial("1", "bob"));
    if (state == State::dialing) warm_up();
    if (state == State::dialing) return;
    exchange.send(two_legs ? *other_bob : *bob, ringing("1"));
    if (state == State::ringing) warm_up();
    if (state == State::ringing) return;
    if (state == State::ended) {
      exchange.send(*alice, hangup("1"));
      return;
    }
    exchange.send(*bob, accept("1"));
    if (event == Event::winner_answer) exchange.send(*alice, offer("1", 0, "o"));
    if (event == Event::caller_answer || event == Event::winner_offer) negotiate();
    if (event == Event::caller_answer) exchange.send(*bob, offer("1", 1, "o"));
    if (event == Event::connected_both) exchange.send(*bob, connected("1"));
    if (event == Event::connected_again) exchange.send(*alice, connected("1"));
    if (state == State::accepted) return;
    if (event != Event::connected_again) exchange.send(*alice, connected("1"));
    exchange.send(*bob, connected("1"));
  }

  void negotiate() {
    exchange.send(*alice, offer("1", 0, "o"));
    exchange.send(*bob, answer("1", 0, "a"));
  }

  // What an event of a call that nobody has accepted needs to have happened.
  void warm_up() {
    const bool by_warm_leg = event_ == Event::warm_leg_offer || event_ == Event::caller_answer ||
                             event_ == Event::caller_connected_warm;
    const bool needs_offer = by_warm_leg || event_ == Event::leg_answer || event_ == Event::cold_leg_answer ||
                             event_ == Event::leg_accept_fresh;
    if (needs_offer) exchange.send(*alice, offer("1", 0, "o"));
    if (event_ == Event::leg_accept_fresh) exchange.send(*other_bob, answer("1", 0, "a"));
    if (by_warm_leg) exchange.send(*bob, answer("1", 0, "a"));
    if (event_ == Event::caller_answer) exchange.send(*bob, offer("1", 1, "o"));
  }

  void drive() {
    exchange.records.clear();
    for (Device& device : exchange.devices) (void)device.take();
    switch (event_) {
      case Event::caller_dial:
        return exchange.send(*alice, dial("1", "bob"));
      case Event::caller_ringing:
        return exchange.send(*alice, ringing("1"));
      case Event::caller_accept:
        return exchange.send(*alice, accept("1"));
      case Event::caller_reject:
        return exchange.send(*alice, reject("1", "declined"));
      case Event::caller_hangup:
        return exchange.send(*alice, hangup("1"));
      case Event::caller_offer:
        return exchange.send(*alice, offer("1", 0, "o"));
      case Event::caller_answer:
        return exchange.send(*alice, answer("1", 1, "a"));
      case Event::caller_candidate:
        return exchange.send(*alice, candidate("1", 0, "k"));
      case Event::caller_state:
        return exchange.send(*alice, call::state("1", "true"));
      case Event::caller_take:
        return exchange.send(*alice, take("1"));
      case Event::leg_state:
      case Event::winner_state:
        return exchange.send(*bob, call::state("1", "true"));
      case Event::leg_take:
      case Event::winner_take:
        return exchange.send(*bob, take("1"));
      case Event::device_take:
        return exchange.send(exchange.add("alice"), take("1"));
      case Event::leg_dial:
      case Event::winner_dial:
        return exchange.send(*bob, dial("1", "alice"));
      case Event::leg_ringing:
      case Event::winner_ringing:
        return exchange.send(*bob, ringing("1"));
      case Event::leg_accept:
      case Event::leg_accept_fresh:
      case Event::winner_accept:
        return exchange.send(*bob, accept("1"));
      case Event::leg_decline:
      case Event::winner_reject:
        return exchange.send(*bob, reject("1", "declined"));
      case Event::leg_leave:
      case Event::leg_leave_last:
        return exchange.send(*bob, reject("1", "busy"));
      case Event::leg_offer:
        return exchange.send(*bob, offer("1", 0, "o"));
      case Event::warm_leg_offer:
      case Event::winner_offer:
        return exchange.send(*bob, offer("1", 1, "o"));
      case Event::leg_answer:
      case Event::cold_leg_answer:
      case Event::winner_answer:
        return exchange.send(*bob, answer("1", 0, "a"));
      case Event::leg_candidate:
      case Event::winner_candidate:
        return exchange.send(*bob, candidate("1", 0, "k"));
      case Event::leg_connected:
        return exchange.send(*bob, connected("1"));
      case Event::winner_hangup:
        return exchange.send(*bob, hangup("1"));
      case Event::caller_connected_warm:
      case Event::connected_first:
      case Event::connected_both:
      case Event::connected_again:
        return exchange.send(*alice, connected("1"));
      case Event::device_attached:
        return (void)exchange.add("bob");
      case Event::waking:
        return exchange.waking("1", Waking::under_way);
      case Event::ring_timeout:
        return exchange.advance_alive(seconds(46));
      case Event::unreachable_timeout:
        return exchange.advance(milliseconds(5001));
      case Event::caller_gone:
        return exchange.send(*alice, R"("type":"bye")");
      case Event::leg_gone:
      case Event::leg_gone_last:
      case Event::winner_gone:
        return exchange.send(*bob, R"("type":"bye")");
      case Event::app_end:
        return (void)exchange.end_by_app("1");
      case Event::user_revoked:
        return (void)exchange.revoke("alice");
      case Event::user_blocked:
        return exchange.send(*bob, block("alice"));
      case Event::shutdown:
        return exchange.shutdown();
    }
  }

  std::string errors() {
    std::string errors;
    for (const Device& device : exchange.devices) {
      for (const std::string& message : device.inbox) {
        if (message.rfind("error ", 0) == 0) errors += message.substr(6);
      }
    }
    return errors;
  }

  // The state that the call is in now, found out by asking from outside.
  char state() {
    if (exchange.server.counts().calls == 0) return 'E';
    // A device that attaches now is rung for in dialing and ringing; its report reaches the caller in dialing
    // alone.
    (void)alice->take();
    Device& probe = exchange.add("bob");
    const bool rings = !probe.take().empty();
    exchange.send(probe, ringing("1"));
    if (rings) return alice->take() == Inbox{"ringing"} ? 'D' : 'R';
    exchange.shutdown();
    EXPECT_TRUE(exchange.records.back().accepted);
    return exchange.records.back().connected ? 'C' : 'A';
  }

  Exchange exchange;
  Device* alice = nullptr;
  Device* bob = nullptr;
  Device* other_bob = nullptr;

 private:
  Event event_;
};

TEST(Transitions, FramesDriveEveryPair) {
  for (const Expected& expected : kExpected) {
    for (std::size_t i = 0; i < kStates; ++i) {
      const char letter = expected.letters[i] == '-' ? expected.same_act[i] : expected.letters[i];
      SCOPED_TRACE(std::string(expected.name) + " in " + "DRACE"[i]);
      Driven driven(static_cast<State>(i), expected.event);
      driven.drive();
      driven.exchange.check();
      const std::string errors = driven.errors();
      EXPECT_EQ(errors, error_of(letter));
      EXPECT_EQ(driven.exchange.records.size(), letter == 'E' ? 1U : 0U);
      const bool stays = letter == 'i' || !error_of(letter).empty();
      EXPECT_EQ(driven.state(), stays ? "DRACE"[i] : letter);
    }
  }
}

// The table as docs/protocol.md shows it.
std::string cell(State state, const Transition& transition) {
  switch (transition.verb) {
    case Verb::act:
      return transition.next == state ? "done" : "→ " + std::string(name(transition.next));
    case Verb::ignore:
      return "ignored";
    case Verb::refuse:
      return "`" + std::string(signal::name(transition.error)) + "`";
    case Verb::impossible:
      return "–";
  }
  return {};
}

std::string table_in_markdown() {
  std::string header = "| event |";
  std::string rule = "|---|";
  std::string rows;
  for (std::size_t state = 0; state < kStates; ++state) {
    header += " " + std::string(name(static_cast<State>(state))) + " |";
    rule += "---|";
  }
  for (std::size_t event = 0; event < kEvents; ++event) {
    rows += "| " + std::string(name(static_cast<Event>(event))) + " |";
    for (std::size_t i = 0; i < kStates; ++i) {
      const auto state = static_cast<State>(i);
      rows += " " + cell(state, transition(state, static_cast<Event>(event))) + " |";
    }
    rows += "\n";
  }
  return header + "\n" + rule + "\n" + rows;
}

TEST(Transitions, TheDocumentShowsTheTable) {
  std::ifstream file(OFFHOOK_SOURCE_DIR "/docs/protocol.md");
  ASSERT_TRUE(file);
  std::string shown;
  for (std::string line; std::getline(file, line);) {
    const bool begins = line.starts_with("| event |");
    if (!begins && shown.empty()) continue;
    if (!line.starts_with("|")) break;
    shown += line + "\n";
  }
  EXPECT_TRUE(shown == table_in_markdown()) << "docs/protocol.md shows\n"
                                            << shown << "\nand it is\n"
                                            << table_in_markdown();
}

}  // namespace
}  // namespace offhook::call
