#include "service/credentials/minting.h"

#include <fmt/format.h>

#include "core/credentials/token_verifier.h"
#include "core/credentials/turn_credentials.h"
#include "crypto/secure_random.h"
#include "io/loop/clock.h"
#include "service/credentials/ice_servers.h"
#include "service/credentials/secret_files.h"
#include "wire/json/json.h"

namespace offhook::service {

Result<std::string, std::string> mint_turn_credential(const MintRequest& request) {
  if (!credentials::valid_user(request.user))
    return fail(std::string("--user must be 1 to 128 bytes without control characters"));
  std::vector<Secret> secrets = request.shared_secrets;
  if (secrets.empty()) {
    crypto::SecureRandom random;
    auto loaded = load_or_make_turn_secrets(request.state_dir, random);
    if (!loaded) return fail(loaded.error());
    secrets = std::move(*loaded);
  }
  const credentials::TurnCredentials turn_credentials(std::move(secrets), {});
  const auto credential = turn_credentials.mint(request.user, request.ttl, io::read_now().wall);
  const auto uris = relay_uris(request.host, request.port);
  if (request.as_json) return ice_servers_json(credential, uris) + "\n";
  return fmt::format("username   {}\ncredential {}\nttl        {} s\nuris       {}\n", credential.username,
                     credential.password, credential.ttl.count(), fmt::join(uris, "\n           "));
}

Result<std::string, std::string> mint_user_token(const MintRequest& request) {
  if (!credentials::valid_user(request.user))
    return fail(std::string("--user must be 1 to 128 bytes without control characters"));
  crypto::SecureRandom random;
  const auto secret = load_or_make_token_secret(request.state_dir, random);
  if (!secret) return fail(secret.error());
  const std::string token = credentials::mint_token(*secret, request.user, request.ttl, io::read_now().wall);
  if (!request.as_json) return token + "\n";
  json::Writer out;
  out.begin_object()
      .field("token", token)
      .field("user", request.user)
      .field("expires_in", static_cast<std::int64_t>(request.ttl.count()))
      .end_object();
  return out.take() + "\n";
}

Result<std::string, std::string> rotate_secrets(const std::string& state_dir) {
  crypto::SecureRandom random;
  if (auto rotated = rotate_turn_secrets(state_dir, random); !rotated) return fail(rotated.error());
  return fmt::format(
      "New shared secret in {}. Credentials of the one before stay valid; of older ones no more.\n",
      turn_secrets_path(state_dir));
}

}  // namespace offhook::service
