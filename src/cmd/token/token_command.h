#pragma once

namespace CLI {
class App;
}

namespace offhook::cmd {

// `offhook token`: mints a token for a user of this server.
void add_token_command(CLI::App& app, int& status);

}  // namespace offhook::cmd
