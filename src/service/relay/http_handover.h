#pragma once
// HTTP connections that came in at a port of the relay, on their way from the shards to the thread that
// speaks HTTP. Their descriptors go by the kernel: each shard has a table of its own (io/net/fd_table.h).

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "io/net/descriptor_queue.h"
#include "io/tls/accepted_stream.h"

namespace offhook::relay {

class HttpHandover {
 public:
  // What waits while the other thread is busy for a moment; it fits the socket buffer that Linux grants
  // everyone.
  static constexpr std::size_t kWaitingLimit = 512;

  HttpHandover() : sockets_(kWaitingLimit) {}

  // From any thread. False if there is no room; the connection is then closed.
  [[nodiscard]] bool give(io::AcceptedStream stream);
  // All that waits, oldest first. One whose descriptor the calling thread has no room for is lost.
  std::vector<io::AcceptedStream> take();

  // False if the system gave it no sockets of its own.
  explicit operator bool() const { return bool(sockets_); }
  // Readable while something waits; of the table that this was made in.
  int fd() const { return sockets_.readable_fd(); }
  // What a shard must keep in its table of descriptors.
  std::vector<int> fds() const { return sockets_.fds(); }

 private:
  struct Waiting {
    std::optional<io::TlsConnection> tls;
    Address client_address;
  };

  std::mutex mutex_;
  std::uint64_t next_label_ = 0;
  std::map<std::uint64_t, Waiting> waiting_by_label_;
  io::DescriptorQueue sockets_;
};

}  // namespace offhook::relay
