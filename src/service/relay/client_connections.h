#pragma once
// The TCP connections of one shard's clients: what they speak, TLS, framing in, a bounded queue out,
// deadlines. Single-threaded.
//
// A connection's first byte tells what it speaks (first_byte.h). TURN stays here, inside TLS or not; HTTP is
// handed over.
//
// A connection is closed in one place: whoever finds a reason dooms it, and the shard takes the doomed ones,
// tells the core and lets them go. A doomed connection neither reads nor sends.

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/deadline_heap.h"
#include "core/turn/types.h"
#include "io/loop/poller.h"
#include "io/net/socket.h"
#include "io/tls/server_certificates.h"
#include "io/tls/tls_connection.h"
#include "service/relay/event_tag.h"
#include "service/relay/first_byte.h"
#include "service/relay/http_handover.h"
#include "service/relay/relay_counters.h"
#include "service/relay/stream_queue.h"
#include "wire/turn/stream_framing.h"

namespace offhook::relay {

// What may wait for a client that reads slowly: 1 s of 2 Mbit/s video. Media beyond it takes the place of
// older media, which is dropped whole, packet by packet, until half of the queue is free.
inline constexpr std::size_t kStreamQueueBytesLimit = 256 * 1024;
// Media that has waited for so long is of no use to a call: it is dropped, and with it all that has waited
// for half of it, so that what comes next is heard at once.
inline constexpr std::chrono::milliseconds kStaleMedia{500};
// What the kernel may hold of it that it has not sent: there nothing can be dropped any more. 1/8 s of 2
// Mbit/s video.
inline constexpr std::size_t kUnsentBytesLimit = 32 * 1024;
// Control replies may go this much beyond, so that a queue full of media does not end the allocation. A reply
// that does not fit even so ends the connection: the stream may not lose it silently.
inline constexpr std::size_t kStreamControlReserveBytes = 16 * 1024;
// One frame must arrive within this time, so must a TLS handshake, and so must the first byte after it: a
// client that trickles bytes holds a buffer, one inside TLS much more.
inline constexpr std::chrono::seconds kFrameTimeout{10};
// A connection must make an allocation within this time, and after its last one ended.
inline constexpr std::chrono::seconds kConnectionWithoutAllocationTimeout{60};
// Connections without an allocation: a shard holds this many in all, and this many from one address (a whole
// office may sit behind one address, but its clients allocate within a round trip or two). An IPv6 host may
// call itself anything within its /64, so there the /64 counts as one address.
inline constexpr std::size_t kWithoutAllocationLimit = 8192;
inline constexpr std::size_t kWithoutAllocationLimitAnAddress = 256;
// TLS handshakes that are under way in one shard: each holds some 30 KiB until it is done. Beyond it the
// oldest one ends and the newcomer is served: one byte begins a handshake, so that refusing newcomers would
// let a few silent addresses shut everybody out, while a client that answers is done in a few round trips.
inline constexpr std::size_t kHandshakesLimit = 1024;
// Steps of handshakes in one round of the loop: one may cost an operation with the private key, and media
// waits for it.
inline constexpr std::size_t kHandshakeStepsARound = 4;
// Whoever has no allocation has proved nothing yet, and gets little memory. Output: a client asks, reads, and
// asks again; this is some twenty replies that it has not read.
inline constexpr std::size_t kStreamQueueBytesLimitWithoutAllocation = 4 * 1024;
// An unfinished frame: the longest USERNAME (RFC 8489 section 14.3) and SOFTWARE (section 14.14), 508 and 763
// bytes, with everything else that an Allocate request carries.
inline constexpr std::size_t kFrameBytesLimitWithoutAllocation = 2 * 1024;

// Clients that one round of the loop sends to. To receive a packet costs a fifth of sending it: so what has
// come is taken in first, and of a client that waits for its turn all that has come meanwhile goes together.
// Where the shard keeps pace no client waits; after a pause of the machine the wait is soon over.
inline constexpr std::size_t kFlushesARound = 32;

class ClientConnections {
 public:
  // Without `certificates` a client that begins TLS is closed, without `http` one that speaks HTTP. Both must
  // outlive this.
  ClientConnections(io::Poller& poller, ShardCounters& counters,
                    const io::ServerCertificates* certificates = nullptr, HttpHandover* http = nullptr)
      : poller_(poller), counters_(counters), certificates_(certificates), http_(http) {}

