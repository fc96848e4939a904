#pragma once
// The TCP connections of one shard's clients: framing in, a bounded queue out, deadlines. Single-threaded.
//
// A connection is closed in one place: whoever finds a reason dooms it, and the shard takes the doomed ones,
// tells the core and lets them go. A doomed connection neither reads nor sends.

#include <chrono>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/deadline_heap.h"
#include "core/turn/types.h"
#include "io/loop/poller.h"
#include "io/net/socket.h"
#include "service/relay/event_tag.h"
#include "service/relay/relay_counters.h"
#include "wire/turn/stream_framing.h"

namespace offhook::relay {

// What may wait for a client that reads slowly: 1 s of 2 Mbit/s video. Media beyond it is dropped, packet by
// packet.
inline constexpr std::size_t kStreamQueueBytesLimit = 256 * 1024;
// Control replies may go this much beyond, so that a queue full of media does not end the allocation. A reply
// that does not fit even so ends the connection: the stream may not lose it silently.
inline constexpr std::size_t kStreamControlReserveBytes = 16 * 1024;
// One frame must arrive within this time; a client that trickles bytes holds a buffer.
inline constexpr std::chrono::seconds kFrameTimeout{10};
// A connection must make an allocation within this time, and after its last one ended.
inline constexpr std::chrono::seconds kConnectionWithoutAllocationTimeout{60};
// Connections without an allocation: a shard holds this many in all, and this many from one address (a whole
// office may sit behind one address, but its clients allocate within a round trip or two). An IPv6 host may
// call itself anything within its /64, so there the /64 counts as one address.
inline constexpr std::size_t kWithoutAllocationLimit = 8192;
inline constexpr std::size_t kWithoutAllocationLimitAnAddress = 256;
// Whoever has no allocation has proved nothing yet, and gets little memory. Output: a client asks, reads, and
// asks again; this is some twenty replies that it has not read.
inline constexpr std::size_t kStreamQueueBytesLimitWithoutAllocation = 4 * 1024;
// An unfinished frame: the longest USERNAME (RFC 8489 section 14.3) and SOFTWARE (section 14.14), 508 and 763
// bytes, with everything else that an Allocate request carries.
inline constexpr std::size_t kFrameBytesLimitWithoutAllocation = 2 * 1024;

class ClientConnections {
 public:
  ClientConnections(io::Poller& poller, ShardCounters& counters) : poller_(poller), counters_(counters) {}

  // Set in the handle of every stream client; a UDP client's handle is the index of its listening socket.
  static constexpr std::uint32_t kHandleBit = 0x8000'0000;
  static bool owns(std::uint32_t handle) { return (handle & kHandleBit) != 0; }

  // Takes the connection in, or closes it at once if a limit is reached.
  void adopt(io::Accepted accepted, const Address& listen_address, Instant now);

  // The client behind an event; nothing if its connection is gone.
  std::optional<turn::Client> find(const EventTag& tag) const;
  // Reads once. Null if nothing came or the connection is doomed. The framer, and frames taken from it, stay
  // valid until finish_read(), which must follow and be told whether frames were taken. `more` says that the
  // read filled all the space it had.
  struct Read {
    turn::StreamFramer* framer = nullptr;
    bool more = false;
  };
  Read read(std::uint32_t handle);
  void finish_read(std::uint32_t handle, bool frames_taken, Instant now);

  // Queues whole packets; flush() sends. A client that is gone is none. Media belongs to an allocation.
  void send_media(const turn::Client& client, Bytes bytes);
  void send_control(const turn::Client& client, Bytes bytes);
  void flush();
  void handle_writable(std::uint32_t handle);

  // Whether this client has an allocation decides which deadline it is under.
  void set_has_allocation(const turn::Client& client, bool has_allocation, Instant now);
  void handle_deadlines(Instant now);
  Instant next_deadline() const { return deadlines_.next(); }

  // Closes one doomed connection and returns its client; nothing when none is left.
  std::optional<turn::Client> take_doomed();
  // All of them, in the thread that accepted them: nowhere else do the descriptors mean anything.
  void close_all();

 private:
  struct Connection {
    io::Socket socket;
    turn::Client client;
    std::uint32_t serial = 0;
    bool has_allocation = false;
    bool doomed = false;
    bool waits_for_room = false;  // the kernel's buffer is full; EPOLLOUT is asked for
    bool to_flush = false;
    Instant idle_since;                          // without an allocation
    Instant frame_since = kNever;                // when the unfinished frame began
    Instant armed = kNever;                      // its entry in deadlines_
    std::unique_ptr<turn::StreamFramer> framer;  // only while a frame is unfinished
    Buffer out;                                  // only while bytes wait
    std::size_t out_sent = 0;                    // of out
  };

  Connection* find(std::uint32_t handle);
  Connection* find(const turn::Client& client);
  void doom(Connection& connection);
  void queue(Connection& connection, Bytes bytes);
  static std::size_t waiting_bytes(const Connection& connection) {
    return connection.out.size() - connection.out_sent;
  }
  bool has_room_for_control(Connection& connection, std::size_t bytes);
  void send_waiting(Connection& connection);
  void watch(Connection& connection, bool for_room);
  void arm(Connection& connection, Instant deadline);
  Instant deadline_of(const Connection& connection) const;
  bool within_limits(const Ip& ip) const;
  void count_without_allocation(const Ip& ip, int change);

  io::Poller& poller_;
  ShardCounters& counters_;
  std::vector<std::unique_ptr<Connection>> connections_;  // by handle without kHandleBit
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> to_flush_;
  std::vector<std::uint32_t> doomed_;
  std::uint32_t next_serial_ = 1;
  std::size_t without_allocation_ = 0;
  std::unordered_map<Ip, std::size_t> without_allocation_by_address_;  // IPv6 by /64
  DeadlineHeap<std::uint32_t> deadlines_;
  // Lent to connections while they need one, so that an idle connection owns neither. Those without an
  // allocation get new ones, which are as small as their limits.
  std::vector<std::unique_ptr<turn::StreamFramer>> spare_framers_;
  std::vector<Buffer> spare_buffers_;
};

}  // namespace offhook::relay
