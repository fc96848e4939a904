#include "simulation.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "page.h"
#include "signal_host.h"
#include "wire/sdp/candidate.h"

namespace offhook::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Every fault is over by then, every call rung out, everybody back.
constexpr Duration kSettling = minutes(3);
// Allocations and credentials of those who have left without a word expire.
constexpr Duration kExpiry = hours(3);
// A talk of three hours with all its pings is some thirty thousand steps. What does not end is a fault.
constexpr std::uint64_t kStepsLimit = 3'000'000;
// Before a look at both ends everything has been said for so long.
constexpr Duration kQuiet = seconds(5);
// What was said so long before something else arrived has arrived, too.
constexpr Duration kInOrder = seconds(2);

class World final : public Paths {
 public:
  World(const Plan& plan, std::string* trace)
      : stage_(plan, trace),
        network_(stage_),
        relay_(stage_, [this](const Address& to, Buffer datagram) { deliver(to, std::move(datagram)); }),
        settings_(call_settings(plan)),
        judge_(stage_, settings_),
        signal_(stage_, network_, relay_, judge_),
        dice_(plan.seed, 4) {
    for (std::size_t i = 0; i < plan.devices.size(); ++i) slots_.push_back(std::make_unique<Slot>(stage_, i));
  }

  void run() {
    const Instant began = stage_.now();
    for (const auto& slot : slots_) {
      if (stage_.plan.devices[slot->index].is_there) open_page(*slot);
    }
    Duration longest{};
    for (const Entry& entry : stage_.plan.entries) {
      stage_.timetable.at(began + entry.at, [this, &entry] { do_deed(entry); });
      if (entry.deed == Deed::dial) longest = std::max(longest, entry.at + entry.talk);
    }
    const Instant last = began + std::max(stage_.plan.length, longest) + seconds(60);
    pass(last);
    for (const auto& slot : slots_) {
      if (slot->page) slot->page->hang_up_all();
    }
    pass(last + kSettling);
    for (const auto& slot : slots_) {
      if (slot->page) slot->page->check_settled();
    }
    for (const auto& slot : slots_) close_page(*slot, dice_.percent(50));
    pass(last + kSettling + kExpiry);
    judge_.check_nothing_left();
    signal_.check_nothing_left();
    relay_.check_nothing_left();
  }

  const Stage& stage() const { return stage_; }

  // Paths
  void enter(const std::string& ufrag, std::size_t device, PageCall& call) override {
    ends_[ufrag] = {device, &call};
  }
  void leave(const std::string& ufrag) override { ends_.erase(ufrag); }
  bool has_path(std::size_t device, const PageCall& call) override;
  void say_over_path(std::size_t device, const PageCall& call) override;
  void look_at(std::size_t device, PageCall& call) override;
  void send_datagram(std::size_t device, Buffer datagram) override;

 private:
  struct End {
    std::size_t device = 0;
    PageCall* call = nullptr;
  };

  void pass(Instant until) {
    while (stage_.timetable.step(until)) {
      require(stage_.timetable.steps() < kStepsLimit, "a simulation comes to its end", "it goes on and on");
    }
    stage_.timetable.pass_until(until);
  }

  void open_page(Slot& slot) {
    if (slot.page) return;
    slot.page = std::make_unique<Page>(stage_, network_, relay_, judge_, *this, slot);
    slot.page->start();
  }

  void close_page(Slot& slot, bool with_a_word) {
    if (!slot.page) return;
    stage_.note(slot.label + (with_a_word ? " leaves" : " is gone"));
    if (with_a_word) slot.page->leave();
    slot.page.reset();
  }

  void do_deed(const Entry& entry);
  void do_to_sockets(const Entry& entry, Slot& slot);
  void do_to_page(const Entry& entry, Slot& slot);
  void do_to_server(const Entry& entry);
  void rebind(Slot& slot);
  void deliver(const Address& to, Buffer datagram);
  void travel(Slot& slot, Timetable::Task arrive);
  const End* other_end(const PageCall& call) const;
  bool has_relayed_path(const PageCall& call, const PageCall& other);
  bool is_quiet(std::size_t device, const PageCall& call) const;
  void compare(const PageCall& teller, const PageCall& listener, const std::string& label) const;

  Stage stage_;
  Network network_;
  RelayHost relay_;
  const call::Settings settings_;
  Judge judge_;
  SignalHost signal_;
  Dice dice_;
  std::map<std::string, End> ends_;  // by ufrag
  std::vector<std::unique_ptr<Slot>> slots_;
};

void World::do_deed(const Entry& entry) {
  Slot& slot = *slots_[entry.device];
  if (stage_.traces()) stage_.note("-- " + described(entry, stage_.plan));
  switch (entry.deed) {
    case Deed::cut:
    case Deed::freeze:
    case Deed::stall:
    case Deed::offline:
      return do_to_sockets(entry, slot);
    case Deed::dial:
    case Deed::reload:
    case Deed::leave:
    case Deed::vanish:
    case Deed::join:
    case Deed::renew:
    case Deed::rebind:
    case Deed::restart_ice:
    case Deed::fresh_path:
    case Deed::burst:
    case Deed::change:
    case Deed::take:
      return do_to_page(entry, slot);
    case Deed::end_call:
    case Deed::revoke:
    case Deed::place:
    case Deed::crash:
    case Deed::shutdown:
    case Deed::pause:
      return do_to_server(entry);
  }
}

