#pragma once
// Allows packet sockets while nothing of the machine filters, translates or encrypts the packets of its
// processes, and AF_XDP sockets while besides nothing of an interface queues, shapes or filters them: what
// leaves that way would go past it. Looks once a second, so that a rule which is made later holds a second
// later; a little more where somebody changes interfaces all the time, for which a look at them waits. The
// log tells what was found.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace offhook::relay {

// What a shard may send by from its next round on, if it has it.
struct SendingAllowed {
  std::atomic<bool> packet_sockets = false;
  std::atomic<bool> xdp_sockets = false;  // only with packet sockets
};

class PacketFilterWatch {
 public:
  struct Wishes {
    bool packet_sockets_always = false;  // whatever filters
    bool xdp_sockets = false;
  };
  // `allowed` is right when this returns, and must outlive it.
  PacketFilterWatch(SendingAllowed& allowed, Wishes wishes);
  // Nobody has AF_XDP sockets: they are not looked for any more.
  void forget_xdp_sockets() { wishes_xdp_sockets_ = false; }

 private:
  void look();
  void look_for_filters();
  void look_at_interfaces();
  void run(const std::stop_token& stop);

  SendingAllowed& allowed_;
  const bool packet_sockets_always_;
  std::atomic<bool> wishes_xdp_sockets_;
  std::optional<std::string> found_;  // nothing: not looked yet
  std::optional<std::string> found_at_interfaces_;
  std::mutex lock_;
  std::condition_variable_any stopped_;
  std::jthread thread_;  // last, so that it ends first
};

}  // namespace offhook::relay
