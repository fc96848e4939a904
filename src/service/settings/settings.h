#pragma once
// Everything an operator can set, from a TOML file, the environment and flags (flags win over the
// environment, the environment over the file). One table (setting_rows) holds names, defaults, limits and
// help of them all.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/redact.h"
#include "base/result.h"
#include "base/warm_path.h"

namespace offhook::settings {

// open: a TURN client may name any peer that is not denied. call: only addresses that a call here has passed
// to its user.
enum class PeerPolicy : std::uint8_t { open, call };
enum class LogFormat : std::uint8_t { text, json };
enum class FastPath : std::uint8_t { automatic, off, xdp, tc };
// Beside raw sockets. automatic: while nothing filters the packets of the machine's processes, for these
// would go past it.
enum class PacketSockets : std::uint8_t { automatic, on, off };

struct ExternalAddress {
  Ip external;
  std::optional<Ip> bound;  // absent: every relay address of that family
};

struct Settings {
  bool dev = false;
  std::string state_dir;             // empty: see default_state_dir()
  std::vector<Ip> listen_addresses;  // empty: every address of this machine
  std::uint16_t port = 3478;
  std::uint16_t http_port = 8080;
  std::string certificate_file;  // with its key; empty: no TLS, or with dev one of our own
  std::string key_file;
  std::vector<std::uint16_t> tls_ports;  // with a certificate 5349 if none is given
  bool tls_ports_by_default = false;
  std::string public_name;  // in the TURN URI over TLS; empty: what the certificate covers
  std::string public_host;  // name or address in TURN URIs; empty: as the client reached us
  std::vector<Ip> relay_addresses;
  std::vector<ExternalAddress> external_addresses;
  std::uint16_t relay_port_first = 49152;
  std::uint16_t relay_port_last = 65535;
  unsigned shards = 0;                 // 0: one a core
  FastPath fast_path = FastPath::off;  // until it is asked for: its packets pass no firewall of the machine
  std::uint32_t fast_path_channels = 16384;
  bool raw_sockets = true;  // where the process may have them
  PacketSockets packet_sockets = PacketSockets::automatic;
  bool xdp_sockets = true;    // beside packet sockets
  bool socket_lookup = true;  // where the process may have it
  std::vector<Secret> shared_secrets;
  std::map<std::string, Secret, std::less<>> static_users;
  std::string realm = "offhook";
  std::chrono::seconds credential_ttl{3600};
  std::chrono::seconds lifetime_default{600};
  std::chrono::seconds lifetime_limit{3600};
  std::size_t user_quota = 100;  // live allocations a user; 0: no limit
  std::size_t total_quota = 0;   // live allocations in all; 0: no limit
  std::size_t max_bitrate = 0;   // kbit/s of an allocation, each way; 0: no limit
  bool rfc5766_channels = false;
  PeerPolicy peer_policy = PeerPolicy::open;
  std::vector<Address> alternate_servers;
  std::vector<Prefix> allow_peers;
  std::vector<Prefix> deny_peers;
  std::string jwt_key_file;
  std::string jwks_file;
  std::string jwt_issuer;
  std::string jwt_audience;
  std::vector<Secret> api_keys;              // empty: one is generated in the state directory
  std::uint32_t dials_per_minute = 60;       // of a user; 0: no limit
  std::uint32_t requests_per_second = 200;   // of an address; 0: no limit
  std::uint32_t websockets_per_second = 50;  // of an address; 0: no limit
  std::chrono::seconds ring_timeout{45};
  WarmPath warm_path = WarmPath::relay;
  std::string webhook_url;   // empty: none
  Secret webhook_secret;     // empty: one of the state directory
  std::string push_contact;  // whom push services may write to; may be empty
  bool journal = true;       // calls that ring, and blocks, outlive the process
  std::vector<std::string> allowed_origins;
  LogFormat log_format = LogFormat::text;
};

struct SettingError {
  std::string key;      // as the operator wrote it: "port", "--port", "OFFHOOK_PORT"
  std::string value;    // what was given; empty for secrets
  std::string allowed;  // what would be right
  std::string text() const;
};

struct SettingRow {
  std::string_view key;          // "relay_ports": the TOML key; flag and environment name follow from it
  std::string_view placeholder;  // "LO-HI"; empty for a switch
  // Empties the list that the setting fills; nullptr for a setting that is given once.
  void (*clear)(Settings&) = nullptr;
  bool secret = false;    // its value is never printed
  std::string_view help;  // one line, with the default
  // Applies one value; on failure says what is allowed.
  Result<void, std::string> (*apply)(Settings&, std::string_view value) = nullptr;
  bool repeatable() const { return clear != nullptr; }
};
std::span<const SettingRow> setting_rows();
std::string flag_name(const SettingRow& row);         // "--relay-ports"
std::string environment_name(const SettingRow& row);  // "OFFHOOK_RELAY_PORTS"

// One source of values at a time, lowest precedence first. `source` is how errors call the key.
// A repeatable setting given by a later source replaces the earlier source's list.
class SettingsBuilder {
 public:
  Result<void, SettingError> apply_toml(std::string_view text, std::string_view file_name);
  // `read` is std::getenv or a test's; a null pointer is "not set". Lists are separated by commas.
  Result<void, SettingError> apply_environment(const char* (*read)(const char* name));
  Result<void, SettingError> apply_flag(const SettingRow& row, std::span<const std::string> values);
  // Checks what only the whole can show (relay ports in order, lifetimes in order).
  Result<Settings, SettingError> finish();

 private:
  Result<void, SettingError> apply(const SettingRow& row, std::span<const std::string> values,
                                   std::string key);
  Result<void, SettingError> check_tls() const;
  Settings settings_;
};

// $OFFHOOK_STATE_DIR is a setting; without one: /var/lib/offhook for root, else $HOME/.local/state/offhook.
std::string default_state_dir(bool is_root, std::string_view home);

}  // namespace offhook::settings
