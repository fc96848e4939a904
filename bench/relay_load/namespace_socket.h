#pragma once
// One UDP socket that speaks for a whole prefix of addresses inside a network namespace, a batch a system
// call.
//
// A thousand clients with a socket each would make the generator dearer than the server that it loads. Here
// one socket is bound to the wildcard address, the namespace routes a prefix to itself (`ip route add local
// ... dev lo`), and IP_PKTINFO says which address sends or was reached.

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "io/loop/fd.h"
#include "relay_load/message_sockets.h"

namespace offhook::bench {

class NamespaceSocket final : public MessageSockets {
 public:
  // `netns_path`: as in namespace.h. `merges`: datagrams of one size in a row from one address to one other
  // leave as one message (UDP_SEGMENT), which the receiver gets whole if it asks for that (UDP_GRO), and
  // which the kernel cuts before it, at the sender's cost, if it does not. The error says what failed.
  static Result<std::unique_ptr<NamespaceSocket>, std::string> open(const std::string& netns_path,
                                                                    std::uint16_t port, bool merges);

  // At most kBatch datagrams; those longer than kMessageBytesLimit come truncated.
  Result<std::span<const Received>, std::string> receive() override;
  void wait_readable(int timeout_ms) const override;
  MutableBytes queue(std::uint32_t local_ip, const Endpoint& remote, std::size_t bytes) override;
  std::size_t queued() const override { return queued_; }
  Result<void, std::string> flush() override;

 private:
  struct Slot {
    std::array<std::uint8_t, kMessageBytesLimit> bytes;
    // Which address sends or was reached, and of a merged message how long each part is.
    alignas(cmsghdr)
        std::array<std::uint8_t, CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t))> control;
    sockaddr_in remote;
  };
  struct Ring {
    std::array<Slot, kBatch> slots;
    std::array<iovec, kBatch> vectors;
    std::array<mmsghdr, kBatch> headers;
  };
  NamespaceSocket(io::Fd fd, bool merges);
  static void arm(Ring& ring, std::size_t index);
  bool goes_with(std::size_t first, std::size_t index) const;
  void merge();

  io::Fd fd_;
  std::unique_ptr<Ring> incoming_;
  std::unique_ptr<Ring> outgoing_;
  std::array<Received, kBatch> received_{};
  bool merges_;
  std::size_t queued_ = 0;
  std::size_t messages_ = 0;  // that they have become
};

}  // namespace offhook::bench
