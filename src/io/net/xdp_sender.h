#pragma once
// Sends UDP datagrams in Ethernet frames of our own over one interface, as packet_sender.h does, through an
// AF_XDP socket: a call takes all that waits from memory that it shares with the kernel, which is a quarter
// cheaper than a list of messages. Past the queue of the interface and what filters there (tc(8)) as well.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "io/net/frame_headers.h"
#include "io/net/next_hops.h"
#include "io/net/xdp_queue.h"

namespace offhook::io {

class XdpSender {
 public:
  // The `user`th of `queue`. `limit`: datagrams that wait at most. Fails with an errno.
  static Result<XdpSender, int> open(std::shared_ptr<XdpQueue> queue, std::size_t user, std::size_t limit);

  int interface() const { return queue_->interface(); }
  int fd() const { return sender_.socket.get(); }
  // Whether add() may be called: there is room, and the interface has not refused for a second. Without a
  // frame it stays false until end_round(): what goes another way meanwhile is not to take turns with it.
  bool is_ready(Instant now);

  // Requires is_ready(), a hop over interface(), both addresses of one family, and a datagram that `hop`
  // takes whole, 1,500 bytes at most with its IP header. Copies `bytes`. `tag` is the caller's word for it.
  void add(const NextHop& hop, const Address& from, const Address& to, Bytes bytes, std::size_t tag);
  // Sends what waits, in its order. `refused` is called with the tag of each datagram that the kernel does
  // not take: the interface is gone, down, without a carrier or full, or there is no memory.
  template <typename Refused>
  void flush(Refused refused) {
    for (std::size_t i = send(); i < tags_.size(); ++i) refused(tags_[i]);
    tags_.clear();
  }
  // What else went to the interface meanwhile has left.
  void end_round() { lacks_frames_ = false; }

 private:
  XdpSender(std::shared_ptr<XdpQueue> queue, XdpQueue::Sender sender, std::size_t user, std::size_t limit);
  // Has the kernel take what is in the ring; returns how much is left there.
  std::uint32_t push();
  bool skip_what_was_taken_back();
  std::size_t send();
  void take_back(std::uint32_t count);
  void reclaim();
  void set_free(std::uint32_t number);

  std::shared_ptr<XdpQueue> queue_;
  XdpQueue::Sender sender_;
  std::size_t user_;
  std::size_t limit_;
  FrameHeaders headers_;
  std::uint32_t end_ = 0;            // of what is in the ring
  std::uint32_t first_frame_;        // of ours
  std::vector<bool> is_free_;        // of each of ours
  std::vector<std::uint32_t> free_;  // the last one first, for the caches know it
  std::vector<std::uint32_t> done_;  // told by the kernel just now
  std::vector<std::size_t> tags_;    // of those that wait
  bool lacks_frames_ = false;
  bool has_failed_ = false;
  Instant again_at_{};
};

}  // namespace offhook::io
