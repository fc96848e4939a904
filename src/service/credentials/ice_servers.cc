#include "service/credentials/ice_servers.h"

#include "wire/json/json.h"

namespace offhook::service {
namespace {

// "example.org" of "example.org:8080", "2001:db8::1" of "[2001:db8::1]:8080".
std::string_view host_of(std::string_view header) {
  if (header.starts_with('[')) {
    const std::size_t end = header.find(']');
    return end == std::string_view::npos ? std::string_view() : header.substr(1, end - 1);
  }
  return header.substr(0, header.find(':'));
}

std::string bracketed(std::string_view host) {
  const bool is_v6 = host.find(':') != std::string_view::npos;
  return is_v6 ? "[" + std::string(host) + "]" : std::string(host);
}

void write_uris(json::Writer& out, const std::vector<std::string>& uris, std::string_view scheme) {
  out.begin_array();
  for (const std::string& uri : uris) {
    if (std::string_view(uri).starts_with(scheme)) out.string(uri);
  }
  out.end_array();
}

}  // namespace

std::string relay_host(std::string_view public_host, std::optional<Ip> external, std::string_view host_header,
                       const Address& local_address, bool ipv4_loopback) {
  if (!public_host.empty()) return bracketed(public_host);
  if (external) return bracketed(external->text());
  const std::string_view host = host_of(host_header);
  if (Ip::parse(host)) return bracketed(host);
  if (host == "localhost" && ipv4_loopback) return "127.0.0.1";
  // A proxy on this machine hides how the client came: then the name that the client used is the best we
  // know.
  const bool behind_a_proxy = local_address.ip.is_loopback() && !host.empty() && host != "localhost";
  return behind_a_proxy ? std::string(host) : bracketed(local_address.ip.text());
}

std::string turns_host(std::string_view public_name, std::string_view relay_host,
                       std::string_view host_header, const io::CertificateNames& names) {
  if (!public_name.empty()) return bracketed(public_name);
  const std::string_view bare = relay_host.starts_with('[') ? host_of(relay_host) : relay_host;
  const auto ip = Ip::parse(bare);
  if (ip ? names.covers(*ip) : names.covers(bare)) return std::string(relay_host);
  // Each client takes "localhost" for itself.
  const auto reachable = [](std::string_view name) { return !name.empty() && name != "localhost"; };
  const std::string_view came_by = host_of(host_header);
  if (reachable(came_by) && names.covers(came_by)) return std::string(came_by);
  const std::string first = names.first_name();
  return reachable(first) ? first : std::string();
}

std::vector<std::string> relay_uris(std::string_view host, std::uint16_t port, std::string_view turns_host,
                                    std::uint16_t turns_port) {
  const std::string authority = std::string(host) + ":" + std::to_string(port);
  std::vector<std::string> uris = {"stun:" + authority, "turn:" + authority + "?transport=udp",
                                   "turn:" + authority + "?transport=tcp"};
  if (!turns_host.empty()) {
    uris.push_back("turns:" + std::string(turns_host) + ":" + std::to_string(turns_port) + "?transport=tcp");
  }
  return uris;
}

std::string ice_servers_json(const credentials::TurnCredential& credential,
                             const std::vector<std::string>& uris) {
  json::Writer out;
  out.begin_object()
      .field("username", credential.username)
      .field("credential", credential.password)
      .field("password", credential.password)
      .field("ttl", static_cast<std::int64_t>(credential.ttl.count()));
  write_uris(out.key("uris"), uris, "");
  out.key("iceServers").begin_array();
  write_uris(out.begin_object().key("urls"), uris, "stun:");
  out.end_object();
  write_uris(out.begin_object().key("urls"), uris, "turn");
  out.field("username", credential.username).field("credential", credential.password).end_object();
  out.end_array().end_object();
  return out.take();
}

}  // namespace offhook::service
