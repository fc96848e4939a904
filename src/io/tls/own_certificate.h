#pragma once
// A certificate that the server makes and signs for itself, for trying out: browsers warn of it.

#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "base/time.h"
#include "io/tls/certificate.h"

namespace offhook::io {

// The files in `directory`, made if they are not there, cannot be used, end within a month, or do not name
// localhost, the loopback addresses and all of `addresses`. The error says what to do.
Result<CertificateFiles, std::string> own_certificate(const std::string& directory,
                                                      const std::vector<Ip>& addresses, UnixTime now);

}  // namespace offhook::io
