// Sends and receives the packets of bench/relay as frames, as a network card would bring them: `send_frames` makes each
// frame of a run of live frames (BPF_F_TEST_XDP_LIVE_FRAMES) the next packet that is due, and `receive_frames` at the far
// end checks each that arrives, counts it, and takes it out. What else comes passes, so that sockets serve for the set-up.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "frame_abi.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct frame_settings);
  __uint(max_entries, 1);
} settings_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct frame_outgoing);
  __uint(max_entries, FRAME_FLOWS_LIMIT);
} outgoing_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct frame_incoming);
  __uint(max_entries, FRAME_FLOWS_LIMIT);
} incoming_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct frame_counts);
  __uint(max_entries, 1);
} counts_map SEC(".maps");

struct channel_header {
  __be16 number;
  __be16 length;
};

struct stamp {
  __u32 flow;
  __u32 phase;
  __u32 sequence;
  __u32 time_low;
  __u32 time_high;
  __u32 mix;
};
_Static_assert(sizeof(struct stamp) == FRAME_STAMP_BYTES, "as frame_abi.h says");

static __always_inline __u32 mix_of(const struct stamp* stamp) {
  return stamp->flow * 0x9E3779B1U ^ stamp->phase * 0x85EBCA77U ^ stamp->sequence * 0xC2B2AE3DU ^
         stamp->time_low * 0x165667B1U ^ stamp->time_high * 0x27D4EB2FU ^ 0x5bd1e995U;
}

static __always_inline __u16 fold(__u64 sum) {
  sum = (sum & 0xFFFFFFFF) + (sum >> 32);
  sum = (sum & 0xFFFF) + (sum >> 16);
  sum = (sum & 0xFFFF) + (sum >> 16);
  return (__u16)((sum & 0xFFFF) + (sum >> 16));
}

static __always_inline __u32 halves(__u32 word) { return (word & 0xFFFF) + (word >> 16); }

// ---- sending

static __always_inline int is_due(const struct frame_settings* settings, const struct frame_counts* counts, __u64 now_ns) {
  if (settings->halted) return 0;
  if (settings->rate_pps) return counts->sent < (now_ns - settings->start_ns) * settings->rate_pps / 1000000000;
  return counts->sent < counts->received + settings->written_off + settings->window;
}

static __always_inline void write_ip(struct iphdr* ip, const struct frame_outgoing* flow, __u16 udp_bytes) {
  const __u16 total = sizeof *ip + udp_bytes;
  __u32 sum = bpf_htons(0x4500) + bpf_htons(total) + bpf_htons(0x4000) + bpf_htons(64 << 8 | IPPROTO_UDP) +
              halves(flow->source_ip) + halves(flow->destination_ip);
  *(__u16*)ip = bpf_htons(0x4500);
  ip->tot_len = bpf_htons(total);
  ip->id = 0;
  ip->frag_off = bpf_htons(0x4000);
  ip->ttl = 64;
  ip->protocol = IPPROTO_UDP;
  ip->check = ~fold(sum);
  ip->saddr = flow->source_ip;
  ip->daddr = flow->destination_ip;
}

static __always_inline __u16 checksum_of(const struct frame_settings* settings, const struct frame_outgoing* flow,
                                         const struct stamp* stamp, __u16 udp_bytes) {
  __u64 sum = halves(flow->source_ip) + halves(flow->destination_ip) + bpf_htons(IPPROTO_UDP) +
              2 * (__u32)bpf_htons(udp_bytes) + flow->source_port + flow->destination_port + settings->tail_sum;
  if (flow->channel_number) sum += flow->channel_number + bpf_htons((__u16)settings->payload_bytes);
  const __u32* words = (const __u32*)stamp;
#pragma unroll
  for (int i = 0; i < FRAME_STAMP_BYTES / 4; ++i) sum += words[i];
  const __u16 checksum = ~fold(sum);
  return checksum ? checksum : 0xFFFF;
}

static __always_inline int write_frame(struct xdp_md* packet, const struct frame_settings* settings,
                                       const struct frame_outgoing* flow, const struct stamp* stamp) {
  void* end = (void*)(long)packet->data_end;
  struct ethhdr* ethernet = (void*)(long)packet->data;
  struct iphdr* ip = (void*)(ethernet + 1);
  struct udphdr* udp = (void*)(ip + 1);
  struct channel_header* channel = (void*)(udp + 1);
  if ((void*)(channel + 1) > end) return 0;
  const __u16 header_bytes = flow->channel_number ? sizeof *channel : 0;
  const __u16 udp_bytes = sizeof *udp + header_bytes + (__u16)settings->payload_bytes;
  __builtin_memcpy(ethernet->h_dest, settings->destination_mac, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, settings->source_mac, ETH_ALEN);
  ethernet->h_proto = bpf_htons(ETH_P_IP);
  write_ip(ip, flow, udp_bytes);
  udp->source = flow->source_port;
  udp->dest = flow->destination_port;
  udp->len = bpf_htons(udp_bytes);
  udp->check = checksum_of(settings, flow, stamp, udp_bytes);
  struct stamp* place = (void*)(udp + 1);
  if (flow->channel_number) {
    channel->number = flow->channel_number;
    channel->length = bpf_htons((__u16)settings->payload_bytes);
    place = (void*)(channel + 1);
  }
  if ((void*)(place + 1) > end) return 0;
  *place = *stamp;
  return 1;
}

