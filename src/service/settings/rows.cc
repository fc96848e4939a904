// The table of settings: one row each, in the order in which --help prints them.

#include <algorithm>
#include <charconv>

#include "service/settings/settings.h"

namespace offhook::settings {
namespace {

using Applied = Result<void, std::string>;

template <typename Number>
std::optional<Number> parse_number(std::string_view text, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most)
    return std::nullopt;
  return value;
}

template <auto Member, unsigned long long Least, unsigned long long Most>
Applied apply_number(Settings& settings, std::string_view text) {
  const auto value = parse_number<unsigned long long>(text, Least, Most);
  if (!value) return fail("a number from " + std::to_string(Least) + " to " + std::to_string(Most));
  using Field = std::remove_reference_t<decltype(settings.*Member)>;
  settings.*Member = Field(*value);
  return {};
}

template <auto Member>
Applied apply_seconds(Settings& settings, std::string_view text) {
  constexpr long long kDay = 86400;
  const auto value = parse_number<long long>(text, 1, kDay);
  if (!value) return fail(std::string("seconds from 1 to 86400 (a day)"));
  settings.*Member = std::chrono::seconds(*value);
  return {};
}

template <auto Member>
Applied apply_switch(Settings& settings, std::string_view text) {
  if (text != "true" && text != "false") return fail(std::string("true or false"));
  settings.*Member = text == "true";
  return {};
}

template <auto Member>
Applied apply_text(Settings& settings, std::string_view text) {
  if (text.empty()) return fail(std::string("a text that is not empty"));
  settings.*Member = std::string(text);
  return {};
}

template <auto Member>
void clear(Settings& settings) {
  (settings.*Member).clear();
}

template <auto Member>
Applied apply_ip(Settings& settings, std::string_view text) {
  const auto ip = Ip::parse(text);
  if (!ip || ip->is_unspecified())
    return fail(std::string("an address of this machine such as 192.0.2.1 or 2001:db8::1"));
  auto& addresses = settings.*Member;
  if (std::find(addresses.begin(), addresses.end(), *ip) == addresses.end()) addresses.push_back(*ip);
  return {};
}

template <auto Member>
Applied apply_on_off(Settings& settings, std::string_view text) {
  if (text != "on" && text != "off") return fail(std::string("on or off"));
  settings.*Member = text == "on";
  return {};
}

template <auto Member>
Applied apply_prefix(Settings& settings, std::string_view text) {
  const auto prefix = Prefix::parse(text);
  if (!prefix) return fail(std::string("an address or a prefix such as 10.1.0.0/16 or 2001:db8::/32"));
  (settings.*Member).push_back(*prefix);
  return {};
}

Applied apply_tls_port(Settings& settings, std::string_view text) {
  const auto port = parse_number<std::uint16_t>(text, 1, 65535);
  if (!port) return fail(std::string("a number from 1 to 65535"));
  settings.tls_ports.push_back(*port);
  return {};
}

Applied apply_public_name(Settings& settings, std::string_view text) {
  const bool good = !text.empty() && std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '-' || letter == '.';
  });
  if (!good) return fail(std::string("a name in the certificate such as calls.example.org"));
  settings.public_name = std::string(text);
  return {};
}

Applied apply_external(Settings& settings, std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto external = Ip::parse(text.substr(0, slash));
  std::optional<Ip> bound;
  if (slash != std::string_view::npos) bound = Ip::parse(text.substr(slash + 1));
  const bool pair_is_good =
      slash == std::string_view::npos || (bound && external && bound->family() == external->family());
  if (!external || !pair_is_good) {
    return fail(std::string(
        "the public address, such as 203.0.113.7, or PUBLIC/PRIVATE such as 203.0.113.7/10.0.0.5"));
  }
  settings.external_addresses.push_back({*external, bound});
  return {};
}

Applied apply_relay_ports(Settings& settings, std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_number<std::uint16_t>(text.substr(0, dash), 1024, 65535);
  const auto last = dash == std::string_view::npos
                        ? std::nullopt
                        : parse_number<std::uint16_t>(text.substr(dash + 1), 1024, 65535);
  if (!first || !last || *first > *last)
    return fail(std::string("LO-HI, both from 1024 to 65535, such as 49152-65535"));
  settings.relay_port_first = *first;
  settings.relay_port_last = *last;
  return {};
}

Applied apply_secret(Settings& settings, std::string_view text) {
  constexpr std::size_t kSecretBytesLeast = 16;
  if (text.size() < kSecretBytesLeast)
    return fail(std::string("at least 16 characters; make one with: openssl rand -hex 32"));
  settings.shared_secrets.emplace_back(std::string(text));
  return {};
}

