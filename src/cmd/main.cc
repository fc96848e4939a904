// offhook: parses the command line and hands over to one subcommand.

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cmd/credentials/credentials_command.h"
#include "cmd/exit_status.h"
#include "cmd/serve/serve_command.h"
#include "cmd/token/token_command.h"

int main(int argument_count, char** arguments) {
  using namespace offhook::cmd;
  CLI::App app{"offhook: audio and video calls that connect on the first attempt"};
  app.name("offhook");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("offhook ") + OFFHOOK_VERSION);
  app.get_formatter()->column_width(34);
  app.footer("Try it: offhook serve --dev, then open http://localhost:8080/ in two tabs.");

  int status = kGood;
  add_serve_command(app, status);
  add_credentials_command(app, status);
  add_token_command(app, status);

  // CLI11 would only say that a subcommand is required.
  const std::string first = argument_count > 1 ? arguments[1] : "";
  const bool is_command =
      !app.get_subcommands([&first](CLI::App* one) { return one->get_name() == first; }).empty();
  if (!first.empty() && first.front() != '-' && !is_command) {
    fmt::print(stderr, "offhook: there is no command '{}'; there are: serve, credentials, token\n", first);
    return kBadUsage;
  }

  try {
    app.parse(argument_count, arguments);
  } catch (const CLI::ParseError& error) {
    const bool asked_for_help = error.get_exit_code() == 0;
    const int printed = app.exit(error);
    if (!asked_for_help) fmt::print(stderr, "See: offhook --help, offhook serve --help\n");
    return asked_for_help ? printed : kBadUsage;
  }
  return status;
}
