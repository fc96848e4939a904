#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <climits>
#include <utility>

#include "io/loop/fd.h"
#include "io/loop/poller.h"

namespace offhook::io {
namespace {

// What is told once has to say, with the last data, that an end of the stream stands behind it.
constexpr std::uint32_t kOnce = std::uint32_t{EPOLLET} | std::uint32_t{EPOLLRDHUP};

std::uint32_t mask_of(Interest interest) {
  return (interest.readable ? std::uint32_t{EPOLLIN} : 0U) |
         (interest.writable ? std::uint32_t{EPOLLOUT} : 0U) | (interest.once ? kOnce : 0U);
}

// Rounded up, so that a wake-up never comes before its deadline and spins.
int milliseconds_until(Instant deadline, Instant now) {
  if (deadline == kNever) return -1;
  if (deadline <= now) return 0;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return wait > INT_MAX ? INT_MAX : static_cast<int>(wait);
}

class EpollPoller final : public Poller {
 public:
  explicit EpollPoller(Fd epoll) : epoll_(std::move(epoll)) {}

  bool add(int fd, Interest interest, std::uint64_t tag) override {
    return control(EPOLL_CTL_ADD, fd, interest, tag);
  }
  bool modify(int fd, Interest interest, std::uint64_t tag) override {
    return control(EPOLL_CTL_MOD, fd, interest, tag);
  }
  int fd() const override { return epoll_.get(); }
  void remove(int fd) override { (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  std::span<const Ready> wait(Instant deadline, Instant now) override {
    const int count =
        epoll_wait(epoll_.get(), events_.data(), kEventsLimit, milliseconds_until(deadline, now));
    if (count <= 0) return {};  // the deadline, or a signal
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const std::uint32_t mask = events_[i].events;
      ready_[i] = {events_[i].data.u64, (mask & (EPOLLIN | EPOLLRDHUP)) != 0, (mask & EPOLLOUT) != 0,
                   (mask & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0};
    }
    return std::span(ready_).first(static_cast<std::size_t>(count));
  }

 private:
  bool control(int operation, int fd, Interest interest, std::uint64_t tag) {
    epoll_event event{};
    event.events = mask_of(interest);
    event.data.u64 = tag;
    return epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
  }

  Fd epoll_;
  std::array<epoll_event, kEventsLimit> events_{};
  std::array<Ready, kEventsLimit> ready_{};
};

}  // namespace

std::unique_ptr<Poller> make_epoll_poller() {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return nullptr;
  return std::make_unique<EpollPoller>(std::move(epoll));
}

}  // namespace offhook::io
