#pragma once
// The generated secrets of the state directory.
//
//   turn-secrets   one shared secret a line, the first mints, all are accepted
//   api-keys       keys of the REST interface, one a line, all are accepted
//   token-secret   HMAC key of the tokens that this server mints itself (`offhook token`, --dev)

#include <string>
#include <vector>

#include "base/random.h"
#include "base/redact.h"
#include "base/result.h"

namespace offhook::service {

// How many shared secrets rotation keeps: the new one, and the one before it for credentials still out there.
inline constexpr std::size_t kSharedSecretsKept = 2;

std::string turn_secrets_path(const std::string& state_dir);
std::string token_secret_path(const std::string& state_dir);
std::string api_keys_path(const std::string& state_dir);

// Reads the file, or makes it with one new secret. The error is a sentence for the operator.
Result<std::vector<Secret>, std::string> load_or_make_turn_secrets(const std::string& state_dir,
                                                                   Random& random);
// Puts a new secret first and keeps kSharedSecretsKept.
Result<void, std::string> rotate_turn_secrets(const std::string& state_dir, Random& random);
Result<std::vector<Secret>, std::string> load_or_make_api_keys(const std::string& state_dir, Random& random);
Result<Secret, std::string> load_or_make_token_secret(const std::string& state_dir, Random& random);

}  // namespace offhook::service
