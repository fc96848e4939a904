#include "relay_load/flow_check.h"

#include <algorithm>
#include <cassert>

namespace offhook::bench {
namespace {

// Ties the four numbers together, so that a damaged one does not pass for another.
std::uint32_t mix(std::uint32_t flow, std::uint32_t phase, std::uint32_t sequence, std::uint64_t time) {
  const auto times = static_cast<std::uint32_t>(time) * 0x165667B1U + static_cast<std::uint32_t>(time >> 32U);
  return (flow * 0x9E3779B1U) ^ (phase * 0x85EBCA77U) ^ (sequence * 0xC2B2AE3DU) ^ times ^ 0x27D4EB2FU;
}

}  // namespace

FlowCheck::FlowCheck(std::size_t flows, std::size_t payload_bytes)
    : payload_bytes_(payload_bytes), flows_(flows) {
  assert(payload_bytes >= kStampBytes);
  for (std::size_t flow = 0; flow < flows; ++flow) {
    Buffer& tail = flows_[flow].tail;
    tail.resize(payload_bytes - kStampBytes);
    for (std::size_t i = 0; i < tail.size(); ++i)
      tail[i] = static_cast<std::uint8_t>(flow * 31 + i * 7 + (flow >> 8U));
  }
}

void FlowCheck::begin_phase() {
  ++phase_;
  counts_ = {};
  delays_.clear();
  for (Flow& flow : flows_) {
    flow.next_sequence = 0;
    flow.highest_seen = 0;
    flow.seen.clear();
  }
}

void FlowCheck::stamp(std::size_t flow, MutableBytes payload) {
  assert(payload.size() == payload_bytes_);
  Flow& state = flows_[flow];
  const auto number = static_cast<std::uint32_t>(flow);
  const std::uint32_t sequence = state.next_sequence++;
  state.seen.push_back(false);
  Writer writer(payload);
  writer.u32(number);
  writer.u32(phase_);
  writer.u32(sequence);
  writer.u64(time_ns_);
  writer.u32(mix(number, phase_, sequence, time_ns_));
  writer.bytes(state.tail);
  ++counts_.sent;
}

void FlowCheck::arrived(std::size_t flow, Bytes payload) {
  Reader reader(payload);
  const std::uint32_t number = reader.u32();
  const std::uint32_t phase = reader.u32();
  const std::uint32_t sequence = reader.u32();
  const std::uint64_t sent_ns = reader.u64();
  const std::uint32_t mixed = reader.u32();
  const bool whole = reader.ok() && mixed == mix(number, phase, sequence, sent_ns) &&
                     number < flows_.size() && equal(reader.take_rest(), flows_[number].tail);
  if (!whole) {
    ++counts_.corrupted;
    return;
  }
  if (number != flow) {
    ++counts_.misrouted;
    return;
  }
  if (phase != phase_) {
    ++counts_.stale;
    return;
  }
  Flow& state = flows_[flow];
  if (sequence >= state.seen.size()) {
    ++counts_.corrupted;
    return;
  }
  if (state.seen[sequence]) {
    ++counts_.duplicated;
    return;
  }
  state.seen[sequence] = true;
  ++counts_.received;
  delays_.add(time_ns_ - sent_ns);
  if (sequence < state.highest_seen) ++counts_.reordered;
  state.highest_seen = std::max(state.highest_seen, sequence);
}

}  // namespace offhook::bench
