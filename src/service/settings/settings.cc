#include "service/settings/settings.h"

// toml++ 3.3 asserts in parse_key() what a file like "[\n{" violates; the branch behind the assertion reports
// a proper error. So its assertions are off here, and NDEBUG with them: it would turn them into assumptions
// for the optimiser.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>

#include "service/settings/text_fault.h"

namespace offhook::settings {
namespace {

const SettingRow* find_row(std::string_view key) {
  for (const SettingRow& row : setting_rows()) {
    if (row.key == key) return &row;
  }
  return nullptr;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// For "no such setting": the one that was probably meant.
std::string nearest_key(std::string_view key) {
  constexpr std::size_t kCompared = 64;  // no key is as long; keeps a hostile file cheap
  std::string_view best;
  std::size_t best_distance = SIZE_MAX;
  for (const SettingRow& row : setting_rows()) {
    const std::size_t distance = edit_distance(key.substr(0, kCompared), row.key);
    if (distance < best_distance) {
      best_distance = distance;
      best = row.key;
    }
  }
  return std::string(best);
}

std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return std::nullopt;
}

std::optional<std::vector<std::string>> values_of(const toml::node& node, bool repeatable) {
  if (const auto text = scalar_text(node)) return std::vector<std::string>{*text};
  const toml::array* array = node.as_array();
  if (array == nullptr || !repeatable) return std::nullopt;
  std::vector<std::string> values;
  for (const toml::node& element : *array) {
    const auto text = scalar_text(element);
    if (!text) return std::nullopt;
    values.push_back(*text);
  }
  return values;
}

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string SettingError::text() const {
  const std::string shown = value.empty() ? key : key + " = \"" + value + "\"";
  return shown + " is not allowed here: " + allowed;
}

std::string flag_name(const SettingRow& row) {
  std::string name = "--" + std::string(row.key);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string environment_name(const SettingRow& row) {
  std::string name = "OFFHOOK_";
  for (const char letter : row.key)
    name.push_back(letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter);
  return name;
}

Result<void, SettingError> SettingsBuilder::apply(const SettingRow& row, std::span<const std::string> values,
                                                  std::string key) {
  if (row.repeatable()) row.clear(settings_);  // a later source replaces the list of an earlier one
  if (!row.repeatable() && values.size() != 1) return fail(SettingError{std::move(key), "", "one value"});
  for (const std::string& value : values) {
    if (auto applied = row.apply(settings_, value); !applied) {
      return fail(SettingError{std::move(key), row.secret ? "" : value, "it must be " + applied.error()});
    }
  }
  return {};
}

Result<void, SettingError> SettingsBuilder::apply_toml(std::string_view text, std::string_view file_name) {
  const auto plain = plain_toml(text);
  if (!plain) {
    return fail(SettingError{std::string(file_name) + " line " + std::to_string(plain.error().line), "",
                             plain.error().what});
  }
  const toml::parse_result parsed = toml::parse(*plain, file_name);
  if (!parsed) {
    const toml::source_region& at = parsed.error().source();
    return fail(SettingError{std::string(file_name) + " line " + std::to_string(at.begin.line), "",
                             "the file must be TOML: " + std::string(parsed.error().description())});
  }
  for (const auto& [toml_key, node] : parsed.table()) {
    const std::string key(toml_key.str());
    const std::string where = std::string(file_name) + ": " + key;
    const SettingRow* row = find_row(key);
    if (row == nullptr) {
      return fail(
          SettingError{where, "", "there is no such setting; did you mean " + nearest_key(key) + "?"});
    }
    const auto values = values_of(node, row->repeatable());
    if (!values) {
      return fail(SettingError{where, "",
                               row->repeatable() ? "it must be a text or a list of texts"
                                                 : "it must be a text, a number, true or false"});
    }
    if (auto applied = apply(*row, *values, where); !applied) return applied;
  }
  return {};
}

Result<void, SettingError> SettingsBuilder::apply_environment(const char* (*read)(const char* name)) {
  for (const SettingRow& row : setting_rows()) {
    const std::string name = environment_name(row);
    const char* value = read(name.c_str());
    if (value == nullptr) continue;
    const auto values = row.repeatable() ? split_commas(value) : std::vector<std::string>{value};
    if (auto applied = apply(row, values, name); !applied) return applied;
  }
  return {};
}

Result<void, SettingError> SettingsBuilder::apply_flag(const SettingRow& row,
                                                       std::span<const std::string> values) {
  return apply(row, values, flag_name(row));
}

// TLS as a whole: a certificate has a key, its ports have a certificate, and each port has one use.
Result<void, SettingError> SettingsBuilder::check_tls() const {
  const Settings& s = settings_;
  if (!s.certificate_file.empty() && s.key_file.empty()) {
    return fail(
        SettingError{"cert", s.certificate_file, "it needs its private key beside it: add key (--key FILE)"});
  }
  if (s.certificate_file.empty() && !s.key_file.empty()) {
    return fail(
        SettingError{"key", s.key_file, "it needs its certificate beside it: add cert (--cert FILE)"});
  }
  if (s.tls_ports.empty()) return {};
  if (s.certificate_file.empty() && !s.dev) {
    return fail(SettingError{"tls_port", std::to_string(s.tls_ports.front()),
                             "it needs a certificate: add cert and key (--cert FILE --key FILE)"});
  }
  std::vector<std::uint16_t> seen;
  for (const std::uint16_t port : s.tls_ports) {
    if (port == s.port || port == s.http_port) {
      return fail(SettingError{"tls_port", std::to_string(port),
                               "it must differ from port and http_port; a TLS port serves what they serve"});
    }
    if (std::find(seen.begin(), seen.end(), port) != seen.end())
      return fail(SettingError{"tls_port", std::to_string(port), "it must be given once"});
    seen.push_back(port);
  }
  return {};
}

Result<Settings, SettingError> SettingsBuilder::finish() {
  constexpr std::uint16_t kTlsPort = 5349;  // RFC 8656 section 3
  const bool has_certificate = settings_.dev || !settings_.certificate_file.empty();
  if (has_certificate && settings_.tls_ports.empty()) {
    settings_.tls_ports = {kTlsPort};
    settings_.tls_ports_by_default = true;
  }
  if (auto checked = check_tls(); !checked) return fail(checked.error());
  if (settings_.lifetime_default > settings_.lifetime_limit) {
    return fail(SettingError{
        "lifetime_default", std::to_string(settings_.lifetime_default.count()),
        "it must not be above lifetime_limit (" + std::to_string(settings_.lifetime_limit.count()) + ")"});
  }
  if (settings_.port == settings_.http_port) {
    return fail(SettingError{"http_port", std::to_string(settings_.http_port),
                             "it must differ from port (TURN over TCP listens there)"});
  }
  if (!settings_.webhook_secret.empty() && settings_.webhook_url.empty())
    return fail(SettingError{"webhook_secret", "", "it needs the webhook beside it: add webhook_url"});
  constexpr int kRelayPortsLeast = 2;  // EVEN-PORT needs a pair
  if (settings_.relay_port_last - settings_.relay_port_first + 1 < kRelayPortsLeast) {
    return fail(SettingError{"relay_ports", std::to_string(settings_.relay_port_first),
                             "the range must hold at least 2 ports"});
  }
  return settings_;
}

std::string default_state_dir(bool is_root, std::string_view home) {
  if (is_root || home.empty()) return "/var/lib/offhook";
  return std::string(home) + "/.local/state/offhook";
}

}  // namespace offhook::settings
