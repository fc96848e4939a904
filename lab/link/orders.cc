#include "orders.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"

namespace offhook::lab {
namespace {

using Words = std::vector<std::string_view>;
using Answer = Result<std::string, std::string>;

Words split(std::string_view text, char separator) {
  Words words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Zero or more; a quarter of an hour of milliseconds is more than any network.
std::optional<double> amount(std::string_view text, double most) {
  const auto value = number<double>(text);
  if (!value || !std::isfinite(*value) || *value < 0 || *value > most) return std::nullopt;
  return value;
}

constexpr double kMillisecondsMost = 900'000;

std::optional<Time> milliseconds(std::string_view text) {
  const auto value = amount(text, kMillisecondsMost);
  if (!value) return std::nullopt;
  return Time(static_cast<Time::rep>(*value * 1e6));
}

std::optional<bool> yes_or_no(std::string_view text) {
  if (text == "1") return true;
  if (text == "0") return false;
  return std::nullopt;
}

std::optional<std::vector<Rule>> rules(std::string_view text) {
  std::vector<Rule> all;
  if (text == "none") return all;
  for (const std::string_view one : split(text, ',')) {
    const Words words = split(one, ':');
    if (words.size() != 3) return std::nullopt;
    const bool known = words[0] == "tcp" || words[0] == "udp";
    const auto port = number<std::uint16_t>(words[1]);
    const auto delay = milliseconds(words[2]);
    if (!known || !port || !delay) return std::nullopt;
    all.push_back({static_cast<std::uint8_t>(words[0] == "tcp" ? 6 : 17), *port, *delay});
  }
  return all;
}

template <typename T>
bool assign(T& target, std::optional<T> value) {
  if (!value) return false;
  target = std::move(*value);
  return true;
}

bool change(Conditions& conditions, std::string_view key, std::string_view value) {
  if (key == "delay_ms") return assign(conditions.delay, milliseconds(value));
  if (key == "jitter_ms") return assign(conditions.jitter, milliseconds(value));
  if (key == "loss") return assign(conditions.loss, amount(value, 1));
  if (key == "queue_ms") return assign(conditions.queue_limit, milliseconds(value));
  if (key == "cut") return assign(conditions.cut, yes_or_no(value));
  if (key == "reorder") return assign(conditions.reorder, yes_or_no(value));
  if (key == "rules") return assign(conditions.rules, rules(value));
  if (key != "rate_kbit") return false;
  const auto kilobits = amount(value, 1e9);
  if (kilobits) conditions.rate_bits_per_s = *kilobits * 1000;
  return kilobits.has_value();
}

Result<Link*, std::string> find(std::string_view id, Links& links) {
  const auto found = links.by_id.find(id);
  if (found == links.by_id.end()) return fail(fmt::format("no link {}", id));
  return found->second.get();
}

Answer add(const Words& words, Links& links, LinkObserver& observer) {
  if (words.size() != 7) return fail(std::string("add ID NAMESPACE DEVICE NAMESPACE DEVICE SEED"));
  const auto seed = number<std::uint64_t>(words[6]);
  if (!seed) return fail(std::string("the seed is not a number"));
  if (links.by_id.contains(words[1])) return fail(fmt::format("there is a link {} already", words[1]));
  auto near = open_tun(std::string(words[2]), std::string(words[3]));
  if (!near) return fail(near.error());
  auto far = open_tun(std::string(words[4]), std::string(words[5]));
  if (!far) return fail(far.error());
  auto link = std::make_unique<Link>(std::move(*near), std::move(*far), *seed);
  observer.added(*link);
  links.by_id.emplace(words[1], std::move(link));
  return "{\"ok\":true}";
}

Answer set(const Words& words, Links& links) {
  if (words.size() < 3 || words.size() % 2 == 0) return fail(std::string("set ID DIRECTION KEY VALUE ..."));
  const auto link = find(words[1], links);
  if (!link) return fail(link.error());
  const bool up = words[2] == "up" || words[2] == "both";
  const bool down = words[2] == "down" || words[2] == "both";
  if (!up && !down) return fail(fmt::format("no direction {}", words[2]));
  Conditions for_up = (*link)->up.path.conditions();
  Conditions for_down = (*link)->down.path.conditions();
  for (std::size_t i = 3; i < words.size(); i += 2) {
    const bool understood =
        change(for_up, words[i], words[i + 1]) && change(for_down, words[i], words[i + 1]);
    if (!understood) return fail(fmt::format("not understood: {} {}", words[i], words[i + 1]));
  }
  if (up) (*link)->up.path.set_conditions(std::move(for_up));
  if (down) (*link)->down.path.set_conditions(std::move(for_down));
  return "{\"ok\":true}";
}

std::string described(const Path& path) {
  const Counters& counters = path.counters;
  return fmt::format(
      R"({{"entered":{},"entered_bytes":{},"delivered":{},"lost":{},"cut":{},"overflowed":{},"refused":{},"held":{}}})",
      counters.entered, counters.entered_bytes, counters.delivered, counters.lost, counters.cut,
      counters.overflowed, counters.refused, path.held());
}

Answer count(const Words& words, Links& links) {
  if (words.size() != 2) return fail(std::string("count ID"));
  const auto link = find(words[1], links);
  if (!link) return fail(link.error());
  return fmt::format(R"({{"ok":true,"up":{},"down":{}}})", described((*link)->up.path),
                     described((*link)->down.path));
}

Answer remove(const Words& words, Links& links, LinkObserver& observer) {
  if (words.size() != 2) return fail(std::string("remove ID"));
  const auto link = find(words[1], links);
  if (!link) return fail(link.error());
  observer.removing(**link);
  links.by_id.erase(links.by_id.find(words[1]));
  return "{\"ok\":true}";
}

Answer answer(const Words& words, Links& links, LinkObserver& observer) {
  if (words.empty()) return fail(std::string("an empty line"));
  if (words[0] == "add") return add(words, links, observer);
  if (words[0] == "set") return set(words, links);
  if (words[0] == "count") return count(words, links);
  if (words[0] == "remove") return remove(words, links, observer);
  return fail(fmt::format("no order {}", words[0]));
}

}  // namespace

std::string obey(std::string_view line, Links& links, LinkObserver& observer) {
  const Answer result = answer(split(line, ' '), links, observer);
  if (result) return *result;
  std::string text;
  for (const char c : result.error()) text += (c == '"' || c == '\\' || c < ' ') ? '\'' : c;
  return fmt::format(R"({{"ok":false,"error":"{}"}})", text);
}

}  // namespace offhook::lab
