#pragma once
// What the server costs, read from /proc: the CPU time of its process, and the busy time of the core that it
// is pinned to. The second is the honest figure: the kernel receives packets in soft interrupts, some of
// which run while the core is otherwise idle and are charged to no process. It holds only if nothing else
// runs on that core, so what does is measured too.

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"

namespace offhook::bench {

struct ServerCpuSample {
  double monotonic_s = 0;
  double process_user_s = 0;
  double process_system_s = 0;
  double core_softirq_s = 0;  // by ticks
  double core_idle_s = 0;     // idle and waiting for disks: exact, soft interrupts in idle excluded
  double core_steal_s = 0;    // taken by the host
  struct Thread {
    double cpu_s = 0;
    bool on_core = false;  // it last ran on the server's core
  };
  std::map<int, Thread> others;  // every other user thread, by thread id
};

struct ServerCpuUse {
  double wall_s = 0;
  double process_s = 0;
  double process_user_s = 0;
  double core_s = 0;     // wall - idle - steal
  double softirq_s = 0;  // by ticks; where the kernel keeps no IRQ time, process_s has most of it too
  double foreign_s = 0;  // of others on the core; threads that came and went in between are missed
  double steal_s = 0;
};

// What a process has in memory now, but for pages of files, its program among them: those come and go, by
// what has run last and what the machine takes back. The error: it has ended.
Result<std::uint64_t, std::string> resident_bytes(int pid);
// The error: the server has ended, or there is no such core.
Result<ServerCpuSample, std::string> sample_server_cpu(int pid, unsigned core);
ServerCpuUse server_cpu_between(const ServerCpuSample& from, const ServerCpuSample& to);

// Seconds of CLOCK_MONOTONIC.
double monotonic_seconds();

}  // namespace offhook::bench
