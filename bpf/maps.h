#pragma once
// The maps. The relay sets their sizes before it loads the program.

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "wire/route_abi.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, struct route_key);
  __type(value, struct route);
  __uint(max_entries, 1);
} routes SEC(".maps");

// The relay reads and writes them in its own memory.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct route_account);
  __uint(max_entries, 1);
} accounts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __type(key, __u32);
  __type(value, __u64);
  __uint(max_entries, route_reason_count);
} reasons SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, __u32);
  __type(value, struct route_interface);
  __uint(max_entries, 256);
} interfaces SEC(".maps");

const volatile struct route_limits limits SEC(".rodata.limits") = {0};
