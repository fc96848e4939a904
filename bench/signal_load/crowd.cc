#include "signal_load/crowd.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/bytes.h"
#include "io/loop/clock.h"

namespace offhook::bench {
namespace {

constexpr std::size_t kEventsLimit = 256;
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kToldFaults = 5;
// Linux gives a source address some 28,000 ports; a few thousand a source keep the search for one short.
constexpr std::size_t kSocketsOfSource = 4000;

}  // namespace

Result<std::unique_ptr<Crowd>, std::string> Crowd::create(const Address& server, std::uint32_t first_source) {
  io::Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail(std::string("no epoll: ") + std::strerror(errno));
  return std::unique_ptr<Crowd>(new Crowd(std::move(epoll), server, first_source));
}

Crowd::Crowd(io::Fd epoll, const Address& server, std::uint32_t first_source)
    : epoll_(std::move(epoll)),
      first_source_(first_source),
      events_(kEventsLimit),
      space_(kReadBytes),
      now_(io::read_now().monotonic) {
  server_.sin_family = AF_INET;
  server_.sin_port = htons(server.port);
  server_.sin_addr.s_addr = htonl(Reader(server.ip.octets()).u32());
}

std::size_t Crowd::connect(std::string target, WebSocket::Listener& listener, int receive_buffer) {
  const std::size_t number = sockets_.size();
  WebSocketPlan plan{.server = server_, .target = std::move(target), .receive_buffer = receive_buffer};
  plan.source.s_addr = htonl(first_source_ + static_cast<std::uint32_t>(number / kSocketsOfSource));
  auto socket = WebSocket::connect(plan, listener);
  if (!socket) {
    fault(socket.error());
    return number;
  }
  sockets_.push_back({std::move(*socket), EPOLLOUT, false});
  epoll_event event{.events = EPOLLOUT, .data = {.u64 = number}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, sockets_.back().socket.fd(), &event) != 0) {
    fault(std::string("epoll: ") + std::strerror(errno));
  }
  return number;
}

void Crowd::send(std::size_t socket, std::string_view text) {
  frames_sent_ += 1;
  sockets_[socket].socket.send_text(text);
  watch(socket);
}

void Crowd::set_deaf(std::size_t socket, bool deaf) {
  sockets_[socket].deaf = deaf;
  watch(socket);
}

// Says to epoll what has changed, and only that.
void Crowd::watch(std::size_t number) {
  Watched& watched = sockets_[number];
  if (watched.socket.state() == WebSocket::State::closed) return;
  const bool reads = !watched.deaf && watched.socket.state() != WebSocket::State::connecting;
  const std::uint32_t mask =
      (reads ? std::uint32_t{EPOLLIN} : 0U) | (watched.socket.wants_write() ? std::uint32_t{EPOLLOUT} : 0U);
  if (mask == watched.mask) return;
  watched.mask = mask;
  epoll_event event{.events = mask, .data = {.u64 = number}};
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, watched.socket.fd(), &event);
}

bool Crowd::serve_until(Instant limit, const std::function<bool()>& done) {
  now_ = io::read_now().monotonic;
  for (;;) {
    for (Timed* timed : timed_) {
      if (timed->next_due() <= now_) timed->handle_due(now_);
    }
    if (done()) return true;
    if (now_ >= limit) return false;
    wait(limit);
  }
}

void Crowd::wait(Instant limit) {
  Instant wake = limit;
  for (const Timed* timed : timed_) wake = std::min(wake, timed->next_due());
  const auto span = std::max(Duration::zero(), wake - io::read_now().monotonic);
  const timespec timeout{static_cast<std::time_t>(span.count() / 1'000'000'000),
                         span.count() % 1'000'000'000};
  // In nanoseconds: milliseconds of epoll_wait() would be as long as what is measured.
  const int count =
      ::epoll_pwait2(epoll_.get(), events_.data(), static_cast<int>(events_.size()), &timeout, nullptr);
  now_ = io::read_now().monotonic;
  for (int i = 0; i < count; ++i) {
    handle(events_[static_cast<std::size_t>(i)]);
    now_ = io::read_now().monotonic;
  }
}

void Crowd::handle(const epoll_event& event) {
  const std::size_t number = event.data.u64;
  WebSocket& socket = sockets_[number].socket;
  if ((event.events & EPOLLOUT) != 0) socket.handle_writable();
  const bool ended = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
  if ((event.events & EPOLLIN) != 0 || ended) socket.receive(space_);
  watch(number);
}

void Crowd::fault(std::string what) {
  faults_ += 1;
  if (first_faults_.size() < kToldFaults) first_faults_.push_back(std::move(what));
}

}  // namespace offhook::bench