Applied apply_api_key(Settings& settings, std::string_view text) {
  constexpr std::size_t kKeyBytesLeast = 16;
  constexpr std::size_t kKeyBytesMost = 1024;  // it travels in a header
  const bool is_one_word =
      std::all_of(text.begin(), text.end(), [](char letter) { return letter > 0x20 && letter < 0x7F; });
  if (text.size() < kKeyBytesLeast || text.size() > kKeyBytesMost || !is_one_word)
    return fail(
        std::string("16 to 1024 printable letters without spaces; make one with: openssl rand -hex 32"));
  settings.api_keys.emplace_back(std::string(text));
  return {};
}

// RFC 8489 section 9.2.2 has both ends bring names, realm and passwords into one form (OpaqueString, RFC
// 8265). For printable ASCII that form is the text itself, so nothing else is accepted and no two ends can
// differ.
bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) { return letter >= 0x20 && letter < 0x7F; });
}

Applied apply_user(Settings& settings, std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() || !is_printable_ascii(text))
    return fail(std::string("NAME:PASSWORD, both printable ASCII"));
  settings.static_users.insert_or_assign(std::string(text.substr(0, colon)),
                                         Secret(std::string(text.substr(colon + 1))));
  return {};
}

Applied apply_realm(Settings& settings, std::string_view text) {
  constexpr std::size_t kRealmLimit = 127;  // RFC 8489 section 14.9: fewer than 128 characters
  if (text.empty() || !is_printable_ascii(text) || text.size() > kRealmLimit ||
      text.find('"') != std::string_view::npos) {
    return fail(std::string("1 to 127 printable ASCII characters without quotes"));
  }
  settings.realm = std::string(text);
  return {};
}

Applied apply_origin(Settings& settings, std::string_view text) {
  const bool good = text == "*" || text.starts_with("https://") || text.starts_with("http://");
  if (!good || text.ends_with('/'))
    return fail(std::string("an origin such as https://app.example.org (no path, no last slash), or *"));
  settings.allowed_origins.emplace_back(text);
  return {};
}

Applied apply_webhook_url(Settings& settings, std::string_view text) {
  if (!text.starts_with("https://") && !text.starts_with("http://"))
    return fail(std::string("an https or http URL of your backend such as https://app.example.org/calls"));
  settings.webhook_url = std::string(text);
  return {};
}

Applied apply_webhook_secret(Settings& settings, std::string_view text) {
  if (!text.starts_with("whsec_"))
    return fail(std::string("whsec_ and base64; make one with: echo whsec_$(openssl rand -base64 32)"));
  settings.webhook_secret = Secret(std::string(text));
  return {};
}

Applied apply_push_contact(Settings& settings, std::string_view text) {
  const bool good = (text.starts_with("mailto:") && text.find('@') != std::string_view::npos) ||
                    text.starts_with("https://");
  if (!good || !is_printable_ascii(text))
    return fail(std::string("mailto: and an address, or an https URL, such as mailto:ops@example.org"));
  settings.push_contact = std::string(text);
  return {};
}

Applied apply_alternate_server(Settings& settings, std::string_view text) {
  const auto server = Address::parse(text);
  if (!server || server->port == 0 || server->ip.is_unspecified())
    return fail(std::string("an address with its port, such as 192.0.2.2:3478 or [2001:db8::2]:3478"));
  settings.alternate_servers.push_back(*server);
  return {};
}

Applied apply_peer_policy(Settings& settings, std::string_view text) {
  if (text != "open" && text != "call") return fail(std::string("open or call"));
  settings.peer_policy = text == "call" ? PeerPolicy::call : PeerPolicy::open;
  return {};
}

Applied apply_fast_path(Settings& settings, std::string_view text) {
  constexpr std::pair<std::string_view, FastPath> kChoices[] = {
      {"auto", FastPath::automatic}, {"off", FastPath::off}, {"xdp", FastPath::xdp}, {"tc", FastPath::tc}};
  for (const auto& [name, choice] : kChoices) {
    if (text != name) continue;
    settings.fast_path = choice;
    return {};
  }
  return fail(std::string("auto, off, xdp or tc"));
}

Applied apply_log_format(Settings& settings, std::string_view text) {
  if (text != "text" && text != "json") return fail(std::string("text or json"));
  settings.log_format = text == "json" ? LogFormat::json : LogFormat::text;
  return {};
}

