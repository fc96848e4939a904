#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/credentials/turn_credentials.h"
#include "core/turn/ports.h"
#include "crypto/digest.h"

namespace offhook::relay {

// The users that the credentials in force vouch for. replace() is seen by every shard from its next request
// on.
class VouchedUsers final : public turn::CredentialSource {
 public:
  VouchedUsers(std::string realm, std::shared_ptr<const credentials::TurnCredentials> credentials);

  void replace(std::shared_ptr<const credentials::TurnCredentials> credentials);
  std::shared_ptr<const credentials::TurnCredentials> credentials() const;

  std::optional<Candidate> find(std::string_view username, UnixTime now) const override;
  std::optional<Candidate> find_by_userhash(Bytes userhash, UnixTime now) const override;
  // Only without a shared secret: an ephemeral username cannot be found by its hash.
  bool offers_userhash() const override;

 private:
  struct Roll {
    std::shared_ptr<const credentials::TurnCredentials> credentials;
    std::map<crypto::Sha256Digest, std::string> usernames_by_userhash;  // static users
  };
  std::shared_ptr<const Roll> roll() const;
  std::shared_ptr<const Roll> make_roll(
      std::shared_ptr<const credentials::TurnCredentials> credentials) const;

  const std::string realm_;
  mutable std::mutex mutex_;  // guards the pointer alone; requests take it, packets do not
  std::shared_ptr<const Roll> roll_;
};

}  // namespace offhook::relay