  // Set in the handle of every stream client; a UDP client's handle is the index of its listening socket.
  static constexpr std::uint32_t kHandleBit = 0x8000'0000;
  static bool owns(std::uint32_t handle) { return (handle & kHandleBit) != 0; }

  // Takes the connection in, or closes it at once if a limit is reached.
  enum class Service : std::uint8_t { turn, turn_and_http };
  void adopt(io::Accepted accepted, const Address& listen_address, Service service, Instant now);

  // Before each wait for events: gives out anew what a round may spend on handshakes, first to those that
  // found it spent.
  void begin_round();

  // The client behind an event; nothing if its connection is gone.
  std::optional<turn::Client> find(const EventTag& tag) const;
  // Reads once. Null if nothing came or the connection is doomed. finish_read() must follow and be told
  // whether frames were taken. The framer is valid until then; frames taken from it until
  // handle_frames_done(), or until the next read of this connection.
  struct Read {
    turn::StreamFramer* framer = nullptr;
    bool more = false;      // the read filled all the space it had
    bool buffered = false;  // more has left the socket: the poller will not wake for it
  };
  // buffered_alone: what has left the socket already, so that a busy client does not hold the others up.
  enum class Source : std::uint8_t { socket, buffered_alone };
  Read read(std::uint32_t handle, Instant now, Source source = Source::socket);
  void finish_read(std::uint32_t handle, bool frames_taken, Instant now);
  // More may stand in the socket than was read, of which no event would tell: the poller looks at it once
  // more.
  void look_again(std::uint32_t handle);
  // Whether the next read of it goes where frames taken before may still lie.
  bool has_unfinished_frame(std::uint32_t handle);
  // Nobody has a frame any more of a connection whose read is finished.
  void handle_frames_done();

  // Queues whole packets. A client that is gone is none. Media belongs to an allocation.
  void send_media(const turn::Client& client, Bytes bytes, Instant now);
  void send_control(const turn::Client& client, Bytes bytes, Instant now);
  // Sends to those that have waited longest, kFlushesARound at most.
  void flush();
  // Whether others are left.
  bool has_to_flush() const { return flushed_ < to_flush_.size(); }
  // True if reading waited for room as well: then read() goes on.
  [[nodiscard]] bool handle_writable(std::uint32_t handle, Instant now);

  // Whether this client has an allocation decides which deadline it is under.
  void set_has_allocation(const turn::Client& client, bool has_allocation, Instant now);
  void handle_deadlines(Instant now);
  Instant next_deadline() const { return deadlines_.next(); }

  // Closes one doomed connection and returns its client; nothing when none is left.
  std::optional<turn::Client> take_doomed();
  // All of them, in the thread that accepted them: nowhere else do the descriptors mean anything.
  void close_all();

 private:
  enum class Phase : std::uint8_t {
    fresh,        // nothing has come, in the clear
    handshaking,  // TLS
    secured,      // nothing has come inside TLS
    turn,
  };
  // Of a handshake. One that waits is out of the poller, so that a crowd of them takes no place among its
  // events.
  enum class Turn : std::uint8_t { not_needed, waits, has_come };
  struct Connection {
    io::Socket socket;
    std::optional<io::TlsConnection> tls;
    turn::Client client;
    Phase phase = Phase::fresh;
    Service service = Service::turn;
    std::uint32_t serial = 0;
    bool has_allocation = false;
    bool doomed = false;
    bool waits_for_room = false;       // the kernel's buffer is full; EPOLLOUT is asked for
    bool read_waits_for_room = false;  // TLS has to send before it can read on
    bool read_ended = false;           // with the bytes read last: nothing follows them
    bool to_flush = false;
    bool acknowledged_together = false;  // asked for before these reads
    bool waits_for_acknowledgements = false;
    std::uint8_t reads = 0;            // counted so far
    std::uint8_t pauses = 0;           // before these
    std::uint8_t reads_held_back = 0;  // of these
    std::size_t bytes_read = 0;        // with these
    std::size_t usual_bytes = 0;       // of a read, of those counted before
    Turn turn = Turn::not_needed;
    Instant idle_since;  // without an allocation
    // When the unfinished frame or the handshake began, or the wait for the first byte after it.
    Instant frame_since = kNever;
    Instant last_read_at{};
    Duration between_reads{};                    // but for pauses
    Instant armed = kNever;                      // its entry in deadlines_
    std::unique_ptr<turn::StreamFramer> framer;  // only while a frame is unfinished
    std::unique_ptr<StreamQueue> out;            // only while bytes wait
  };

