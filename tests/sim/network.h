#pragma once
// Sockets between devices and the server, like TCP: in order, nothing lost while they live; what is on its
// way when one is cut is lost in both directions, and who learns of it, and when, differs. Datagrams beside
// them.

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "dice.h"
#include "stage.h"

namespace offhook::sim {

enum class SocketId : std::uint64_t {};
inline constexpr std::uint16_t kCloseAbnormal = 1006;  // RFC 6455 section 7.4.1: lost without a close frame

// The device's end. After handle_socket_closed() nothing follows.
class SocketOwner {
 public:
  virtual ~SocketOwner() = default;
  virtual void handle_socket_opened(SocketId socket) = 0;
  virtual void handle_socket_text(SocketId socket, const std::string& text) = 0;
  virtual void handle_socket_closed(SocketId socket, std::uint16_t code, const std::string& reason) = 0;
};

// The server's end.
class SocketServer {
 public:
  virtual ~SocketServer() = default;
  virtual bool is_up() const = 0;
  virtual void accept_socket(SocketId socket) = 0;
  virtual void receive_text(SocketId socket, const std::string& text) = 0;
  virtual void lose_socket(SocketId socket) = 0;
};

// A device's way to the server.
struct Access {
  Access(const Plan& plan, std::size_t device)
      : delay(plan.devices[device].delay),
        jitter(plan.devices[device].jitter),
        dice(plan.seed, 1000 + device) {}

  Duration delay;
  Duration jitter;
  Dice dice;
  Instant frozen_until{};
  Instant stalled_until{};
  Instant offline_until{};
};

enum class WhoLearns : std::uint8_t { both, device, server, nobody };

class Network {
 public:
  explicit Network(Stage& stage) : stage_(stage) {}

  void serve(SocketServer& server) { server_ = &server; }

  // The owner hears handle_socket_opened() or handle_socket_closed(), or nothing.
  SocketId open(Access& access, SocketOwner& owner);
  void write_up(SocketId socket, std::string text);
  // The device gives the socket up. What it has written may still arrive.
  void close_up(SocketId socket);
  // The page is gone, and all its sockets.
  void forget(const SocketOwner& owner);

  // False if too much waits already: nothing is sent, and the socket closes with 4429.
  bool write_down(SocketId socket, std::string text);
  void close_down(SocketId socket, std::uint16_t code, std::string reason);

  void cut(const Access& access, WhoLearns who);
  // The server is gone, and with it what was on its way from it and to it.
  void cut_all();

  // How long a datagram takes now.
  Duration delay_of(Access& access);

 private:
  struct Socket {
    Access* access = nullptr;
    SocketOwner* owner = nullptr;  // nullptr once the device has given it up
    bool is_served = false;        // the server has it
    bool dead_up = false;
    bool dead_down = false;
    Instant slow_from{};
    Instant slow_until{};
    Instant last_up{};
    Instant last_down{};
    std::size_t waiting_down_bytes = 0;
  };

  Socket* find(SocketId socket);
  void forget_if_over(SocketId socket);
  void arrive(SocketId id);
  Instant sending(const Socket& socket) const;
  Instant arrival_up(Socket& socket);
  Instant arrival_down(Socket& socket);
  void cut(SocketId id, WhoLearns who);
  void tell_device(SocketId id, Instant when, std::uint16_t code, std::string reason);
  void tell_server(SocketId id, Instant when);

  Stage& stage_;
  SocketServer* server_ = nullptr;
  std::map<SocketId, Socket> sockets_;
  std::uint64_t opened_ = 0;
};

}  // namespace offhook::sim
