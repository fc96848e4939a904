#pragma once
// One measurement: a direction, a rate, a time.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "relay_load/allocations.h"
#include "relay_load/flow_check.h"
#include "relay_load/message_sockets.h"
#include "relay_load/server_cpu.h"

namespace offhook::bench {

enum class Direction {
  up,      // ChannelData from clients, UDP to peers
  down,    // UDP from peers, ChannelData to clients
  across,  // ChannelData from a client, ChannelData to the other of its pair
  both,    // up and down in turn: what goes down for a client is half a round of all clients after what it
           // sends
};
std::string_view name(Direction direction);

struct PhasePlan {
  Direction direction = Direction::up;
  // Packets a second. Zero is saturation: as many as the server takes with `window` of them under way, so
  // that the server is busy all the time and yet its socket buffers do not overflow.
  double rate_pps = 0;
  std::size_t window = 0;
  std::size_t burst = 1;  // packets of one flow in a row
  double warm_up_s = 0;   // load that is not measured, before
  double measured_s = 0;
};

struct PhaseResult {
  FlowCounts counts;  // the whole phase, warm-up and drain included
  // Within the measured time:
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  Delays delays;  // from the turn of the generator that sent a packet to the one that received it
  ServerCpuUse cpu;
};

// Of `allocations` that are loaded this way: with both, those down have numbers of their own after those up.
std::size_t flows_of(std::size_t allocations, Direction direction);

struct Bench {
  // Not null for run_phase() below.
  MessageSockets* clients = nullptr;
  MessageSockets* peers = nullptr;
  Endpoint server;
  const std::vector<Allocation>& allocations;
  int server_pid = 0;
  unsigned server_core = 0;
};

// The error: the server or a connection to it ended, or the generator could not send.
Result<PhaseResult, std::string> run_phase(const Bench& bench, FlowCheck& flows, const PhasePlan& plan);

}  // namespace offhook::bench
