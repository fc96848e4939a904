#pragma once
// Where an HTTP request of ours goes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace offhook::io {

struct HttpUrl {
  bool tls = true;
  std::string host;  // a name or an address, lower case, an IPv6 address without brackets
  std::uint16_t port = 443;
  std::string target;  // path and query, as they were written; at least "/"

  // Nothing unless it is an absolute http or https URL with a host, without user and fragment.
  static std::optional<HttpUrl> parse(std::string_view text);
  bool has_default_port() const { return port == (tls ? 443 : 80); }
  std::string authority() const;  // "push.example.net", "[2001:db8::1]:8443": what the Host header says
  std::string origin() const;     // "https://push.example.net"
};

}  // namespace offhook::io
