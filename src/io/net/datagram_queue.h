#pragma once
// Datagrams on their way out. Those of one size to one destination leave as one message that the kernel cuts
// (UDP_SEGMENT), so that a burst goes through its network stack once. Others leave together where the process
// may (io/net/joint_sender.h); else with one system call for each run of datagrams that have the same socket.

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/time.h"
#include "io/net/joint_sender.h"
#include "io/net/socket_address.h"

namespace offhook::io {

// What the kernel cuts a message into, at most (UDP_MAX_SEGMENTS of its older versions).
inline constexpr std::size_t kSegmentsLimit = 64;
// A message that is cut cannot have fragments as well: a larger datagram goes alone.
inline constexpr std::size_t kSegmentBytesLimit = kUnfragmentedBytesLimit;

class DatagramQueue {
 public:
  // `joint` has the same limit.
  explicit DatagramQueue(std::size_t limit, JointSender joint = {});

  JointSender& joint() { return joint_; }
  const JointSender& joint() const { return joint_; }
  bool full() const { return used_ == parts_.size(); }
  bool empty() const { return used_ == 0; }
  // Requires !full(). `from` is what the socket is bound to. Borrows `bytes` and `fd` until flush().
  void add(int fd, const Address& from, const Address& to, Bytes bytes);
  // Sends all that waits. Returns how many datagrams the kernel did not take: UDP may lose them, so nobody
  // waits for room. `now` as it is read once a round.
  std::size_t flush(Instant now);

 private:
  // The option that says how long each segment is.
  struct SegmentControl {
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(std::uint16_t))> bytes;
  };

  // Datagrams of one way: the same socket and destination.
  struct Flow {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    std::uint16_t count = 0;
    std::uint16_t next = 0;  // in its bucket
    bool is_apart = false;   // others stand between them
  };
  static constexpr std::uint16_t kNone = 0xFFFF;
  static constexpr std::size_t kBuckets = 128;

  bool find_flows();
  Flow& flow_of(std::uint16_t datagram);
  void bring_together();

  Bytes payload(std::size_t datagram) const;
  std::size_t flush_run(std::size_t first, std::size_t end, Instant now);
  std::size_t send_refused(std::size_t datagram);
  std::size_t flush_joint();
  std::size_t flush_messages(int fd);
  std::size_t end_of_run(std::size_t first) const;
  std::size_t end_of_message(std::size_t first, std::size_t end) const;
  void add_message(std::size_t first, std::size_t end);
  int send_messages(int fd, std::size_t first);
  std::size_t send_run(int fd);
  std::size_t datagrams_from(std::size_t message) const;
  std::size_t send_singly(int fd, const mmsghdr& message);

  // Of each datagram.
  std::vector<iovec> parts_;
  std::vector<int> fds_;
  std::vector<Address> from_;
  std::vector<Address> to_;
  std::size_t used_ = 0;
  JointSender joint_;
  std::vector<Flow> flows_;
  std::size_t flow_count_ = 0;
  std::array<std::uint16_t, kBuckets> buckets_{};  // the newest of each
  std::vector<std::uint16_t> next_;                // of the same flow
  std::vector<iovec> parts_together_;
  std::vector<int> fds_together_;
  std::vector<Address> from_together_;
  std::vector<Address> to_together_;
  // Of the run that is being sent; each message has the parts of its datagrams.
  std::vector<mmsghdr> messages_;
  std::vector<SocketAddress> destinations_;
  std::vector<SegmentControl> controls_;
  std::size_t message_count_ = 0;
  bool may_segment_ = true;  // until a device or a kernel refuses to
};

// Sends one datagram now. False if the kernel did not take it.
bool send_datagram(int fd, const Address& to, Bytes bytes);

}  // namespace offhook::io
