#pragma once
// What our own connections to other servers share: TLS 1.2 and 1.3, and whom to trust.

#include <string>

#include "base/result.h"
#include "io/tls/tls_context.h"

namespace offhook::io {

// Trusts the authorities of `authorities_file` (PEM), or if it is empty those of the system (SSL_CERT_FILE
// and SSL_CERT_DIR count). The error is a sentence for the operator.
Result<TlsContext, std::string> client_context(const std::string& authorities_file);

}  // namespace offhook::io
