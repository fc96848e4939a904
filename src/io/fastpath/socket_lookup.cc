#include "io/fastpath/socket_lookup.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "io/fastpath/libbpf_words.h"
#include "io/fastpath/lookup_object.h"
#include "io/loop/fd.h"

namespace offhook::io {
namespace {

using lookup_abi::lookup_limits;
using lookup_abi::lookup_port;

std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

lookup_limits limits_of(const SocketLookupSettings& settings) {
  lookup_limits limits{};
  for (const Ip& ip : settings.addresses) {
    lookup_abi::lookup_address& address = limits.addresses[limits.address_count++];
    std::memcpy(address.words, ip.octets().data(), ip.octets().size());
    address.ip_version = ip.is_v4() ? lookup_abi::lookup_ipv4 : lookup_abi::lookup_ipv6;
  }
  limits.port_first = settings.port_first;
  limits.port_last = settings.port_last;
  return limits;
}

}  // namespace

Result<std::unique_ptr<SocketLookup>, std::string> SocketLookup::start(const SocketLookupSettings& settings) {
  if (settings.addresses.size() > lookup_abi::lookup_addresses_limit) {
    return fail(
        fmt::format("it serves {} relay addresses at most; name those that clients need (--relay-address)",
                    static_cast<int>(lookup_abi::lookup_addresses_limit)));
  }
  const LibbpfWords words;
  std::unique_ptr<SocketLookup> lookup(new SocketLookup(settings));
  if (!lookup->load() || !lookup->map_ports()) {
    return fail(words.why_not_loaded(
        errno, {kLookupCapabilities, "a smaller range of relay ports takes less (--relay-ports)"}));
  }
  if (!lookup->attach()) {
    // E2BIG: the kernel takes 64 of them.
    return fail(fmt::format("the kernel attaches no program for socket lookup here: {}",
                            errno == E2BIG ? "there are as many as it takes" : std::strerror(errno)));
  }
  return lookup;
}

SocketLookup::~SocketLookup() {
  link_.reset();
  if (!ports_.empty()) (void)munmap(ports_.data(), whole_pages(ports_.size_bytes()));
}

bool SocketLookup::load() {
  const Bytes elf = lookup_object();
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "offhook_lookup");
  object_.reset(bpf_object__open_mem(elf.data(), elf.size(), &options));
  if (!object_) return false;
  const lookup_limits limits = limits_of(settings_);
  bpf_map* constants = bpf_object__find_map_by_name(object_.get(), ".rodata.limits");
  std::size_t constant_bytes = 0;
  (void)bpf_map__initial_value(constants, &constant_bytes);
  assert(constant_bytes == sizeof limits);
  if (bpf_map__set_initial_value(constants, &limits, sizeof limits) != 0) return false;
  const auto sized = [&](const char* map, std::size_t entries) {
    return bpf_map__set_max_entries(bpf_object__find_map_by_name(object_.get(), map),
                                    static_cast<std::uint32_t>(entries)) == 0;
  };
  const std::size_t sockets = std::size_t{settings_.shards} * lookup_abi::lookup_sockets_a_shard;
  return sized("ports", settings_.addresses.size() * ports_an_address()) && sized("sockets", sockets) &&
         sized("icmp_cookies", sockets) && bpf_object__load(object_.get()) == 0;
}

bool SocketLookup::map_ports() {
  const std::size_t count = settings_.addresses.size() * ports_an_address();
  const int map = bpf_map__fd(bpf_object__find_map_by_name(object_.get(), "ports"));
  void* mapped =
      mmap(nullptr, whole_pages(count * sizeof(lookup_port)), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  if (mapped == MAP_FAILED) return false;
  ports_ = {static_cast<lookup_port*>(mapped), count};
  return true;
}

bool SocketLookup::attach() {
  const Fd network(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!network) return false;
  link_.reset(bpf_program__attach_netns(bpf_object__find_program_by_name(object_.get(), "offhook_lookup"),
                                        network.get()));
  return link_ != nullptr;
}

bool SocketLookup::set_sockets(unsigned shard, Family family, int datagrams_fd, int icmp_errors_fd) {
  const std::uint32_t index = shard * lookup_abi::lookup_sockets_a_shard + (family == Family::ipv6 ? 1 : 0);
  const auto set = [&](const char* map, std::uint64_t value) {
    const int fd = bpf_map__fd(bpf_object__find_map_by_name(object_.get(), map));
    return bpf_map_update_elem(fd, &index, &value, BPF_ANY) == 0;
  };
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return getsockopt(icmp_errors_fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 &&
         set("icmp_cookies", cookie) && set("sockets", static_cast<std::uint64_t>(datagrams_fd));
}

int SocketLookup::icmp_filter_fd(Family family) const {
  const char* name = family == Family::ipv4 ? "offhook_icmp_ipv4" : "offhook_icmp_ipv6";
  return bpf_program__fd(bpf_object__find_program_by_name(object_.get(), name));
}

void SocketLookup::give(std::size_t address_index, std::uint16_t port, unsigned shard) {
  assert(shard < settings_.shards);
  set_holder(address_index, port, static_cast<std::uint16_t>(shard + 1));
}

void SocketLookup::take_back(std::size_t address_index, std::uint16_t port) {
  set_holder(address_index, port, 0);
}

void SocketLookup::set_holder(std::size_t address_index, std::uint16_t port, std::uint16_t holder) {
  assert(port >= settings_.port_first && port <= settings_.port_last);
  lookup_port& entry = ports_[address_index * ports_an_address() + (port - settings_.port_first)];
  std::atomic_ref(entry.holder).store(holder, std::memory_order_release);
}

}  // namespace offhook::io
