#include "plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "dice.h"

namespace offhook::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<const char*, 4> kUsers = {"alice", "bob", "carol", "dave"};

// A server that is away for so long costs nobody a call, whatever else its clients wait for.
constexpr Duration kSoon = seconds(5);

PlannedDevice make_device(std::size_t user, Dice& dice) {
  PlannedDevice device;
  device.user = user;
  const std::uint64_t wish = dice.under(10);
  device.warm_path = wish < 6 ? WarmPath::relay : wish < 8 ? WarmPath::direct : WarmPath::off;
  device.is_there = dice.percent(90);
  device.asks_for_permissions = dice.percent(50);
  device.is_clumsy = dice.percent(30);
  device.delay = dice.scaled(milliseconds(1), milliseconds(300));
  device.jitter = dice.between(Duration::zero(), device.delay);
  return device;
}

Duration talk_time(Dice& dice) {
  if (dice.percent(10)) return dice.scaled(milliseconds(1), milliseconds(500));
  if (dice.percent(8)) return dice.scaled(minutes(5), hours(3));
  return dice.scaled(seconds(2), minutes(5));
}

Reaction reaction(Dice& dice) {
  static constexpr std::array<Reaction, 20> kMix = {
      Reaction::accept,        Reaction::accept,        Reaction::accept,        Reaction::accept,
      Reaction::accept,        Reaction::accept,        Reaction::accept,        Reaction::accept,
      Reaction::accept_on_all, Reaction::accept_on_all, Reaction::accept_on_all, Reaction::decline,
      Reaction::decline,       Reaction::busy,          Reaction::media_denied,  Reaction::ignore,
      Reaction::give_up,       Reaction::give_up,       Reaction::hang_up,       Reaction::hang_up};
  return kMix[dice.under(kMix.size())];
}

Entry make_dial(const Plan& plan, Dice& dice) {
  Entry entry;
  entry.deed = Deed::dial;
  entry.at = dice.between(milliseconds(200), plan.length);
  entry.device = dice.under(plan.devices.size());
  const std::size_t own = plan.devices[entry.device].user;
  entry.to = (own + 1 + dice.under(plan.users - 1)) % plan.users;
  entry.reaction = reaction(dice);
  entry.answerer = dice.under(3);
  entry.wait = dice.scaled(milliseconds(10), seconds(12));
  entry.talk = talk_time(dice);
  entry.caller_hangs_up = dice.percent(50);
  return entry;
}

// Both dial each other, a moment apart.
Entry glare_of(const Plan& plan, const Entry& dial, Dice& dice) {
  Entry other = make_dial(plan, dice);
  const std::size_t own = plan.devices[dial.device].user;
  for (std::size_t i = 0; i < plan.devices.size(); ++i) {
    if (plan.devices[i].user == dial.to) other.device = i;
  }
  other.to = own;
  other.at = dial.at + dice.scaled(milliseconds(0), milliseconds(600));
  return other;
}

constexpr std::array<Deed, 4> kOfApp = {Deed::end_call, Deed::revoke, Deed::place, Deed::place};

Deed fault(const Plan& plan, Dice& dice) {
  if (plan.tells_snapshots && dice.percent(12)) return Deed::crash;
  const std::uint64_t roll = dice.under(100);
  if (plan.is_tight && roll < 30) return roll < 15 ? Deed::burst : Deed::stall;
  if (roll < 4) return kOfApp[dice.under(kOfApp.size())];
  if (roll < 25) return Deed::cut;
  if (roll < 35) return Deed::freeze;
  if (roll < 40) return Deed::stall;
  if (roll < 48) return Deed::offline;
  if (roll < 56) return Deed::reload;
  if (roll < 60) return Deed::leave;
  if (roll < 63) return Deed::vanish;
  if (roll < 68) return Deed::join;
  if (roll < 72) return Deed::renew;
  if (roll < 77) return Deed::rebind;
  if (roll < 83) return Deed::restart_ice;
  if (roll < 88) return Deed::fresh_path;
  if (roll < 90) return Deed::burst;
  if (roll < 94) return Deed::crash;
  if (roll < 96) return Deed::shutdown;
  return Deed::pause;
}

