#include "service/relay/self_check.h"

#include <array>
#include <optional>
#include <utility>

#include "crypto/secure_random.h"
#include "io/loop/clock.h"
#include "service/relay/probe_client.h"

namespace offhook::relay {
namespace {

// The user that the check's allocation is counted for.
constexpr std::string_view kUser = "self-check";
constexpr std::chrono::seconds kCredentialLifetime{60};

std::optional<credentials::TurnCredential> credential_for_check(
    const credentials::TurnCredentials& credentials, UnixTime now) {
  if (credentials.can_mint()) return credentials.mint(kUser, kCredentialLifetime, now);
  if (credentials.static_users().empty()) return std::nullopt;
  const auto& [username, password] = *credentials.static_users().begin();
  return credentials::TurnCredential{username, password.reveal(), kCredentialLifetime};
}

auto failed(std::string_view step, const std::string& reason) {
  return fail("self-check: " + std::string(step) + ": " + reason);
}

}  // namespace

std::string user_of_check(const credentials::TurnCredentials& credentials) {
  if (credentials.can_mint()) return std::string(kUser);
  return credentials.static_users().empty() ? std::string() : credentials.static_users().begin()->first;
}

Result<void, std::string> check_relayed_echo(const Address& server,
                                             const credentials::TurnCredentials& credentials, UnixTime now,
                                             std::chrono::milliseconds patience) {
  auto credential = credential_for_check(credentials, now);
  if (!credential) return failed("credentials", "there is neither a shared secret nor a user");
  crypto::SecureRandom random;
  ProbeClient client(server, std::move(*credential), io::read_now().monotonic + patience, random);
  const auto relayed_address = client.allocate();
  if (!relayed_address) return failed("Allocate", relayed_address.error());
  if (auto done = client.permit(*relayed_address); !done) return failed("CreatePermission", done.error());
  std::array<std::uint8_t, 16> payload{};
  random.fill(payload);
  if (auto done = client.send(*relayed_address, payload); !done) return failed("Send", done.error());
  if (auto done = client.await(*relayed_address, payload); !done) return failed("relayed echo", done.error());
  return {};
}

}  // namespace offhook::relay
