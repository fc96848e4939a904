#pragma once
// Users whose sign-ins were taken away: what was issued up to that moment counts no more, what is issued
// after it does.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace offhook::credentials {

class Revocations {
 public:
  // A revocation is of use until the last token from before it has expired. Tokens are meant to live for
  // minutes or hours; one that lives longer than this outlives its revocation.
  static constexpr std::chrono::seconds kKept = std::chrono::hours(24 * 30);
  // A user has 128 bytes at most: the file of all of them stays below its limit of 1 MiB.
  static constexpr std::size_t kLimit = 4096;

  // False if there are kLimit others that are not older than kKept: nothing has changed then.
  bool add(std::string_view user, UnixTime now);
  // Whether a token of this user that was issued then is revoked. One that does not say when it was issued is
  // taken for old.
  bool covers(std::string_view user, std::optional<std::int64_t> issued_s) const;
  const std::map<std::string, UnixTime, std::less<>>& by_user() const { return at_by_user_; }

  // One line each: seconds since 1970, a space, the user. Lines of another form are left out.
  std::string text() const;
  static Revocations parse(std::string_view text);

 private:
  std::map<std::string, UnixTime, std::less<>> at_by_user_;
};

}  // namespace offhook::credentials
