#include "cmd/credentials/credentials_command.h"

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>

#include "cmd/exit_status.h"
#include "cmd/print_minted.h"
#include "service/credentials/minting.h"
#include "service/settings/settings.h"

namespace offhook::cmd {
namespace {

struct Options {
  service::MintRequest request;
  std::vector<std::string> secrets;
  long long ttl_s = 3600;
  bool rotate = false;
};

int run(Options& options) {
  if (options.rotate) return print_minted(service::rotate_secrets(options.request.state_dir));
  if (options.request.user.empty()) {
    fmt::print(stderr,
               "offhook: --user is missing: whose credential is it? For example: offhook credentials --user "
               "alice\n");
    return kBadUsage;
  }
  for (const std::string& secret : options.secrets) options.request.shared_secrets.emplace_back(secret);
  options.request.ttl = std::chrono::seconds(options.ttl_s);
  return print_minted(service::mint_turn_credential(options.request));
}

}  // namespace

void add_credentials_command(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("credentials", "mint a time-limited TURN credential, or rotate the secret");
  auto options = std::make_shared<Options>();
  const char* home = std::getenv("HOME");
  options->request.state_dir = settings::default_state_dir(geteuid() == 0, home == nullptr ? "" : home);
  command->add_option("--user", options->request.user, "whose credential it is");
  command->add_option("--ttl", options->ttl_s, "its life in seconds (3600)")->check(CLI::Range(1LL, 86400LL));
  command->add_option("--state-dir", options->request.state_dir, "where the server keeps its secrets")
      ->envname("OFFHOOK_STATE_DIR");
  command->add_option("--secret", options->secrets, "use this shared secret instead")
      ->envname("OFFHOOK_SECRET")
      ->delimiter(',');
  command->add_option("--host", options->request.host, "host in the URIs (127.0.0.1)");
  command->add_option("--port", options->request.port, "port in the URIs (3478)")
      ->check(CLI::Range(1, 65535));
  command->add_option("--tls-port", options->request.tls_port, "port of a turns: URI beside them (none)")
      ->check(CLI::Range(1, 65535));
  command->add_flag("--json", options->request.as_json, "print the answer of GET /api/turn/credentials");
  command->add_flag("--rotate", options->rotate, "make a new secret; credentials of the last one stay valid");
  command->footer(
      "Examples:\n"
      "  offhook credentials --user alice\n"
      "  offhook credentials --user alice --ttl 600 --json\n"
      "  offhook credentials --user alice --host calls.example.org --tls-port 443\n"
      "  offhook credentials --user alice --secret \"$COTURN_SECRET\"   (a coturn accepts it)\n"
      "  offhook credentials --rotate   (a running server takes it up by itself)");
  command->callback([options, &status] { status = run(*options); });
}

}  // namespace offhook::cmd
