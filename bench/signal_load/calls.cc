#include "signal_load/calls.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <utility>

#include "io/loop/clock.h"

namespace offhook::bench {
namespace {

constexpr Duration kEndLimit = std::chrono::seconds(10);
// Reading what the server has used takes the generator some milliseconds: calls of that moment tell nothing.
constexpr Duration kSettling = std::chrono::milliseconds(250);

double own_cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

bool never() { return false; }

}  // namespace

std::string CallFigures::json() const {
  return fmt::format(
      R"({{"seconds":{:.4f},"calls":{},"calls_per_s":{:.1f},"frames_to_server":{},"frames_from_server":{},)"
      R"("dial_to_incoming":{},"dial_to_ringing":{},"accept_to_accepted":{},)"
      R"("wall_s":{:.4f},"core_s":{:.4f},"process_s":{:.3f},"foreign_s":{:.3f},"steal_s":{:.3f},"generator_s":{:.3f}}})",
      seconds, calls, static_cast<double>(calls) / seconds, frames_to_server, frames_from_server,
      dial_to_incoming.json(), dial_to_ringing.json(), accept_to_accepted.json(), server.wall_s,
      server.core_s, server.process_s, server.foreign_s, server.steal_s, generator_s);
}

Calls::Calls(Crowd& crowd) : crowd_(crowd) { crowd_.add(*this); }

void Calls::add(std::unique_ptr<Conversation> conversation) {
  conversations_.push_back(std::move(conversation));
  idle_.push_back(conversations_.back().get());
}

Result<CallFigures, std::string> Calls::run(const CallLoad& load, const ServerProcess& server) {
  begin(load);
  crowd_.serve_until(crowd_.now() + load.warm_up, never);
  auto figures = measure(load.measured, server, never);
  end();
  return figures;
}

void Calls::begin(const CallLoad& load) {
  load_ = load;
  calling_ = true;
  next_ = io::read_now().monotonic;
  if (load_.calls_per_s > 0) return draw_next();
  for (std::size_t i = 0; i < load_.window && !idle_.empty(); ++i) dial(next_);
}

Result<CallFigures, std::string> Calls::measure(Duration limit, const ServerProcess& server,
                                                const std::function<bool()>& done) {
  CallFigures figures;
  const auto before = sample_server_cpu(server.pid, server.core);
  if (!before) return fail(before.error());
  const std::size_t over_before = over_;
  const std::uint64_t to_before = crowd_.frames_sent();
  const std::uint64_t from_before = crowd_.frames_received();
  const double own_before = own_cpu_s();
  const Instant started = io::read_now().monotonic;
  figures_ = &figures;
  from_ = started + kSettling;
  crowd_.serve_until(started + limit, done);
  figures_ = nullptr;
  figures.seconds = milliseconds(io::read_now().monotonic - started) * 1e-3;
  figures.generator_s = own_cpu_s() - own_before;
  figures.calls = over_ - over_before;
  figures.frames_to_server = crowd_.frames_sent() - to_before;
  figures.frames_from_server = crowd_.frames_received() - from_before;
  const auto after = sample_server_cpu(server.pid, server.core);
  if (!after) return fail(after.error());
  figures.server = server_cpu_between(*before, *after);
  return figures;
}

void Calls::end() {
  calling_ = false;
  const auto all_over = [this] { return idle_.size() == conversations_.size(); };
  if (crowd_.serve_until(crowd_.now() + kEndLimit, all_over)) return;
  crowd_.fault(fmt::format("{} calls never came to their end", conversations_.size() - idle_.size()));
}

Instant Calls::next_due() const {
  const bool waits_for_time = calling_ && load_.calls_per_s > 0 && !idle_.empty();
  return waits_for_time ? next_ : kNever;
}

void Calls::handle_due(Instant now) {
  while (next_ <= now && !idle_.empty()) {
    dial(next_);
    draw_next();
  }
}

void Calls::draw_next() {
  std::exponential_distribution<double> seconds(load_.calls_per_s);
  next_ += Duration(static_cast<Duration::rep>(seconds(chance_) * 1e9));
}

void Calls::dial(Instant due) {
  Conversation* conversation = idle_.front();
  idle_.pop_front();
  conversation->dial(++serial_, due);
}

void Calls::note(Step step, Instant dialled, Duration span) {
  if (figures_ == nullptr || dialled < from_) return;
  switch (step) {
    case Step::incoming:
      return figures_->dial_to_incoming.add(span);
    case Step::ringing:
      return figures_->dial_to_ringing.add(span);
    case Step::accepted:
      return figures_->accept_to_accepted.add(span);
  }
}

void Calls::handle_over(Conversation& conversation) {
  over_ += 1;
  idle_.push_back(&conversation);
  if (calling_ && load_.calls_per_s <= 0) dial(io::read_now().monotonic);
}

}  // namespace offhook::bench
