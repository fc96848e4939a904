#include "relay_load/stream_sockets.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>

#include "relay_load/namespace.h"
#include "relay_load/server_cpu.h"

namespace offhook::bench {
namespace {

// One TLS record, and many messages.
constexpr std::size_t kReadBytes = 16 * 1024;
// A server that leaves so much of one client unread does not serve it any more.
constexpr std::size_t kUnsentBytesLimit = 4U << 20U;
constexpr int kRetry_ms = 20;

sockaddr_in to_sockaddr(const Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(endpoint.ip);
  address.sin_port = htons(endpoint.port);
  return address;
}

void await(int fd, short what, int timeout_ms) {
  pollfd entry{fd, what, 0};
  (void)::poll(&entry, 1, timeout_ms);  // a signal or the timeout: the caller looks at its own clock
}

// The last error of OpenSSL's queue in words.
std::string tls_failure() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "the connection was closed" : reason;
}

}  // namespace

StreamSockets::StreamSockets(const Plan& plan) : plan_(plan), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  connections_.resize(plan.count);
  if (!plan.by_tls) return;
  tls_.reset(SSL_CTX_new(TLS_client_method()));
  // What is written again after it had to wait stands elsewhere by then, and there may be more of it.
  SSL_CTX_set_mode(tls_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

Result<std::unique_ptr<StreamSockets>, std::string> StreamSockets::connect(const Plan& plan) {
  std::unique_ptr<StreamSockets> sockets(new StreamSockets(plan));
  if (!sockets->epoll_) return fail(failure("epoll_create1"));
  for (std::size_t index = 0; index < plan.count; ++index) {
    if (auto opened = sockets->open(index); !opened) {
      return fail(fmt::format("client {} could not connect: {}", index, opened.error()));
    }
  }
  return sockets;
}

Result<void, std::string> StreamSockets::open(std::size_t index) {
  Connection& connection = connections_[index];
  const double deadline_s = monotonic_seconds() + plan_.patience_s;
  while (!connection.fd) {
    auto connected = try_to_connect(index);
    if (!connected) return fail(connected.error());
    if (*connected) {
      connection.fd = std::move(**connected);
    } else if (monotonic_seconds() > deadline_s) {
      return fail(std::string("the server does not listen"));
    } else {
      await(epoll_.get(), POLLIN, kRetry_ms);  // it is about to; nothing else can be awaited
    }
  }
  if (plan_.by_tls) {
    if (auto shaken = shake_hands(connection, deadline_s); !shaken) return shaken;
  }
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.u64 = index;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd.get(), &wanted) != 0)
    return fail(failure("epoll_ctl"));
  return {};
}

Result<std::optional<io::Fd>, std::string> StreamSockets::try_to_connect(std::size_t index) const {
  const sockaddr_in local = to_sockaddr({plan_.first_client_ip + static_cast<std::uint32_t>(index), 0});
  const sockaddr_in remote = to_sockaddr(plan_.server);
  auto made = socket_inside(plan_.netns_path, SOCK_STREAM);
  if (!made) return fail(made.error());
  const int fd = made->get();
  const int on = 1;
  if (::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return fail(failure("TCP_NODELAY"));
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) return fail(failure("bind"));
  const int begun = ::connect(fd, reinterpret_cast<const sockaddr*>(&remote), sizeof remote);
  if (begun != 0 && errno != EINPROGRESS) return fail(failure("connect"));
  await(fd, POLLOUT, static_cast<int>(plan_.patience_s * 1000));
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return fail(failure("SO_ERROR"));
  if (error == ECONNREFUSED) return std::optional<io::Fd>();
  errno = error;
  if (error != 0) return fail(failure("connect"));
  return std::optional<io::Fd>(std::move(*made));
}

