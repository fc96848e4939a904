#include "io/tls/client_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace offhook::io {

Result<TlsContext, std::string> client_context(const std::string& authorities_file) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  SSL_CTX* raw = context.get();
  if (raw == nullptr || SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1)
    return fail(std::string("TLS for calls to other servers cannot be set up: out of memory"));
  const bool trusts = authorities_file.empty() ? SSL_CTX_set_default_verify_paths(raw) == 1
                                               : SSL_CTX_load_verify_file(raw, authorities_file.c_str()) == 1;
  ERR_clear_error();
  if (!trusts) {
    return fail("the certificate authorities cannot be read" +
                (authorities_file.empty() ? std::string("; install ca-certificates")
                                          : " from " + authorities_file + "; it must be a PEM file"));
  }
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(
      raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // One call takes all that has come, instead of two for each record.
  SSL_CTX_set_read_ahead(raw, 1);
  return context;
}

}  // namespace offhook::io
