// A token of any bytes, and a key set of any bytes, are refused or read; only a signature makes a token good.
#include <cstdlib>

#include "core/credentials/token_verifier.h"
#include "wire/jwt/jwks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace offhook;
  static const credentials::TokenVerifier verifier = [] {
    auto key = crypto::VerificationKey::symmetric(Secret("a key that the fuzzer does not know, 32 bytes"));
    return credentials::TokenVerifier({{"", *key}}, {});
  }();
  const std::string_view text = as_text({input, size});
  if (verifier.verify(text, UnixTime{1700000000})) std::abort();
  const auto keys = jwt::parse_jwks(text);
  if (!keys && keys.error().empty()) std::abort();
  if (keys && keys->keys.empty()) std::abort();
  return 0;
}
