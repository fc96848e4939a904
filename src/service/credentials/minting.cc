#include "service/credentials/minting.h"

#include <fmt/format.h>

#include "core/credentials/token_verifier.h"
#include "core/credentials/turn_credentials.h"
#include "crypto/secure_random.h"
#include "io/loop/clock.h"
#include "io/store/private_file.h"
#include "service/credentials/ice_servers.h"
#include "service/credentials/secret_files.h"
#include "wire/json/json.h"

namespace offhook::service {
namespace {

// Somebody who mints from a directory that no server uses finds out at once, not by a 401.
std::string note_on_new_secret(const std::string& state_dir) {
  return "made a new secret in " + state_dir +
         "; a server knows it only if it runs with this --state-dir (./run uses ./state)";
}

}  // namespace

Result<Minted, std::string> mint_turn_credential(const MintRequest& request) {
  if (!credentials::valid_user(request.user))
    return fail(std::string("--user must be 1 to 128 bytes without control characters"));
  std::vector<Secret> secrets = request.shared_secrets;
  std::string note;
  if (secrets.empty()) {
    if (!io::file_exists(turn_secrets_path(request.state_dir))) note = note_on_new_secret(request.state_dir);
    crypto::SecureRandom random;
    auto loaded = load_or_make_turn_secrets(request.state_dir, random);
    if (!loaded) return fail(loaded.error());
    secrets = std::move(*loaded);
  }
  const credentials::TurnCredentials turn_credentials(std::move(secrets), {});
  const auto credential = turn_credentials.mint(request.user, request.ttl, io::read_now().wall);
  const auto uris =
      relay_uris(request.host, request.port, request.tls_port == 0 ? "" : request.host, request.tls_port);
  if (request.as_json) return Minted{ice_servers_json(credential, uris) + "\n", note};
  std::string text =
      fmt::format("username   {}\ncredential {}\nttl        {} s\nuris       {}\n", credential.username,
                  credential.password, credential.ttl.count(), fmt::join(uris, "\n           "));
  return Minted{std::move(text), note};
}

Result<Minted, std::string> mint_user_token(const MintRequest& request) {
  if (!credentials::valid_user(request.user))
    return fail(std::string("--user must be 1 to 128 bytes without control characters"));
  std::string note;
  if (!io::file_exists(token_secret_path(request.state_dir))) note = note_on_new_secret(request.state_dir);
  crypto::SecureRandom random;
  const auto secret = load_or_make_token_secret(request.state_dir, random);
  if (!secret) return fail(secret.error());
  const std::string token = credentials::mint_token(*secret, request.user, request.ttl, io::read_now().wall);
  if (!request.as_json) return Minted{token + "\n", note};
  json::Writer out;
  out.begin_object()
      .field("token", token)
      .field("user", request.user)
      .field("expires_in", static_cast<std::int64_t>(request.ttl.count()))
      .end_object();
  return Minted{out.take() + "\n", note};
}

Result<Minted, std::string> rotate_secrets(const std::string& state_dir) {
  crypto::SecureRandom random;
  if (auto rotated = rotate_turn_secrets(state_dir, random); !rotated) return fail(rotated.error());
  return Minted{
      fmt::format(
          "New shared secret in {}. Credentials of the one before stay valid; of older ones no more.\n",
          turn_secrets_path(state_dir)),
      ""};
}

}  // namespace offhook::service
