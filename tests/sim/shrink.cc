#include "shrink.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "simulation.h"

namespace offhook::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A seed takes milliseconds, and a few of them seconds.
constexpr unsigned kPatience_s = 60;
// Enough for plans of a dozen entries; what is left then is small.
constexpr std::size_t kMaxTrials = 400;

[[noreturn]] void run_in_child(const Plan& plan, int to) {
  alarm(kPatience_s);
  const Outcome outcome = simulate(plan, nullptr);
  if (!outcome.violation) _exit(0);
  const std::string text = outcome.violation->rule + "\n" + outcome.violation->text;
  const ssize_t written = write(to, text.data(), text.size());
  _exit(written == static_cast<ssize_t>(text.size()) ? 1 : 2);
}

class Shrinker {
 public:
  Shrinker(Plan plan, std::string rule) : plan_(std::move(plan)), rule_(std::move(rule)) {}

  Plan run() {
    for (bool smaller = true; smaller && trials_ < kMaxTrials;) {
      smaller = drop_entries();
      smaller = calm() || smaller;
    }
    return plan_;
  }

 private:
  bool keep_if_it_fails(const Plan& candidate) {
    if (trials_++ >= kMaxTrials) return false;
    const auto failure = try_plan(candidate);
    if (!failure || failure->rule != rule_) return false;
    plan_ = candidate;
    return true;
  }

  bool drop_entries() {
    bool smaller = false;
    for (std::size_t size = std::max<std::size_t>(plan_.entries.size() / 2, 1); size > 0; size /= 2) {
      for (std::size_t at = 0; at < plan_.entries.size();) {
        Plan candidate = plan_;
        const std::size_t end = std::min(at + size, candidate.entries.size());
        candidate.entries.erase(candidate.entries.begin() + static_cast<std::ptrdiff_t>(at),
                                candidate.entries.begin() + static_cast<std::ptrdiff_t>(end));
        if (keep_if_it_fails(candidate)) {
          smaller = true;
        } else {
          at += size;
        }
      }
    }
    return smaller;
  }

  // The same with less ado.
  bool calm() {
    bool smaller = false;
    const auto attempt = [&](const std::function<bool(Plan&)>& change) {
      Plan candidate = plan_;
      if (change(candidate) && keep_if_it_fails(candidate)) smaller = true;
    };
    attempt([](Plan& plan) { return std::exchange(plan.datagram_loss_percent, 0U) != 0; });
    attempt([](Plan& plan) { return std::exchange(plan.datagram_twice_percent, 0U) != 0; });
    attempt([](Plan& plan) { return std::exchange(plan.is_tight, false); });
    for (std::size_t i = 0; i < plan_.devices.size(); ++i) {
      attempt([i](Plan& plan) { return std::exchange(plan.devices[i].is_there, false); });
      attempt([i](Plan& plan) {
        return std::exchange(plan.devices[i].jitter, Duration::zero()) != Duration::zero();
      });
    }
    for (std::size_t i = 0; i < plan_.entries.size(); ++i) {
      attempt([i](Plan& plan) {
        Duration& talk = plan.entries[i].talk;
        return std::exchange(talk, std::min<Duration>(talk, seconds(5))) > seconds(5);
      });
    }
    return smaller;
  }

  Plan plan_;
  const std::string rule_;
  std::size_t trials_ = 0;
};

}  // namespace

std::optional<Failure> try_plan(const Plan& plan) {
  int ends[2];
  if (pipe(ends) != 0) {
    std::perror("sim: pipe");
    std::exit(1);
  }
  const pid_t child = fork();
  if (child == 0) {
    // What an assertion says is said once, by the run that is shown.
    if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
    run_in_child(plan, ends[1]);
  }
  close(ends[1]);
  std::string text;
  char part[512];
  for (ssize_t count = read(ends[0], part, sizeof part); count > 0;
       count = read(ends[0], part, sizeof part)) {
    text.append(part, static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  if (waitpid(child, &status, 0) != child) return Failure{"the simulation runs", "waitpid failed"};
  if (WIFSIGNALED(status)) return Failure{"killed by signal " + std::to_string(WTERMSIG(status)), ""};
  if (WEXITSTATUS(status) == 0) return std::nullopt;
  const std::size_t line = text.find('\n');
  return Failure{text.substr(0, line), line == std::string::npos ? "" : text.substr(line + 1)};
}

Plan shrunk(const Plan& plan, const Failure& failure) { return Shrinker(plan, failure.rule).run(); }

}  // namespace offhook::sim
