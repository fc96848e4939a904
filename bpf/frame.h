#pragma once
// From a frame to what routing needs of it. Headers that are not as simple as media's are left to the
// sockets.

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>

#include "maps.h"

#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_FRAGMENT_OFFSET 0x1FFF
#define CHANNEL_NUMBER_FIRST 0x4000
#define CHANNEL_NUMBER_LAST 0x7FFF

struct channel_header {
  __be16 number;
  __be16 length;
};

struct frame {
  struct route_key key;
  __u16 ip_header_bytes;
  __u16 udp_bytes;       // header and payload
  __u16 payload_bytes;   // of application data: without the ChannelData header
  __u16 identification;  // of IPv4
  __sum16 checksum;
  __u8 traffic_class;  // DSCP and ECN
  __u8 ttl;
  __u8 dont_fragment;
};

static __always_inline enum route_reason parse_ipv4(const struct iphdr* ip, void* end, __u32 frame_bytes,
                                                    struct frame* frame) {
  if ((void*)(ip + 1) > end) return route_malformed;
  if (ip->protocol != IPPROTO_UDP) return route_not_udp;
  if (ip->version != 4) return route_malformed;
  if (ip->ihl != 5) return route_ip_options;
  const __u16 fragment = bpf_ntohs(ip->frag_off);
  if (fragment & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) return route_fragment;
  const __u16 total = bpf_ntohs(ip->tot_len);
  if (total < sizeof *ip + sizeof(struct udphdr) || sizeof(struct ethhdr) + total > frame_bytes)
    return route_malformed;
  frame->udp_bytes = total - sizeof *ip;
  frame->ip_header_bytes = sizeof *ip;
  frame->identification = ip->id;
  frame->traffic_class = ip->tos;
  frame->ttl = ip->ttl;
  frame->dont_fragment = (fragment & IPV4_DONT_FRAGMENT) != 0;
  frame->key.ip_version = route_ipv4;
  __builtin_memcpy(frame->key.remote_ip, &ip->saddr, 4);
  __builtin_memcpy(frame->key.local_ip, &ip->daddr, 4);
  return route_sent_back;
}

static __always_inline enum route_reason parse_ipv6(const struct ipv6hdr* ip, void* end, __u32 frame_bytes,
                                                    struct frame* frame) {
  if ((void*)(ip + 1) > end) return route_malformed;
  if (ip->version != 6) return route_malformed;
  if (ip->nexthdr != IPPROTO_UDP) {
    const __u8 next = ip->nexthdr;
    const int extension = next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS;
    if (next == IPPROTO_FRAGMENT) return route_fragment;
    return extension ? route_ip_options : route_not_udp;
  }
  const __u16 udp_bytes = bpf_ntohs(ip->payload_len);
  if (udp_bytes < sizeof(struct udphdr) || sizeof(struct ethhdr) + sizeof *ip + udp_bytes > frame_bytes)
    return route_malformed;
  frame->udp_bytes = udp_bytes;
  frame->ip_header_bytes = sizeof *ip;
  frame->traffic_class = (__u8)(ip->priority << 4 | ip->flow_lbl[0] >> 4);
  frame->ttl = ip->hop_limit;
  frame->key.ip_version = route_ipv6;
  __builtin_memcpy(frame->key.remote_ip, &ip->saddr, 16);
  __builtin_memcpy(frame->key.local_ip, &ip->daddr, 16);
  return route_sent_back;
}

// What follows the UDP header of a packet to the listening port.
static __always_inline enum route_reason parse_channel_data(const struct channel_header* header, void* end,
                                                            struct frame* frame) {
  const __u16 payload = frame->udp_bytes - sizeof(struct udphdr);
  if (payload < sizeof *header || (void*)(header + 1) > end) return route_not_channel_data;
  const __u16 number = bpf_ntohs(header->number);
  if (number < CHANNEL_NUMBER_FIRST || number > CHANNEL_NUMBER_LAST) return route_not_channel_data;
  if (bpf_ntohs(header->length) != payload - sizeof *header) return route_channel_length;
  frame->key.channel_number = header->number;
  frame->payload_bytes = payload - sizeof *header;
  return route_sent_back;
}

static __always_inline enum route_reason parse_udp(const struct udphdr* udp, void* end, struct frame* frame) {
  if ((void*)(udp + 1) > end) return route_malformed;
  const __u16 port = bpf_ntohs(udp->dest);
  const int to_listener = port == limits.listen_port;
  if (!to_listener && (port < limits.relay_port_first || port > limits.relay_port_last))
    return route_other_port;
  if (bpf_ntohs(udp->len) != frame->udp_bytes) return route_malformed;
  frame->key.remote_port = udp->source;
  frame->key.local_port = udp->dest;
  frame->checksum = udp->check;
  if (to_listener) return parse_channel_data((const struct channel_header*)(udp + 1), end, frame);
  frame->payload_bytes = frame->udp_bytes - sizeof(struct udphdr);
  return route_sent_back;
}

// route_sent_back if it is a packet that may have a route; `frame` is zero before.
static __always_inline enum route_reason parse_frame(void* data, void* end, __u32 frame_bytes,
                                                     struct frame* frame) {
  const struct ethhdr* ethernet = data;
  if ((void*)(ethernet + 1) > end) return route_not_ip;
  enum route_reason reason;
  if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
    const struct iphdr* ip = (void*)(ethernet + 1);
    reason = parse_ipv4(ip, end, frame_bytes, frame);
    if (reason != route_sent_back) return reason;
    return parse_udp((const struct udphdr*)(ip + 1), end, frame);
  }
  if (ethernet->h_proto != bpf_htons(ETH_P_IPV6)) return route_not_ip;
  const struct ipv6hdr* ip = (void*)(ethernet + 1);
  reason = parse_ipv6(ip, end, frame_bytes, frame);
  if (reason != route_sent_back) return reason;
  return parse_udp((const struct udphdr*)(ip + 1), end, frame);
}
