#pragma once
// Ownership of OpenSSL's objects: std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>.

namespace offhook::crypto {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

}  // namespace offhook::crypto