void World::do_to_sockets(const Entry& entry, Slot& slot) {
  const Instant until = stage_.now() + entry.span;
  Access& access = slot.access;
  if (entry.deed == Deed::cut) network_.cut(access, static_cast<WhoLearns>(entry.choice % 4));
  if (entry.deed == Deed::freeze) access.frozen_until = std::max(access.frozen_until, until);
  if (entry.deed == Deed::stall) access.stalled_until = std::max(access.stalled_until, until);
  if (entry.deed == Deed::offline) {
    access.offline_until = std::max(access.offline_until, until);
    network_.cut(access, entry.choice % 2 == 0 ? WhoLearns::nobody : WhoLearns::device);
  }
}

void World::do_to_page(const Entry& entry, Slot& slot) {
  if (entry.deed == Deed::join) return open_page(slot);
  if (!slot.page) return;
  Page& page = *slot.page;
  if (entry.deed == Deed::dial) page.dial(entry.to, &entry);
  if (entry.deed == Deed::renew) page.renew_network();
  if (entry.deed == Deed::rebind) rebind(slot);
  if (entry.deed == Deed::restart_ice) page.restart_ice();
  if (entry.deed == Deed::fresh_path) page.take_fresh_path();
  if (entry.deed == Deed::burst) page.burst(entry.choice);
  if (entry.deed == Deed::change) page.change(entry.choice);
  if (entry.deed == Deed::take) page.ask_elsewhere();
  if (entry.deed == Deed::leave) close_page(slot, true);
  if (entry.deed == Deed::vanish) close_page(slot, false);
  if (entry.deed == Deed::reload) {
    close_page(slot, entry.choice % 2 == 0);
    stage_.timetable.after(std::min<Duration>(entry.span, seconds(10)), [this, &slot] { open_page(slot); });
  }
}

void World::do_to_server(const Entry& entry) {
  const Duration down = std::min<Duration>(entry.span, seconds(20));
  if (entry.deed == Deed::crash) signal_.crash(down);
  if (entry.deed == Deed::shutdown) signal_.shut_down(down);
  if (entry.deed == Deed::pause) signal_.pause(entry.span);
  if (entry.deed == Deed::end_call) signal_.end_call(entry.choice);
  const std::size_t own = stage_.plan.devices[entry.device].user;
  const std::size_t other = (own + 1 + entry.choice % (stage_.plan.users - 1)) % stage_.plan.users;
  if (entry.deed == Deed::place) signal_.place(user_name(own), user_name(other));
  if (entry.deed == Deed::revoke) signal_.revoke(slots_[entry.device]->user);
}

void World::rebind(Slot& slot) {
  slot.move();
  slot.page->handle_rebinding();
}

// A datagram is late, lost or doubled.
void World::travel(Slot& slot, Timetable::Task arrive) {
  if (slot.access.offline_until > stage_.now() || dice_.percent(stage_.plan.datagram_loss_percent)) return;
  if (dice_.percent(stage_.plan.datagram_twice_percent)) {
    stage_.timetable.after(network_.delay_of(slot.access), arrive);
  }
  stage_.timetable.after(network_.delay_of(slot.access), std::move(arrive));
}

void World::send_datagram(std::size_t device, Buffer datagram) {
  Slot& slot = *slots_[device];
  const Address from = slot.client_address;
  travel(slot, [this, from, datagram = std::move(datagram)] { relay_.receive(from, datagram); });
}

void World::deliver(const Address& to, Buffer datagram) {
  const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                 [&to](const auto& one) { return one->client_address == to; });
  if (slot == slots_.end()) return;  // an old binding of a NAT
  Slot& there = **slot;
  travel(there, [&there, datagram = std::move(datagram)] {
    if (there.page) there.page->receive_datagram(datagram);
  });
}

// The other end of the connection, if it takes this one for its other end too.
const World::End* World::other_end(const PageCall& call) const {
  if (!call.link() || call.link()->other_ufrag.empty()) return nullptr;
  const auto found = ends_.find(call.link()->other_ufrag);
  if (found == ends_.end()) return nullptr;
  const std::optional<Link>& other = found->second.call->link();
  return other && other->other_ufrag == call.link()->ufrag ? &found->second : nullptr;
}

bool World::has_relayed_path(const PageCall& call, const PageCall& other) {
  const auto relays = [](const std::vector<std::string>& candidates) {
    std::vector<Address> addresses;
    for (const std::string& candidate : candidates) {
      const auto parsed = sdp::parse_candidate(candidate);
      const auto address = parsed ? parsed->address() : std::nullopt;
      if (address && parsed->type == sdp::CandidateType::relay) addresses.push_back(*address);
    }
    return addresses;
  };
  const std::vector<Address> here = relays(other.others());
  const std::vector<Address> there = relays(call.others());
  for (const Address& own : here) {
    for (const Address& their : there) {
      const RelayTables::Opened* ours = relay_.find(own);
      if (ours == nullptr || relay_.find(their) == nullptr || ours->user == relay_.find(their)->user)
        continue;
      if (relay_.passes(own, their) && relay_.passes(their, own)) return true;
    }
  }
  return false;
}

