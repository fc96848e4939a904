#pragma once
// Devices that read nothing, acknowledge nothing and ping as ever, while others ring them, or talk to them in
// a call. What docs/protocol.md says of them ("Numbers and acknowledgement"): a device that is only rung
// keeps its session, and those who ring hear `busy` once it has no room; one in a call overflows, and its
// call ends.

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "signal_load/device.h"
#include "signal_load/fixed_delay.h"

namespace offhook::bench {

class SlowReaders final : public Timed {
 public:
  // Half of them are rung, half are in a call. The devices are signed in by the caller.
  SlowReaders(Devices& devices, std::size_t count);
  ~SlowReaders() override;

  // Brings about the calls of those that are in one. False if one does not come about.
  bool prepare();
  // From now on they read nothing, and the others talk.
  void begin();
  // All calls of slow readers have ended.
  bool calls_are_lost() const { return lost_ == in_call_; }
  // The others hang up, and the slow readers read on: those who were rung have to hear everything in its
  // order, the others what there is until they are closed.
  void end();

  // By end reason, what those who talked to slow readers have heard.
  std::string json() const;

 private:
  class Victim;
  Instant next_due() const override { return turns_.next(); }
  void handle_due(Instant now) override;

  Crowd& crowd_;
  std::vector<std::unique_ptr<Victim>> victims_;
  FixedDelay<Victim*> turns_;
  std::size_t in_call_ = 0;
  std::size_t lost_ = 0;
  bool going_on_ = false;
  std::map<std::string, std::size_t> ends_when_rung_;
  std::map<std::string, std::size_t> ends_in_call_;
};

}  // namespace offhook::bench
