#include "runner.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "simulation.h"

namespace offhook::sim {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kMaxJobs = 64;
constexpr unsigned kPatience_s = 120;
constexpr int kProgressEvery_ms = 1000;

// Shared with one worker, which alone writes.
struct Desk {
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> seed{0};
  std::atomic<bool> has_failed{false};
  Tally tally;
};

struct Worker {
  pid_t process = 0;
  int alive = -1;  // the end of a pipe that closes with the process
  Desk* desk = nullptr;
};

[[noreturn]] void fail_to_start(const char* what) {
  std::perror(what);
  std::exit(1);
}

[[noreturn]] void work(const Run& run, unsigned number, Desk& desk) {
  for (std::uint64_t i = number; i < run.count; i += run.jobs) {
    desk.seed = run.first + i;
    alarm(kPatience_s);
    const Outcome outcome = simulate(make_plan(run.first + i), nullptr);
    desk.tally.add(outcome.tally);
    if (outcome.violation) {
      desk.has_failed = true;
      _exit(1);
    }
    desk.done += 1;
  }
  _exit(0);
}

std::vector<Worker> start(const Run& run) {
  void* memory =
      mmap(nullptr, sizeof(Desk) * run.jobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail_to_start("sim: mmap");
  std::vector<Worker> workers;
  for (unsigned i = 0; i < run.jobs; ++i) {
    Desk* desk = new (static_cast<std::byte*>(memory) + sizeof(Desk) * i) Desk();
    int ends[2];
    if (pipe(ends) != 0) fail_to_start("sim: pipe");
    const pid_t process = fork();
    if (process < 0) fail_to_start("sim: fork");
    if (process == 0) {
      close(ends[0]);
      for (const Worker& other : workers) close(other.alive);
      work(run, i, *desk);
    }
    close(ends[1]);
    workers.push_back({process, ends[0], desk});
  }
  return workers;
}

std::uint64_t done_by(const std::vector<Worker>& workers) {
  std::uint64_t done = 0;
  for (const Worker& worker : workers) done += worker.desk->done;
  return done;
}

void show_progress(const Run& run, std::uint64_t done, Clock::time_point began) {
  const double elapsed_s = std::chrono::duration<double>(Clock::now() - began).count();
  const double rate = static_cast<double>(done) / std::max(elapsed_s, 0.001);
  const double left_s = rate > 0 ? static_cast<double>(run.count - done) / rate : 0;
  fmt::print(stderr, "\r{} of {} seeds, {:.0f} a second, {:.0f} s left   ", done, run.count, rate, left_s);
}

// Until all are through, or one has failed.
std::optional<std::uint64_t> await(const Run& run, std::vector<Worker>& workers, Clock::time_point began) {
  std::optional<std::uint64_t> failed;
  for (std::size_t left = workers.size(); left > 0;) {
    std::vector<pollfd> wanted;
    for (const Worker& worker : workers) wanted.push_back({worker.alive, POLLIN, 0});
    const int ready = poll(wanted.data(), wanted.size(), kProgressEvery_ms);
    if (run.shows_progress) show_progress(run, done_by(workers), began);
    if (ready <= 0) continue;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      if (wanted[i].revents == 0) continue;
      Worker& worker = workers[i];
      close(worker.alive);
      worker.alive = -1;
      left -= 1;
      int status = 0;
      if (waitpid(worker.process, &status, 0) != worker.process) fail_to_start("sim: waitpid");
      const bool is_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (is_well) continue;
      const std::uint64_t seed = worker.desk->seed;
      failed = failed ? std::min(*failed, seed) : seed;
      for (const Worker& other : workers) {
        if (other.alive >= 0) kill(other.process, SIGTERM);
      }
    }
    if (failed) {
      for (Worker& other : workers) {
        if (other.alive < 0) continue;
        int status = 0;
        if (waitpid(other.process, &status, 0) != other.process) fail_to_start("sim: waitpid");
        close(other.alive);
        other.alive = -1;
      }
      break;
    }
  }
  if (run.shows_progress) fmt::print(stderr, "\n");
  return failed;
}

double cpu_of_children_s() {
  rusage usage{};
  if (getrusage(RUSAGE_CHILDREN, &usage) != 0) return 0;
  const auto seconds_of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

}  // namespace

Result run_seeds(const Run& run) {
  Run bounded = run;
  bounded.jobs =
      std::clamp(run.jobs, 1U, static_cast<unsigned>(std::min<std::uint64_t>(kMaxJobs, run.count)));
  const Clock::time_point began = Clock::now();
  const double cpu_before_s = cpu_of_children_s();
  std::vector<Worker> workers = start(bounded);
  Result result;
  result.failed_seed = await(bounded, workers, began);
  result.done = done_by(workers);
  for (const Worker& worker : workers) result.tally.add(worker.desk->tally);
  munmap(static_cast<void*>(workers.front().desk), sizeof(Desk) * workers.size());
  result.elapsed_s = std::chrono::duration<double>(Clock::now() - began).count();
  result.cpu_s = cpu_of_children_s() - cpu_before_s;
  return result;
}

}  // namespace offhook::sim
