#pragma once

namespace CLI {
class App;
}

namespace offhook::cmd {

// `offhook credentials`: mints a time-limited TURN credential, or rotates the shared secret.
void add_credentials_command(CLI::App& app, int& status);

}  // namespace offhook::cmd
