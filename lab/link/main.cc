// lab_link: the networks between the namespaces of the laboratory. Every link is two TUN devices in two
// namespaces, and what happens to a packet on its way from one to the other. Orders come by standard input
// (orders.h); the end of input is the end of the program, and of its devices.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "orders.h"

namespace offhook::lab {
namespace {

// Packets that are due within this time are sent together: a wake-up costs more than it is worth to tell them
// apart.
constexpr Time kTogether = std::chrono::microseconds(50);
constexpr std::size_t kLineBytesMax = 4096;

Time monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::seconds(now.tv_sec) + Time(now.tv_nsec);
}

[[noreturn]] void give_up(const char* what) {
  fmt::print(stderr, "lab_link: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

class Forwarder final : public LinkObserver {
 public:
  Forwarder()
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
    if (!epoll_.is_open()) give_up("epoll_create1");
    if (!timer_.is_open()) give_up("timerfd_create");
    if (::fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0) give_up("standard input");
    watch(STDIN_FILENO, &input_mark_);
    watch(timer_.get(), &timer_mark_);
  }

  void run() {
    while (!input_ended_) {
      std::array<epoll_event, 64> events{};
      const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      if (ready < 0 && errno != EINTR) give_up("epoll_wait");
      const Time now = monotonic_now();
      bool orders = false;
      for (int i = 0; i < ready; ++i) {
        void* mark = events[static_cast<std::size_t>(i)].data.ptr;
        if (mark == &input_mark_) {
          orders = true;
        } else if (mark == &timer_mark_) {
          read_timer();
        } else {
          receive(*static_cast<Direction*>(mark), spare_, now);
        }
      }
      for (Direction* direction : directions_) send_due(*direction, now + kTogether);
      // Last, because an order may remove what the events above point to.
      if (orders) read_orders();
      arm_timer();
    }
  }

 private:
  void watch(int fd, void* mark) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = mark;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) give_up("epoll_ctl");
  }

  void added(Link& link) override {
    for (Direction* direction : {&link.up, &link.down}) {
      watch(direction->from, direction);
      directions_.push_back(direction);
    }
  }

  void removing(Link& link) override {
    for (Direction* direction : {&link.up, &link.down}) {
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, direction->from, nullptr) != 0) give_up("epoll_ctl");
      std::erase(directions_, direction);
    }
  }

  void read_timer() {
    std::uint64_t expirations = 0;
    // EAGAIN: armed anew between the event and now. Either way arm_timer() decides.
    if (::read(timer_.get(), &expirations, sizeof expirations) < 0 && errno != EAGAIN) give_up("timerfd");
    armed_.reset();
  }

  void arm_timer() {
    std::optional<Time> next;
    for (const Direction* direction : directions_) {
      const auto due = direction->path.next_due();
      if (due && (!next || *due < *next)) next = due;
    }
    // A timer that is earlier than needed costs one wake-up; setting it anew costs a call each time.
    if (!next || (armed_ && *armed_ <= *next)) return;
    itimerspec at{};
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*next);
    at.it_value.tv_sec = seconds.count();
    at.it_value.tv_nsec = (*next - seconds).count();
    if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr) != 0) give_up("timerfd_settime");
    armed_ = next;
  }

  void read_orders() {
    std::array<char, kLineBytesMax> chunk{};
    const ssize_t size = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      give_up("standard input");
    }
    if (size == 0) {
      input_ended_ = true;
      return;
    }
    input_.append(chunk.data(), static_cast<std::size_t>(size));
    std::size_t end = 0;
    while ((end = input_.find('\n')) != std::string::npos) {
      fmt::print("{}\n", obey(std::string_view(input_).substr(0, end), links_, *this));
      input_.erase(0, end + 1);
    }
    if (std::fflush(stdout) != 0) give_up("standard output");
    if (input_.size() > kLineBytesMax) {
      errno = EMSGSIZE;
      give_up("an order");
    }
  }

  FileDescriptor epoll_;
  FileDescriptor timer_;
  char input_mark_ = 0;
  char timer_mark_ = 0;
  std::optional<Time> armed_;
  bool input_ended_ = false;
  std::string input_;
  Links links_;
  std::vector<Direction*> directions_;
  std::unique_ptr<Packet> spare_;
};

}  // namespace
}  // namespace offhook::lab

int main() {
  offhook::lab::Forwarder().run();
  return 0;
}