bool World::has_path(std::size_t device, const PageCall& call) {
  const End* other = other_end(call);
  if (other == nullptr) return false;
  const Instant now = stage_.now();
  if (slots_[device]->access.offline_until > now || slots_[other->device]->access.offline_until > now)
    return false;
  const auto knows_host = [](const PageCall& one) {
    return std::any_of(one.others().begin(), one.others().end(), [](const std::string& candidate) {
      return candidate.find(" typ host") != std::string::npos;
    });
  };
  // Of every two devices one pair has NATs that let nothing direct through.
  const bool is_open = (device + other->device + stage_.plan.seed) % 2 == 0;
  if (is_open && knows_host(call) && knows_host(*other->call)) return true;
  return has_relayed_path(call, *other->call);
}

void World::say_over_path(std::size_t device, const PageCall& call) {
  if (!has_path(device, call)) return;
  const End& other = *other_end(call);
  Slot& there = *slots_[other.device];
  const std::string id = call.id();
  stage_.timetable.after(network_.delay_of(there.access) + network_.delay_of(slots_[device]->access),
                         [&there, id] {
                           if (there.page) there.page->hear_word(id);
                         });
}

bool World::is_quiet(std::size_t device, const PageCall& call) const {
  const Slot& slot = *slots_[device];
  const Instant since = stage_.now() - kQuiet;
  const bool is_disturbed = slot.access.frozen_until > since || slot.access.stalled_until > since ||
                            slot.access.offline_until > since || stage_.disturbed_until > stage_.now();
  return slot.page && !is_disturbed && slot.page->connection().is_online() &&
         slot.page->connection().heard_within(seconds(11)) &&
         slot.page->connection().numbered().pending().empty() && !call.is_telling() &&
         call.changed_at() < since && call.is_answered();
}

// Whoever talks to each other knows all candidates of each other.
void World::look_at(std::size_t device, PageCall& call) {
  const End* other = other_end(call);
  if (other == nullptr || call.id() != other->call->id() || !is_quiet(device, call) ||
      !is_quiet(other->device, *other->call)) {
    return;
  }
  const auto has_heard = [this](std::size_t listener, const PageCall& teller) {
    return slots_[listener]->page->connection().heard_after(teller.changed_at() + kInOrder);
  };
  if (!has_heard(device, *other->call) || !has_heard(other->device, call)) return;
  stage_.tally.add(Count::quiet_looks);
  require(call.heard_state() == other->call->own_state() && other->call->heard_state() == call.own_state(),
          "those who talk know what each other sends", slots_[device]->label + " " + call.id());
  compare(call, *other->call, slots_[other->device]->label);
  compare(*other->call, call, slots_[device]->label);
}

void World::compare(const PageCall& teller, const PageCall& listener, const std::string& label) const {
  const std::int64_t generation = listener.link()->described;
  if (generation <= std::max(teller.gap(), listener.gap())) return;
  for (const Told& told : teller.told()) {
    if (told.generation != generation || told.ufrag != teller.link()->ufrag) continue;
    std::vector<std::string> names = told.names;
    std::vector<std::string> heard = listener.heard(generation);
    if (names.size() > settings_.max_candidates) return;
    // An end has no ufrag: one of an offer that lost cannot be told from that of the answer, once this is
    // there.
    const bool is_ambiguous = std::any_of(teller.told().begin(), teller.told().end(), [&](const Told& other) {
      return other.generation == generation && other.ufrag != told.ufrag && other.ended > told.made;
    });
    const bool has_end = !names.empty() && names.back().empty() && !is_ambiguous;
    require(!has_end || (!heard.empty() && heard.back().empty()), "the end of candidates comes last", label);
    std::erase(names, "");
    std::erase(heard, "");
    std::sort(names.begin(), names.end());
    std::sort(heard.begin(), heard.end());
    require_or_say(names == heard, "those who talk know all candidates of each other, and no others", [&] {
      return fmt::format("{} has {} of {} candidates of generation {} of {}", label, heard.size(),
                         names.size(), generation, teller.id());
    });
  }
}

}  // namespace

Outcome simulate(const Plan& plan, std::string* trace) {
  World world(plan, trace);
  Outcome outcome;
  try {
    world.run();
  } catch (const Violation& violation) {
    outcome.violation = violation;
  }
  outcome.tally = world.stage().tally;
  outcome.elapsed = world.stage().timetable.elapsed();
  outcome.tally.add(Count::steps, world.stage().timetable.steps());
  outcome.tally.add(Count::simulated_s,
                    static_cast<std::uint64_t>(std::chrono::duration_cast<seconds>(outcome.elapsed).count()));
  return outcome;
}

}  // namespace offhook::sim
