#pragma once
// Writes the headers of the onward packet in front of its payload, once the frame has the right size.

#include "onward.h"

static __always_inline __u16 bytes_before_payload(__u8 ip_version, __be16 channel_number) {
  const __u16 ip = ip_version == route_ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
  return sizeof(struct ethhdr) + ip + sizeof(struct udphdr) +
         (channel_number ? sizeof(struct channel_header) : 0);
}

// By how much the frame shrinks at its front.
static __always_inline int shrinks_by(const struct frame* frame, const struct onward* onward) {
  return (int)bytes_before_payload(frame->key.ip_version, frame->key.channel_number) -
         (int)bytes_before_payload(onward->route->ip_version, onward->route->channel_number);
}

// The packet holds all headers, for its size is known; the verifier wants each told.
static __always_inline int write_udp(struct udphdr* udp, void* end, const struct frame* frame,
                                     const struct onward* onward) {
  const struct route* route = onward->route;
  if ((void*)(udp + 1) > end) return 0;
  udp->source = route->from_port;
  udp->dest = route->to_port;
  udp->len = bpf_htons(onward->udp_bytes);
  udp->check = onward->checksum;
  if (!route->channel_number) return 1;
  struct channel_header* channel = (void*)(udp + 1);
  if ((void*)(channel + 1) > end) return 0;
  channel->number = route->channel_number;
  channel->length = bpf_htons(frame->payload_bytes);
  return 1;
}

static __always_inline int write_ipv4(struct iphdr* ip, void* end, const struct frame* frame,
                                      const struct onward* onward) {
  if ((void*)(ip + 1) > end) return 0;
  const __u16 total = sizeof *ip + onward->udp_bytes;
  __u16 identification = frame->identification;
  int dont_fragment = frame->dont_fragment;
  if (frame->key.ip_version == route_ipv6) {
    dont_fragment = total > IPV6_TO_IPV4_UNFRAGMENTED;
    identification = dont_fragment ? 0 : (__u16)bpf_get_prandom_u32();
  }
  __u16 words[10] = {};
  words[0] = bpf_htons(0x4500 | frame->traffic_class);
  words[1] = bpf_htons(total);
  words[2] = identification;
  words[3] = dont_fragment ? bpf_htons(IPV4_DONT_FRAGMENT) : 0;
  words[4] = bpf_htons((__u16)((__u16)(frame->ttl - 1) << 8 | IPPROTO_UDP));
  __builtin_memcpy(&words[6], onward->route->from_ip, 4);
  __builtin_memcpy(&words[8], onward->route->to_ip, 4);
  __u32 sum = 0;
#pragma unroll
  for (int i = 0; i < 10; ++i) sum += words[i];
  words[5] = ~fold(sum);
  __builtin_memcpy(ip, words, sizeof *ip);
  return write_udp((struct udphdr*)(ip + 1), end, frame, onward);
}

static __always_inline int write_ipv6(struct ipv6hdr* ip, void* end, const struct frame* frame,
                                      const struct onward* onward) {
  if ((void*)(ip + 1) > end) return 0;
  *(__be32*)ip = bpf_htonl(0x60000000 | (__u32)frame->traffic_class << 20);
  ip->payload_len = bpf_htons(onward->udp_bytes);
  ip->nexthdr = IPPROTO_UDP;
  ip->hop_limit = frame->ttl - 1;
  __builtin_memcpy(&ip->saddr, onward->route->from_ip, 16);
  __builtin_memcpy(&ip->daddr, onward->route->to_ip, 16);
  return write_udp((struct udphdr*)(ip + 1), end, frame, onward);
}

static __always_inline int write_frame(void* data, void* end, const struct frame* frame,
                                       const struct onward* onward) {
  struct ethhdr* ethernet = data;
  if ((void*)(ethernet + 1) > end) return 0;
  __builtin_memcpy(ethernet->h_dest, &onward->hop.destination_mac, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, &onward->hop.source_mac, ETH_ALEN);
  if (onward->route->ip_version == route_ipv4) {
    ethernet->h_proto = bpf_htons(ETH_P_IP);
    return write_ipv4((struct iphdr*)(ethernet + 1), end, frame, onward);
  }
  ethernet->h_proto = bpf_htons(ETH_P_IPV6);
  return write_ipv6((struct ipv6hdr*)(ethernet + 1), end, frame, onward);
}
