#include "service/relay/vouched_users.h"

#include <algorithm>
#include <utility>

#include "wire/stun/long_term_key.h"

namespace offhook::relay {

VouchedUsers::VouchedUsers(std::string realm, std::shared_ptr<const credentials::TurnCredentials> credentials)
    : realm_(std::move(realm)), roll_(make_roll(std::move(credentials))) {}

void VouchedUsers::replace(std::shared_ptr<const credentials::TurnCredentials> credentials) {
  auto fresh = make_roll(std::move(credentials));
  const std::scoped_lock lock(mutex_);
  roll_.swap(fresh);
}

std::shared_ptr<const credentials::TurnCredentials> VouchedUsers::credentials() const {
  return roll()->credentials;
}

std::optional<turn::CredentialSource::Candidate> VouchedUsers::find(std::string_view username,
                                                                    UnixTime now) const {
  const auto match = roll()->credentials->find(username, now);
  if (!match) return std::nullopt;
  return Candidate{std::string(username), match->passwords, match->user, match->expired};
}

std::optional<turn::CredentialSource::Candidate> VouchedUsers::find_by_userhash(Bytes userhash,
                                                                                UnixTime now) const {
  crypto::Sha256Digest wanted{};
  if (userhash.size() != wanted.size()) return std::nullopt;
  std::copy(userhash.begin(), userhash.end(), wanted.begin());
  const auto current = roll();
  const auto entry = current->usernames_by_userhash.find(wanted);
  if (entry == current->usernames_by_userhash.end()) return std::nullopt;
  return find(entry->second, now);
}

bool VouchedUsers::offers_userhash() const {
  const auto current = roll();
  return !current->credentials->can_mint() && !current->usernames_by_userhash.empty();
}

std::shared_ptr<const VouchedUsers::Roll> VouchedUsers::roll() const {
  const std::scoped_lock lock(mutex_);
  return roll_;
}

std::shared_ptr<const VouchedUsers::Roll> VouchedUsers::make_roll(
    std::shared_ptr<const credentials::TurnCredentials> credentials) const {
  auto roll = std::make_shared<Roll>();
  for (const auto& [username, password] : credentials->static_users()) {
    roll->usernames_by_userhash.emplace(stun::userhash(username, realm_), username);
  }
  roll->credentials = std::move(credentials);
  return roll;
}

}  // namespace offhook::relay
