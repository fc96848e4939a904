#pragma once
// One thread of the data path: own loop, own listening sockets, own TURN server, own relay sockets and
// connections. With the other shards it shares what Shared holds, and only control requests touch that.
//
//   wait -> read the clock once -> receive batches -> core -> send batches
//
// Per packet nothing is allocated, locked or timed.

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/turn/server.h"
#include "crypto/secure_random.h"
#include "io/loop/mailbox.h"
#include "io/loop/poller.h"
#include "io/net/datagram_batch.h"
#include "io/net/datagram_queue.h"
#include "service/relay/allocation_quota.h"
#include "service/relay/client_connections.h"
#include "service/relay/gathering.h"
#include "service/relay/listeners.h"
#include "service/relay/packet_filter_watch.h"
#include "service/relay/relay_log.h"
#include "service/relay/relay_sockets.h"
#include "service/relay/routes.h"
#include "service/relay/shared_receive.h"
#include "service/relay/vouched_users.h"

namespace offhook::relay {

class Shard;

// What the shards of one process share. Every member may be used from any thread.
struct Shared {
  turn::Settings settings;
  bool hops = true;  // false: everything passes the relay sockets
  RelayAddressRule rule;
  VouchedUsers users;
  AllocationQuota quota;
  RelayPorts ports;
  ReservationTable reservations;
  crypto::SecureRandom random;
  std::vector<Shard*> shards;  // by number; complete before the first one runs
  std::shared_ptr<const io::ServerCertificates> certificates;  // null: no TLS
  HttpHandover http;
  std::unique_ptr<io::FastPath> fast_path;  // null: none. Set before the shards are made
  std::unique_ptr<SharedReceive> receive;   // null: each relay port by itself. Likewise
  SendingAllowed sending_allowed;
};

// A call has passed this address to the user.
struct Introduce {
  std::string user;
  std::string call;
  Address peer_address;
};
// A hop for the shard that has the relay, from whichever shard has its far end.
struct HopChange {
  turn::RelayId relay;
  std::variant<turn::InstallHop, turn::RemoveHop> change;
};

class Shard {
 public:
  // Datagrams held at once, received and waiting to be sent: enough that the cost of a system call spreads,
  // few enough that they stay in the first-level cache's reach.
  static constexpr std::size_t kBatchSlots = 64;

  // `poller` is not null, and `joint` has room for kBatchSlots. `shared` must outlive the shard.
  Shard(unsigned number, Shared& shared, ShardListeners listeners, std::unique_ptr<io::Poller> poller,
        io::JointSender joint);

  // Watches the listening sockets; false if the kernel refuses. Before run().
  [[nodiscard]] bool watch();
  // What the shard's thread needs of the descriptors that exist before run(). Once shared.shards is complete.
  std::vector<int> fds() const;
  // The thread's body; returns after stop(), with every relay socket and connection closed. Allocations die
  // with the shard.
  void run();

  // From any thread.
  void stop();
  // From any thread. False if the mailbox is full. In effect before any packet is handled that was received
  // later.
  [[nodiscard]] bool revoke(std::string username) { return mailbox_.post(Revoke{std::move(username)}); }
  [[nodiscard]] bool introduce(Introduce introduction) {
    return mailbox_.post_quietly(std::move(introduction), kIntroductionsAtOnce);
  }
  // One a call, and calls have a limit; a lost one would leave permissions behind.
  void part(std::string call) { mailbox_.post_always(Part{std::move(call)}); }
  [[nodiscard]] bool change_hop(HopChange change) { return mailbox_.post(std::move(change)); }
  void add_to(RelayCounters& sum) const;

 private:
  // A call brings a dozen, and each packet looks for them: to be woken for each would cost more than they do.
  static constexpr std::size_t kIntroductionsAtOnce = 64;

  struct Stop {};  // only rings: stopping_ says it
  struct Revoke {
    std::string username;
  };
  struct Part {
    std::string call;
  };
  using Command = std::variant<Stop, Revoke, Introduce, Part, HopChange>;

  std::span<const io::Ready> wait(Instant deadline);
  void serve(const io::Ready& ready);
  void serve_mailbox();
  void obey(const Stop&) {}
  void obey(const Revoke& command);
  void obey(const Introduce& command);
  void obey(const Part& command);
  void obey(const HopChange& command);
  void serve_udp_listener(std::size_t index);
  void serve_tcp_listener(std::size_t index);
  void resume_accepting();
  void serve_connection(const EventTag& tag, const io::Ready& ready);
  void serve_frames(const turn::Client& client, turn::StreamFramer& framer, bool& frames_taken);
  void handle_deadlines();
  void close_doomed();

  void forward(const turn::Forward& forward);
  void forward_to_peer(const turn::Forward& forward);
  void forward_to_client(const turn::Forward& forward);
  void forward_over_hop(const turn::Forward& forward);
  void enqueue(int fd, const Address& from, const Address& to, Bytes bytes);
  void flush_queue();
  void make_room();
  void flush();

  // shard_peers.cc
  bool watch_shared_receive();
  std::vector<int> shared_receive_fds() const;
  void serve_relay(const EventTag& tag, const io::Ready& ready);
  void serve_unfinished_relays();
  bool serve_peers(const turn::RelayId& relay, const io::Socket& socket);
  void serve_shared_receive(Family family);
  void serve_peer(const turn::RelayId& relay, const io::DatagramBatch::Datagram& datagram);
  void serve_icmp_errors(Family family);
  std::optional<turn::RelayId> relay_of(const std::optional<Address>& relayed_address) const;
  bool serve_relay_errors(const turn::RelayId& relay);

  // shard_effects.cc
  void execute_effects();
  void execute(turn::SendToClient& effect);
  void execute(turn::OpenRelaySocket& effect);
  void execute(turn::ClaimReservation& effect);
  void execute(turn::ReleaseReservation& effect);
  void execute(turn::CloseRelaySocket& effect);
  void execute(turn::InstallRoute& effect);
  void execute(turn::RemoveRoute& effect);
  void execute(turn::InstallHop& effect);
  void execute(turn::RemoveHop& effect);
  void send_hop(const Address& from, HopChange change);
  void execute(turn::Audit& effect);
  void answer(const turn::RelayId& relay, const RelaySockets::Outcome& outcome);

  const unsigned number_;
  Shared& shared_;
  ShardCounters counters_;
  io::Mailbox<Command> mailbox_;
  std::unique_ptr<io::Poller> poller_;
  ShardListeners listeners_;
  RelayLog log_;
  RelaySockets relays_;
  Routes routes_;
  ClientConnections connections_;
  turn::Server server_;
  io::DatagramBatch batch_;
  io::DatagramQueue queue_;
  std::vector<Buffer> answers_;  // that wait in queue_
  turn::Outbox outbox_;
  Gathering gathering_;
  Now now_;
  Instant accept_again_at_ = kNever;  // no descriptor was left: the TCP listeners are not watched until then
  std::atomic<bool> stopping_ = false;
};

}  // namespace offhook::relay
