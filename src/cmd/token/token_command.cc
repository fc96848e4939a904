#include "cmd/token/token_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>

#include "cmd/print_minted.h"
#include "service/credentials/minting.h"
#include "service/settings/settings.h"

namespace offhook::cmd {

void add_token_command(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("token", "mint a token (JWT) that signs a user in");
  auto request = std::make_shared<service::MintRequest>();
  auto ttl_s = std::make_shared<long long>(86400);
  const char* home = std::getenv("HOME");
  request->state_dir = settings::default_state_dir(geteuid() == 0, home == nullptr ? "" : home);
  command->add_option("--user", request->user, "the user, as `sub`")->required();
  command->add_option("--ttl", *ttl_s, "its life in seconds (86400)")->check(CLI::Range(1LL, 31536000LL));
  command->add_option("--state-dir", request->state_dir, "where the server keeps its secrets")
      ->envname("OFFHOOK_STATE_DIR");
  command->add_flag("--json", request->as_json, "print {token, user, expires_in}");
  command->footer(
      "Examples:\n"
      "  offhook token --user alice\n"
      "  curl -H \"Authorization: Bearer $(offhook token --user alice)\" "
      "http://localhost:8080/api/turn/credentials");
  command->callback([request, ttl_s, &status] {
    request->ttl = std::chrono::seconds(*ttl_s);
    status = print_minted(service::mint_user_token(*request));
  });
}

}  // namespace offhook::cmd
