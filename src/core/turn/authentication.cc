#include "core/turn/authentication.h"

#include <algorithm>
#include <optional>

#include "wire/stun/attr_nonce.h"
#include "wire/stun/attr_realm.h"
#include "wire/stun/attr_userhash.h"
#include "wire/stun/attr_username.h"

namespace offhook::turn {
namespace {

using stun::AttributeType;
using stun::ErrorCode;

// What PASSWORD-ALGORITHMS says, in order of preference.
constexpr std::array<stun::PasswordAlgorithm, 2> kPasswordAlgorithms = {{
    {stun::kPasswordAlgorithmSha256, {}},
    {stun::kPasswordAlgorithmMd5, {}},
}};

// A challenge that is a second behind the credentials costs its client one more round trip (438), no more.
constexpr std::chrono::seconds kFeaturesAge{1};

bool same(const stun::PasswordAlgorithm& a, const stun::PasswordAlgorithm& b) {
  return a.algorithm == b.algorithm && equal(a.parameters, b.parameters);
}

// The bid-down rules: both attributes or neither, the list as we sent it, and a choice from the list. With
// neither, the client is of RFC 5389 and means MD5. Nothing: 400.
std::optional<PasswordAlgorithm> chosen_algorithm(const stun::Message& request) {
  const stun::Attribute* list = request.find(AttributeType::password_algorithms);
  const stun::Attribute* choice = request.find(AttributeType::password_algorithm);
  if (list == nullptr && choice == nullptr) return PasswordAlgorithm::md5;
  if (list == nullptr || choice == nullptr) return std::nullopt;
  const auto listed = stun::parse_password_algorithms(list->value);
  const auto chosen = stun::parse_password_algorithm(choice->value);
  if (!listed || !chosen || !std::ranges::equal(*listed, kPasswordAlgorithms, same)) return std::nullopt;
  if (same(*chosen, kPasswordAlgorithms[0])) return PasswordAlgorithm::sha256;
  if (same(*chosen, kPasswordAlgorithms[1])) return PasswordAlgorithm::md5;
  return std::nullopt;
}

Integrity integrity_of(const stun::Message& request) {
  // A client that sends both does so for servers of RFC 5389; the stronger one counts.
  if (request.has(AttributeType::message_integrity_sha256)) return Integrity::message_integrity_sha256;
  if (request.has(AttributeType::message_integrity)) return Integrity::message_integrity;
  return Integrity::none;
}

Integrity answer_integrity_of(const stun::Message& request) {
  const bool of_rfc_5389 =
      !request.has(AttributeType::password_algorithms) && !request.has(AttributeType::password_algorithm);
  return of_rfc_5389 ? Integrity::message_integrity : Integrity::message_integrity_sha256;
}

bool verify(const stun::Message& request, Integrity integrity, const LongTermKey& key) {
  switch (integrity) {
    case Integrity::none:
      return false;
    case Integrity::message_integrity:
      return request.verify_integrity(key.bytes());
    case Integrity::message_integrity_sha256:
      return request.verify_integrity_sha256(key.bytes());
  }
  return false;
}

}  // namespace

// Who the request says it is from.
struct Authentication::Claim {
  std::optional<std::string_view> username;  // this or the other
  std::optional<stun::Userhash> userhash;
  std::string_view realm;
  std::string_view nonce;
  PasswordAlgorithm algorithm = PasswordAlgorithm::md5;
  Integrity integrity = Integrity::none;
};

Authentication::Authentication(const Settings& settings, const CredentialSource& credentials)
    : realm_(settings.realm),
      nonces_(settings.nonce_key, settings.nonce_lifetime),
      credentials_(credentials) {}

Result<Authenticated, AuthenticationFailure> Authentication::authenticate(const stun::Message& request,
                                                                          const Address& client_address,
                                                                          const Owner* owner,
                                                                          const Now& now) const {
  const auto refuse = [](ErrorCode code) { return fail(AuthenticationFailure{code, false}); };
  Claim claim;
  claim.integrity = integrity_of(request);
  if (claim.integrity == Integrity::none) return refuse(ErrorCode::unauthenticated);

  if (const auto* attribute = request.find(AttributeType::username)) {
    claim.username = stun::parse_username(attribute->value);
  } else if (const auto* hash = request.find(AttributeType::userhash)) {
    claim.userhash = stun::parse_userhash(hash->value);
  }
  const stun::Attribute* realm_attribute = request.find(AttributeType::realm);
  const stun::Attribute* nonce_attribute = request.find(AttributeType::nonce);
  if (!claim.username && !claim.userhash) return refuse(ErrorCode::bad_request);
  if (realm_attribute == nullptr || nonce_attribute == nullptr) return refuse(ErrorCode::bad_request);
  const auto realm = stun::parse_realm(realm_attribute->value);
  const auto nonce = stun::parse_nonce(nonce_attribute->value);
  if (!realm || !nonce) return refuse(ErrorCode::bad_request);
  claim.realm = *realm;
  claim.nonce = *nonce;

  // A nonce without that bit is none of ours and is refused as such below.
  const auto announced = stun::parse_nonce_cookie(*nonce);
  if (announced && announced->password_algorithms) {
    const auto algorithm = chosen_algorithm(request);
    if (!algorithm) return refuse(ErrorCode::bad_request);
    claim.algorithm = *algorithm;
  }
  if (!nonces_.valid(*nonce, features(now.monotonic), client_address, now.monotonic))
    return refuse(ErrorCode::stale_nonce);
  return check_credentials(request, claim, owner, now.wall);
}

Result<Authenticated, AuthenticationFailure> Authentication::check_credentials(const stun::Message& request,
                                                                               const Claim& claim,
                                                                               const Owner* owner,
                                                                               UnixTime now) const {
  const auto refused = fail(AuthenticationFailure{ErrorCode::unauthenticated, true});
  if (claim.realm != realm_) return refused;

  Authenticated result;
  result.answer_integrity = answer_integrity_of(request);
  result.is_owner = owner != nullptr && names(claim, owner->username);
  if (result.is_owner && claim.algorithm == owner->algorithm) {
    if (!verify(request, claim.integrity, owner->key)) return refused;
    result.owner = *owner;
    return result;
  }
  auto candidate = claim.username ? credentials_.find(*claim.username, now)
                                  : credentials_.find_by_userhash(*claim.userhash, now);
  if (!candidate) return refused;
  for (const Secret& password : candidate->passwords) {
    const LongTermKey tried = key(claim.algorithm, candidate->username, password.reveal());
    if (!verify(request, claim.integrity, tried)) continue;
    result.owner = {std::move(candidate->username), claim.algorithm, tried};
    result.user = std::move(candidate->user);
    result.expired = candidate->expired;
    return result;
  }
  return refused;
}

bool Authentication::names(const Claim& claim, const std::string& username) const {
  if (claim.username) return *claim.username == username;
  return *claim.userhash == stun::userhash(username, realm_);
}

LongTermKey Authentication::key(PasswordAlgorithm algorithm, std::string_view username,
                                std::string_view password) const {
  switch (algorithm) {
    case PasswordAlgorithm::md5:
      return LongTermKey(stun::long_term_key_md5(username, realm_, password));
    case PasswordAlgorithm::sha256:
      return LongTermKey(stun::long_term_key_sha256(username, realm_, password));
  }
  return {};
}

void Authentication::add_challenge(stun::MessageBuilder& answer, const Address& client_address,
                                   Instant now) const {
  stun::add_realm(answer, realm_);
  stun::add_nonce(answer, nonces_.make(features(now), client_address, now));
  stun::add_password_algorithms(answer, kPasswordAlgorithms);
}

stun::SecurityFeatures Authentication::features(Instant now) const {
  if (!features_asked_at_ || now - *features_asked_at_ >= kFeaturesAge) {
    offers_userhash_ = credentials_.offers_userhash();
    features_asked_at_ = now;
  }
  return {.password_algorithms = true, .username_anonymity = offers_userhash_};
}

}  // namespace offhook::turn
