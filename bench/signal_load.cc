// bench_signal_load: loads a signalling server as many browsers would, and says in JSON what came of it.
// bench/signal starts the servers, pins everything, and puts the figures together.

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "base/address.h"
#include "io/net/fd_limit.h"
#include "signal_load/calls.h"
#include "signal_load/crowd.h"
#include "signal_load/device.h"
#include "signal_load/fan_out.h"
#include "signal_load/pair.h"
#include "signal_load/peerjs.h"
#include "signal_load/slow_readers.h"

namespace offhook::bench {
namespace {

struct Options {
  std::string scenario;
  std::string server;
  std::string server_kind = "offhook";
  std::string token_secret_file;
  std::string first_source = "127.0.1.1";
  ServerProcess process;
  std::size_t sessions = 1000;
  std::size_t first_number = 0;
  double rate = 0;
  std::size_t window = 64;
  double warm_up = 1;
  double seconds = 5;
  std::size_t slow = 1000;
  std::size_t devices = 4;
  std::size_t calls = 200;

  bool is_peerjs() const { return server_kind == "peerjs"; }
};

using Json = Result<std::string, std::string>;

Duration duration_of(double seconds) { return Duration(static_cast<Duration::rep>(seconds * 1e9)); }

bool never() { return false; }

std::string faults_of(const Crowd& crowd) {
  std::string text = fmt::format("{} faults; the first:", crowd.faults());
  for (const std::string& one : crowd.first_faults()) text += "\n  " + one;
  return text;
}

// What broke a rule makes every figure worthless.
Json checked(const Crowd& crowd, Json json) {
  if (crowd.faults() > 0) return fail(faults_of(crowd));
  return json;
}

Result<Secret, std::string> secret_in(const std::string& path) {
  std::ifstream file(path);
  std::string secret;
  if (!std::getline(file, secret) || secret.empty()) return fail("no secret in " + path);
  return Secret(secret);
}

// Half of the sessions call the other half.
Result<CallFigures, std::string> run_calls(Calls& calls, const Options& options) {
  const CallLoad load{options.rate, options.window, duration_of(options.warm_up),
                      duration_of(options.seconds)};
  return calls.run(load, options.process);
}

Json calls_of_offhook(Devices& devices, const Options& options) {
  Calls calls(devices.crowd());
  for (std::size_t number = 0; number < options.sessions / 2; ++number) {
    Device& caller = devices.add("caller", number);
    calls.add(std::make_unique<Pair>(devices.crowd(), calls, caller, devices.add("callee", number)));
  }
  if (!devices.sign_in()) return fail("not everybody is signed in; " + faults_of(devices.crowd()));
  const auto figures = run_calls(calls, options);
  if (!figures) return fail(figures.error());
  return figures->json();
}

Json calls_of_peerjs(Crowd& crowd, const Options& options) {
  PeerClients clients(crowd);
  Calls calls(crowd);
  for (std::size_t number = 0; number < options.sessions / 2; ++number) {
    PeerClient& caller = clients.add("caller", number);
    calls.add(std::make_unique<PeerExchange>(crowd, calls, caller, clients.add("callee", number)));
  }
  if (!clients.sign_in()) return fail("not everybody is connected; " + faults_of(crowd));
  const auto figures = run_calls(calls, options);
  if (!figures) return fail(figures.error());
  return figures->json();
}

// Says `connected` on a line of its own, and stays so until its input ends: bench/signal reads what the
// server takes meanwhile.
void stay_connected(Crowd& crowd) {
  fmt::print("connected\n");
  (void)std::fflush(stdout);
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (::poll(&input, 1, 0) == 0) crowd.serve_until(crowd.now() + std::chrono::milliseconds(100), never);
}

Json idle_of_offhook(Devices& devices, const Options& options) {
  for (std::size_t i = 0; i < options.sessions; ++i) (void)devices.add("idle", options.first_number + i);
  if (!devices.sign_in()) return fail("not everybody is signed in; " + faults_of(devices.crowd()));
  stay_connected(devices.crowd());
  return fmt::format(R"({{"sessions":{}}})", options.sessions);
}

Json idle_of_peerjs(Crowd& crowd, const Options& options) {
  PeerClients clients(crowd);
  for (std::size_t i = 0; i < options.sessions; ++i) (void)clients.add("idle", options.first_number + i);
  if (!clients.sign_in()) return fail("not everybody is connected; " + faults_of(crowd));
  stay_connected(crowd);
  return fmt::format(R"({{"sessions":{}}})", options.sessions);
}

Json slow_readers(Devices& devices, const Options& options) {
  // What little the kernel takes for a reader that does not read.
  constexpr int kReceiveBuffer = 4096;
  Crowd& crowd = devices.crowd();
  Calls calls(crowd);
  for (std::size_t number = 0; number < options.sessions / 2; ++number) {
    Device& caller = devices.add("caller", number);
    calls.add(std::make_unique<Pair>(crowd, calls, caller, devices.add("callee", number)));
  }
  if (!devices.sign_in()) return fail("not everybody is signed in; " + faults_of(crowd));
  SlowReaders slow(devices, options.slow);
  if (!devices.sign_in(kReceiveBuffer) || !slow.prepare()) {
    return fail("the slow readers are not there; " + faults_of(crowd));
  }
  calls.begin({options.rate, options.window, {}, {}});
  crowd.serve_until(crowd.now() + duration_of(options.warm_up), never);
  const auto without = calls.measure(duration_of(options.seconds), options.process, never);
  if (!without) return fail(without.error());
  slow.begin();
  constexpr Duration kLimit = std::chrono::seconds(90);
  const auto beside = calls.measure(kLimit, options.process, [&slow] { return slow.calls_are_lost(); });
  if (!beside) return fail(beside.error());
  if (!slow.calls_are_lost()) crowd.fault("slow readers in calls keep them");
  calls.end();
  slow.end();
  return fmt::format(R"({{"without":{},"beside":{},"slow":{}}})", without->json(), beside->json(),
                     slow.json());
}

Json fan_out(Devices& devices, const Options& options) {
  constexpr std::size_t kGroups = 20;  // so that nobody dials more often than a user may
  FanOut fan(devices, kGroups, options.devices);
  if (!devices.sign_in()) return fail("not everybody is signed in; " + faults_of(devices.crowd()));
  (void)fan.run(options.calls);
  return fan.json();
}

Json run_scenario(Crowd& crowd, const Options& options) {
  if (options.is_peerjs()) {
    if (options.scenario == "idle") return idle_of_peerjs(crowd, options);
    if (options.scenario == "calls") return calls_of_peerjs(crowd, options);
    return fail("PeerJS's server knows idle and calls alone");
  }
  auto secret = secret_in(options.token_secret_file);
  if (!secret) return fail(secret.error());
  Devices devices(crowd, std::move(*secret));
  if (options.scenario == "idle") return idle_of_offhook(devices, options);
  if (options.scenario == "calls") return calls_of_offhook(devices, options);
  if (options.scenario == "slow") return slow_readers(devices, options);
  return fan_out(devices, options);
}

Json run(const Options& options) {
  const auto server = Address::parse(options.server);
  const auto source = Ip::parse(options.first_source);
  if (!server || !server->ip.is_v4()) return fail("--server: an IPv4 ADDRESS:PORT is needed");
  if (!source || !source->is_v4()) return fail("--first-source: an IPv4 address is needed");
  constexpr std::size_t kOtherFiles = 64;
  const std::size_t sockets = options.sessions + 2 * options.slow + kOtherFiles;
  (void)io::raise_fd_limit(sockets);
  auto crowd = Crowd::create(*server, Reader(source->octets()).u32());
  if (!crowd) return fail(crowd.error());
  return checked(**crowd, run_scenario(**crowd, options));
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--scenario", options.scenario)
      ->required()
      ->check(CLI::IsMember({"idle", "calls", "slow", "fan-out"}));
  app.add_option("--server", options.server, "ADDRESS:PORT (IPv4)")->required();
  app.add_option("--server-kind", options.server_kind)->check(CLI::IsMember({"offhook", "peerjs"}));
  app.add_option("--token-secret-file", options.token_secret_file, "what the server checks tokens with");
  app.add_option("--first-source", options.first_source, "address of this machine; others follow");
  app.add_option("--server-pid", options.process.pid, "process whose CPU time is read");
  app.add_option("--server-core", options.process.core, "core that the server alone is pinned to");
  app.add_option("--sessions", options.sessions, "devices; half of them call the other half");
  app.add_option("--first-number", options.first_number, "of the users of idle sessions");
  app.add_option("--rate", options.rate, "calls a second; 0: as many as the server can do");
  app.add_option("--window", options.window, "calls under way where there is no rate");
  app.add_option("--warm-up", options.warm_up, "seconds of calls before they are measured");
  app.add_option("--seconds", options.seconds, "seconds that are measured");
  app.add_option("--slow", options.slow, "slow readers");
  app.add_option("--devices", options.devices, "of a user that is rung");
  app.add_option("--calls", options.calls, "of fan-out");
}

}  // namespace
}  // namespace offhook::bench

int main(int argc, char** argv) {
  CLI::App app("Loads a signalling server and measures it; bench/signal drives it.");
  offhook::bench::Options options;
  offhook::bench::add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  const auto json = offhook::bench::run(options);
  if (!json) {
    fmt::print(stderr, "bench_signal_load: {}\n", json.error());
    return 1;
  }
  fmt::print("{}\n", *json);
  return 0;
}
