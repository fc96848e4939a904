#pragma once
// What the TURN core borrows from outside. The service implements these; tests use plain ones.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/random.h"
#include "base/redact.h"
#include "base/time.h"

namespace offhook::turn {

// Whom does this username name? Called for requests that no allocation of the same user covers.
class CredentialSource {
 public:
  struct Candidate {
    std::string username;
    std::vector<Secret> passwords;  // one a valid shared secret, or the static user's one; newest first
    std::string user;               // whom quota counts: for ephemeral usernames the part after the expiry
    bool expired = false;           // an ephemeral username whose time is over
  };
  virtual ~CredentialSource() = default;
  virtual std::optional<Candidate> find(std::string_view username, UnixTime now) const = 0;
  // By SHA-256(username ":" realm) (RFC 8489 section 14.4). Only static users can be found so.
  virtual std::optional<Candidate> find_by_userhash(Bytes userhash, UnixTime now) const = 0;
  // True if every username can be found by its hash: only then is username anonymity offered. May change; a
  // shard asks again once a second.
  virtual bool offers_userhash() const = 0;
};

// Live allocations a user and in all, over every shard of the process.
class Quota {
 public:
  // taken: counted until given back. The others count nothing, and say which limit is reached.
  enum class Taking : std::uint8_t { taken, user_limit, total_limit };
  virtual ~Quota() = default;
  [[nodiscard]] virtual Taking try_take(std::string_view user) = 0;
  virtual void give_back(std::string_view user) = 0;
};

// Which relayed addresses (as bound, before any external mapping) are live, over every shard of the process.
class LiveRelays {
 public:
  virtual ~LiveRelays() = default;
  virtual bool contains(const Address& relayed_address) const = 0;
  // 0 if it is not live. Otherwise a number that it does not have again once it has closed, whoever opens it
  // next.
  virtual std::uint32_t incarnation(const Address& relayed_address) const = 0;
};

struct Dependencies {
  Random& random;
  const CredentialSource& credentials;
  Quota& quota;
  const LiveRelays& live_relays;
};

}  // namespace offhook::turn
