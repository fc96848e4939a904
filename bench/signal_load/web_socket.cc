#include "signal_load/web_socket.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace offhook::bench {
namespace {

// The example of RFC 6455 section 1.3, and its answer.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
constexpr std::array<unsigned char, 4> kMask = {0x37, 0xfa, 0x21, 0x3d};

constexpr unsigned kText = 1;
constexpr unsigned kClose = 8;
constexpr unsigned kFinal = 0x80;
constexpr unsigned kMasked = 0x80;

void set_option(int fd, int level, int name, int value) {
  (void)::setsockopt(fd, level, name, &value, sizeof value);  // without it only the speed differs
}

std::string masked_frame(unsigned opcode, std::string_view payload) {
  std::string frame;
  frame.reserve(payload.size() + 8);
  frame.push_back(static_cast<char>(kFinal | opcode));
  if (payload.size() < 126) {
    frame.push_back(static_cast<char>(kMasked | payload.size()));
  } else {
    frame.push_back(static_cast<char>(kMasked | 126U));
    frame.push_back(static_cast<char>(payload.size() >> 8U));
    frame.push_back(static_cast<char>(payload.size()));
  }
  frame.append(reinterpret_cast<const char*>(kMask.data()), kMask.size());
  const std::size_t start = frame.size();
  frame.append(payload);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    const auto byte = static_cast<unsigned char>(frame[start + i]);
    frame[start + i] = static_cast<char>(byte ^ kMask[i % 4]);
  }
  return frame;
}

}  // namespace

Result<WebSocket, std::string> WebSocket::connect(const WebSocketPlan& plan, Listener& listener) {
  io::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(std::string("no socket: ") + std::strerror(errno));
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  // The port is chosen at connect(), where one is free that only has to differ by the pair of addresses.
  set_option(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (plan.receive_buffer > 0) set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, plan.receive_buffer);
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr = plan.source;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) {
    return fail(std::string("no source address: ") + std::strerror(errno));
  }
  const int connected =
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&plan.server), sizeof plan.server);
  if (connected != 0 && errno != EINPROGRESS) {
    return fail(std::string("cannot connect: ") + std::strerror(errno));
  }
  return WebSocket(std::move(fd), plan, listener);
}

void WebSocket::send_text(std::string_view text) { send_bytes(masked_frame(kText, text)); }

void WebSocket::send_bytes(std::string_view bytes) {
  if (state_ == State::closed) return;
  if (!unsent_.empty()) {
    unsent_ += bytes;
    return;
  }
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return;  // the end of the connection shows when it is read
  unsent_ += bytes.substr(sent < 0 ? 0 : static_cast<std::size_t>(sent));
}

void WebSocket::handle_writable() {
  if (state_ == State::connecting) {
    state_ = State::upgrading;
    return send_bytes("GET " + std::exchange(target_, {}) +
                      " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
                      std::string(kKey) + "\r\n\r\n");
  }
  send_bytes(std::exchange(unsent_, {}));
}

void WebSocket::receive(MutableBytes space) {
  if (state_ == State::closed) return;
  const ssize_t got = ::recv(fd_.get(), space.data(), space.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return end(0, got == 0 ? "end of stream" : std::strerror(errno));
  const std::string_view fresh(reinterpret_cast<const char*>(space.data()), static_cast<std::size_t>(got));
  if (received_.empty()) return take(fresh);
  const std::string all = std::exchange(received_, {}) + std::string(fresh);
  take(all);
}

void WebSocket::take(std::string_view bytes) {
  while (!bytes.empty() && state_ != State::closed) {
    const std::size_t used = state_ == State::open ? take_frame(bytes) : take_upgrade(bytes);
    if (used == 0) break;
    bytes.remove_prefix(used);
  }
  if (state_ != State::closed) received_ = bytes;
}

std::size_t WebSocket::take_upgrade(std::string_view bytes) {
  const std::size_t end_of_head = bytes.find("\r\n\r\n");
  if (end_of_head == std::string_view::npos) return 0;
  const std::string_view head = bytes.substr(0, end_of_head);
  if (!head.starts_with("HTTP/1.1 101 ") || head.find(kAccept) == std::string_view::npos) {
    end(0, "no WebSocket: " + std::string(head.substr(0, head.find("\r\n"))));
    return bytes.size();
  }
  state_ = State::open;
  listener_->handle_open();
  return end_of_head + 4;
}

// RFC 6455 section 5.2. A server of ours sends whole, unmasked frames.
std::size_t WebSocket::take_frame(std::string_view bytes) {
  const auto byte = [bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 2) return 0;
  std::size_t size = byte(1) & 0x7FU;
  std::size_t head = 2;
  if (size >= 126) {
    head = size == 126 ? 4 : 10;
    if (bytes.size() < head) return 0;
    size = 0;
    for (std::size_t i = 2; i < head; ++i) size = (size << 8U) | byte(i);
  }
  if (bytes.size() < head || bytes.size() - head < size) return 0;
  const std::string_view payload = bytes.substr(head, size);
  const unsigned opcode = byte(0) & 0x0FU;
  if (opcode == kText && (byte(0) & kFinal) != 0 && (byte(1) & kMasked) == 0) {
    listener_->handle_text(payload);
  } else if (opcode == kClose && size >= 2) {
    const auto code = static_cast<std::uint16_t>((byte(head) << 8U) | byte(head + 1));
    end(code, std::string(payload.substr(2)));
  } else {
    end(0, "a frame that this server does not send, opcode " + std::to_string(opcode));
  }
  return head + size;
}

void WebSocket::end(std::uint16_t code, std::string_view reason) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  fd_.close();
  listener_->handle_closed(code, reason);
}

}  // namespace offhook::bench
