#pragma once

namespace CLI {
class App;
}

namespace offhook::cmd {

// `offhook serve`: the server. Sets `status` to the process's exit status.
void add_serve_command(CLI::App& app, int& status);

}  // namespace offhook::cmd
