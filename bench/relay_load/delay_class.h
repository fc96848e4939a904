#pragma once
// Classes of delays, a thirty-second of their size wide; plain C, for the kernel's programs too.

#include <linux/types.h>

#define DELAY_STEPS_LOG2 5  // 32 steps in each power of two
#define DELAY_EXACT (2u << DELAY_STEPS_LOG2)
#define DELAY_CLASSES (DELAY_EXACT + (63 - DELAY_STEPS_LOG2) * (1u << DELAY_STEPS_LOG2))

// How often `value` can be halved until it is below DELAY_EXACT.
static inline __attribute__((always_inline)) __u32 delay_halvings(__u64 value) {
  __u32 halvings = 0;
  for (__u32 step = 32; step > 0; step >>= 1) {
    if (value >> step >= DELAY_EXACT / 2) {
      halvings += step;
      value >>= step;
    }
  }
  return halvings;
}

static inline __attribute__((always_inline)) __u32 delay_class(__u64 value) {
  if (value < DELAY_EXACT) return (__u32)value;
  const __u32 halvings = delay_halvings(value);
  return DELAY_EXACT + (halvings - 1) * (1u << DELAY_STEPS_LOG2) + (__u32)(value >> halvings) -
         (1u << DELAY_STEPS_LOG2);
}
