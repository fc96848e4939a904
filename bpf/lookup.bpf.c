// Socket lookup: datagrams for the relay ports of a shard go to its one receive socket, where one call takes
// many of them, instead of each to a socket of its own. Ports are bound as ever; what this program leaves
// alone takes them.

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
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

// As `sockets`: of each raw socket what the kernel calls it.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __type(key, __u32);
  __type(value, __u64);
  __uint(max_entries, 1);
} icmp_cookies SEC(".maps");

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

static __always_inline __u32 socket_index(const struct lookup_port* port,
                                          const struct lookup_address* address) {
  return (port->holder - 1U) * lookup_sockets_a_shard + (address->ip_version == lookup_ipv6);
}

SEC("sk_lookup")
int offhook_lookup(struct bpf_sk_lookup* lookup) {
  if (lookup->protocol != IPPROTO_UDP) return SK_PASS;
  const struct lookup_address address = local_address(lookup);
  struct lookup_port* port = find_port(&address, lookup->local_port);
  if (!port || !port->holder) return SK_PASS;
  const __u32 index = socket_index(port, &address);
  struct bpf_sock* socket = bpf_map_lookup_elem(&sockets, &index);
  if (!socket) return SK_PASS;
  // Where it is refused the port's own socket takes the datagram.
  (void)bpf_sk_assign(lookup, socket, 0);
  bpf_sk_release(socket);
  return SK_PASS;
}

// ---- ICMP errors of those ports, for a raw socket that would hear all of the machine

enum { icmp_header_bytes = 8, ports_in_ipv6 = 40, fragment_header = 44, fragment_header_bytes = 8 };

// All of it, or nothing. The relay parses what passes (wire/icmp); here is only told whose it may be.
static __always_inline int quotes_ours(struct __sk_buff* message, const struct lookup_address* source,
                                       __u32 ports_at) {
  __be16 source_port = 0;
  if (bpf_skb_load_bytes(message, ports_at, &source_port, sizeof source_port)) return 0;
  const struct lookup_port* port = find_port(source, bpf_ntohs(source_port));
  if (!port || !port->holder) return 0;
  const __u32 index = socket_index(port, source);
  const __u64* cookie = bpf_map_lookup_elem(&icmp_cookies, &index);
  return cookie && *cookie == bpf_get_socket_cookie(message) ? (int)message->len : 0;
}

// The raw socket has the IP header in front.
SEC("socket")
int offhook_icmp_ipv4(struct __sk_buff* message) {
  struct lookup_address source = {.ip_version = lookup_ipv4};
  struct iphdr quoted;
  __u8 first = 0;
  if (bpf_skb_load_bytes(message, 0, &first, sizeof first)) return 0;
  const __u32 at = (first & 0x0FU) * 4 + icmp_header_bytes;
  if (bpf_skb_load_bytes(message, at, &quoted, sizeof quoted) || quoted.protocol != IPPROTO_UDP) return 0;
  source.words[0] = quoted.saddr;
  return quotes_ours(message, &source, at + quoted.ihl * 4U);
}

SEC("socket")
int offhook_icmp_ipv6(struct __sk_buff* message) {
  struct lookup_address source = {.ip_version = lookup_ipv6};
  struct ipv6hdr quoted;
  if (bpf_skb_load_bytes(message, icmp_header_bytes, &quoted, sizeof quoted)) return 0;
  const __u32 fragment_bytes = quoted.nexthdr == fragment_header ? fragment_header_bytes : 0;
  __builtin_memcpy(source.words, &quoted.saddr, sizeof source.words);
  return quotes_ours(message, &source, icmp_header_bytes + ports_in_ipv6 + fragment_bytes);
}

const char _license[] SEC("license") = "Dual MIT/GPL";
