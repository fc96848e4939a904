#pragma once
// A call that rings on two devices, for the tests of what happens before accept.

#include "core/call/exchange.h"

namespace offhook::call {

inline const std::string kHost = "candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host";
inline const std::string kHost2 = "candidate:2 1 udp 2122260222 192.0.2.2 5000 typ host";
inline const std::string kTcp = "candidate:3 1 tcp 1518280447 192.0.2.3 9 typ host tcptype active";
inline const std::string kRelay =
    "candidate:4 1 udp 41885439 203.0.113.5 50000 typ relay raddr 192.0.2.1 rport 5000";
inline const std::string kRelayShown =
    "candidate:4 1 udp 41885439 203.0.113.5 50000 typ relay raddr 0.0.0.0 rport 0";

inline std::string trickled(int generation, const std::string& line) {
  return "candidate " + std::to_string(generation) + " " + line;
}

// alice calls bob, who has two devices; her offer is out.
struct RingingCall {
  explicit RingingCall(WarmPath warm_path = WarmPath::relay, WarmPath alices = WarmPath::relay,
                       WarmPath laptops = WarmPath::relay)
      : alice(exchange.add("alice", alices)),
        phone(exchange.add("bob", warm_path)),
        laptop(exchange.add("bob", laptops)) {
    exchange.send(alice, dial("1", "bob"));
    exchange.send(alice, offer("1", 0, "o0"));
    exchange.send(phone, ringing("1"));
    exchange.send(laptop, ringing("1"));
    forget();
  }
  void forget() {
    for (Device& device : exchange.devices) (void)device.take();
  }
  void answer_by(Device& device) {
    exchange.send(device, answer("1", 0, "a0"));
    forget();
  }
  Exchange exchange;
  Device& alice;
  Device& phone;
  Device& laptop;
};

}  // namespace offhook::call
