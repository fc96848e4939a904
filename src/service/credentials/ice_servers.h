#pragma once
// The answer of GET /api/turn/credentials: the fields of the REST draft (draft-uberti-behave-turn-rest-00)
// and the browser's iceServers at once.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "core/credentials/turn_credentials.h"
#include "io/tls/certificate.h"

namespace offhook::service {

// Where clients reach the relay. An IP literal where one is known: a name that does not resolve costs a
// client seconds.
//   public_host    what the operator set; wins
//   external       the 1:1 NAT address, if any
//   host_header    of the HTTP request, with or without a port
//   local_address  which of our addresses that request reached
// For the host "localhost" it is 127.0.0.1 where `ipv4_loopback` says that we listen there: browsers often
// come by ::1 then, but relay IPv4.
std::string relay_host(std::string_view public_host, std::optional<Ip> external, std::string_view host_header,
                       const Address& local_address, bool ipv4_loopback);

// The host of the TURN URI over TLS, where a client checks the certificate against it; empty if no host would
// pass. `public_name` wins. `relay_host`, an address if possible, is next; then the name by which the client
// came (it has just resolved), then the first that the certificate has.
std::string turns_host(std::string_view public_name, std::string_view relay_host,
                       std::string_view host_header, const io::CertificateNames& names);

// One STUN and at most three TURN URIs (RFC 7064, RFC 7065), ordered UDP, TCP, TLS; none for TLS if
// `turns_host` is empty.
std::vector<std::string> relay_uris(std::string_view host, std::uint16_t port,
                                    std::string_view turns_host = {}, std::uint16_t turns_port = 0);

// docs/protocol.md, "Ice servers".
std::string ice_servers_json(const credentials::TurnCredential& credential,
                             const std::vector<std::string>& uris);

}  // namespace offhook::service
