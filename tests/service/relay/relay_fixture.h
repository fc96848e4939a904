#pragma once
// A relay on loopback, at a free port, with one shared secret and one static user.

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "service/relay/relay_service.h"
#include "turn_client.h"

namespace offhook::relay {

inline const Ip kLoopback4 = *Ip::parse("127.0.0.1");
inline const Ip kLoopback6 = *Ip::parse("::1");
inline constexpr std::string_view kSharedSecret = "relay-test-secret";

inline std::shared_ptr<const credentials::TurnCredentials> credentials_with(
    std::vector<std::string> secrets) {
  std::vector<Secret> shared_secrets;
  for (std::string& secret : secrets) shared_secrets.emplace_back(std::move(secret));
  std::map<std::string, Secret, std::less<>> users;
  users.emplace("alice", Secret("wonderland"));
  return std::make_shared<credentials::TurnCredentials>(std::move(shared_secrets), std::move(users));
}

inline test::TurnClient::Login minted(std::string_view user, std::string_view secret = kSharedSecret) {
  const auto credential =
      credentials_with({std::string(secret)})->mint(user, std::chrono::seconds(600), io::read_now().wall);
  return {credential.username, credential.password};
}

// Loopback is allowed as peer, so that plain sockets of the test can be peers.
inline RelaySettings loopback_settings() {
  RelaySettings settings;
  settings.listen_addresses = {kLoopback4, kLoopback6};
  settings.port = 0;
  settings.shards = 2;
  settings.allow_peers = {*Prefix::parse("127.0.0.1"), *Prefix::parse("::1")};
  return settings;
}

class RunningRelay {
 public:
  explicit RunningRelay(RelaySettings settings = loopback_settings())
      : service_(std::move(settings), credentials_with({std::string(kSharedSecret)})) {
    const auto started = service_.start();
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
  }
  RelayService& service() { return service_; }
  Address at(Family family = Family::ipv4) const {
    for (const Address& address : service_.listening_addresses()) {
      if (address.family() == family) return address;
    }
    ADD_FAILURE() << "not listening on this family";
    return {};
  }
  std::uint64_t count(Counter counter) const { return service_.counters()[counter]; }

 private:
  RelayService service_;
};

// The sockets of this process: each once, however many threads have it in their tables of descriptors.
inline std::size_t open_sockets() {
  std::set<std::string> sockets;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::error_code gone;
    for (const auto& fd : std::filesystem::directory_iterator(task.path() / "fd", gone)) {
      const std::string target = std::filesystem::read_symlink(fd.path(), gone);
      if (target.starts_with("socket:")) sockets.insert(target);
    }
  }
  return sockets.size();
}

inline Buffer bytes_of(std::string_view text) { return Buffer(text.begin(), text.end()); }

}  // namespace offhook::relay
