#pragma once
// The loop of the load: many WebSockets and the things that are due at a time, in one thread.

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "base/time.h"
#include "io/loop/fd.h"
#include "signal_load/web_socket.h"

namespace offhook::bench {

// Something that wants to act at a time.
class Timed {
 public:
  virtual ~Timed() = default;
  virtual Instant next_due() const = 0;
  virtual void handle_due(Instant now) = 0;
};

class Crowd {
 public:
  // The error is the system's, in words.
  static Result<std::unique_ptr<Crowd>, std::string> create(const Address& server,
                                                            std::uint32_t first_source);

  // One more socket, which begins to connect; its number comes back. A refusal of the system is a fault.
  std::size_t connect(std::string target, WebSocket::Listener& listener, int receive_buffer = 0);
  void send(std::size_t socket, std::string_view text);
  // A socket that is deaf is not read from.
  void set_deaf(std::size_t socket, bool deaf);
  void cut(std::size_t socket) { sockets_[socket].socket.cut(); }

  // Both must outlive the crowd.
  void add(Timed& timed) { timed_.push_back(&timed); }

  // Serves sockets and times until `done`, which is asked after each batch. False if `limit` comes first.
  bool serve_until(Instant limit, const std::function<bool()>& done);

  // What broke a rule: it fails the run.
  void fault(std::string what);
  std::size_t faults() const { return faults_; }
  const std::vector<std::string>& first_faults() const { return first_faults_; }

  Instant now() const { return now_; }
  std::uint64_t frames_sent() const { return frames_sent_; }
  std::uint64_t frames_received() const { return frames_received_; }
  void count_received() { frames_received_ += 1; }

 private:
  struct Watched {
    WebSocket socket;
    std::uint32_t mask = 0;  // what epoll watches
    bool deaf = false;
  };

  Crowd(io::Fd epoll, const Address& server, std::uint32_t first_source);
  void wait(Instant limit);
  void handle(const epoll_event& event);
  void watch(std::size_t number);

  io::Fd epoll_;
  sockaddr_in server_{};
  std::uint32_t first_source_;
  std::deque<Watched> sockets_;  // they stay where they are when more come
  std::vector<Timed*> timed_;
  std::vector<epoll_event> events_;
  Buffer space_;
  Instant now_;
  std::size_t faults_ = 0;
  std::vector<std::string> first_faults_;
  std::uint64_t frames_sent_ = 0;
  std::uint64_t frames_received_ = 0;
};

}  // namespace offhook::bench
