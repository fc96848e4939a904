#pragma once
// A call whose server is killed, and what its two sides tell of it when they are back.

#include <gtest/gtest.h>

#include <string>

#include "core/call/exchange.h"
#include "core/call/transitions.h"

namespace offhook::call {

// alice calls bob; `state` is how far the call is when the process dies.
struct Crashed {
  explicit Crashed(State state, const Settings& settings = {})
      : exchange(settings), alice(exchange.add("alice")), bob(exchange.add("bob")) {
    exchange.send(alice, dial("1", "bob"));
    exchange.send(alice, offer("1", 0, "o0"));
    if (state != State::dialing) exchange.send(bob, ringing("1"));
    if (state == State::accepted || state == State::connected) exchange.send(bob, accept("1"));
    if (state == State::connected) {
      exchange.send(bob, answer("1", 0, "a0"));
      exchange.send(alice, connected("1"));
      exchange.send(bob, connected("1"));
    }
    forget();
  }
  void forget() {
    for (Device& device : exchange.devices) (void)device.take();
    exchange.records.clear();
  }
  // Back on a new session, with what this device says of its call.
  void back(Device& device, const std::string& told) {
    exchange.connect(device);
    EXPECT_FALSE(device.resumed);
    exchange.send(device, told);
    exchange.check();
  }
  Exchange exchange;
  Device& alice;
  Device& bob;
};

inline const std::string kCallerTalks = snapshot("1", "bob", "caller", "connected", R"(,"generation":0)");
inline const std::string kCalleeTalks = snapshot("1", "alice", "callee", "connected", R"(,"generation":0)");
inline const std::string kCallerRings = snapshot("1", "bob", "caller", "ringing", R"(,"generation":0)");
inline const std::string kCalleeRings = snapshot("1", "alice", "callee", "ringing", R"(,"generation":0)");

}  // namespace offhook::call
