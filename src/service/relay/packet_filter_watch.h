#pragma once
// Allows packet sockets while nothing of the machine filters, translates or encrypts the packets of its
// processes: what leaves through a packet socket would go past it. Looks once a second, so that a rule which
// is made later holds a second later. The log tells what was found.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace offhook::relay {

class PacketFilterWatch {
 public:
  // `allowed` is right when this returns, and must outlive it.
  explicit PacketFilterWatch(std::atomic<bool>& allowed);

 private:
  void look();
  void run(const std::stop_token& stop);

  std::atomic<bool>& allowed_;
  std::optional<std::string> found_;  // nothing: not looked yet
  std::mutex lock_;
  std::condition_variable_any stopped_;
  std::jthread thread_;  // last, so that it ends first
};

}  // namespace offhook::relay
