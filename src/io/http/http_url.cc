#include "io/http/http_url.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "base/address.h"

namespace offhook::io {
namespace {

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool is_host_name(std::string_view host) {
  constexpr std::size_t kNameLimit = 253;  // RFC 1035 section 2.3.4, in text
  return !host.empty() && host.size() <= kNameLimit && std::ranges::all_of(host, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' ||
           letter == '.' || letter == '_';
  });
}

}  // namespace

std::optional<HttpUrl> HttpUrl::parse(std::string_view text) {
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return std::nullopt;
  const boost::urls::url_view view = *parsed;
  HttpUrl url;
  url.tls = view.scheme_id() == boost::urls::scheme::https;
  if (!url.tls && view.scheme_id() != boost::urls::scheme::http) return std::nullopt;
  if (!view.has_authority() || view.has_userinfo() || view.has_fragment()) return std::nullopt;
  const auto host = view.encoded_host_address();
  url.host.assign(host.data(), host.size());
  std::ranges::transform(url.host, url.host.begin(), lower);
  if (!is_host_name(url.host) && !Ip::parse(url.host)) return std::nullopt;
  url.port = url.tls ? 443 : 80;
  if (view.has_port()) url.port = view.port_number();
  if (url.port == 0) return std::nullopt;
  const auto target = view.encoded_target();
  url.target.assign(target.data(), target.size());
  if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
  return url;
}

std::string HttpUrl::authority() const {
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return has_default_port() ? shown : shown + ":" + std::to_string(port);
}

std::string HttpUrl::origin() const { return (tls ? "https://" : "http://") + authority(); }

}  // namespace offhook::io
