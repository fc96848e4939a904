#include "wire/stun/long_term_key.h"

#include <string>
#include <utility>

#include "base/redact.h"

namespace offhook::stun {
namespace {

// A Secret, because it holds the password and shall be wiped.
Secret key_text(std::string_view username, std::string_view realm, std::string_view password) {
  std::string text;
  text.reserve(username.size() + realm.size() + password.size() + 2);  // no reallocation leaves a copy behind
  text.append(username).append(1, ':').append(realm).append(1, ':').append(password);
  return Secret(std::move(text));
}

}  // namespace

LongTermKeyMd5 long_term_key_md5(std::string_view username, std::string_view realm,
                                 std::string_view password) {
  return crypto::md5(as_bytes(key_text(username, realm, password).reveal()));
}

LongTermKeySha256 long_term_key_sha256(std::string_view username, std::string_view realm,
                                       std::string_view password) {
  return crypto::sha256(as_bytes(key_text(username, realm, password).reveal()));
}

Userhash userhash(std::string_view username, std::string_view realm) {
  std::string text(username);
  text.append(1, ':').append(realm);
  return crypto::sha256(as_bytes(text));
}

}  // namespace offhook::stun
