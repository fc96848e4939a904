#include "relay_load/phase.h"

#include <algorithm>

#include "wire/turn/channel_data.h"

namespace offhook::bench {
namespace {

// Nothing received for this long at saturation: what is under way was lost, and the window starts again.
constexpr double kWindowStall_s = 0.02;
// Nothing received for this long after the last packet: nothing more will come.
constexpr int kDrain_ms = 100;
// At saturation packets go out in at least this many, or the generator pays a system call for each.
constexpr std::size_t kSaturationBatch = 16;

// The least time between two turns of the loop. A generator that looks at its socket without a pause keeps
// taking the socket's cache lines away from the core that fills it, which is the server's.
constexpr double kTurn_s = 20e-6;

std::uint64_t nanoseconds(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

// Tells the processor that this is a spin, so that a sibling thread gets the core's units.
void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Run {
 public:
  Run(const Bench& bench, FlowCheck& flows, const PhasePlan& plan)
      : bench_(bench), flows_(flows), plan_(plan) {
    const bool both = plan.direction == Direction::both;
    if (plan.direction != Direction::down) senders_.push_back(bench.clients);
    if (plan.direction == Direction::down || both) senders_.push_back(bench.peers);
    if (plan.direction == Direction::up || both) receivers_.push_back(bench.peers);
    if (plan.direction != Direction::up) receivers_.push_back(bench.clients);
  }

  Result<PhaseResult, std::string> measure() {
    flows_.begin_phase();
    started_s_ = monotonic_seconds();
    last_receipt_s_ = started_s_;
    if (auto load = load_until(started_s_ + plan_.warm_up_s); !load) return fail(load.error());
    const auto before = sample_server_cpu(bench_.server_pid, bench_.server_core);
    if (!before) return fail(before.error());
    const FlowCounts at_start = flows_.counts();
    flows_.delays().clear();
    if (auto load = load_until(before->monotonic_s + plan_.measured_s); !load) return fail(load.error());
    const auto after = sample_server_cpu(bench_.server_pid, bench_.server_core);
    if (!after) return fail(after.error());
    PhaseResult result;
    result.sent = flows_.counts().sent - at_start.sent;
    result.received = flows_.counts().received - at_start.received;
    result.delays = flows_.delays();
    result.cpu = server_cpu_between(*before, *after);
    if (auto drained = drain(); !drained) return fail(drained.error());
    result.counts = flows_.counts();
    return result;
  }

 private:
  Result<void, std::string> load_until(double end_s) {
    for (double now_s = monotonic_seconds(); now_s < end_s; now_s = monotonic_seconds()) {
      flows_.set_time(nanoseconds(now_s));
      const std::size_t due = due_now(now_s);
      for (std::size_t i = 0; i < due; ++i) send_one();
      if (auto sent = flush(); !sent) return fail(sent.error());
      const auto received = receive_batches();
      if (!received) return fail(received.error());
      if (*received > 0) last_receipt_s_ = now_s;
      while (monotonic_seconds() < now_s + kTurn_s) relax();
    }
    return {};
  }

  // How many packets to send now, at most a batch.
  std::size_t due_now(double now_s) {
    const FlowCounts& counts = flows_.counts();
    if (plan_.rate_pps > 0) {
      const double wanted = (now_s - started_s_) * plan_.rate_pps;
      const double missing = wanted - static_cast<double>(counts.sent);
      return missing < 1 ? 0 : std::min(MessageSockets::kBatch, static_cast<std::size_t>(missing));
    }
    if (counts.sent > counts.received + written_off_ && now_s - last_receipt_s_ > kWindowStall_s) {
      written_off_ = counts.sent - counts.received;
      last_receipt_s_ = now_s;
    }
    const std::uint64_t settled = counts.received + written_off_;
    const std::uint64_t under_way = counts.sent > settled ? counts.sent - settled : 0;
    const std::uint64_t room = plan_.window > under_way ? plan_.window - under_way : 0;
    return room < std::min(kSaturationBatch, plan_.window)
               ? 0
               : std::min<std::uint64_t>(MessageSockets::kBatch, room);
  }

  void send_one() {
    const std::size_t count = bench_.allocations.size();
    if (plan_.direction == Direction::down) {
      send_down(flow_, flow_);
    } else if (plan_.direction == Direction::both && is_turn_of_peers_) {
      const std::size_t opposite = (flow_ + count / 2) % count;
      send_down(opposite, count + opposite);
    } else {
      send_up(flow_);
    }
    if (++in_burst_ < plan_.burst) return;
    in_burst_ = 0;
    if (plan_.direction == Direction::both) is_turn_of_peers_ = !is_turn_of_peers_;
    if (!is_turn_of_peers_) flow_ = (flow_ + 1) % count;
  }

  void send_up(std::size_t index) {
    const Allocation& allocation = bench_.allocations[index];
    const std::size_t payload_bytes = flows_.payload_bytes();
    MutableBytes out = bench_.clients->queue(allocation.client_ip, bench_.server,
                                             turn::kChannelDataHeaderBytes + payload_bytes);
    turn::write_channel_data_header(out, allocation.channel_number,
                                    static_cast<std::uint16_t>(payload_bytes));
    flows_.stamp(index, out.subspan(turn::kChannelDataHeaderBytes));
  }

  void send_down(std::size_t index, std::size_t flow) {
    const Allocation& allocation = bench_.allocations[index];
    flows_.stamp(flow, bench_.peers->queue(allocation.peer.ip, allocation.relayed, flows_.payload_bytes()));
  }

  Result<void, std::string> flush() {
    for (MessageSockets* sender : senders_) {
      if (auto sent = sender->flush(); !sent) return sent;
    }
    return {};
  }

  Result<std::size_t, std::string> receive_batches() {
    std::size_t taken = 0;
    for (MessageSockets* receiver : receivers_) {
      const auto batch = receiver->receive();
      if (!batch) return fail(batch.error());
      flows_.set_time(nanoseconds(monotonic_seconds()));
      for (const auto& received : *batch) {
        if (receiver == bench_.peers) {
          arrived_at_peer(received);
        } else {
          arrived_at_client(received);
        }
      }
      taken += batch->size();
    }
    return taken;
  }

  void arrived_at_peer(const MessageSockets::Received& received) {
    const std::uint32_t flow = received.local_ip - bench_.allocations.front().peer.ip;
    if (flow >= bench_.allocations.size() || received.remote != bench_.allocations[flow].relayed) {
      flows_.arrived_misrouted();
      return;
    }
    flows_.arrived(flow, received.message);
  }

  void arrived_at_client(const MessageSockets::Received& received) {
    const std::uint32_t flow = received.local_ip - bench_.allocations.front().client_ip;
    const auto channel_data = turn::parse_channel_data(received.message);
    const bool ours = flow < bench_.allocations.size() && received.remote == bench_.server && channel_data &&
                      channel_data->channel_number == bench_.allocations[flow].channel_number;
    if (!ours) {
      flows_.arrived_misrouted();
      return;
    }
    flows_.arrived(flow_to_client(flow), channel_data->payload);
  }

  // The number of the flow that ends at this client.
  std::size_t flow_to_client(std::size_t client) const {
    switch (plan_.direction) {
      case Direction::across:
        return partner_of(client);
      case Direction::both:
        return bench_.allocations.size() + client;
      case Direction::up:
      case Direction::down:
        return client;
    }
    return client;
  }

  // Until nothing has come for a while. What a stream could not take at once goes out meanwhile.
  Result<void, std::string> drain() {
    for (bool is_quiet = false; !is_quiet;) {
      if (auto sent = flush(); !sent) return sent;
      for (MessageSockets* receiver : receivers_) receiver->wait_readable(kDrain_ms);
      const auto received = receive_batches();
      if (!received) return fail(received.error());
      is_quiet = *received == 0;
    }
    return {};
  }

  const Bench& bench_;
  FlowCheck& flows_;
  const PhasePlan& plan_;
  double started_s_ = 0;
  double last_receipt_s_ = 0;
  std::uint64_t written_off_ = 0;
  std::vector<MessageSockets*> senders_;
  std::vector<MessageSockets*> receivers_;
  std::size_t flow_ = 0;
  std::size_t in_burst_ = 0;
  bool is_turn_of_peers_ = false;  // with both directions
};

}  // namespace

std::string_view name(Direction direction) {
  switch (direction) {
    case Direction::up:
      return "up";
    case Direction::down:
      return "down";
    case Direction::across:
      return "across";
    case Direction::both:
      return "both";
  }
  return "";
}

std::size_t flows_of(std::size_t allocations, Direction direction) {
  return direction == Direction::both ? 2 * allocations : allocations;
}

Result<PhaseResult, std::string> run_phase(const Bench& bench, FlowCheck& flows, const PhasePlan& plan) {
  return Run(bench, flows, plan).measure();
}

}  // namespace offhook::bench