Entry make_fault(const Plan& plan, Dice& dice) {
  Entry entry;
  entry.deed = fault(plan, dice);
  entry.device = dice.under(plan.devices.size());
  entry.choice = dice.under(1000);
  entry.span = dice.scaled(milliseconds(20), dice.percent(20) ? seconds(60) : seconds(8));
  // Most go wrong while a call is set up, or soon after.
  if (!plan.entries.empty() && dice.percent(75)) {
    const Entry& dial = plan.entries[dice.under(plan.entries.size())];
    entry.at = dial.at + dice.scaled(milliseconds(1), dial.wait + seconds(6));
  } else {
    entry.at = dice.between(milliseconds(100), plan.length);
  }
  return entry;
}

// In the middle of a talk, most of the time.
Entry make_change(const Plan& plan, Dice& dice) {
  const Entry& dial = plan.entries[dice.under(plan.entries.size())];
  Entry entry;
  entry.deed = dice.percent(50) ? Deed::change : Deed::take;
  entry.device = dice.under(plan.devices.size());
  entry.choice = dice.under(1000);
  entry.at = dial.at + dial.wait + dice.scaled(milliseconds(1), std::max<Duration>(dial.talk, seconds(1)));
  return entry;
}

}  // namespace

Plan make_plan(std::uint64_t seed) {
  Dice dice(seed, 1);
  Plan plan;
  plan.seed = seed;
  plan.users = 2 + dice.under(3) * dice.under(2);
  for (std::size_t user = 0; user < plan.users; ++user) {
    const std::size_t count = 1 + dice.under(3) * dice.under(2);
    for (std::size_t i = 0; i < count; ++i) plan.devices.push_back(make_device(user, dice));
  }
  plan.length = dice.scaled(seconds(10), minutes(4));
  const std::uint64_t policy = dice.under(10);
  plan.warm_path = policy < 5 ? WarmPath::relay : policy < 9 ? WarmPath::direct : WarmPath::off;
  plan.peers_by_call = dice.percent(50);
  plan.is_tight = dice.percent(10);
  plan.tells_snapshots = !plan.is_tight && dice.percent(65);
  plan.has_journal = plan.tells_snapshots && dice.percent(75);
  plan.wakes = dice.percent(30);
  plan.slow_socket_percent = dice.percent(50) ? 0 : dice.under(40);
  plan.datagram_loss_percent = dice.percent(50) ? 0 : dice.under(15);
  plan.datagram_twice_percent = dice.percent(50) ? 0 : dice.under(10);

  for (std::uint64_t i = 1 + dice.under(4); i > 0; --i) {
    const Entry dial = make_dial(plan, dice);
    plan.entries.push_back(dial);
    if (dice.percent(20)) plan.entries.push_back(glare_of(plan, dial, dice));
  }
  const std::uint64_t faults = dice.percent(20) ? 0 : 1 + dice.under(7);
  const bool is_killed_alone = plan.tells_snapshots && dice.percent(15);
  if (faults == 0 || is_killed_alone) plan.slow_socket_percent = plan.datagram_loss_percent = 0;
  std::vector<Entry> wrong;
  for (std::uint64_t i = 0; i < (is_killed_alone ? 1 : faults); ++i) {
    wrong.push_back(make_fault(plan, dice));
    if (is_killed_alone) wrong.back().deed = Deed::crash;
  }
  plan.entries.insert(plan.entries.end(), wrong.begin(), wrong.end());
  for (std::uint64_t i = dice.under(4); i > 0; --i) plan.entries.push_back(make_change(plan, dice));
  std::stable_sort(plan.entries.begin(), plan.entries.end(),
                   [](const Entry& a, const Entry& b) { return a.at < b.at; });
  return plan;
}

bool is_calm(const Plan& plan) {
  const bool is_harmless = std::all_of(plan.entries.begin(), plan.entries.end(), [](const Entry& entry) {
    return entry.deed == Deed::dial || entry.deed == Deed::change || entry.deed == Deed::take;
  });
  return is_harmless && plan.slow_socket_percent == 0 && plan.datagram_loss_percent == 0 && !plan.is_tight;
}

bool only_crashes(const Plan& plan) {
  const auto is_harmless = [](const Entry& entry) {
    return entry.deed == Deed::dial || entry.deed == Deed::change || entry.deed == Deed::take ||
           (entry.deed == Deed::crash && entry.span <= kSoon);
  };
  return plan.tells_snapshots && plan.slow_socket_percent == 0 && plan.datagram_loss_percent == 0 &&
         std::all_of(plan.entries.begin(), plan.entries.end(), is_harmless);
}

