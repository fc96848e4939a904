#pragma once
// A small blocking TURN client for tests: UDP or TCP, long-term credentials, every request of RFC 8656. It
// waits by poll() with a time limit and never sleeps. What arrives while an answer is awaited is kept for
// receive().

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/turn/types.h"
#include "crypto/secure_random.h"
#include "io/loop/clock.h"
#include "io/net/datagram_queue.h"
#include "io/net/socket.h"
#include "io/net/socket_address.h"
#include "wire/stun/attr_error_code.h"
#include "wire/stun/attr_nonce.h"
#include "wire/stun/attr_realm.h"
#include "wire/stun/attr_userhash.h"
#include "wire/stun/attr_username.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/stun/long_term_key.h"
#include "wire/turn/attr_additional_address_family.h"
#include "wire/turn/attr_channel_number.h"
#include "wire/turn/attr_dont_fragment.h"
#include "wire/turn/attr_even_port.h"
#include "wire/turn/attr_icmp.h"
#include "wire/turn/attr_lifetime.h"
#include "wire/turn/attr_requested_address_family.h"
#include "wire/turn/attr_requested_transport.h"
#include "wire/turn/attr_reservation_token.h"
#include "wire/turn/channel_data.h"
#include "wire/turn/stream_framing.h"

namespace offhook::test {

using std::chrono::milliseconds;

// How long a test waits for what must come. Reached only when it fails.
inline constexpr milliseconds kPatience{5000};

inline bool await_readable(int fd, milliseconds patience) {
  pollfd wanted{fd, POLLIN, 0};
  return poll(&wanted, 1, static_cast<int>(patience.count())) == 1;
}

// A plain UDP socket: a peer, or a canary that nothing may reach.
class UdpPeer {
 public:
  explicit UdpPeer(const Ip& ip) {
    auto socket = io::open_udp_listener({ip, 0}, io::PortSharing::exclusive);
    if (!socket) {
      ADD_FAILURE() << socket.error().text();
      return;
    }
    socket_ = std::move(*socket);
    address_ = io::bound_address(socket_).value_or(Address{});
  }
  const Address& address() const { return address_; }
  const io::Socket& socket() const { return socket_; }
  void send(const Address& to, Bytes payload) { EXPECT_TRUE(io::send_datagram(socket_.get(), to, payload)); }

  struct Datagram {
    Address from;
    Buffer payload;
  };
  std::optional<Datagram> receive(milliseconds patience = kPatience) {
    if (!await_readable(socket_.get(), patience)) return std::nullopt;
    Buffer buffer(65536);
    io::SocketAddress from{};
    socklen_t length = sizeof from;
    const ssize_t count =
        recvfrom(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT, &from.any, &length);
    if (count < 0) return std::nullopt;
    buffer.resize(static_cast<std::size_t>(count));
    return Datagram{io::to_address(from).value_or(Address{}), std::move(buffer)};
  }

 private:
  io::Socket socket_;
  Address address_;
};

class TurnClient {
 public:
  struct Login {
    std::string username;
    std::string password;
  };
  // `from`: the client's own address; by default the server's IP address and any port.
  TurnClient(const Address& server, turn::Transport transport, Login login, std::optional<Address> from = {})
      : server_(server), transport_(transport), login_(std::move(login)) {
    const Address own = from.value_or(Address{server.ip, 0});
    if (transport == turn::Transport::udp) {
      auto opened = io::open_udp_listener(own, io::PortSharing::exclusive);
      if (opened) socket_ = std::move(*opened);
    } else {
      socket_ = connect_stream(own);
    }
    EXPECT_TRUE(socket_) << "no client socket";
    client_address_ = io::bound_address(socket_).value_or(Address{});
  }

  // What lies between TURN and a stream's socket, such as TLS.
  struct Layer {
    virtual ~Layer() = default;
    // As send() and recv() with MSG_DONTWAIT.
    virtual ssize_t send(Bytes bytes) = 0;
    virtual ssize_t receive(MutableBytes space) = 0;
    virtual bool buffered() = 0;  // receive() has more than the socket knows of
  };
  void put_below(std::unique_ptr<Layer> layer) { layer_ = std::move(layer); }

