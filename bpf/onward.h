#pragma once
// From a parsed frame to the packet that goes on: routes, limits, next hop. Nothing is written to the packet.

#include "frame.h"

// AF_INET and AF_INET6, whose header is not for programs of this kind.
#define FAMILY_IPV4 2
#define FAMILY_IPV6 10
// Routes of the network are looked up as for packets that this machine itself sends.
#define LOOPBACK_INTERFACE 1
// Datagrams up to here may be fragmented on their way from IPv6 to IPv4 (RFC 7915 section 5.1).
#define IPV6_TO_IPV4_UNFRAGMENTED 1260

// A looked-up next hop serves its route for so long, in ticks of 2^20 ns. Looking it up costs more than all
// the rest, and a media flow has a packet every 20 ms; a change of the network is seen a quarter of a second
// late.
#define HOP_TICK_SHIFT 20
#define HOP_TICKS 240
// A larger interface index does not fit into the route.
#define HOP_INTERFACE_MASK 0xFFFF

struct hop {
  __u64 destination_mac;  // the first six bytes in memory
  __u64 source_mac;
  __u32 interface;
  __u8 ways;  // route_send_…
};

struct onward {
  struct route* route;  // the last one: it says where to
  struct route_traffic* traffic[2];
  __u64 now_ns;
  struct hop hop;
  __u16 udp_bytes;
  __sum16 checksum;
};

static __always_inline __u16 fold(__u32 sum) {
  sum = (sum & 0xFFFF) + (sum >> 16);
  return (__u16)((sum & 0xFFFF) + (sum >> 16));
}

static __always_inline struct route_traffic* traffic_of(const struct route* route, int from_client) {
  struct route_account* account = bpf_map_lookup_elem(&accounts, &route->account);
  if (!account) return 0;
  return from_client ? &account->from_client : &account->to_client;
}

// A peer that is a relayed address here has the packet at once: the route of its channel back takes over.
static __always_inline enum route_reason find_routes(struct frame* frame, struct onward* onward) {
  const int from_client = frame->key.channel_number != 0;
  struct route* route = bpf_map_lookup_elem(&routes, &frame->key);
  if (!route) return route_unknown;
  if (route->expires_at_ns <= onward->now_ns) return route_expired;
  if (route->flags & route_from_own_relay) return route_own_source;
  // What UDP over IPv4 may leave out. Only a checksum that is there can be brought up to date.
  __u32 sum = (__u16)~frame->checksum;
  if (frame->checksum != 0 && fold((__u32)route->pseudo_sum + bpf_htons(frame->udp_bytes)) == frame->checksum)
    return route_partial_checksum;
  onward->traffic[0] = traffic_of(route, from_client);
  if (!onward->traffic[0]) return route_no_account;
  sum += route->checksum_change;
  if (route->flags & route_to_own_relay) {
    struct route_key back = {};
    __builtin_memcpy(back.remote_ip, route->from_ip, 16);
    __builtin_memcpy(back.local_ip, route->to_ip, 16);
    back.remote_port = route->from_port;
    back.local_port = route->to_port;
    back.ip_version = route->ip_version;
    route = bpf_map_lookup_elem(&routes, &back);
    if (!route || route->expires_at_ns <= onward->now_ns) return route_one_way;
    onward->traffic[1] = traffic_of(route, 0);
    if (!onward->traffic[1]) return route_no_account;
    sum += route->checksum_change;
  }
  onward->route = route;
  onward->udp_bytes = sizeof(struct udphdr) + frame->payload_bytes;
  if (route->channel_number) onward->udp_bytes += sizeof(struct channel_header);
  if (frame->checksum == 0) {
    onward->checksum = 0;
    const int both_ipv4 = frame->key.ip_version == route_ipv4 && route->ip_version == route_ipv4;
    return both_ipv4 ? route_sent_back : route_no_checksum;
  }
  // The length stands in the pseudo-header and in the UDP header, that of the payload in the ChannelData
  // header.
  sum += 2 * ((__u32)bpf_htons(onward->udp_bytes) + (__u16)~bpf_htons(frame->udp_bytes));
  if (from_client) sum += (__u16)~bpf_htons(frame->payload_bytes);
  if (route->channel_number) sum += bpf_htons(frame->payload_bytes);
  const __u16 checksum = ~fold(sum);
  onward->checksum = checksum == 0 ? 0xFFFF : checksum;
  return route_sent_back;
}

static __always_inline enum route_reason reason_of_lookup(long result) {
  switch (result) {
    case BPF_FIB_LKUP_RET_SUCCESS:
      return route_sent_back;
    case BPF_FIB_LKUP_RET_NOT_FWDED:
      return route_not_forwarded;
    case BPF_FIB_LKUP_RET_FWD_DISABLED:
      return route_forwarding_off;
    case BPF_FIB_LKUP_RET_NO_NEIGH:
      return route_no_neighbour;
    case BPF_FIB_LKUP_RET_FRAG_NEEDED:
      return route_too_large;
  }
  return route_no_network_route;
}

static __always_inline __u64 mac_word(const __u8* mac) {
  __u64 word = 0;
  __builtin_memcpy(&word, mac, ETH_ALEN);
  return word;
}

static __always_inline void remember_hop(struct onward* onward, __u8 traffic_class, __u16 ip_bytes) {
  const struct hop* hop = &onward->hop;
  struct route* route = onward->route;
  if (hop->interface > HOP_INTERFACE_MASK) return;
  const __u32 until = (__u32)(onward->now_ns >> HOP_TICK_SHIFT) + HOP_TICKS;
  *(volatile __u64*)&route->hop_source = hop->source_mac;
  *(volatile __u64*)&route->hop_destination = hop->destination_mac << 16 | hop->interface;
  *(volatile __u64*)&route->hop_validity =
      (__u64)until << 32 | (__u64)ip_bytes << 16 | (__u64)traffic_class << 8 | hop->ways;
}

