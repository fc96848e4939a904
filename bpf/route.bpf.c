// The fast path: packets of bound channels are rewritten and sent on before the kernel's own network stack
// sees them. Two hooks of one program: XDP, and TC for devices without XDP.

#include "rewrite.h"

enum verdict { verdict_pass, verdict_drop, verdict_back, verdict_across };

static __always_inline enum verdict verdict_of(enum route_reason reason) {
  switch (reason) {
#define OFFHOOK_REASON(name, verdict) \
  case route_##name:                  \
    return verdict_##verdict;
    OFFHOOK_ROUTE_REASONS(OFFHOOK_REASON)
#undef OFFHOOK_REASON
    case route_reason_count:
      break;
  }
  return verdict_pass;
}

static __always_inline void count_reason(enum route_reason reason) {
  const __u32 index = reason;
  __u64* counter = bpf_map_lookup_elem(&reasons, &index);
  if (counter) *counter += 1;
}

// ---- XDP ----

static __always_inline enum route_reason way_out(const struct xdp_md* packet, const struct onward* onward) {
  const struct hop* hop = &onward->hop;
  if (hop->interface == packet->ingress_ifindex && (hop->ways & route_send_back)) return route_sent_back;
  return hop->ways & route_send_across ? route_sent_across : route_cannot_send;
}

static __always_inline enum route_reason route_in_xdp(struct xdp_md* packet, struct onward* onward) {
  void* data = (void*)(long)packet->data;
  void* end = (void*)(long)packet->data_end;
  const __u32 frame_bytes = end - data;
  struct frame frame = {};
  enum route_reason reason = decide(packet, data, end, frame_bytes, &frame, onward);
  if (reason != route_sent_back) return reason;
  const enum route_reason way = way_out(packet, onward);
  if (way == route_cannot_send) return way;
  if (charge(&frame, onward) == route_over_limit) return route_over_limit;
  if (bpf_xdp_adjust_head(packet, shrinks_by(&frame, onward))) return route_no_room;
  // Short frames are filled up to the least that Ethernet takes.
  const int padding =
      (int)frame_bytes - (int)(sizeof(struct ethhdr) + frame.ip_header_bytes + frame.udp_bytes);
  if (padding > 0 && bpf_xdp_adjust_tail(packet, -padding)) return route_resize_failed;
  data = (void*)(long)packet->data;
  end = (void*)(long)packet->data_end;
  if (!write_frame(data, end, &frame, onward)) return route_resize_failed;
  count_traffic(&frame, onward);
  return way;
}

SEC("xdp")
int offhook_xdp(struct xdp_md* packet) {
  struct onward onward = {};
  const enum route_reason reason = route_in_xdp(packet, &onward);
  count_reason(reason);
  switch (verdict_of(reason)) {
    case verdict_pass:
      return XDP_PASS;
    case verdict_drop:
      return XDP_DROP;
    case verdict_back:
      return XDP_TX;
    case verdict_across:
      return (int)bpf_redirect(onward.hop.interface, 0);
  }
  return XDP_PASS;
}

// ---- TC ----

// Results of a program on a device (tcx), as old ones of TC have them.
enum { tc_next = -1, tc_drop = 2 };
// All headers that are read: Ethernet, IPv6, UDP, ChannelData.
#define HEADERS_BYTES 66

// Room is made or taken behind the IP header; all headers are written anew.
static __always_inline enum route_reason resize_in_tc(struct __sk_buff* packet, const struct frame* frame,
                                                      const struct onward* onward) {
  const __u32 bytes = sizeof(struct ethhdr) + frame->ip_header_bytes + frame->udp_bytes;
  if (packet->len > bytes && bpf_skb_change_tail(packet, bytes, 0)) return route_no_room;
  int shrinks = shrinks_by(frame, onward);
  int changed = 0;
  const __u8 to_version = onward->route->ip_version;
  if (to_version != frame->key.ip_version) {
    const __u16 protocol = to_version == route_ipv4 ? ETH_P_IP : ETH_P_IPV6;
    if (bpf_skb_change_proto(packet, bpf_htons(protocol), 0)) return route_no_room;
    const int difference = sizeof(struct ipv6hdr) - sizeof(struct iphdr);
    shrinks += to_version == route_ipv6 ? difference : -difference;
    changed = 1;
  }
  if (shrinks == 0 || bpf_skb_adjust_room(packet, -shrinks, BPF_ADJ_ROOM_NET, 0) == 0)
    return route_sent_across;
  return changed ? route_resize_failed : route_no_room;
}

static __always_inline enum route_reason route_in_tc(struct __sk_buff* packet, struct onward* onward) {
  if (packet->gso_segs > 1) return route_merged;
  if (packet->vlan_present) return route_not_ip;
  const __u32 frame_bytes = packet->len;
  if (bpf_skb_pull_data(packet, frame_bytes < HEADERS_BYTES ? frame_bytes : HEADERS_BYTES))
    return route_malformed;
  struct frame frame = {};
  enum route_reason reason =
      decide(packet, (void*)(long)packet->data, (void*)(long)packet->data_end, frame_bytes, &frame, onward);
  if (reason != route_sent_back) return reason;
  if (charge(&frame, onward) == route_over_limit) return route_over_limit;
  reason = resize_in_tc(packet, &frame, onward);
  if (reason != route_sent_across) return reason;
  if (bpf_skb_pull_data(packet,
                        bytes_before_payload(onward->route->ip_version, onward->route->channel_number)))
    return route_resize_failed;
  if (!write_frame((void*)(long)packet->data, (void*)(long)packet->data_end, &frame, onward))
    return route_resize_failed;
  count_traffic(&frame, onward);
  return onward->hop.interface == packet->ifindex ? route_sent_back : route_sent_across;
}

SEC("tc")
int offhook_tc(struct __sk_buff* packet) {
  struct onward onward = {};
  const enum route_reason reason = route_in_tc(packet, &onward);
  count_reason(reason);
  switch (verdict_of(reason)) {
    case verdict_pass:
      return tc_next;
    case verdict_drop:
      return tc_drop;
    case verdict_back:
    case verdict_across:
      return (int)bpf_redirect(onward.hop.interface, 0);
  }
  return tc_next;
}

const char _license[] SEC("license") = "Dual MIT/GPL";
