#pragma once
// Socket lookup (BPF_PROG_TYPE_SK_LOOKUP): the kernel gives datagrams for many ports to one socket. The
// program (bpf/lookup.bpf.c) works in the network namespace of the thread that starts it, until this ends.

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "wire/lookup_abi.h"

namespace offhook::io {

// What the process needs for it, and for the raw sockets that go with it.
inline constexpr const char* kLookupCapabilities = "CAP_BPF CAP_NET_ADMIN CAP_NET_RAW";

struct SocketLookupSettings {
  std::vector<Ip> addresses;  // at most lookup_abi::lookup_addresses_limit
  std::uint16_t port_first = 0;
  std::uint16_t port_last = 0;  // inclusive
  unsigned shards = 0;
};

// Starting and ending belong to one thread; give() and take_back() may be called from any.
class SocketLookup {
 public:
  // The error is one line: what is missing, and how to get it.
  static Result<std::unique_ptr<SocketLookup>, std::string> start(const SocketLookupSettings& settings);
  ~SocketLookup();
  SocketLookup(const SocketLookup&) = delete;
  SocketLookup& operator=(const SocketLookup&) = delete;

  // The UDP socket of this family that a shard receives with, and the raw one that has the filter of
  // icmp_filter_fd(). The UDP socket is bound, and outlives this or is closed before the next datagram: the
  // kernel forgets a socket that is closed. False if the kernel refuses it.
  [[nodiscard]] bool set_sockets(unsigned shard, Family family, int datagrams_fd, int icmp_errors_fd);
  // A socket filter (SO_ATTACH_BPF) for raw sockets: a shard's hears those ICMP errors alone that quote a
  // datagram from a port of the shard. Lives as long as this.
  int icmp_filter_fd(Family family) const;
  // From the next datagram on, what comes for addresses[address_index]:port goes to the shard's socket, or
  // again to the port's own. What was received before is where it was.
  void give(std::size_t address_index, std::uint16_t port, unsigned shard);
  void take_back(std::size_t address_index, std::uint16_t port);

 private:
  explicit SocketLookup(const SocketLookupSettings& settings) : settings_(settings) {}
  bool load();
  bool map_ports();
  bool attach();
  std::uint32_t ports_an_address() const { return settings_.port_last - settings_.port_first + 1U; }
  void set_holder(std::size_t address_index, std::uint16_t port, std::uint16_t holder);

  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  struct Detach {
    void operator()(bpf_link* link) const {
      (void)bpf_link__destroy(link);
    }  // of a program of ours: it succeeds
  };
  SocketLookupSettings settings_;
  std::unique_ptr<bpf_object, Close> object_;
  std::span<lookup_abi::lookup_port> ports_;  // shared with the kernel
  std::unique_ptr<bpf_link, Detach> link_;
};

}  // namespace offhook::io