static __always_inline int recall_hop(struct onward* onward, __u8 traffic_class, __u16 ip_bytes) {
  const struct route* route = onward->route;
  const __u64 validity = *(const volatile __u64*)&route->hop_validity;
  const __u32 left = (__u32)(validity >> 32) - (__u32)(onward->now_ns >> HOP_TICK_SHIFT);
  if (left > HOP_TICKS || ip_bytes > (__u16)(validity >> 16) || traffic_class != (__u8)(validity >> 8))
    return 0;
  const __u64 destination = *(const volatile __u64*)&route->hop_destination;
  onward->hop.destination_mac = destination >> 16;
  onward->hop.source_mac = *(const volatile __u64*)&route->hop_source;
  onward->hop.interface = destination & HOP_INTERFACE_MASK;
  onward->hop.ways = (__u8)validity;
  return 1;
}

static __always_inline enum route_reason look_up_hop(void* context, const struct frame* frame,
                                                     struct onward* onward, __u16 ip_bytes) {
  const struct route* route = onward->route;
  struct bpf_fib_lookup lookup = {};
  lookup.ifindex = LOOPBACK_INTERFACE;
  lookup.l4_protocol = IPPROTO_UDP;
  lookup.sport = route->from_port;
  lookup.dport = route->to_port;
  lookup.tot_len = ip_bytes;
  if (route->ip_version == route_ipv4) {
    lookup.family = FAMILY_IPV4;
    lookup.tos = frame->traffic_class;
    __builtin_memcpy(&lookup.ipv4_src, route->from_ip, 4);
    __builtin_memcpy(&lookup.ipv4_dst, route->to_ip, 4);
  } else {
    lookup.family = FAMILY_IPV6;
    lookup.flowinfo = bpf_htonl((__u32)frame->traffic_class << 20);
    __builtin_memcpy(lookup.ipv6_src, route->from_ip, 16);
    __builtin_memcpy(lookup.ipv6_dst, route->to_ip, 16);
  }
  const enum route_reason reason = reason_of_lookup(bpf_fib_lookup(context, &lookup, sizeof lookup, 0));
  if (reason != route_sent_back) return reason;
  onward->hop.destination_mac = mac_word(lookup.dmac);
  onward->hop.source_mac = mac_word(lookup.smac);
  onward->hop.interface = lookup.ifindex;
  const __u32 index = lookup.ifindex;
  const struct route_interface* interface = bpf_map_lookup_elem(&interfaces, &index);
  onward->hop.ways = interface ? (__u8)interface->flags : 0;
  remember_hop(onward, frame->traffic_class, ip_bytes);
  return route_sent_back;
}

static __always_inline enum route_reason find_next_hop(void* context, const struct frame* frame,
                                                       struct onward* onward) {
  const int is_ipv4 = onward->route->ip_version == route_ipv4;
  const __u16 ip_bytes = (is_ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) + onward->udp_bytes;
  if (recall_hop(onward, frame->traffic_class, ip_bytes)) return route_sent_back;
  return look_up_hop(context, frame, onward, ip_bytes);
}

// Without a lock: two cores at once may let one packet more pass.
static __always_inline int within_limit(struct route_traffic* traffic, __u64 now_ns, __u16 payload_bytes) {
  if (traffic->ns_per_kib == 0) return 1;
  __u64 due_at_ns = traffic->limit_due_at_ns;
  if (due_at_ns < now_ns) due_at_ns = now_ns;
  if (due_at_ns - now_ns > traffic->burst_ns) return 0;
  traffic->limit_due_at_ns = due_at_ns + (traffic->ns_per_kib * payload_bytes >> 10);
  return 1;
}

static __always_inline void count(struct route_traffic* traffic, __u64 now_ns, __u16 payload_bytes) {
  __sync_fetch_and_add(&traffic->packets, 1);
  __sync_fetch_and_add(&traffic->bytes, payload_bytes);
  traffic->last_packet_ns = now_ns;
}

static __always_inline enum route_reason charge(const struct frame* frame, struct onward* onward) {
  if (!within_limit(onward->traffic[0], onward->now_ns, frame->payload_bytes)) return route_over_limit;
  if (!onward->traffic[1]) return route_sent_back;
  return within_limit(onward->traffic[1], onward->now_ns, frame->payload_bytes) ? route_sent_back
                                                                                : route_over_limit;
}

static __always_inline void count_traffic(const struct frame* frame, struct onward* onward) {
  count(onward->traffic[0], onward->now_ns, frame->payload_bytes);
  if (onward->traffic[1]) count(onward->traffic[1], onward->now_ns, frame->payload_bytes);
}

// All decisions but the interface's. route_sent_back: `onward` is complete.
static __always_inline enum route_reason decide(void* context, void* data, void* end, __u32 frame_bytes,
                                                struct frame* frame, struct onward* onward) {
  enum route_reason reason = parse_frame(data, end, frame_bytes, frame);
  if (reason != route_sent_back) return reason;
  // A few milliseconds behind, and a fifth of the cost: nothing here is that exact.
  onward->now_ns = bpf_ktime_get_coarse_ns();
  reason = find_routes(frame, onward);
  if (reason != route_sent_back) return reason;
  if (frame->ttl <= 1) return route_ttl_exceeded;
  return find_next_hop(context, frame, onward);
}
