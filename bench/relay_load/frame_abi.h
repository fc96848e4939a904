#pragma once
// What the generator and its programs in the kernel (frames.bpf.c) share. Plain C; addresses and ports in
// network order where they are __be.

#include <linux/types.h>

#include "delay_class.h"

#define FRAME_FLOWS_LIMIT 20000
#define FRAME_PAYLOAD_LIMIT 1400
// | flow (32) | phase (32) | sequence (32) | time (64) | mix of the four (32) |, all in the order of this
// machine.
#define FRAME_STAMP_BYTES 24

struct frame_settings {
  __u64 start_ns;     // of the phase
  __u64 rate_pps;     // 0: as many as `window` lets through
  __u64 written_off;  // packets that were sent and will not come
  __u32 window;
  __u32 flows;
  __u32 phase;
  __u32 burst;
  __u32 payload_bytes;
  __u32 out_interface;      // that the server's end of the sender's network is behind
  __u32 halted;             // nothing more is sent
  __u32 first_receiver_ip;  // in the order of this machine
  __be16 receiver_port;
  __u16 tail_sum;  // what the bytes behind the stamp add to a checksum
  __u8 source_mac[6];
  __u8 destination_mac[6];
  __u8 tail[FRAME_PAYLOAD_LIMIT];  // what follows the stamp, in every packet
};

// How packets of a flow leave. Without a ChannelData header where the channel is 0.
struct frame_outgoing {
  __be32 source_ip;
  __be32 destination_ip;
  __be16 source_port;
  __be16 destination_port;
  __be16 channel_number;
  __u16 unused;
  __u32 sequence;
  __u32 unused_too;  // entries of a map stand at multiples of eight bytes
};

// What arrives at a receiver, which is found by its address.
struct frame_incoming {
  __be32 source_ip;
  __be16 source_port;
  __be16 channel_number;
  __u32 flow;
  __u32 next;     // sequence number
  __u64 missing;  // which of the 64 before it have not come; the lowest bit is the newest
};

struct frame_counts {
  __u64 sent;
  __u64 received;
  __u64 duplicated;
  __u64 corrupted;
  __u64 misrouted;
  __u64 reordered;
  __u64 stale;
  __u64 delays[DELAY_CLASSES];
};