call::Settings call_settings(const Plan& plan) {
  call::Settings settings;
  if (plan.is_tight) {
    settings.max_queued_messages = 40;
    settings.max_queued_bytes = 16 * 1024;
    settings.max_dialled_calls_per_session = 3;
    settings.max_incoming_calls_per_session = 2;
    settings.max_sessions_per_user = 4;
    settings.max_candidates = 20;
    settings.max_offers_before_accept = 6;
  }
  return settings;
}

std::string user_name(std::size_t user) { return kUsers.at(user); }

std::string name(Deed deed) {
  switch (deed) {
    case Deed::dial:
      return "dials";
    case Deed::cut:
      return "loses its sockets";
    case Deed::freeze:
      return "is cut off, and nothing is lost";
    case Deed::stall:
      return "does not read";
    case Deed::offline:
      return "is offline";
    case Deed::reload:
      return "reloads its page";
    case Deed::leave:
      return "leaves with a word";
    case Deed::vanish:
      return "leaves without a word";
    case Deed::join:
      return "comes";
    case Deed::renew:
      return "thinks that the network is another";
    case Deed::rebind:
      return "gets another address";
    case Deed::restart_ice:
      return "restarts ICE";
    case Deed::fresh_path:
      return "takes a fresh connection";
    case Deed::burst:
      return "sends a burst";
    case Deed::change:
      return "changes what it sends";
    case Deed::take:
      return "takes a call of another device";
    case Deed::place:
      return "is asked by the app to call somebody";
    case Deed::end_call:
      return "the app ends a call";
    case Deed::revoke:
      return "loses its sign-in";
    case Deed::crash:
      return "the server crashes";
    case Deed::shutdown:
      return "the server shuts down";
    case Deed::pause:
      return "the server stands still";
  }
  return {};
}

namespace {

std::string described(Reaction reaction) {
  switch (reaction) {
    case Reaction::accept:
      return "accepted";
    case Reaction::accept_on_all:
      return "accepted on all devices";
    case Reaction::decline:
      return "declined";
    case Reaction::busy:
      return "one device is busy";
    case Reaction::media_denied:
      return "one device has no media";
    case Reaction::ignore:
      return "ignored";
    case Reaction::give_up:
      return "given up by the caller";
    case Reaction::hang_up:
      return "hung up by the caller as it is accepted";
  }
  return {};
}

std::string device_name(std::size_t device, const Plan& plan) {
  std::size_t number = 0;
  for (std::size_t i = 0; i < device; ++i)
    number += plan.devices[i].user == plan.devices[device].user ? 1U : 0U;
  return fmt::format("{}/{}", user_name(plan.devices[device].user), number);
}

}  // namespace

std::string described(const Entry& entry, const Plan& plan) {
  const std::string at = fmt::format("{:10.3f} s  ", static_cast<double>(whole_ms(entry.at)) / 1000);
  if (entry.deed == Deed::dial) {
    return at + fmt::format("{} dials {}: {} after {} ms (device {}), talks {} ms, {} hangs up",
                            device_name(entry.device, plan), user_name(entry.to), described(entry.reaction),
                            whole_ms(entry.wait), entry.answerer, whole_ms(entry.talk),
                            entry.caller_hangs_up ? "the caller" : "the callee");
  }
  const bool is_of_server = entry.deed == Deed::crash || entry.deed == Deed::shutdown ||
                            entry.deed == Deed::pause || entry.deed == Deed::end_call;
  return at + (is_of_server ? "" : device_name(entry.device, plan) + " ") + name(entry.deed) +
         fmt::format(" ({} ms, variant {})", whole_ms(entry.span), entry.choice);
}

std::string described(const Plan& plan) {
  std::string text =
      fmt::format("seed {}, {} devices, warm path {}{}{}{}{}{}\n", plan.seed, plan.devices.size(),
                  name(plan.warm_path), plan.is_tight ? ", small queues" : "",
                  plan.tells_snapshots ? ", snapshots" : "", plan.has_journal ? ", journal" : "",
                  plan.wakes ? ", devices are woken" : "", plan.peers_by_call ? ", peers by call" : "");
  for (std::size_t i = 0; i < plan.devices.size(); ++i) {
    const PlannedDevice& device = plan.devices[i];
    text +=
        fmt::format("  {} wishes {}, {} ms ± {} ms{}\n", device_name(i, plan), name(device.warm_path),
                    whole_ms(device.delay), whole_ms(device.jitter), device.is_there ? "" : ", not there");
  }
  for (const Entry& entry : plan.entries) text += described(entry, plan) + "\n";
  return text;
}

}  // namespace offhook::sim
