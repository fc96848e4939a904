#pragma once
// One certificate with its key, read from PEM files and ready to serve TLS 1.2 and 1.3.

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "base/time.h"
#include "io/tls/tls_context.h"

namespace offhook::io {

struct CertificateFiles {
  std::string certificate;  // PEM: the server's own first, then the chain
  std::string key;          // PEM
};

// Whom a certificate is for: its subject alternative names, which are all that browsers look at.
struct CertificateNames {
  std::vector<std::string> dns;  // in the certificate's order; "*.example.org" among them
  std::vector<Ip> ips;

  bool covers(const Ip& ip) const;
  // A wildcard stands for one label (RFC 6125 section 6.4.3).
  bool covers(std::string_view name) const;
  // The first DNS name that is no wildcard; empty if there is none.
  std::string first_name() const;
};

struct Certificate {
  TlsContext context;
  CertificateNames names;
  UnixTime not_before;
  UnixTime not_after;
};

// The error is one sentence for the operator: what is wrong, and what to do.
Result<Certificate, std::string> load_certificate(const CertificateFiles& files);

// What the operator should know though the certificate can be used: it has expired, or will soon, or is not
// valid yet, or names nobody. Empty if all is well.
std::string certificate_warning(const Certificate& certificate, UnixTime now);

}  // namespace offhook::io
