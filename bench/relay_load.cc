// bench_relay_load: loads a TURN server with ChannelData in both directions and says, in JSON, what arrived
// and what it cost the server. bench/relay builds the network around it, starts the servers and compares
// them.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "relay_load/allocations.h"
#include "relay_load/flow_check.h"
#include "relay_load/frame_traffic.h"
#include "relay_load/namespace_socket.h"
#include "relay_load/phase.h"
#include "relay_load/server_cpu.h"
#include "relay_load/stream_sockets.h"

namespace offhook::bench {
namespace {

constexpr std::uint16_t kClientPort = 40000;
constexpr std::uint16_t kPeerPort = 50000;
constexpr double kServerStart_s = 15;
constexpr std::int64_t kCredentialLifetime_s = 86400;

struct Options {
  std::string client_netns;
  std::string peer_netns;
  std::string server;
  std::string secret;
  std::string first_client = "198.18.0.1";
  std::string first_peer = "198.19.0.1";
  std::string mode = "relay";
  std::string transport = "udp";
  std::uint16_t forward_port = 20000;
  std::string forward_from;
  std::uint16_t tls_port = 5349;
  int server_pid = 0;
  unsigned server_core = 0;
  std::size_t allocations = 1000;
  std::size_t payload = 172;
  std::vector<double> rates = {60000};
  std::size_t window = 128;
  std::size_t burst = 1;
  bool merged = false;
  bool frames = false;
  std::string client_device = "clients";
  std::string peer_device = "peers";
  double warm_up = 0.5;
  double seconds = 4;
};

struct Failure {
  std::string what;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--server", options.server, "ADDRESS:PORT of the TURN server (IPv4)")->required();
  app.add_option("--secret", options.secret, "shared secret of its ephemeral usernames")->required();
  app.add_option("--server-pid", options.server_pid, "process whose CPU time is read")->required();
  app.add_option("--server-core", options.server_core, "core that the server alone is pinned to")->required();
  app.add_option("--client-netns", options.client_netns, "network namespace of the clients (a path)");
  app.add_option("--peer-netns", options.peer_netns, "network namespace of the peers (a path)");
  app.add_option("--first-client", options.first_client, "address of the first client; the others follow");
  app.add_option("--first-peer", options.first_peer, "address of the first peer; the others follow");
  app.add_option(
         "--mode", options.mode,
         "relay: up, and down; calls: both at the same time; relay-to-relay: clients in pairs, each the "
         "other's peer; forward: through a router with NAT")
      ->check(CLI::IsMember({"relay", "calls", "relay-to-relay", "forward"}));
  app.add_option("--forward-port", options.forward_port, "of the router, for the first flow");
  app.add_option("--forward-from", options.forward_from, "ADDRESS:PORT that the router sends from");
  app.add_option("--transport", options.transport, "how clients reach the server")
      ->check(CLI::IsMember({"udp", "tcp", "tls"}));
  app.add_option("--tls-port", options.tls_port, "port of the server for TLS");
  app.add_option("--allocations", options.allocations)->check(CLI::Range(1, 60000));
  app.add_option("--payload", options.payload, "bytes in a ChannelData message")->check(CLI::Range(24, 1400));
  app.add_option("--rate", options.rates, "packets a second of the paced phases, one or a list")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--window", options.window, "packets under way at saturation")->check(CLI::Range(1, 65536));
  app.add_option("--burst", options.burst, "packets of one flow in a row")->check(CLI::Range(1, 64));
  app.add_flag("--merged", options.merged,
               "what is sent in a row arrives as one, as a network card's driver merges it");
  app.add_flag("--frames", options.frames,
               "packets as from a network card, by programs in the kernel (UDP alone)");
  app.add_option("--client-device", options.client_device, "device of the clients, for --frames");
  app.add_option("--peer-device", options.peer_device, "device of the peers, for --frames");
  app.add_option("--warm-up", options.warm_up, "seconds of load before each measurement")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seconds", options.seconds, "seconds of each measurement")->check(CLI::Range(0.1, 60.0));
}

Result<std::uint32_t, Failure> parse_ipv4(const std::string& text, const char* flag) {
  const auto ip = Ip::parse(text);
  if (!ip || !ip->is_v4()) return fail(Failure{fmt::format("{}: '{}' is no IPv4 address", flag, text)});
  return Reader(ip->octets()).u32();
}

Result<AllocationPlan, Failure> plan_of(const Options& options) {
  const auto server = Address::parse(options.server);
  if (!server || !server->ip.is_v4()) {
    return fail(Failure{fmt::format("--server: '{}' is no IPv4 ADDRESS:PORT", options.server)});
  }
  const auto first_client = parse_ipv4(options.first_client, "--first-client");
  if (!first_client) return fail(first_client.error());
  const auto first_peer = parse_ipv4(options.first_peer, "--first-peer");
  if (!first_peer) return fail(first_peer.error());
  AllocationPlan plan;
  plan.server = {Reader(server->ip.octets()).u32(), server->port};
  plan.count = options.allocations;
  plan.in_pairs = options.mode == "relay-to-relay";
  if (plan.in_pairs && plan.count % 2 != 0) {
    return fail(Failure{"--allocations: pairs need an even number"});
  }
  plan.first_client_ip = *first_client;
  plan.first_peer_ip = *first_peer;
  plan.peer_port = kPeerPort;
  plan.shared_secret = Secret(options.secret);
  plan.expiry_unix_s = static_cast<std::int64_t>(std::time(nullptr)) + kCredentialLifetime_s;
  return plan;
}

std::string json_of(const ServerCpuUse& cpu) {
  return fmt::format(
      R"({{"wall_s":{:.4f},"process_s":{:.3f},"process_user_s":{:.3f},"core_s":{:.4f},"softirq_s":{:.3f},)"
      R"("foreign_s":{:.3f},"steal_s":{:.3f}}})",
      cpu.wall_s, cpu.process_s, cpu.process_user_s, cpu.core_s, cpu.softirq_s, cpu.foreign_s, cpu.steal_s);
}

std::string json_of(const Delays& delays) {
  const auto microseconds = [&delays](double share) { return static_cast<double>(delays.at(share)) * 1e-3; };
  return fmt::format(R"({{"p50":{:.1f},"p99":{:.1f},"p999":{:.1f},"max":{:.1f}}})", microseconds(0.5),
                     microseconds(0.99), microseconds(0.999), microseconds(1));
}

std::string json_of(const PhasePlan& plan, const PhaseResult& result) {
  const FlowCounts& counts = result.counts;
  return fmt::format(
      R"({{"direction":"{}","load":"{}","rate_pps":{:.0f},"sent":{},"received":{},"measured_sent":{},)"
      R"("measured_received":{},"lost":{},"duplicated":{},"corrupted":{},"misrouted":{},"reordered":{},"delay_us":{},"cpu":{}}})",
      name(plan.direction), plan.rate_pps > 0 ? "paced" : "saturated", plan.rate_pps, counts.sent,
      counts.received, result.sent, result.received, counts.lost(), counts.duplicated, counts.corrupted,
      counts.misrouted, counts.reordered, json_of(result.delays), json_of(result.cpu));
}

Result<std::string, Failure> run_phases(const Bench& bench, FrameTraffic* frames, const Options& options) {
  std::string phases;
  std::vector<Direction> directions = {Direction::up, Direction::down};
  if (options.mode == "relay-to-relay") directions = {Direction::across};
  if (options.mode == "calls") directions = {Direction::both};
  FlowCheck flows(flows_of(bench.allocations.size(), directions.front()), options.payload);
  std::vector<double> rates = options.rates;
  rates.push_back(0);
  for (const double rate_pps : rates) {
    for (const Direction direction : directions) {
      const PhasePlan plan{direction,     rate_pps,        options.window,
                           options.burst, options.warm_up, options.seconds};
      const auto result = frames != nullptr ? frames->run_phase(bench, plan) : run_phase(bench, flows, plan);
      if (!result) return fail(Failure{result.error()});
      phases += fmt::format("{}\n    {}", phases.empty() ? "" : ",", json_of(plan, *result));
    }
  }
  return phases;
}

// None where packets go through sockets.
Result<std::unique_ptr<FrameTraffic>, Failure> attach_frames(const Options& options,
                                                             const AllocationPlan& plan) {
  if (!options.frames) return std::unique_ptr<FrameTraffic>();
  if (options.transport != "udp") return fail(Failure{"--frames: clients speak UDP"});
  if (options.mode == "calls") return fail(Failure{"--frames: one direction at a time"});
  if (plan.count > FRAME_FLOWS_LIMIT)
    return fail(Failure{fmt::format("--allocations: with --frames {} at most", FRAME_FLOWS_LIMIT)});
  auto attached = FrameTraffic::attach(
      {options.client_netns, options.client_device, plan.first_client_ip, kClientPort},
      {options.peer_netns, options.peer_device, plan.first_peer_ip, kPeerPort}, options.payload);
  if (!attached) return fail(Failure{attached.error()});
  return std::move(*attached);
}

// None where the clients speak UDP.
Result<std::unique_ptr<StreamSockets>, Failure> connect_streams(const Options& options,
                                                                const AllocationPlan& plan) {
  if (options.transport == "udp") return std::unique_ptr<StreamSockets>();
  const StreamSockets::Plan streams{
      options.client_netns,       plan.server,   plan.count, plan.first_client_ip,
      options.transport == "tls", kServerStart_s};
  auto connected = StreamSockets::connect(streams);
  if (!connected) return fail(Failure{connected.error()});
  return std::move(*connected);
}

std::string json_of(const Options& options, const ServerCpuUse& set_up, std::int64_t resident_bytes,
                    const std::string& phases) {
  return fmt::format(
      "{{\n  \"allocations\":{},\"payload_bytes\":{},\"burst\":{},\"window\":{},\n  \"set_up\":{},\n"
      "  \"resident_bytes\":{},\n"
      "  \"phases\":[{}\n  ]\n}}\n",
      options.allocations, options.payload, options.burst, options.window, json_of(set_up), resident_bytes,
      phases);
}

// No server is set up: the kernel forwards.
Result<std::string, Failure> run_forward(const Options& options, const AllocationPlan& plan,
                                         FrameTraffic* frames) {
  if (frames == nullptr) return fail(Failure{"--mode forward: needs --frames"});
  const auto from = Address::parse(options.forward_from);
  if (!from || !from->ip.is_v4()) {
    return fail(Failure{fmt::format("--forward-from: '{}' is no IPv4 ADDRESS:PORT", options.forward_from)});
  }
  const Endpoint outer{Reader(from->ip.octets()).u32(), from->port};
  const auto flows = forwarded_flows(plan, options.forward_port, outer);
  const Bench bench{nullptr, nullptr, plan.server, flows, options.server_pid, options.server_core};
  const auto phases = run_phases(bench, frames, options);
  if (!phases) return fail(phases.error());
  return json_of(options, ServerCpuUse{}, 0, *phases);
}

Result<std::string, Failure> run(const Options& options) {
  auto plan = plan_of(options);
  if (!plan) return fail(plan.error());
  auto frames = attach_frames(options, *plan);
  if (!frames) return fail(frames.error());
  if (options.mode == "forward") return run_forward(options, *plan, frames->get());
  auto udp_clients = NamespaceSocket::open(options.client_netns, kClientPort, options.merged);
  if (!udp_clients) return fail(Failure{udp_clients.error()});
  auto peers = NamespaceSocket::open(options.peer_netns, kPeerPort, options.merged);
  if (!peers) return fail(Failure{peers.error()});
  if (auto up = wait_for_server(**udp_clients, *plan, kServerStart_s); !up) return fail(Failure{up.error()});

  if (options.transport == "tls") plan->server.port = options.tls_port;
  const auto resident_before = resident_bytes(options.server_pid);
  if (!resident_before) return fail(Failure{resident_before.error()});
  const auto before = sample_server_cpu(options.server_pid, options.server_core);
  if (!before) return fail(Failure{before.error()});
  auto streams = connect_streams(options, *plan);
  if (!streams) return fail(streams.error());
  MessageSockets& clients = *streams ? static_cast<MessageSockets&>(**streams) : **udp_clients;
  const auto allocations = make_allocations(clients, *plan);
  if (!allocations) return fail(Failure{allocations.error()});
  const auto after = sample_server_cpu(options.server_pid, options.server_core);
  if (!after) return fail(Failure{after.error()});
  const auto resident_after = resident_bytes(options.server_pid);
  if (!resident_after) return fail(Failure{resident_after.error()});

  const Bench bench{&clients,     peers->get(),       plan->server,
                    *allocations, options.server_pid, options.server_core};
  const auto phases = run_phases(bench, frames->get(), options);
  if (!phases) return fail(phases.error());
  return json_of(options, server_cpu_between(*before, *after),
                 static_cast<std::int64_t>(*resident_after) - static_cast<std::int64_t>(*resident_before),
                 *phases);
}

}  // namespace
}  // namespace offhook::bench

int main(int argc, char** argv) {
  CLI::App app("Loads a TURN server with ChannelData and measures its CPU time; bench/relay drives it.");
  offhook::bench::Options options;
  offhook::bench::add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  const auto json = offhook::bench::run(options);
  if (!json) {
    fmt::print(stderr, "bench_relay_load: {}\n", json.error().what);
    return 1;
  }
  fmt::print("{}", *json);
  return 0;
}
