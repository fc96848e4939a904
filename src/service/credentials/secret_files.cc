#include "service/credentials/secret_files.h"

#include "base/hex.h"
#include "io/store/private_file.h"

namespace offhook::service {
namespace {

constexpr std::size_t kSecretBytes = 32;

std::string new_secret(Random& random) {
  std::uint8_t raw[kSecretBytes];
  random.fill(raw);
  return to_hex(raw);
}

Result<std::vector<Secret>, std::string> read_secrets(const std::string& path) {
  const auto text = io::read_file(path);
  if (!text) return fail(text.error().message);
  std::vector<Secret> secrets;
  std::size_t start = 0;
  while (start < text->size()) {
    const std::size_t end = std::min(text->find('\n', start), text->size());
    if (end > start) secrets.emplace_back(text->substr(start, end - start));
    start = end + 1;
  }
  if (secrets.empty()) return fail(path + " holds no secret; remove it and start again to make a new one");
  return secrets;
}

Result<void, std::string> write_secrets(const std::string& path, const std::vector<Secret>& secrets) {
  std::string text;
  for (const Secret& secret : secrets) text += secret.reveal() + "\n";
  if (auto written = io::write_private_file(path, text); !written) return fail(written.error().message);
  return {};
}

Result<std::vector<Secret>, std::string> load_or_make(const std::string& path, Random& random) {
  if (!io::file_exists(path)) {
    if (auto written = write_secrets(path, {Secret(new_secret(random))}); !written)
      return fail(written.error());
  }
  return read_secrets(path);
}

}  // namespace

std::string token_secret_path(const std::string& state_dir) { return state_dir + "/token-secret"; }

std::string api_keys_path(const std::string& state_dir) { return state_dir + "/api-keys"; }

std::string turn_secrets_path(const std::string& state_dir) { return state_dir + "/turn-secrets"; }

Result<std::vector<Secret>, std::string> load_or_make_turn_secrets(const std::string& state_dir,
                                                                   Random& random) {
  return load_or_make(turn_secrets_path(state_dir), random);
}

Result<void, std::string> rotate_turn_secrets(const std::string& state_dir, Random& random) {
  auto secrets = load_or_make_turn_secrets(state_dir, random);
  if (!secrets) return fail(secrets.error());
  secrets->insert(secrets->begin(), Secret(new_secret(random)));
  if (secrets->size() > kSharedSecretsKept) secrets->resize(kSharedSecretsKept);
  return write_secrets(turn_secrets_path(state_dir), *secrets);
}

Result<std::vector<Secret>, std::string> load_or_make_api_keys(const std::string& state_dir, Random& random) {
  return load_or_make(api_keys_path(state_dir), random);
}

Result<Secret, std::string> load_or_make_token_secret(const std::string& state_dir, Random& random) {
  auto secrets = load_or_make(token_secret_path(state_dir), random);
  if (!secrets) return fail(secrets.error());
  return secrets->front();
}

}  // namespace offhook::service
