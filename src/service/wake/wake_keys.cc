#include "service/wake/wake_keys.h"

#include <array>

#include "crypto/base64.h"
#include "io/store/private_file.h"

namespace offhook::service {
namespace {

constexpr std::string_view kWebhookPrefix = "whsec_";
constexpr std::size_t kWebhookKeyBytes = 32;
constexpr std::size_t kWebhookKeyBytesLeast = 24;
constexpr std::size_t kWebhookKeyBytesMost = 64;

// The line that the file holds; made with `fresh` if there is no file.
Result<std::string, std::string> load_or_make(const std::string& path, const std::string& fresh) {
  if (!io::file_exists(path)) {
    if (auto written = io::write_private_file(path, fresh + "\n"); !written)
      return fail(written.error().message);
  }
  auto text = io::read_file(path);
  if (!text) return fail(text.error().message);
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  return *text;
}

}  // namespace

std::string vapid_key_path(const std::string& state_dir) { return state_dir + "/vapid-key"; }

std::string webhook_secret_path(const std::string& state_dir) { return state_dir + "/webhook-secret"; }

Result<crypto::P256Key, std::string> load_or_make_vapid_key(const std::string& state_dir, Random& random) {
  const std::string path = vapid_key_path(state_dir);
  const auto text = load_or_make(path, crypto::base64url_encode(crypto::P256Key::generate(random).scalar()));
  if (!text) return fail(text.error());
  const auto scalar = crypto::base64url_decode(*text);
  const auto key = scalar ? crypto::P256Key::from_scalar(*scalar) : std::nullopt;
  if (key) return *key;
  return fail(
      path +
      " holds no private key of P-256 (32 bytes in base64url); restore it, or remove it to make a new "
      "one, with which browsers have to subscribe anew");
}

Result<Secret, std::string> load_or_make_webhook_secret(const std::string& state_dir, Random& random) {
  std::array<std::uint8_t, kWebhookKeyBytes> raw{};
  random.fill(raw);
  const std::string path = webhook_secret_path(state_dir);
  auto text = load_or_make(path, std::string(kWebhookPrefix) + crypto::base64_encode(raw));
  if (!text) return fail(text.error());
  Secret secret(std::move(*text));
  if (const auto key = parse_webhook_secret(secret); !key) return fail(path + ": " + key.error());
  return secret;
}

Result<Secret, std::string> parse_webhook_secret(const Secret& text) {
  const std::string_view shown = text.reveal();
  const auto key = shown.starts_with(kWebhookPrefix)
                       ? crypto::base64_decode(shown.substr(kWebhookPrefix.size()))
                       : std::nullopt;
  if (!key || key->size() < kWebhookKeyBytesLeast || key->size() > kWebhookKeyBytesMost) {
    return fail(std::string(
        "the webhook secret must be whsec_ and base64 of 24 to 64 bytes; make one with: echo whsec_$(openssl "
        "rand -base64 32)"));
  }
  return Secret(to_string(*key));
}

}  // namespace offhook::service
