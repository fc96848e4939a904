#pragma once
// A device of docs/protocol.md that signs in, numbers, acknowledges and pings as a client does, and holds the
// server to the order of what it sends: a message that is lost or comes twice is a fault.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/redact.h"
#include "signal_load/crowd.h"
#include "signal_load/fixed_delay.h"
#include "signal_load/web_socket.h"

namespace offhook::bench {

class Device;

// Who uses a device. Numbered messages alone, each once and in order.
class Party {
 public:
  virtual ~Party() = default;
  virtual void handle_message(Device& device, std::string_view type, std::string_view frame) = 0;
  // Its connection has ended; it does not come back.
  virtual void handle_gone(Device& device, std::uint16_t code, std::string_view reason) = 0;
};

// The acknowledgements and pings of all devices of a crowd, by their time.
class Pulse final : public Timed {
 public:
  Pulse();
  Instant next_due() const override;
  void handle_due(Instant now) override;
  void want_ack(Device& device, Instant now) { acks_.put(&device, now); }
  void want_ping(Device& device, Instant now) { pings_.put(&device, now); }

 private:
  FixedDelay<Device*> acks_;
  FixedDelay<Device*> pings_;
};

class Device final : public WebSocket::Listener {
 public:
  Device(Crowd& crowd, Pulse& pulse, std::string user, std::string token)
      : crowd_(crowd), pulse_(pulse), user_(std::move(user)), token_(std::move(token)) {}

  void open(int receive_buffer = 0) { socket_ = crowd_.connect("/ws", *this, receive_buffer); }
  void belong_to(Party& party) { party_ = &party; }

  const std::string& user() const { return user_; }
  bool is_signed_in() const { return signed_in_; }
  bool is_gone() const { return gone_; }
  std::uint64_t received() const { return received_; }

  // A numbered message; `members` begin with the type's: `"type":"dial",…`.
  void say(std::string_view members);
  // Reads nothing any more, and acknowledges nothing, but pings as before; or reads again.
  void set_deaf(bool deaf);

  void send_ack();
  void send_ping();
  bool owes_ack() const { return unacknowledged_ > 0 && !deaf_; }
  // For Pulse: no acknowledgement waits any more.
  void ack_is_due();

 private:
  void handle_open() override;
  void handle_text(std::string_view frame) override;
  void handle_closed(std::uint16_t code, std::string_view reason) override;
  void handle_numbered(std::uint64_t seq, std::string_view frame);

  Crowd& crowd_;
  Pulse& pulse_;
  std::string user_;
  std::string token_;
  Party* party_ = nullptr;
  std::size_t socket_ = 0;
  bool signed_in_ = false;
  bool gone_ = false;
  bool deaf_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::uint32_t unacknowledged_ = 0;
  bool ack_waits_ = false;
};

// Devices by user, `prefix` and a number each, with tokens of `secret`.
class Devices {
 public:
  Devices(Crowd& crowd, Secret secret);
  // Its user is `prefix` and `number`.
  Device& add(std::string_view prefix, std::size_t number);
  // Connects and signs in those that are not yet, a few hundred at a time. False if it takes too long.
  bool sign_in(int receive_buffer = 0);
  Crowd& crowd() { return crowd_; }

 private:
  Crowd& crowd_;
  Secret secret_;
  Pulse pulse_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::size_t opened_ = 0;
  std::size_t signed_in_ = 0;
};

}  // namespace offhook::bench
