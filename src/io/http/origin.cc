#include "io/http/origin.h"

#include <algorithm>

namespace offhook::io {
namespace {

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view without_suffix(std::string_view text, std::string_view suffix) {
  return text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text;
}

// Both sides lose the scheme's default port, which a browser leaves out and another client may write.
bool same_host(std::string_view origin, std::string_view scheme, std::string_view default_port,
               std::string_view host) {
  if (host.empty() || !origin.starts_with(scheme)) return false;
  return equal_ignoring_case(without_suffix(origin.substr(scheme.size()), default_port),
                             without_suffix(host, default_port));
}

}  // namespace

bool origin_allowed(std::string_view origin, std::string_view host, bool by_tls,
                    const std::vector<std::string>& allowed) {
  if (origin.empty()) return true;
  if (same_host(origin, "https://", ":443", host)) return true;
  if (!by_tls && same_host(origin, "http://", ":80", host)) return true;
  return std::any_of(allowed.begin(), allowed.end(), [origin](std::string_view entry) {
    return entry == "*" || equal_ignoring_case(entry, origin);
  });
}

}  // namespace offhook::io
