#pragma once
// The control thread's loop (Asio): HTTP, WebSocket, timers, and the mailbox by which other threads reach it.

#include <cstddef>
#include <functional>
#include <memory>

#include "base/time.h"

namespace offhook::io {

class ControlLoop {
 public:
  ControlLoop();
  ~ControlLoop();
  ControlLoop(const ControlLoop&) = delete;
  ControlLoop& operator=(const ControlLoop&) = delete;

  // Runs on the calling thread until stop(); a stop() before it counts. May be run again afterwards.
  void run();
  // From any thread or signal-safe context of the loop.
  void stop();
  // Runs `task` on the loop's thread, soon. Callable from any thread that shares this one's descriptors.
  // False if kMailboxLimit tasks wait already.
  [[nodiscard]] bool post(std::function<void()> task);
  static constexpr std::size_t kMailboxLimit = 65536;

  // The time, read at each call: the control thread is not the data path.
  static Now now();

  // One restartable timer, of the loop's thread; the loop must outlive it. Destroying it cancels it, also
  // from within its own callback.
  class Timer {
   public:
    Timer(ControlLoop& loop, std::function<void()> on_due);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    void set(Instant due);  // in place of an earlier one; kNever cancels
   private:
    struct State;
    std::shared_ptr<State> state_;
  };

  // Calls back whenever `fd` has something to read; the callback reads all of it. For descriptors that other
  // threads write to: a thread with a descriptor table of its own (io/net/fd_table.h) must not call post(),
  // which rings a descriptor of the loop's. Of the loop's thread; the loop must outlive it.
  class Watch {
   public:
    // `fd` may be closed meanwhile. False if no descriptor was left for the watch.
    Watch(ControlLoop& loop, int fd, std::function<void()> on_readable);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    explicit operator bool() const { return state_ != nullptr; }

   private:
    struct State;
    std::shared_ptr<State> state_;
  };

  // Calls back on SIGINT, SIGTERM (and only those), once each.
  void on_stop_signal(std::function<void(int signal)> callback);

  struct Asio;  // io_context; for io/http alone
  Asio& asio() { return *asio_; }

 private:
  std::unique_ptr<Asio> asio_;
};

}  // namespace offhook::io