SEC("xdp")
int send_frames(struct xdp_md* packet) {
  const __u32 zero = 0;
  const struct frame_settings* settings = bpf_map_lookup_elem(&settings_map, &zero);
  struct frame_counts* counts = bpf_map_lookup_elem(&counts_map, &zero);
  if (!settings || !counts || !settings->burst || !settings->flows) return XDP_DROP;
  const __u64 now_ns = bpf_ktime_get_ns();
  if (!is_due(settings, counts, now_ns)) return XDP_DROP;
  const __u32 number = (__u32)(counts->sent / settings->burst % settings->flows);
  struct frame_outgoing* flow = bpf_map_lookup_elem(&outgoing_map, &number);
  if (!flow) return XDP_DROP;
  struct stamp stamp = {number, settings->phase, flow->sequence, (__u32)now_ns, (__u32)(now_ns >> 32), 0};
  stamp.mix = mix_of(&stamp);
  if (!write_frame(packet, settings, flow, &stamp)) return XDP_DROP;
  flow->sequence += 1;
  counts->sent += 1;
  return (int)bpf_redirect(settings->out_interface, 0);
}

// ---- receiving

static __always_inline int has_tail(const struct frame_settings* settings, const __u8* tail, const void* end) {
  const __u32 bytes = settings->payload_bytes - FRAME_STAMP_BYTES;
  __u32 at = 0;
  for (; at + 8 <= bytes && at + 8 <= FRAME_PAYLOAD_LIMIT; at += 8) {
    if ((const void*)(tail + at + 8) > end) return 0;
    if (*(const __u64*)(tail + at) != *(const __u64*)(settings->tail + at)) return 0;
  }
  for (int rest = 0; rest < 7 && at < bytes && at < FRAME_PAYLOAD_LIMIT; ++rest, ++at) {
    if ((const void*)(tail + at + 1) > end) return 0;
    if (tail[at] != settings->tail[at]) return 0;
  }
  return 1;
}

// In order, most of the time. What comes more than 64 behind the newest of its flow counts as having come before.
static __always_inline void count_arrival(struct frame_incoming* flow, struct frame_counts* counts, __u32 sequence,
                                          __u64 delay_ns) {
  if (sequence >= flow->next) {
    const __u32 skipped = sequence - flow->next;
    flow->missing = skipped >= 63 ? ~0ULL << 1 : (flow->missing << (skipped + 1) | ((1ULL << (skipped + 1)) - 2));
    flow->next = sequence + 1;
  } else {
    const __u32 behind = flow->next - 1 - sequence;
    if (behind > 63 || !(flow->missing >> behind & 1)) {
      counts->duplicated += 1;
      return;
    }
    flow->missing &= ~(1ULL << behind);
    counts->reordered += 1;
  }
  counts->received += 1;
  __u64 index = delay_class(delay_ns);
  asm volatile("" : "+r"(index));  // or what is compared below is another copy, and the verifier loses sight of it
  if (index < DELAY_CLASSES) counts->delays[index] += 1;
}

static __always_inline void check(const struct frame_settings* settings, struct frame_counts* counts,
                                  struct frame_incoming* flow, const struct stamp* found, const void* end) {
  if ((const void*)(found + 1) > end) {
    counts->corrupted += 1;
    return;
  }
  const struct stamp stamp = *found;
  if (stamp.mix != mix_of(&stamp) || !has_tail(settings, (const __u8*)(found + 1), end)) {
    counts->corrupted += 1;
  } else if (stamp.flow != flow->flow) {
    counts->misrouted += 1;
  } else if (stamp.phase != settings->phase) {
    counts->stale += 1;
  } else {
    const __u64 sent_ns = (__u64)stamp.time_high << 32 | stamp.time_low;
    count_arrival(flow, counts, stamp.sequence, bpf_ktime_get_ns() - sent_ns);
  }
}

SEC("xdp")
int receive_frames(struct xdp_md* packet) {
  const void* end = (void*)(long)packet->data_end;
  const struct ethhdr* ethernet = (void*)(long)packet->data;
  const struct iphdr* ip = (void*)(ethernet + 1);
  const struct udphdr* udp = (void*)(ip + 1);
  const struct channel_header* channel = (void*)(udp + 1);
  if ((void*)(channel + 1) > end) return XDP_PASS;
  if (ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != IPPROTO_UDP) return XDP_PASS;
  const __u32 zero = 0;
  const struct frame_settings* settings = bpf_map_lookup_elem(&settings_map, &zero);
  struct frame_counts* counts = bpf_map_lookup_elem(&counts_map, &zero);
  if (!settings || !counts || !settings->flows || udp->dest != settings->receiver_port) return XDP_PASS;
  const __u32 receiver = bpf_ntohl(ip->daddr) - settings->first_receiver_ip;
  struct frame_incoming* flow = bpf_map_lookup_elem(&incoming_map, &receiver);
  if (!flow || receiver >= settings->flows) return XDP_PASS;
  // STUN has two zero bits in front.
  if (flow->channel_number && !(bpf_ntohs(channel->number) & 0xC000)) return XDP_PASS;
  const __u16 header_bytes = flow->channel_number ? sizeof *channel : 0;
  const int is_right = ip->saddr == flow->source_ip && udp->source == flow->source_port &&
                       udp->len == bpf_htons(sizeof *udp + header_bytes + (__u16)settings->payload_bytes) &&
                       (!flow->channel_number || (channel->number == flow->channel_number &&
                                                  channel->length == bpf_htons((__u16)settings->payload_bytes)));
  if (is_right) {
    check(settings, counts, flow, flow->channel_number ? (const void*)(channel + 1) : (const void*)(udp + 1), end);
  } else {
    counts->misrouted += 1;
  }
  return XDP_DROP;
}

const char _license[] SEC("license") = "Dual MIT/GPL";
