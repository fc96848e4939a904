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

// At most one STUN and three TURN URIs (RFC 7064, RFC 7065), ordered UDP, TCP.
std::vector<std::string> relay_uris(std::string_view host, std::uint16_t port);

// docs/protocol.md, "Ice servers".
std::string ice_servers_json(const credentials::TurnCredential& credential,
                             const std::vector<std::string>& uris);

}  // namespace offhook::service