  Connection* find(std::uint32_t handle);
  Connection* find(const turn::Client& client);
  Connection* find_tagged(const EventTag& tag);
  static EventTag tag_of(const Connection& connection);
  void doom(Connection& connection);
  void queue(Connection& connection, Bytes bytes, StreamQueue::Kind kind, Instant now);
  static std::size_t waiting_bytes(const Connection& connection) {
    return connection.out ? connection.out->bytes() : 0;
  }
  bool has_room_for_control(Connection& connection, std::size_t bytes);

  // client_connections_tls.cc
  // True once the connection speaks TURN. Until then each call goes as far as the bytes that came allow.
  bool identify(Connection& connection, Instant now);
  std::optional<Protocol> first_protocol(Connection& connection);
  // False if the round's steps are spent; then the connection's turn comes in a later round.
  bool take_handshake_step(Connection& connection);
  void begin_tls(Connection& connection, Instant now);
  void end_oldest_handshake();
  void remember_handshake(const Connection& connection);
  void shake_hands(Connection& connection, Instant now);
  void hand_over(Connection& connection);
  // Bytes read; 0 if none came, or the connection is doomed now.
  std::size_t receive(Connection& connection, MutableBytes space, Source source);
  std::size_t receive_secured(Connection& connection, MutableBytes space, Source source);
  // Bytes sent; 0 if the socket takes none now, or the connection is doomed now.
  std::size_t send_some(Connection& connection, Bytes bytes);

  // How the socket is to acknowledge what comes next.
  void note_read(Connection& connection, std::size_t bytes, Instant now);
  static void judge_reads(Connection& connection);
  void drop_stale(Connection& connection, Instant now);
  void send_waiting(Connection& connection);
  void keep_spare(std::unique_ptr<StreamQueue> queue);
  void watch(Connection& connection, bool for_room);
  void watch(Connection& connection);
  void arm(Connection& connection, Instant deadline);
  Instant deadline_of(const Connection& connection) const;
  bool within_limits(const Ip& ip) const;
  void count_without_allocation(const Ip& ip, int change);

  io::Poller& poller_;
  ShardCounters& counters_;
  const io::ServerCertificates* certificates_;
  HttpHandover* http_;
  std::vector<std::unique_ptr<Connection>> connections_;  // by handle without kHandleBit
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> to_flush_;  // longest wait first, behind those that are done
  std::size_t flushed_ = 0;              // so many
  std::vector<std::uint32_t> doomed_;
  std::uint32_t next_serial_ = 1;
  std::size_t handshakes_ = 0;  // under way
  // Oldest first. An entry whose handshake is over stays until it comes to the front, or too many have
  // gathered.
  std::deque<EventTag> handshake_order_;
  std::deque<EventTag> waiting_turns_;  // longest wait first; here, too, entries outlive their connections
  std::size_t turns_given_ = 0;         // Turn::has_come
  std::size_t handshake_steps_left_ = kHandshakeStepsARound;  // of this round, for those that need no turn
  std::size_t without_allocation_ = 0;
  std::unordered_map<Ip, std::size_t> without_allocation_by_address_;  // IPv6 by /64
  DeadlineHeap<std::uint32_t> deadlines_;
  // Lent to connections while they need one, so that an idle connection owns neither. Those without an
  // allocation get new ones, which are as small as their limits.
  std::vector<std::unique_ptr<turn::StreamFramer>> spare_framers_;
  std::vector<std::unique_ptr<turn::StreamFramer>>
      resting_framers_;  // given back; their frames may be in use
  std::vector<std::unique_ptr<StreamQueue>> spare_queues_;
  std::size_t spare_queue_bytes_ = 0;
};

}  // namespace offhook::relay
