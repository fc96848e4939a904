#pragma once
// What the relay and its kernel program (bpf/) share: keys and values of their maps. Plain C, for both sides.
//
// A route is one direction of a bound channel:
//   client -> server, ChannelData    becomes    relayed address -> peer, UDP
//   peer -> relayed address, UDP     becomes    server -> client, ChannelData
// A peer that is a relayed address of this server leads to a second route, and the packet takes both at once.
//
// Addresses and ports are in network order, as packets have them. An IPv4 address is the first four bytes.

#include <linux/types.h>

#ifdef __cplusplus
#define OFFHOOK_ASSERT_BYTES(type, bytes) static_assert(sizeof(type) == (bytes))
namespace offhook::route_abi {
#else
#define OFFHOOK_ASSERT_BYTES(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#endif

enum { route_ipv4 = 4, route_ipv6 = 6 };  // the version field of the IP header

struct route_key {
  __u8 remote_ip[16];  // who sends
  __u8 local_ip[16];   // which address of this server it reaches
  __be16 remote_port;
  __be16 local_port;
  __be16 channel_number;  // of the ChannelData; 0: from a peer, plain UDP
  __u8 ip_version;
  __u8 reserved;  // 0
};
OFFHOOK_ASSERT_BYTES(route_key, 40);

// The peer's address is one that this server relays from: on the way there, and back.
enum { route_to_own_relay = 1, route_from_own_relay = 2 };

struct route {
  __u64 expires_at_ns;  // CLOCK_MONOTONIC: the earliest of channel, permission and relayed address
  // The onward packet.
  __u8 to_ip[16];
  __u8 from_ip[16];
  __be16 to_port;
  __be16 from_port;
  __be16 channel_number;  // of the header that it gets; 0: none
  __u8 ip_version;
  __u8 flags;
  // Sums of 16-bit words in ones' complement, as RFC 1071 adds them.
  __u16 checksum_change;  // onward minus incoming: addresses, ports, channel number
  __u16 pseudo_sum;       // incoming: addresses and protocol of the pseudo-header
  __u32 account;          // index into the accounts
  // The next hop as it was looked up last; the program alone writes it, the relay leaves it zero. Each word
  // is read and written at once. Two cores may mix two lookups of the same route: either is right for a
  // quarter of a second.
  __u64
      hop_validity;  // ticks until when << 32 | most bytes of an IP packet << 16 | traffic class << 8 | ways
  __u64 hop_destination;  // MAC address << 16 | interface
  __u64 hop_source;       // MAC address
};
OFFHOOK_ASSERT_BYTES(route, 80);

// What passed of one allocation in one direction, and how much may. The program alone writes the first four,
// the relay the others.
struct route_traffic {
  __u64 packets;
  __u64 bytes;            // of payload
  __u64 last_packet_ns;   // CLOCK_MONOTONIC; 0: none yet
  __u64 limit_due_at_ns;  // when the bandwidth of all packets so far would have been used
  __u64 ns_per_kib;       // 0: no limit
  __u64 burst_ns;         // how far limit_due_at_ns may be ahead
  __u64 reserved[2];
};
OFFHOOK_ASSERT_BYTES(route_traffic, 64);

struct route_account {
  struct route_traffic from_client;
  struct route_traffic to_client;
};
OFFHOOK_ASSERT_BYTES(route_account, 128);

// By interface index: how the program may send there. A send that the driver cannot do would lose the packet.
enum {
  route_send_back = 1,   // packets that came in there, as they are (XDP_TX)
  route_send_across = 2  // all, by redirection
};
struct route_interface {
  __u32 flags;
};
OFFHOOK_ASSERT_BYTES(route_interface, 4);

// Fixed while the program is loaded. Ports in host order.
struct route_limits {
  __u16 listen_port;
  __u16 relay_port_first;
  __u16 relay_port_last;
  __u16 reserved;
};
OFFHOOK_ASSERT_BYTES(route_limits, 8);

// Every way out of the program: its reason, and what happens to the packet. All that is not certain passes to
// the sockets. Each reason is a counter, a packet counts under one.
//   pass     to the sockets of the relay, or whose it is
//   drop     the end of it
//   back     sent at the interface that it came in at
//   across   redirected, mostly to another interface
#define OFFHOOK_ROUTE_REASONS(REASON)                                                                  \
  REASON(not_ip, pass)           /* neither IPv4 nor IPv6 right after the Ethernet header */           \
  REASON(malformed, pass)        /* the lengths contradict each other */                               \
  REASON(ip_options, pass)       /* IPv4 options, an IPv6 extension header */                          \
  REASON(fragment, pass)         /* of an IPv4 datagram; of IPv6 ones they have an extension header */ \
  REASON(not_udp, pass)          /* TCP, ICMP */                                                       \
  REASON(merged, pass)           /* several datagrams, joined by receive offload */                    \
  REASON(other_port, pass)       /* neither the listening port nor a relay port */                     \
  REASON(not_channel_data, pass) /* at the listening port: STUN, or nothing that we know */            \
  REASON(channel_length, pass)   /* ChannelData with padding, or shorter than it says */               \
  REASON(unknown, pass)          /* no route */                                                        \
  REASON(expired, pass)          /* the route's time is over */                                        \
  REASON(one_way, pass)          /* the peer is a relayed address here without a channel back */       \
  REASON(own_source, pass)       /* from a relayed address here, which no network may send */          \
  REASON(ttl_exceeded, pass)     /* TTL or hop limit is 0 or 1 */                                      \
  REASON(no_checksum, pass)      /* UDP without checksum, which IPv6 does not allow */                 \
  REASON(partial_checksum, pass) /* a device was meant to finish the checksum */                       \
  REASON(no_network_route, pass) /* unreachable, prohibited, blackholed, or to be encapsulated */      \
  REASON(not_forwarded, pass)    /* to this machine itself, or to nowhere */                           \
  REASON(forwarding_off, pass)   /* net.ipv4.conf.lo.forwarding, or the one of IPv6 */                 \
  REASON(no_neighbour, pass)     /* the next hop's MAC address is unknown */                           \
  REASON(too_large, pass)        /* for the path MTU */                                                \
  REASON(cannot_send, pass)      /* the interface, or its driver */                                    \
  REASON(no_room, pass)          /* the driver left no headroom for longer headers */                  \
  REASON(no_account, pass)       /* a route without account */                                         \
  REASON(over_limit, drop)       /* of bandwidth */                                                    \
  REASON(resize_failed, drop)    /* half way: the packet is no longer what it was */                   \
  REASON(sent_back, back)        /* rewritten */                                                       \
  REASON(sent_across, across)    /* rewritten */

enum route_reason {
#define OFFHOOK_REASON(name, verdict) route_##name,
  OFFHOOK_ROUTE_REASONS(OFFHOOK_REASON)
#undef OFFHOOK_REASON
      route_reason_count
};

#ifdef __cplusplus
}  // namespace offhook::route_abi
#endif
#undef OFFHOOK_ASSERT_BYTES
