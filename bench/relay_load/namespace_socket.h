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

namespace offhook::bench {

// IPv4 address (host order) and port: what the inner loop compares.
struct Endpoint {
  std::uint32_t ip = 0;
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

class NamespaceSocket {
 public:
  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kDatagramBytesLimit = 2048;

  struct Received {
    Bytes datagram;  // valid until the next receive()
    std::uint32_t local_ip = 0;
    Endpoint remote;
  };

  // `netns_path`: such as /run/netns/NAME; empty stays in the namespace of the process. The error says what
  // failed.
  static Result<NamespaceSocket, std::string> open(const std::string& netns_path, std::uint16_t port);
  NamespaceSocket(NamespaceSocket&& other) noexcept;
  NamespaceSocket(const NamespaceSocket&) = delete;
  NamespaceSocket& operator=(const NamespaceSocket&) = delete;
  NamespaceSocket& operator=(NamespaceSocket&&) = delete;
  ~NamespaceSocket();

  // Up to kBatch datagrams that are there now; never waits. Datagrams longer than kDatagramBytesLimit come
  // truncated.
  std::span<const Received> receive();
  // Waits until something can be received, at most this long.
  void wait_readable(int timeout_ms) const;

  // Room for one outgoing datagram; flush() sends it. At most kBatch between two flushes, `bytes` at most
  // kDatagramBytesLimit.
  MutableBytes queue(std::uint32_t local_ip, const Endpoint& remote, std::size_t bytes);
  std::size_t queued() const { return queued_; }
  Result<void, std::string> flush();

 private:
  struct Slot {
    std::array<std::uint8_t, kDatagramBytesLimit> bytes;
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(in_pktinfo))> control;
    sockaddr_in remote;
    iovec vector;
  };
  struct Ring {
    std::array<Slot, kBatch> slots;
    std::array<mmsghdr, kBatch> headers;
  };
  explicit NamespaceSocket(int fd);
  static void arm(Ring& ring, std::size_t index);

  int fd_;
  std::unique_ptr<Ring> incoming_;
  std::unique_ptr<Ring> outgoing_;
  std::array<Received, kBatch> received_{};
  std::size_t queued_ = 0;
};

}  // namespace offhook::bench