  const Address& client_address() const { return client_address_; }
  io::Socket& socket() { return socket_; }
  const std::string& realm() const { return realm_; }
  const std::string& nonce() const { return nonce_; }
  void set_login(Login login) { login_ = std::move(login); }
  // Puts USERHASH in place of USERNAME.
  void hide_username(bool hide) { hides_username_ = hide; }

  // ---- Requests ----
  using AddAttributes = std::function<void(stun::MessageBuilder&)>;
  // An answer of either class; `error` is 0 for success, the error's number, or -1 if nothing came.
  struct Answer {
    int error = -1;
    Buffer bytes;
    std::optional<stun::Message> message;  // borrows from bytes
    const stun::Attribute* find(stun::AttributeType type) const {
      return message ? message->find(type) : nullptr;
    }
    std::optional<Address> address(stun::AttributeType type) const {
      const stun::Attribute* attribute = find(type);
      return attribute ? stun::parse_xor_address(attribute->value, message->transaction_id()) : std::nullopt;
    }
  };

  // With credentials once the server has asked for them; a challenge (401, 438) is answered once.
  Answer request(stun::Method method, const AddAttributes& add = {}) {
    Answer answer = request_once(method, add);
    if (answer.error != 401 && answer.error != 438) return answer;
    const bool had_nonce = !nonce_.empty();
    take_challenge(answer);
    if (nonce_.empty() || (answer.error == 401 && had_nonce)) return answer;
    return request_once(method, add);
  }
  Answer request_once(stun::Method method, const AddAttributes& add = {}) {
    const Buffer bytes = build_request(method, add);
    return exchange(bytes);
  }
  Buffer build_request(stun::Method method, const AddAttributes& add = {}) {
    Buffer buffer(stun::kMessageBytesLimit);
    stun::MessageBuilder builder(buffer, stun::MessageClass::request, method, new_transaction_id());
    if (add) add(builder);
    if (!nonce_.empty() && method != stun::Method::binding) {
      if (hides_username_) {
        stun::add_userhash(builder, stun::userhash(login_.username, realm_));
      } else {
        stun::add_username(builder, login_.username);
      }
      stun::add_realm(builder, realm_);
      stun::add_nonce(builder, nonce_);
      builder.add_message_integrity(stun::long_term_key_md5(login_.username, realm_, login_.password));
    }
    buffer.resize(builder.finish().size());
    return buffer;
  }
  // Sends these bytes and waits for the answer with their transaction ID; over UDP it asks again.
  Answer exchange(const Buffer& bytes) {
    const Bytes id = Bytes(bytes).subspan(8, sizeof(stun::TransactionId));
    const int attempts = transport_ == turn::Transport::udp ? 5 : 1;
    for (int i = 0; i < attempts; ++i) {
      send_bytes(bytes);
      const Instant until = io::read_now().monotonic + kPatience / attempts;
      while (auto packet = next_packet(until)) {
        Answer answer;
        answer.bytes = std::move(*packet);
        auto parsed = stun::Message::parse(answer.bytes);
        if (!parsed || !equal(parsed->transaction_id(), id)) {
          kept_.push_back(std::move(answer.bytes));
          continue;
        }
        answer.message = *parsed;
        answer.error = error_of(answer);
        return answer;
      }
    }
    return {};
  }

