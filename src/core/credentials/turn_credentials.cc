#include "core/credentials/turn_credentials.h"

#include <charconv>

#include "crypto/base64.h"
#include "crypto/digest.h"

namespace offhook::credentials {
namespace {

// Ten digits are year 2286; more would only help an overflow.
constexpr std::size_t kExpiryDigitsLimit = 12;

std::optional<std::int64_t> parse_seconds(std::string_view text) {
  if (text.empty() || text.size() > kExpiryDigitsLimit) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

std::string password_for(const Secret& secret, std::string_view username) {
  return crypto::base64_encode(crypto::hmac_sha1(as_bytes(secret.reveal()), as_bytes(username)));
}

}  // namespace

std::optional<EphemeralUsername> parse_ephemeral_username(std::string_view username) {
  const std::size_t colon = username.find(':');
  const std::string_view head = username.substr(0, colon);
  const std::string_view tail =
      colon == std::string_view::npos ? std::string_view() : username.substr(colon + 1);
  if (const auto expiry = parse_seconds(head)) return EphemeralUsername{{*expiry}, tail};
  if (const auto expiry = parse_seconds(tail)) return EphemeralUsername{{*expiry}, head};
  return std::nullopt;
}

TurnCredentials::TurnCredentials(std::vector<Secret> shared_secrets,
                                 std::map<std::string, Secret, std::less<>> static_users,
                                 ExpiryByUser refused)
    : shared_secrets_(std::move(shared_secrets)),
      static_users_(std::move(static_users)),
      refused_(std::move(refused)) {}

TurnCredential TurnCredentials::mint(std::string_view user, std::chrono::seconds ttl, UnixTime now) const {
  const std::string username = std::to_string((now + ttl).seconds) + ":" + std::string(user);
  return {username, password_for(shared_secrets_.front(), username), ttl};
}

std::optional<TurnCredentials::Match> TurnCredentials::find(std::string_view username, UnixTime now) const {
  if (const auto entry = static_users_.find(username); entry != static_users_.end()) {
    return Match{{entry->second}, entry->first, false};
  }
  const auto ephemeral = parse_ephemeral_username(username);
  if (!ephemeral || shared_secrets_.empty()) return std::nullopt;
  const auto refused = refused_.find(ephemeral->user);
  if (refused != refused_.end() && ephemeral->expiry <= refused->second) return std::nullopt;
  Match match;
  match.user = std::string(ephemeral->user);
  match.expired = ephemeral->expiry <= now;
  for (const Secret& secret : shared_secrets_) match.passwords.emplace_back(password_for(secret, username));
  return match;
}

}  // namespace offhook::credentials
