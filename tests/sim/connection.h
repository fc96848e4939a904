#pragma once
// A client's session with the server over one socket at a time, as the SDK keeps it: opened again when it is
// lost, resumed, kept alive. A socket that is silent when it matters gets others at its side; a hello that is
// given up may still arrive.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "messages.h"
#include "network.h"
#include "numbered.h"
#include "stage.h"

namespace offhook::sim {

class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void handle_message(const ServerMessage& message, const ClientMessage* refused) = 0;
  virtual void handle_online(bool resumed) = 0;
  virtual void handle_offline() = 0;
  virtual void handle_session_lost(const std::set<std::string>& kept) = 0;
  virtual void handle_credentials(const std::string& username, const std::string& credential) = 0;
};

class Connection final : public SocketOwner {
 public:
  Connection(Stage& stage, Network& network, Access& access, std::string label, std::string user,
             const PlannedDevice& device, ConnectionOwner& owner);
  ~Connection() override;

  void start();
  void send(ClientMessage message);
  void probe();
  void suspect();
  void renew();
  void set_urgent(bool urgent);
  // Ends the session, as far as a message still gets out.
  void say_bye();

  bool is_online() const { return socket_ && !greeting_; }
  // Heard on a socket that is in use, within `span`.
  bool heard_within(Duration span) const { return is_online() && stage_.now() - heard_at_ <= span; }
  // The same, from `then` on: a socket that is cut off and has not noticed yet has heard nothing.
  bool heard_after(Instant then) const { return is_online() && heard_at_ > then; }
  const NumberedStream& numbered() const { return numbered_; }
  const std::string& session() const { return session_; }
  // The session before this one was given up here, so the server may still have it, with all its calls.
  bool has_given_up() const { return has_given_up_; }
  // Rises with each session.
  std::uint64_t epoch() const { return epoch_; }
  // Whether what is written now has been acknowledged for long.
  void check_acknowledged();

  void handle_socket_opened(SocketId socket) override;
  void handle_socket_text(SocketId socket, const std::string& text) override;
  void handle_socket_closed(SocketId socket, std::uint16_t code, const std::string& reason) override;

 private:
  void open();
  void greet();
  void hedge();
  void schedule_hedge();
  void open_again();
  void handle_welcome(SocketId socket, json::Fields& fields, const std::string& text);
  void handle_numbered(const ServerMessage& message, const std::string& text);
  void handle_silence(Duration waited);
  bool was_replaced_by_us(SocketId socket);
  void ping(Duration timeout);
  void schedule_pings();
  void tick();
  void write(std::string frame);
  void flush();
  void catch_up();
  void acknowledge();
  void lose(SocketId socket);
  void lose_calmly(SocketId socket);
  void lose_session();
  void retry();
  void drop(SocketId opening);
  void drop_openings();
  void drop_socket();

  Stage& stage_;
  Network& network_;
  Access& access_;
  const std::string label_;
  const std::string user_;
  const WarmPath warm_path_;
  const bool is_clumsy_;
  ConnectionOwner& owner_;
  Dice dice_;
  NumberedStream numbered_;

  std::optional<SocketId> socket_;
  std::vector<SocketId> openings_;
  std::set<SocketId> ready_;  // of openings_: those that are open
  std::optional<SocketId> greeting_;
  std::uint64_t hellos_ = 0;
  std::optional<Instant> gave_up_at_;
  std::uint64_t slow_hellos_ = 0;
  std::size_t tries_again_ = 0;
  bool is_suspected_ = false;
  bool is_urgent_ = false;
  bool is_hurried_ = false;
  std::string session_;
  std::string resume_token_;
  bool can_resume_ = false;
  bool had_session_ = false;
  bool gives_up_ = false;
  bool has_given_up_ = false;
  bool has_stopped_ = false;
  std::uint64_t epoch_ = 0;
  std::size_t attempt_ = 0;
  std::size_t overflows_ = 0;
  Instant heard_at_{};
  Instant welcomed_at_{};
  Duration pong_wait_{};
  Timer retry_timer_;
  Timer hedge_timer_;
  Timer ping_timer_;
  Timer pong_timer_;
  Timer ack_timer_;
  std::map<SocketId, Timer> late_timers_;  // of openings_
};

}  // namespace offhook::sim
