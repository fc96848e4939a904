// tools/sim: the deterministic simulation (docs/simulation.md).

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "runner.h"
#include "shrink.h"
#include "simulation.h"

namespace offhook::sim {
namespace {

constexpr int kHolds = 0;
constexpr int kBroken = 1;
constexpr int kBadUsage = 2;

// A trace that is read by a person: its end tells why.
constexpr std::size_t kTraceLines = 400;

struct Options {
  std::uint64_t seeds = 1000;
  std::uint64_t seed = 1;
  bool one = false;  // --seed alone
  bool trace = false;
  bool counts = false;
  bool quiet = false;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::string seeds_file;
};

std::string last_lines(const std::string& text, std::size_t count) {
  std::size_t at = text.size();
  for (std::size_t lines = 0; at > 0 && lines <= count; --at) lines += text[at - 1] == '\n' ? 1U : 0U;
  return at == 0 ? text : "...\n" + text.substr(at + 1);
}

// Without what goes on all the time.
std::string telling_lines(const std::string& trace) {
  std::string telling;
  std::istringstream lines(trace);
  for (std::string line; std::getline(lines, line);) {
    const bool is_idle = line.ends_with(R"({"type":"ping"})") || line.ends_with(R"({"type":"pong"})") ||
                         line.find(R"({"type":"credentials")") != std::string::npos;
    if (!is_idle) telling += line + "\n";
  }
  return telling;
}

int show(const Plan& plan, bool whole) {
  std::string trace;
  const Outcome outcome = simulate(plan, &trace);
  fmt::print("{}", whole ? trace : last_lines(telling_lines(trace), kTraceLines));
  if (!outcome.violation) return kHolds;
  fmt::print("BROKEN: {}: {}\n", outcome.violation->rule, outcome.violation->text);
  return kBroken;
}

int explain(std::uint64_t seed) {
  const Plan plan = make_plan(seed);
  const auto failure = try_plan(plan);
  if (!failure) {
    fmt::print("seed {} failed, and does not fail again: the simulation is not deterministic\n", seed);
    return kBroken;
  }
  fmt::print("seed {} breaks: {}: {}\n", seed, failure->rule, failure->text);
  fmt::print(stderr, "making it smaller ...\n");
  const Plan small = shrunk(plan, *failure);
  fmt::print("the least that breaks it:\n{}\n", described(small));
  if (failure->rule.starts_with("killed")) {
    fmt::print("(a core dump or a debugger tells more: tools/sim --seed {} --trace)\n", seed);
    return kBroken;
  }
  (void)show(small, false);
  fmt::print("again: tools/sim --seed {}\n", seed);
  return kBroken;
}

void print_result(const Result& result, const Options& options) {
  constexpr double kYear_s = 365.25 * 24 * 3600;
  const double cpu_hours = result.cpu_s / 3600;
  const auto years = [&](Count count) { return static_cast<double>(result.tally.of(count)) / kYear_s; };
  fmt::print(
      "{} seeds, none broken, in {:.1f} s ({:.1f} s of CPU): {:.2f} years of a server and {:.2f} of calls, "
      "{:.0f} and {:.1f} a CPU-hour\n",
      result.done, result.elapsed_s, result.cpu_s, years(Count::simulated_s), years(Count::call_s),
      years(Count::simulated_s) / cpu_hours, years(Count::call_s) / cpu_hours);
  if (!options.counts) return;
  for (std::size_t i = 0; i < kCounts; ++i) {
    fmt::print("{:>14}  {}\n", result.tally.of(static_cast<Count>(i)), kCountNames[i]);
  }
}

int run_many(const Options& options) {
  const Result result = run_seeds({options.seed, options.seeds, options.jobs, !options.quiet});
  if (result.failed_seed) {
    if (options.quiet) {
      const auto failure = try_plan(make_plan(*result.failed_seed));
      fmt::print("seed {} breaks: {}\n", *result.failed_seed,
                 failure ? failure->rule : "nothing, when it is run again");
      return kBroken;
    }
    return explain(*result.failed_seed);
  }
  print_result(result, options);
  return kHolds;
}

// Seeds that have found something, one a line; what follows a '#' says what.
int run_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    fmt::print(stderr, "sim: cannot read {}\n", path);
    return kBadUsage;
  }
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::uint64_t seed = std::stoull(line);
    if (try_plan(make_plan(seed))) return explain(seed);
    count += 1;
  }
  fmt::print("{} seeds of {}, none broken\n", count, path);
  return kHolds;
}

}  // namespace

int run_command(int argc, char** argv) {
  Options options;
  CLI::App app("Simulates servers, networks and people, and holds what happens against docs/protocol.md.",
               "tools/sim");
  app.add_option("--seeds", options.seeds, "how many seeds")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  auto* seed = app.add_option("--seed", options.seed, "the first seed; alone: this one");
  app.add_flag("--trace", options.trace, "print everything that happens in --seed");
  app.add_option("--jobs", options.jobs, "processes")->check(CLI::Range(1, 64))->capture_default_str();
  app.add_flag("--counts", options.counts, "print what the simulations have reached");
  app.add_flag("--quiet", options.quiet, "no progress, and of a broken seed its number and the rule alone");
  app.add_option("--seeds-of", options.seeds_file, "the seeds that this file lists");
  app.footer(
      "examples:\n"
      "  tools/sim --seeds 10000             ten thousand seeds\n"
      "  tools/sim --seed 4711               one seed; if it breaks a rule, the least that breaks it\n"
      "  tools/sim --seed 4711 --trace       everything that happens in it\n"
      "  tools/sim --seeds-of tests/sim/seeds.txt   those that have found something\n"
      "  tools/sim --mutants                 the server made wrong on purpose, in every way that is listed\n"
      "exit status: 0 no rule is broken, 1 one is, 2 bad usage");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? kHolds : kBadUsage;
  }
  if (!options.seeds_file.empty()) return run_file(options.seeds_file);
  options.one = seed->count() > 0 && app.count("--seeds") == 0;
  if (options.trace) return show(make_plan(options.seed), true);
  if (!options.one) return run_many(options);
  if (try_plan(make_plan(options.seed))) return explain(options.seed);
  fmt::print("seed {} breaks no rule\n", options.seed);
  return kHolds;
}

}  // namespace offhook::sim

int main(int argc, char** argv) { return offhook::sim::run_command(argc, argv); }