Applied apply_packet_sockets(Settings& settings, std::string_view text) {
  if (text != "auto" && text != "on" && text != "off") return fail(std::string("auto, on or off"));
  settings.packet_sockets = text == "auto" ? PacketSockets::automatic
                            : text == "on" ? PacketSockets::on
                                           : PacketSockets::off;
  return {};
}

Applied apply_warm_path(Settings& settings, std::string_view text) {
  const auto warm_path = parse_warm_path(text);
  if (!warm_path) return fail(std::string("direct, relay or off"));
  settings.warm_path = *warm_path;
  return {};
}

constexpr SettingRow kRows[] = {
    {"dev", "", nullptr, false,
     "for trying out: tokens for anybody at /api/dev/token, and peers on loopback and private networks",
     apply_switch<&Settings::dev>},
    {"state_dir", "DIR", nullptr, false,
     "where the generated secrets live (/var/lib/offhook, or ~/.local/state/offhook)",
     apply_text<&Settings::state_dir>},
    {"listen_address", "A", clear<&Settings::listen_addresses>, false,
     "listen here alone (every address of this machine)", apply_ip<&Settings::listen_addresses>},
    {"port", "N", nullptr, false, "STUN and TURN over UDP and TCP (3478)",
     apply_number<&Settings::port, 1, 65535>},
    {"http_port", "N", nullptr, false, "the page, the API and the WebSocket (8080)",
     apply_number<&Settings::http_port, 1, 65535>},
    {"cert", "FILE", nullptr, false,
     "certificate for TLS, the whole chain as PEM (none; --dev makes its own)",
     apply_text<&Settings::certificate_file>},
    {"key", "FILE", nullptr, false, "the certificate's private key as PEM", apply_text<&Settings::key_file>},
    {"tls_port", "N", clear<&Settings::tls_ports>, false,
     "HTTPS, WSS and TURN over TLS and TCP in one port, such as 443 (5349)", apply_tls_port},
    {"public_name", "NAME", nullptr, false,
     "name that the TURN URI over TLS carries (what the certificate covers)", apply_public_name},
    {"public_host", "HOST", nullptr, false,
     "name or address that TURN URIs carry (the one that the client reached)",
     apply_text<&Settings::public_host>},
    {"relay_address", "A", clear<&Settings::relay_addresses>, false,
     "open relay ports here (the address that the client reached)", apply_ip<&Settings::relay_addresses>},
    {"external_address", "A", clear<&Settings::external_addresses>, false,
     "public address behind a 1:1 NAT, or PUBLIC/PRIVATE for one of several", apply_external},
    {"relay_ports", "LO-HI", nullptr, false, "range of the relay ports (49152-65535)", apply_relay_ports},
    {"shards", "N", nullptr, false, "relay threads; 0 is one a core (0)",
     apply_number<&Settings::shards, 0, 256>},
    {"fast_path", "auto|off|xdp|tc", nullptr, false,
     "relay bound channels in the kernel: auto is XDP, else TC, else sockets (off)", apply_fast_path},
    {"fast_path_channels", "N", nullptr, false,
     "channels in the fast path at once, 0.5 KiB of memory each; others use sockets (16384)",
     apply_number<&Settings::fast_path_channels, 1, 4'000'000>},
    {"raw_sockets", "on|off", nullptr, false,
     "send many packets with one call, with CAP_NET_RAW; off: each by its own socket (on)",
     apply_on_off<&Settings::raw_sockets>},
    {"packet_sockets", "auto|on|off", nullptr, false,
     "send past the kernel's IP, beside raw sockets; auto: while no packet filter is there (auto)",
     apply_packet_sockets},
    {"xdp_sockets", "on|off", nullptr, false,
     "send past interfaces' queues, beside packet sockets, while none queues or filters; off: by those (on)",
     apply_on_off<&Settings::xdp_sockets>},
    {"socket_lookup", "on|off", nullptr, false,
     "receive for all relay ports with one call, with CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW; off: one by "
     "one (on)",
     apply_on_off<&Settings::socket_lookup>},
    {"secret", "S", clear<&Settings::shared_secrets>, true,
     "shared secret for TURN credentials; the first mints, all are accepted (generated)", apply_secret},
    {"user", "NAME:PASSWORD", clear<&Settings::static_users>, true,
     "a static TURN user beside the time-limited ones", apply_user},
    {"realm", "R", nullptr, false, "TURN realm (offhook)", apply_realm},
    {"credential_ttl", "S", nullptr, false, "life of a minted TURN credential in seconds (3600)",
     apply_seconds<&Settings::credential_ttl>},
    {"lifetime_default", "S", nullptr, false, "life of an allocation that asks for none, in seconds (600)",
     apply_seconds<&Settings::lifetime_default>},
    {"lifetime_limit", "S", nullptr, false,
     "longest life of an allocation between refreshes, in seconds (3600)",
     apply_seconds<&Settings::lifetime_limit>},
    {"user_quota", "N", nullptr, false, "live allocations a user; 0 is no limit (100)",
     apply_number<&Settings::user_quota, 0, 1000000000>},
    {"total_quota", "N", nullptr, false, "live allocations in all; 0 is no limit (0)",
     apply_number<&Settings::total_quota, 0, 1000000000>},
    {"max_bitrate", "KBIT", nullptr, false,
     "kbit/s of payload that an allocation may relay each way, more is dropped; 0 is no limit (0)",
     apply_number<&Settings::max_bitrate, 0, 10'000'000>},
    {"rfc5766_channels", "", nullptr, false,
     "let old clients bind channels above 0x4FFF (refused, as RFC 8656 asks)",
     apply_switch<&Settings::rfc5766_channels>},
    {"alternate_server", "A:PORT", clear<&Settings::alternate_servers>, false,
     "send new allocations on to this TURN server, to empty this one; first of the client's family (serve "
     "them)",
     apply_alternate_server},
    {"peer_policy", "open|call", nullptr, false,
     "call: relay only to addresses that a call here has passed to the user, not for other apps (open)",
     apply_peer_policy},
    {"allow_peer", "CIDR", clear<&Settings::allow_peers>, false,
     "relay to this prefix although it is denied by default", apply_prefix<&Settings::allow_peers>},
    {"deny_peer", "CIDR", clear<&Settings::deny_peers>, false, "never relay to this prefix",
     apply_prefix<&Settings::deny_peers>},
    {"jwt_key", "FILE", nullptr, false,
     "key of the app's tokens: PEM public key (RS256, ES256, EdDSA) or a secret (HS256)",
     apply_text<&Settings::jwt_key_file>},
    {"jwks", "FILE", nullptr, false, "keys of the app's tokens as a JWKS document",
     apply_text<&Settings::jwks_file>},
    {"jwt_issuer", "ISS", nullptr, false, "tokens must carry this iss", apply_text<&Settings::jwt_issuer>},
    {"jwt_audience", "AUD", nullptr, false, "tokens must carry this aud",
     apply_text<&Settings::jwt_audience>},
    {"api_key", "S", clear<&Settings::api_keys>, true,
     "key by which the app's backend uses the REST interface; all are accepted (generated)", apply_api_key},
    {"dials_per_minute", "N", nullptr, false,
     "calls that a user may dial a minute, over all devices; 0 is no limit (60)",
     apply_number<&Settings::dials_per_minute, 0, 1'000'000>},
    {"requests_per_second", "N", nullptr, false,
     "HTTP requests of an address, twenty seconds' worth at once; 0 is no limit, loopback has none (200)",
     apply_number<&Settings::requests_per_second, 0, 1'000'000>},
    {"websockets_per_second", "N", nullptr, false,
     "WebSockets that an address may open, twenty seconds' worth at once; 0 is no limit, loopback has none "
     "(50)",
     apply_number<&Settings::websockets_per_second, 0, 1'000'000>},
    {"ring_timeout", "S", nullptr, false, "a call that nobody answers ends after so many seconds (45)",
     apply_seconds<&Settings::ring_timeout>},
    {"warm_path", "direct|relay|off", nullptr, false,
     "what two devices may exchange before accept: all, a path through the relay alone, or none (relay)",
     apply_warm_path},
    {"webhook_url", "URL", nullptr, false,
     "tell the app's backend of each call, so that it wakes phones (nobody is told)", apply_webhook_url},
    {"webhook_secret", "WHSEC", nullptr, true,
     "key of the webhook's signatures: whsec_ and base64 (generated in the state directory)",
     apply_webhook_secret},
    {"push_contact", "MAILTO", nullptr, false,
     "whom push services may write to, a mailto: or https: URL; Apple's wants one (https:// and public_name)",
     apply_push_contact},
    {"journal", "on|off", nullptr, false,
     "keep calls that ring, and blocks, in the state directory, so that they outlive the process (on)",
     apply_on_off<&Settings::journal>},
    {"allowed_origin", "ORIGIN", clear<&Settings::allowed_origins>, false,
     "pages from here may open the WebSocket and use the API (the server's own page)", apply_origin},
    {"log_format", "text|json", nullptr, false, "form of the log lines (text)", apply_log_format},
};

}  // namespace

std::span<const SettingRow> setting_rows() { return kRows; }

}  // namespace offhook::settings
