#pragma once
// What the relay and its socket lookup program (bpf/lookup.bpf.c) share: keys and values of their maps. Plain
// C, for both sides.

#include <linux/types.h>

#ifdef __cplusplus
#define OFFHOOK_ASSERT_BYTES(type, bytes) static_assert(sizeof(type) == (bytes))
namespace offhook::lookup_abi {
#else
#define OFFHOOK_ASSERT_BYTES(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#endif

// Relay addresses of one server. The program compares one after the other.
enum { lookup_addresses_limit = 32 };

enum { lookup_ipv4 = 4, lookup_ipv6 = 6 };
// Two receive sockets a shard, one a family.
enum { lookup_sockets_a_shard = 2 };

struct lookup_address {
  __u32 words[4];  // in network order; an IPv4 address is the first one
  __u32 ip_version;
};
OFFHOOK_ASSERT_BYTES(lookup_address, 20);

// Fixed while the program is loaded. Ports in host order.
struct lookup_limits {
  struct lookup_address addresses[lookup_addresses_limit];
  __u32 address_count;
  __u16 port_first;
  __u16 port_last;
};
OFFHOOK_ASSERT_BYTES(lookup_limits, 648);

// One port of one address: address * ports + (port - first). The relay alone writes it. Entries of such a map
// stand at multiples of eight bytes.
struct lookup_port {
  __u16 holder;  // the shard's number + 1; 0: the port's own socket receives
  __u16 reserved[3];
};
OFFHOOK_ASSERT_BYTES(lookup_port, 8);

#ifdef __cplusplus
}  // namespace offhook::lookup_abi
#endif
#undef OFFHOOK_ASSERT_BYTES
