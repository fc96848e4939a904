#pragma once
// The real call core and what its service does for it (src/service/signal, src/cmd/serve): sockets, hellos,
// effects in their order, introductions before the frames that make use of them. It can crash, shut down and
// stand still. After each step the tables agree, and the ledger and the judge have seen what went out.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/call/server.h"
#include "dice.h"
#include "journal.h"
#include "judge.h"
#include "network.h"
#include "relay_host.h"
#include "session_ledger.h"
#include "stage.h"

namespace offhook::sim {

class SignalHost final : public SocketServer {
 public:
  SignalHost(Stage& stage, Network& network, RelayHost& relay, Judge& judge);

  bool is_up() const override { return core_ != nullptr; }
  void accept_socket(SocketId socket) override;
  void receive_text(SocketId socket, const std::string& text) override;
  void lose_socket(SocketId socket) override;

  // For a while; then it starts again, knowing nothing but what its journal has.
  void crash(Duration down);
  void shut_down(Duration down);
  // What the app's backend asks for.
  void end_call(std::uint64_t choice);
  void revoke(const std::string& user);
  void place(const std::string& caller, const std::string& callee);
  // It does nothing for a while, and its clock goes on.
  void pause(Duration span);

  call::Server::Counts counts() const { return core_ ? core_->counts() : call::Server::Counts{}; }
  void check_nothing_left() const;

 private:
  using Work = std::function<void(call::Outbox&)>;

  void start();
  void restore();
  void go_down(Duration down);
  void go_on();
  void step(StepInput input, const Work& work);
  void hello(SocketId socket, const std::string& text);
  void frame(SocketId socket, const std::string& text);
  void run_deadlines();
  void carry_out(call::Outbox& outbox);
  void send(const call::SendFrame& effect, call::Outbox& outbox);
  void note(SocketId socket, const std::string& text);
  void close(const call::CloseConnection& effect);
  void check();
  void check_rung(SocketId socket, const std::string& user) const;
  void check_dialled(const signal::Dial& dial, const std::string& caller) const;
  void check_told(const signal::Snapshot& told, bool goes_on) const;
  void check_all_ring(const std::string& call, const std::string& callee) const;
  void begin(const call::WaitingCall& call);
  void try_to_wake(const std::string& call);
  void wake(const std::string& call, call::Waking waking);
  void arm();

  Stage& stage_;
  Network& network_;
  RelayHost& relay_;
  Judge& judge_;
  const call::Settings settings_;
  Dice dice_;
  std::unique_ptr<call::Server> core_;
  std::unique_ptr<SessionLedger> ledger_;
  Journal journal_;
  struct Connection {
    bool has_greeted = false;
    Instant hello_due{};
    std::string user;
  };
  std::map<SocketId, Connection> connections_;
  // What comes while it stands still, in its order.
  bool is_paused_ = false;
  Instant paused_until_{};
  std::vector<Timetable::Task> held_;
  const StepInput* input_ = nullptr;
  std::uint64_t input_seq_ = 0;
  // Of this step: who was told of a call, and who got an offer with it.
  std::multiset<SocketId> rung_;
  std::multiset<SocketId> offered_;
  bool was_begun_ = false;  // a call
  bool was_taken_ = false;  // the same
  Timer timer_;
  Timer restart_timer_;
  Timer pause_timer_;
};

}  // namespace offhook::sim
