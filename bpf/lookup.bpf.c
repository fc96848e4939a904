// Socket lookup: datagrams for the relay ports of a shard go to its one receive socket, where one call takes
// many of them, instead of each to a socket of its own. Ports are bound as ever; what this program leaves
// alone takes them.

#include <linux/bpf.h>
#include <linux/in.h>

#include <bpf/bpf_helpers.h>

#include "wire/lookup_abi.h"

#define AF_INET 2  // of <sys/socket.h>, which is for other processors

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct lookup_port);
  __uint(max_entries, 1);
} ports SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SOCKMAP);
  __type(key, __u32);
  __type(value, __u64);
  __uint(max_entries, 1);
} sockets SEC(".maps");

const volatile struct lookup_limits limits SEC(".rodata.limits") = {0};

// Volatile: two reads of the context made into one, of a chosen place, are none that the verifier allows.
static __always_inline struct lookup_address local_address(const volatile struct bpf_sk_lookup* lookup) {
  struct lookup_address address = {};
  if (lookup->family == AF_INET) {
    address.words[0] = lookup->local_ip4;
    address.ip_version = lookup_ipv4;
    return address;
  }
  address.words[0] = lookup->local_ip6[0];
  address.words[1] = lookup->local_ip6[1];
  address.words[2] = lookup->local_ip6[2];
  address.words[3] = lookup->local_ip6[3];
  address.ip_version = lookup_ipv6;
  return address;
}

static __always_inline int is_same(const volatile struct lookup_address* a, const struct lookup_address* b) {
  return a->words[0] == b->words[0] && a->words[1] == b->words[1] && a->words[2] == b->words[2] &&
         a->words[3] == b->words[3] && a->ip_version == b->ip_version;
}

static __always_inline struct lookup_port* find_port(const struct lookup_address* address, __u32 port) {
  if (port < limits.port_first || port > limits.port_last) return 0;
  const __u32 ports_an_address = limits.port_last - limits.port_first + 1U;
#pragma unroll
  for (__u32 i = 0; i < lookup_addresses_limit; ++i) {
    if (i >= limits.address_count) break;
    if (!is_same(&limits.addresses[i], address)) continue;
    const __u32 key = i * ports_an_address + (port - limits.port_first);
    return bpf_map_lookup_elem(&ports, &key);
  }
  return 0;
}

static __always_inline int is_flooded(struct lookup_port* port) {
  const __u16 tick = (__u16)(bpf_ktime_get_coarse_ns() >> lookup_tick_shift);
  if (port->tick != tick) {
    port->count_before = (__u16)(port->tick + 1) == tick ? port->count : 0;
    port->count = 0;
    port->tick = tick;
  }
  if (port->count <= lookup_count_limit) port->count += 1;
  return port->count > lookup_count_limit || port->count_before > lookup_count_limit;
}

SEC("sk_lookup")
int offhook_lookup(struct bpf_sk_lookup* lookup) {
  if (lookup->protocol != IPPROTO_UDP) return SK_PASS;
  const struct lookup_address address = local_address(lookup);
  struct lookup_port* port = find_port(&address, lookup->local_port);
  if (!port || !port->holder || is_flooded(port)) return SK_PASS;
  const __u32 index = (port->holder - 1U) * lookup_sockets_a_shard + (address.ip_version == lookup_ipv6);
  struct bpf_sock* socket = bpf_map_lookup_elem(&sockets, &index);
  if (!socket) return SK_PASS;
  // Where it is refused the port's own socket takes the datagram.
  (void)bpf_sk_assign(lookup, socket, 0);
  bpf_sk_release(socket);
  return SK_PASS;
}

const char _license[] SEC("license") = "Dual MIT/GPL";
