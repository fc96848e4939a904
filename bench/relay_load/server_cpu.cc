#include "relay_load/server_cpu.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

namespace offhook::bench {
namespace {

// PF_KTHREAD of the kernel: its threads work for the packets (ksoftirqd) or hardly at all.
constexpr unsigned long kKernelThreadFlag = 0x00200000;

double ticks_to_seconds(double ticks) { return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)); }

struct ProcessStat {
  char state = 0;
  unsigned long flags = 0;
  double user_s = 0;
  double system_s = 0;
  unsigned core = 0;  // that it last ran on
};

// /proc/PID/stat or /proc/PID/task/TID/stat, proc(5). Nothing if the process or thread is gone.
std::optional<ProcessStat> read_stat(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The name, in parentheses, may hold anything: fields are counted from the last ')'.
  const std::size_t after_name = line.rfind(')');
  if (after_name == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(after_name + 1));
  ProcessStat stat;
  std::string skipped;
  double user_ticks = 0;
  double system_ticks = 0;
  fields >> stat.state;
  for (int field = 4; field <= 8; ++field) fields >> skipped;
  fields >> stat.flags;
  for (int field = 10; field <= 13; ++field) fields >> skipped;
  fields >> user_ticks >> system_ticks;
  for (int field = 16; field <= 38; ++field) fields >> skipped;
  fields >> stat.core;
  if (!fields || stat.state == 'Z' || stat.state == 'X') return std::nullopt;
  stat.user_s = ticks_to_seconds(user_ticks);
  stat.system_s = ticks_to_seconds(system_ticks);
  return stat;
}

std::vector<int> numbers_in(const std::string& directory) {
  std::vector<int> numbers;
  std::error_code gone;  // a process may end while it is looked at: then it has no threads
  for (std::filesystem::directory_iterator entry(directory, gone), end; !gone && entry != end;
       entry.increment(gone)) {
    const std::string name = entry->path().filename().string();
    int number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) numbers.push_back(number);
  }
  return numbers;
}

std::map<int, ServerCpuSample::Thread> threads_beside(int server_pid, unsigned core) {
  std::map<int, ServerCpuSample::Thread> threads;
  for (const int pid : numbers_in("/proc")) {
    if (pid == server_pid) continue;
    for (const int thread : numbers_in(fmt::format("/proc/{}/task", pid))) {
      const auto stat = read_stat(fmt::format("/proc/{}/task/{}/stat", pid, thread));
      if (!stat || (stat->flags & kKernelThreadFlag) != 0) continue;
      threads[thread] = {stat->user_s + stat->system_s, stat->core == core};
    }
  }
  return threads;
}

Result<void, std::string> read_core(unsigned core, ServerCpuSample& sample) {
  std::ifstream file("/proc/stat");
  const std::string wanted = fmt::format("cpu{}", core);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string label;
    fields >> label;
    if (label != wanted) continue;
    std::array<double, 8> ticks{};  // user nice system idle iowait irq softirq steal
    for (double& value : ticks) fields >> value;
    if (!fields) break;
    sample.core_softirq_s = ticks_to_seconds(ticks[6]);
    sample.core_idle_s = ticks_to_seconds(ticks[3] + ticks[4]);
    sample.core_steal_s = ticks_to_seconds(ticks[7]);
    return {};
  }
  return fail(fmt::format("/proc/stat knows no core {}", core));
}

}  // namespace

double monotonic_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Result<std::uint64_t, std::string> resident_bytes(int pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  std::uint64_t of_files = 0;
  if (!(file >> all >> resident >> of_files)) return fail(fmt::format("the server (pid {}) has ended", pid));
  return (resident - of_files) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Result<ServerCpuSample, std::string> sample_server_cpu(int pid, unsigned core) {
  ServerCpuSample sample;
  sample.others = threads_beside(pid, core);
  const auto process = read_stat(fmt::format("/proc/{}/stat", pid));
  if (!process) return fail(fmt::format("the server (pid {}) has ended", pid));
  sample.process_user_s = process->user_s;
  sample.process_system_s = process->system_s;
  sample.monotonic_s = monotonic_seconds();
  if (auto read = read_core(core, sample); !read) return fail(read.error());
  return sample;
}

ServerCpuUse server_cpu_between(const ServerCpuSample& from, const ServerCpuSample& to) {
  ServerCpuUse use;
  use.wall_s = to.monotonic_s - from.monotonic_s;
  use.process_user_s = to.process_user_s - from.process_user_s;
  use.process_s = use.process_user_s + to.process_system_s - from.process_system_s;
  use.steal_s = to.core_steal_s - from.core_steal_s;
  use.core_s = std::max(0.0, use.wall_s - (to.core_idle_s - from.core_idle_s) - use.steal_s);
  use.softirq_s = to.core_softirq_s - from.core_softirq_s;
  for (const auto& [id, thread] : to.others) {
    const auto earlier = from.others.find(id);
    const ServerCpuSample::Thread before =
        earlier == from.others.end() ? ServerCpuSample::Thread{} : earlier->second;
    if (thread.on_core || before.on_core) use.foreign_s += std::max(0.0, thread.cpu_s - before.cpu_s);
  }
  return use;
}

}  // namespace offhook::bench
