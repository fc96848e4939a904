#include "cmd/serve/serve_command.h"

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <map>
#include <memory>

#include "cmd/exit_status.h"
#include "cmd/serve/server_process.h"
#include "service/settings/settings.h"
#include "service/settings/settings_file.h"

namespace offhook::cmd {
namespace {

struct Options {
  std::string config_file;
  std::map<std::string_view, std::vector<std::string>> values;  // by the row's key
  std::map<std::string_view, bool> switches;
};

Result<settings::Settings, std::string> collect(const Options& options) {
  settings::SettingsBuilder builder;
  if (!options.config_file.empty()) {
    if (auto read = settings::apply_file(builder, options.config_file); !read) return fail(read.error());
  }
  if (auto applied =
          builder.apply_environment([](const char* name) -> const char* { return std::getenv(name); });
      !applied) {
    return fail(applied.error().text());
  }
  for (const settings::SettingRow& row : settings::setting_rows()) {
    std::vector<std::string> given;
    if (const auto entry = options.values.find(row.key); entry != options.values.end()) given = entry->second;
    if (const auto entry = options.switches.find(row.key); entry != options.switches.end() && entry->second)
      given = {"true"};
    if (given.empty()) continue;
    if (auto applied = builder.apply_flag(row, given); !applied) return fail(applied.error().text());
  }
  auto settings = builder.finish();
  if (!settings) return fail(settings.error().text());
  if (settings->state_dir.empty()) {
    const char* home = std::getenv("HOME");
    settings->state_dir = settings::default_state_dir(geteuid() == 0, home == nullptr ? "" : home);
  }
  return *settings;
}

int run(const Options& options) {
  const auto settings = collect(options);
  if (!settings) {
    fmt::print(stderr, "offhook: {}\nSee: offhook serve --help\n", settings.error());
    return kBadUsage;
  }
  return serve(*settings);
}

}  // namespace

void add_serve_command(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("serve", "run the server");
  auto options = std::make_shared<Options>();
  command->add_option("--config", options->config_file, "read settings from this TOML file")
      ->envname("OFFHOOK_CONFIG");
  for (const settings::SettingRow& row : settings::setting_rows()) {
    const std::string help(row.help);
    if (row.placeholder.empty()) {
      command->add_flag(settings::flag_name(row), options->switches[row.key], help);
      continue;
    }
    CLI::Option* option = command->add_option(settings::flag_name(row), options->values[row.key], help);
    option->type_name(row.repeatable() ? std::string(row.placeholder) + " ..."
                                       : std::string(row.placeholder));
    option->expected(1)->allow_extra_args(false)->multi_option_policy(
        row.repeatable() ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::Throw);
  }
  command->footer(
      "Every setting is also a TOML key (relay_ports = \"50000-50999\") and an environment variable\n"
      "(OFFHOOK_RELAY_PORTS). Flags win over the environment, the environment over the file.\n\n"
      "Examples:\n"
      "  offhook serve --dev                                 try it on this machine\n"
      "  offhook serve --external-address 203.0.113.7        behind a 1:1 NAT\n"
      "  offhook serve --jwt-key app.pem --allowed-origin https://app.example.org\n"
      "  offhook serve --config /etc/offhook.toml");
  command->callback([options, &status] { status = run(*options); });
}

}  // namespace offhook::cmd