  struct AllocateOptions {
    std::optional<Family> family;
    bool additional_ipv6 = false;
    bool even_port = false;
    bool reserve_next = false;
    std::optional<turn::ReservationToken> token;
    std::optional<std::chrono::seconds> lifetime;
    std::uint8_t requested_transport = turn::kRequestedTransportUdp;
  };
  struct Allocated {
    int error = -1;  // as in Answer
    std::vector<Address> relayed_addresses;
    std::optional<Address> mapped_address;
    std::optional<turn::ReservationToken> token;
    std::optional<std::chrono::seconds> lifetime;
    Address relayed() const { return relayed_addresses.empty() ? Address{} : relayed_addresses.front(); }
  };
  Allocated allocate() { return allocate(AllocateOptions()); }
  Allocated allocate(const AllocateOptions& options) {
    const Answer answer = request(stun::Method::allocate, [&](stun::MessageBuilder& builder) {
      turn::add_requested_transport(builder, options.requested_transport);
      if (options.family) turn::add_requested_address_family(builder, *options.family);
      if (options.additional_ipv6) turn::add_additional_address_family(builder, Family::ipv6);
      if (options.even_port || options.reserve_next) turn::add_even_port(builder, {options.reserve_next});
      if (options.token) turn::add_reservation_token(builder, *options.token);
      if (options.lifetime) turn::add_lifetime(builder, *options.lifetime);
    });
    Allocated allocated;
    allocated.error = answer.error;
    if (answer.error != 0) return allocated;
    for (const stun::Attribute& attribute : answer.message->attributes()) {
      if (attribute.type != static_cast<std::uint16_t>(stun::AttributeType::xor_relayed_address)) continue;
      const auto relayed = stun::parse_xor_address(attribute.value, answer.message->transaction_id());
      if (relayed) allocated.relayed_addresses.push_back(*relayed);
    }
    allocated.mapped_address = answer.address(stun::AttributeType::xor_mapped_address);
    if (const auto* token = answer.find(stun::AttributeType::reservation_token)) {
      allocated.token = turn::parse_reservation_token(token->value);
    }
    if (const auto* lifetime = answer.find(stun::AttributeType::lifetime)) {
      allocated.lifetime = turn::parse_lifetime(lifetime->value);
    }
    return allocated;
  }
  // These return 0 for success, the error's number, or -1 if nothing came.
  int refresh(std::chrono::seconds lifetime) {
    return request(stun::Method::refresh, [&](auto& builder) { turn::add_lifetime(builder, lifetime); })
        .error;
  }
  int create_permission(const std::vector<Address>& peers) {
    return request(stun::Method::create_permission,
                   [&](auto& builder) {
                     for (const Address& peer : peers) {
                       stun::add_xor_address(builder, stun::AttributeType::xor_peer_address, peer);
                     }
                   })
        .error;
  }
  int channel_bind(std::uint16_t number, const Address& peer) {
    return request(stun::Method::channel_bind,
                   [&](auto& builder) {
                     turn::add_channel_number(builder, number);
                     stun::add_xor_address(builder, stun::AttributeType::xor_peer_address, peer);
                   })
        .error;
  }
  // The address that the server sees; nothing without an answer.
  std::optional<Address> binding() {
    return request(stun::Method::binding).address(stun::AttributeType::xor_mapped_address);
  }

  // ---- Media ----
  void send_indication(const Address& peer, Bytes payload, bool dont_fragment = false) {
    Buffer buffer(payload.size() + 128);
    stun::MessageBuilder builder(buffer, stun::MessageClass::indication, stun::Method::send,
                                 new_transaction_id());
    stun::add_xor_address(builder, stun::AttributeType::xor_peer_address, peer);
    if (dont_fragment) turn::add_dont_fragment(builder);
    builder.add(stun::AttributeType::data, payload);
    send_bytes(builder.finish());
  }
  void send_channel_data(std::uint16_t number, Bytes payload) {
    Buffer buffer(turn::kChannelDataHeaderBytes + payload.size());
    turn::write_channel_data_header(buffer, number, static_cast<std::uint16_t>(payload.size()));
    std::copy(payload.begin(), payload.end(), buffer.begin() + turn::kChannelDataHeaderBytes);
    if (transport_ == turn::Transport::tcp) buffer.resize(turn::padded_to_four(buffer.size()));
    send_bytes(buffer);
  }
  // One whole packet as it is; streams in one piece.
  void send_bytes(Bytes bytes) {
    if (transport_ == turn::Transport::udp) {
      EXPECT_TRUE(io::send_datagram(socket_.get(), server_, bytes));
      return;
    }
    while (!bytes.empty()) {
      const ssize_t count =
          layer_ ? layer_->send(bytes) : ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count > 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        continue;
      }
      pollfd wanted{socket_.get(), POLLOUT, 0};
      if (poll(&wanted, 1, static_cast<int>(kPatience.count())) != 1) {
        ADD_FAILURE() << "the server does not read";
        return;
      }
    }
  }

