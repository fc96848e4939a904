#include "io/http/control_loop.h"

// Before any header of Boost: it says how Asio and Beast are compiled.
#include "io/http/asio.h"

#include <fcntl.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <utility>

#include "io/loop/clock.h"

namespace offhook::io {

ControlLoop::ControlLoop() : asio_(std::make_unique<Asio>()) {}
ControlLoop::~ControlLoop() = default;

void ControlLoop::run() {
  asio_->context.run();
  asio_->context.restart();
}

void ControlLoop::stop() { asio_->context.stop(); }

bool ControlLoop::post(std::function<void()> task) {
  if (asio_->tasks_waiting.fetch_add(1) >= kMailboxLimit) {
    asio_->tasks_waiting.fetch_sub(1);
    return false;
  }
  asio::post(asio_->context, [loop = asio_.get(), task = std::move(task)] {
    loop->tasks_waiting.fetch_sub(1);
    task();
  });
  return true;
}

Now ControlLoop::now() { return read_now(); }

void ControlLoop::Asio::await_signal() {
  signals.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    on_stop_signal(signal);
    await_signal();
  });
}

void ControlLoop::on_stop_signal(std::function<void(int signal)> callback) {
  const bool first = !asio_->on_stop_signal;
  asio_->on_stop_signal = std::move(callback);
  if (!first) return;
  asio_->signals.add(SIGINT);
  asio_->signals.add(SIGTERM);
  asio_->await_signal();
}

struct ControlLoop::Timer::State : std::enable_shared_from_this<ControlLoop::Timer::State> {
  State(asio::io_context& context, std::function<void()> callback)
      : timer(context), on_due(std::move(callback)) {}

  asio::steady_timer timer;
  std::function<void()> on_due;
  // A completion that was queued before a later set() or the destruction carries an older number and does
  // nothing.
  std::uint64_t setting = 0;
};

ControlLoop::Timer::Timer(ControlLoop& loop, std::function<void()> on_due)
    : state_(std::make_shared<State>(loop.asio().context, std::move(on_due))) {}

ControlLoop::Timer::~Timer() { set(kNever); }

void ControlLoop::Timer::set(Instant due) {
  const std::uint64_t setting = ++state_->setting;
  if (due == kNever) {
    state_->timer.cancel();
    return;
  }
  state_->timer.expires_at(std::chrono::steady_clock::time_point(due.time_since_epoch()));
  state_->timer.async_wait(
      [weak = state_->weak_from_this(), setting](const boost::system::error_code& error) {
        const std::shared_ptr<State> state = weak.lock();
        if (error || !state || state->setting != setting) return;
        state->on_due();
      });
}

struct ControlLoop::Watch::State : std::enable_shared_from_this<ControlLoop::Watch::State> {
  State(asio::io_context& context, int own_fd, std::function<void()> callback)
      : descriptor(context, own_fd), on_readable(std::move(callback)) {}

  void await() {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [weak = weak_from_this()](const boost::system::error_code& error) {
                            const std::shared_ptr<State> state = weak.lock();
                            if (error || !state) return;
                            state->on_readable();
                            state->await();
                          });
  }

  asio::posix::stream_descriptor descriptor;
  std::function<void()> on_readable;
};

ControlLoop::Watch::Watch(ControlLoop& loop, int fd, std::function<void()> on_readable) {
  const int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own_fd < 0) return;
  state_ = std::make_shared<State>(loop.asio().context, own_fd, std::move(on_readable));
  state_->await();
}

ControlLoop::Watch::~Watch() = default;

Address from_endpoint(const tcp::endpoint& endpoint) {
  const asio::ip::address address = endpoint.address();
  if (address.is_v4()) return {Ip::v4(address.to_v4().to_bytes()), endpoint.port()};
  const asio::ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped())
    return {Ip::v4(asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_bytes()), endpoint.port()};
  return {Ip::v6(v6.to_bytes()), endpoint.port()};
}

tcp::endpoint to_endpoint(const Address& address) {
  const Bytes octets = address.ip.octets();
  if (address.ip.is_v4()) {
    std::array<std::uint8_t, 4> v4{};
    std::copy(octets.begin(), octets.end(), v4.begin());
    return {asio::ip::address_v4(v4), address.port};
  }
  std::array<std::uint8_t, 16> v6{};
  std::copy(octets.begin(), octets.end(), v6.begin());
  return {asio::ip::address_v6(v6), address.port};
}

}  // namespace offhook::io
