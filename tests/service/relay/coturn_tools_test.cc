// coturn's own client (turnutils_uclient of Debian's package coturn) runs against the relay without a lost
// packet or an error. All runs go at once: each spends its seconds waiting.

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <sstream>

#include "relay_fixture.h"

extern char** environ;

namespace offhook::relay {
namespace {

constexpr const char* kPeer = "/usr/bin/turnutils_peer";

// coturn's echo peer; ended and awaited on destruction.
class EchoPeer {
 public:
  explicit EchoPeer(const Ip& ip)
      : address_(test::UdpPeer(ip).address()) {  // a port that was free a moment ago
    const std::string text = ip.text();
    const std::string port = std::to_string(address_.port);
    std::array<const char*, 6> arguments{kPeer, "-L", text.c_str(), "-p", port.c_str(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, kPeer, nullptr, nullptr, const_cast<char**>(arguments.data()), environ), 0);
    await_echo();
  }
  EchoPeer(const EchoPeer&) = delete;
  EchoPeer& operator=(const EchoPeer&) = delete;
  ~EchoPeer() {
    if (pid_ <= 0) return;
    (void)kill(pid_, SIGTERM);
    (void)waitpid(pid_, nullptr, 0);
  }
  const Address& address() const { return address_; }

 private:
  void await_echo() const {
    test::UdpPeer probe(address_.ip);
    for (int i = 0; i < 500; ++i) {
      (void)io::send_datagram(probe.socket().get(), address_, bytes_of("?"));
      if (probe.receive(std::chrono::milliseconds(20))) return;
    }
    ADD_FAILURE() << kPeer << " does not answer";
  }

  Address address_;
  pid_t pid_ = -1;
};

struct ToolRun {
  const char* flags;
  Family server = Family::ipv4;
  Family peer = Family::ipv4;  // unless client to client (-y)
};

// -m 4 -n 50 for each: four clients (or two pairs), fifty packets each.
constexpr std::array kRuns = {
    // Channels.
    ToolRun{""},
    ToolRun{"-t"},
    ToolRun{"-y"},
    ToolRun{"-y -c"},
    ToolRun{"-y -t"},
    ToolRun{"-g"},
    ToolRun{"-D -t"},
    ToolRun{"-x", Family::ipv6, Family::ipv6},
    ToolRun{"-x -t", Family::ipv6, Family::ipv6},
    ToolRun{"-x -y", Family::ipv6},
    ToolRun{"-x", Family::ipv4, Family::ipv6},
    ToolRun{"-X", Family::ipv6, Family::ipv4},
    // Send and Data indications.
    ToolRun{"-s"},
    ToolRun{"-s -t"},
    ToolRun{"-s -y"},
    ToolRun{"-s -y -t"},
    ToolRun{"-s -g"},
    ToolRun{"-s -x", Family::ipv6, Family::ipv6},
    ToolRun{"-s -x -y", Family::ipv6},
    // Payloads near an Ethernet frame.
    ToolRun{"-l 1300"},
    ToolRun{"-s -t -l 1300"},
};

// Debian's tool is older than RFC 8656: it draws channel numbers up to 0x7FFF.
RelaySettings settings_for_the_tool() {
  RelaySettings settings = loopback_settings();
  settings.rfc5766_channels = true;
  return settings;
}

TEST(CoturnTools, LoseNoPacket) {
  RunningRelay relay(settings_for_the_tool());
  const EchoPeer ipv4_peer(kLoopback4);
  const EchoPeer ipv6_peer(kLoopback6);
  struct Running {
    std::string command;
    FILE* output = nullptr;
  };
  std::vector<Running> running;
  for (const ToolRun& run : kRuns) {
    const Address server = relay.at(run.server);
    std::ostringstream command;
    // A user each: all of them together reserve more ports than one user may.
    command << "timeout 60 turnutils_uclient " << run.flags << " -m 4 -n 50 -W " << kSharedSecret
            << " -u tool" << running.size() << " -p " << server.port;
    if (std::string_view(run.flags).find("-y") == std::string_view::npos) {
      const Address& peer = run.peer == Family::ipv4 ? ipv4_peer.address() : ipv6_peer.address();
      command << " -e " << peer.ip.text() << " -r " << peer.port;
    }
    command << ' ' << server.ip.text() << " 2>&1";
    running.push_back({command.str(), popen(command.str().c_str(), "r")});
    ASSERT_NE(running.back().output, nullptr);
  }
  for (const Running& each : running) {
    std::string output;
    std::array<char, 4096> chunk{};
    while (fgets(chunk.data(), chunk.size(), each.output) != nullptr) output += chunk.data();
    EXPECT_EQ(pclose(each.output), 0) << each.command << '\n' << output;
    EXPECT_NE(output.find("Total lost packets 0 (0.000000%)"), std::string::npos) << each.command << '\n'
                                                                                  << output;
    EXPECT_EQ(output.find("error "), std::string::npos) << each.command << '\n' << output;
  }
}

}  // namespace
}  // namespace offhook::relay