  struct Media {
    std::uint16_t channel_number = 0;  // 0: a Data indication
    Address peer_address;              // of a Data indication
    Buffer payload;
    std::optional<turn::Icmp> icmp;  // of a Data indication that reports an ICMP error
  };
  // The next ChannelData or Data indication; nothing if none came.
  std::optional<Media> receive(milliseconds patience = kPatience) {
    const Instant until = io::read_now().monotonic + patience;
    while (!kept_.empty()) {
      const Buffer packet = std::move(kept_.front());
      kept_.pop_front();
      if (auto media = media_of(packet)) return media;
    }
    while (const auto packet = next_packet(until)) {
      if (auto media = media_of(*packet)) return media;
    }
    return std::nullopt;
  }
  // Waits until the server closes this stream.
  bool await_closed() {
    const Instant until = io::read_now().monotonic + kPatience;
    while (!closed_ && io::read_now().monotonic < until) (void)next_packet(until);
    return closed_;
  }

 private:
  io::Socket connect_stream(const Address& own) const {
    io::Socket opened(::socket(io::domain_of(server_.family()), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    (void)setsockopt(opened.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    io::SocketAddress address{};
    socklen_t length = io::to_socket_address(own, address);
    if (bind(opened.get(), &address.any, length) != 0) return {};
    length = io::to_socket_address(server_, address);
    if (connect(opened.get(), &address.any, length) != 0) return {};
    return opened;
  }

  std::optional<Buffer> next_packet(Instant until) {
    for (;;) {
      if (transport_ == turn::Transport::tcp) {
        if (const auto frame = framer_.next()) return Buffer(frame->begin(), frame->end());
      }
      const auto left = std::chrono::ceil<milliseconds>(until - io::read_now().monotonic);
      const bool buffered = layer_ && layer_->buffered();
      if (closed_ || left.count() < 0 || (!buffered && !await_readable(socket_.get(), left)))
        return std::nullopt;
      if (transport_ == turn::Transport::udp) {
        Buffer buffer(65536);
        const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count < 0) continue;
        buffer.resize(static_cast<std::size_t>(count));
        return buffer;
      }
      const MutableBytes space = framer_.space(65536);
      const ssize_t count =
          layer_ ? layer_->receive(space) : recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
      if (count > 0) framer_.filled(static_cast<std::size_t>(count));
      closed_ = count == 0 || (count < 0 && errno != EAGAIN);
    }
  }
  static stun::TransactionId new_transaction_id() {
    stun::TransactionId id{};
    crypto::SecureRandom().fill(id);
    return id;
  }
  static int error_of(const Answer& answer) {
    if (answer.message->message_class() == stun::MessageClass::success_response) return 0;
    const stun::Attribute* attribute = answer.find(stun::AttributeType::error_code);
    const auto error = attribute ? stun::parse_error_code(attribute->value) : std::nullopt;
    return error ? error->number : -1;
  }
  void take_challenge(const Answer& answer) {
    if (const auto* realm = answer.find(stun::AttributeType::realm)) realm_ = to_string(realm->value);
    if (const auto* nonce = answer.find(stun::AttributeType::nonce)) nonce_ = to_string(nonce->value);
  }
  static std::optional<Media> media_of(const Buffer& packet) {
    if (!stun::looks_like_stun(packet)) {
      const auto channel_data = turn::parse_channel_data(packet);
      if (!channel_data) return std::nullopt;
      const Bytes payload = channel_data->payload;
      return Media{channel_data->channel_number, {}, Buffer(payload.begin(), payload.end()), {}};
    }
    const auto message = stun::Message::parse(packet);
    if (!message || message->method() != stun::Method::data) return std::nullopt;
    Media media;
    if (const auto* peer = message->find(stun::AttributeType::xor_peer_address)) {
      media.peer_address =
          stun::parse_xor_address(peer->value, message->transaction_id()).value_or(Address{});
    }
    if (const auto* payload = message->find(stun::AttributeType::data)) {
      media.payload.assign(payload->value.begin(), payload->value.end());
    }
    if (const auto* icmp = message->find(stun::AttributeType::icmp))
      media.icmp = turn::parse_icmp(icmp->value);
    return media;
  }

  Address server_;
  turn::Transport transport_;
  Login login_;
  bool hides_username_ = false;
  io::Socket socket_;
  Address client_address_;
  std::string realm_;
  std::string nonce_;
  turn::StreamFramer framer_;
  std::deque<Buffer> kept_;
  bool closed_ = false;
  std::unique_ptr<Layer> layer_;
};

}  // namespace offhook::test
