#pragma once
// Calls of many conversations, at a rate or as many as the server can do, and what is measured of them.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/result.h"
#include "relay_load/server_cpu.h"
#include "signal_load/conversation.h"
#include "signal_load/crowd.h"
#include "signal_load/latency.h"

namespace offhook::bench {

struct CallLoad {
  double calls_per_s = 0;  // at random moments (a Poisson process); 0: always `window` under way
  std::size_t window = 64;
  Duration warm_up{};
  Duration measured{};
};

struct ServerProcess {
  int pid = 0;
  unsigned core = 0;  // it alone is pinned to it
};

struct CallFigures {
  double seconds = 0;
  std::size_t calls = 0;  // that ended in this time
  std::uint64_t frames_to_server = 0;
  std::uint64_t frames_from_server = 0;
  // Of the calls that were due in this time, since they were due: a generator that is late makes them longer.
  Latencies dial_to_incoming;
  Latencies dial_to_ringing;
  Latencies accept_to_accepted;
  ServerCpuUse server;     // of a little more than that time: reading it takes some
  double generator_s = 0;  // its own CPU time

  std::string json() const;
};

class Calls final : public Operator, public Timed {
 public:
  // `crowd` must outlive it.
  explicit Calls(Crowd& crowd);
  // One more that can have calls, once it is signed in.
  void add(std::unique_ptr<Conversation> conversation);

  // The error: the server has ended. What broke a rule is a fault of the crowd.
  Result<CallFigures, std::string> run(const CallLoad& load, const ServerProcess& server);

  // For a load that something else ends: begin, measure as often as wanted, end.
  void begin(const CallLoad& load);
  // Serves until `done`, for `limit` at most, and measures that.
  Result<CallFigures, std::string> measure(Duration limit, const ServerProcess& server,
                                           const std::function<bool()>& done);
  // No more calls; those under way are given time to end, and are lost if they do not.
  void end();

 private:
  Instant next_due() const override;
  void handle_due(Instant now) override;
  void note(Step step, Instant dialled, Duration span) override;
  void handle_over(Conversation& conversation) override;
  void dial(Instant due);
  void draw_next();

  Crowd& crowd_;
  std::vector<std::unique_ptr<Conversation>> conversations_;
  std::deque<Conversation*> idle_;
  std::size_t serial_ = 0;
  std::size_t over_ = 0;
  bool calling_ = false;
  CallLoad load_;
  Instant next_;
  std::mt19937_64 chance_{1};  // the same moments in each run
  // What is being measured, and of which calls.
  CallFigures* figures_ = nullptr;
  Instant from_;
};

}  // namespace offhook::bench