Result<void, std::string> StreamSockets::shake_hands(Connection& connection, double deadline_s) const {
  connection.ssl.reset(SSL_new(tls_.get()));
  SSL_set_fd(connection.ssl.get(), connection.fd.get());
  while (monotonic_seconds() < deadline_s) {
    const int result = SSL_connect(connection.ssl.get());
    if (result == 1) return {};
    const int why = SSL_get_error(connection.ssl.get(), result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return fail("TLS: " + tls_failure());
    await(connection.fd.get(), why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, kRetry_ms);
  }
  return fail(std::string("TLS: no handshake in time"));
}

StreamSockets::Transfer StreamSockets::read(Connection& connection, MutableBytes into) {
  if (!connection.ssl) {
    const ssize_t count = ::recv(connection.fd.get(), into.data(), into.size(), 0);
    if (count > 0) return {Outcome::done, static_cast<std::size_t>(count)};
    const bool waits = count < 0 && (errno == EAGAIN || errno == EINTR);
    return {waits ? Outcome::would_block : Outcome::lost, 0};
  }
  std::size_t count = 0;
  const int result = SSL_read_ex(connection.ssl.get(), into.data(), into.size(), &count);
  if (result == 1) return {Outcome::done, count};
  const bool waits = SSL_get_error(connection.ssl.get(), result) == SSL_ERROR_WANT_READ;
  return {waits ? Outcome::would_block : Outcome::lost, 0};
}

StreamSockets::Transfer StreamSockets::write(Connection& connection, Bytes bytes) {
  if (!connection.ssl) {
    const ssize_t count = ::send(connection.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) return {Outcome::done, static_cast<std::size_t>(count)};
    const bool waits = errno == EAGAIN || errno == EINTR;
    return {waits ? Outcome::would_block : Outcome::lost, 0};
  }
  std::size_t count = 0;
  const int result = SSL_write_ex(connection.ssl.get(), bytes.data(), bytes.size(), &count);
  if (result == 1) return {Outcome::done, count};
  const bool waits = SSL_get_error(connection.ssl.get(), result) == SSL_ERROR_WANT_WRITE;
  return {waits ? Outcome::would_block : Outcome::lost, 0};
}

Result<std::span<const MessageSockets::Received>, std::string> StreamSockets::receive() {
  received_.clear();
  std::vector<std::size_t> ready = std::exchange(unread_, {});
  for (const std::size_t index : ready) connections_[index].has_more = false;
  std::array<epoll_event, kBatch> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  const std::size_t listed = ready.size();
  for (int i = 0; i < count; ++i) {
    const std::size_t index = events[static_cast<std::size_t>(i)].data.u64;
    // Reading twice would take away what the first read has returned.
    if (std::find(ready.begin(), ready.begin() + static_cast<std::ptrdiff_t>(listed), index) ==
        ready.begin() + static_cast<std::ptrdiff_t>(listed)) {
      ready.push_back(index);
    }
  }
  for (const std::size_t index : ready) {
    if (auto taken = read_all(index); !taken) return fail(taken.error());
  }
  return std::span<const Received>(received_);
}

// All that one read brings.
Result<void, std::string> StreamSockets::read_all(std::size_t index) {
  Connection& connection = connections_[index];
  const MutableBytes space = connection.incoming.space(kReadBytes);
  const Transfer transfer = read(connection, space);
  if (transfer.outcome == Outcome::lost)
    return fail(fmt::format("the server closed the connection of client {}", index));
  if (transfer.outcome == Outcome::would_block) return {};
  connection.incoming.filled(transfer.bytes);
  while (const auto message = connection.incoming.next()) {
    received_.push_back({*message, plan_.first_client_ip + static_cast<std::uint32_t>(index), plan_.server});
  }
  if (connection.incoming.state() == turn::StreamFramer::State::not_turn) {
    return fail(fmt::format("client {} was sent something that is neither STUN nor ChannelData", index));
  }
  if (connection.ssl && SSL_pending(connection.ssl.get()) > 0 && !connection.has_more) {
    connection.has_more = true;
    unread_.push_back(index);
  }
  return {};
}

void StreamSockets::wait_readable(int timeout_ms) const {
  if (unread_.empty()) await(epoll_.get(), POLLIN, timeout_ms);
}

MutableBytes StreamSockets::queue(std::uint32_t local_ip, const Endpoint& remote, std::size_t bytes) {
  assert(queued_ < kBatch && bytes <= kMessageBytesLimit && remote == plan_.server);
  (void)remote;
  const std::size_t index = local_ip - plan_.first_client_ip;
  Connection& connection = connections_[index];
  if (!connection.is_dirty) {
    connection.is_dirty = true;
    dirty_.push_back(index);
  }
  queued_ += 1;
  // RFC 8656 section 12.5: padded to a multiple of four; STUN messages are one.
  const std::size_t begin = connection.outgoing.size();
  connection.outgoing.resize(begin + (bytes + 3) / 4 * 4);
  return MutableBytes(connection.outgoing).subspan(begin, bytes);
}

Result<void, std::string> StreamSockets::flush() {
  queued_ = 0;
  for (const std::size_t index : std::exchange(dirty_, {})) {
    if (auto written = write_all(index); !written) return written;
  }
  return {};
}

Result<void, std::string> StreamSockets::write_all(std::size_t index) {
  Connection& connection = connections_[index];
  std::size_t done = 0;
  Outcome outcome = Outcome::done;
  while (done < connection.outgoing.size() && outcome == Outcome::done) {
    const Transfer transfer = write(connection, Bytes(connection.outgoing).subspan(done));
    outcome = transfer.outcome;
    done += transfer.bytes;
  }
  if (outcome == Outcome::lost)
    return fail(fmt::format("the server closed the connection of client {}", index));
  connection.outgoing.erase(connection.outgoing.begin(),
                            connection.outgoing.begin() + static_cast<std::ptrdiff_t>(done));
  connection.is_dirty = !connection.outgoing.empty();
  if (!connection.is_dirty) return {};
  if (connection.outgoing.size() > kUnsentBytesLimit)
    return fail(fmt::format("the server reads nothing of client {}", index));
  dirty_.push_back(index);
  return {};
}

}  // namespace offhook::bench
