#include "cmd/serve/server_process.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>

#include "cmd/exit_status.h"
#include "cmd/serve/logging.h"
#include "crypto/secure_random.h"
#include "service/api/api_service.h"
#include "service/credentials/credentials_service.h"
#include "service/relay/ready_probe.h"
#include "service/relay/relay_service.h"
#include "service/signal/signal_service.h"
#include "service/wake/wake_service.h"
#include "service/web/certificates.h"
#include "service/web/control_plane.h"
#include "service/web/web_service.h"

namespace offhook::cmd {
namespace {

using settings::Settings;

// Where two people who try the server out may be: this machine, and the networks of homes and offices.
constexpr const char* kDevPeers[] = {"127.0.0.0/8",   "::1/128",        "10.0.0.0/8",
                                     "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"};

int refuse(const std::string& message) {
  fmt::print(stderr, "offhook: {}\n", message);
  return kFoundSomethingWrong;
}

relay::FastPathChoice fast_path_choice(settings::FastPath choice) {
  switch (choice) {
    case settings::FastPath::automatic:
      return relay::FastPathChoice::automatic;
    case settings::FastPath::off:
      return relay::FastPathChoice::off;
    case settings::FastPath::xdp:
      return relay::FastPathChoice::xdp;
    case settings::FastPath::tc:
      return relay::FastPathChoice::tc;
  }
  return relay::FastPathChoice::off;
}

relay::PacketSocketChoice packet_socket_choice(settings::PacketSockets choice) {
  switch (choice) {
    case settings::PacketSockets::automatic:
      return relay::PacketSocketChoice::automatic;
    case settings::PacketSockets::on:
      return relay::PacketSocketChoice::on;
    case settings::PacketSockets::off:
      return relay::PacketSocketChoice::off;
  }
  return relay::PacketSocketChoice::off;
}

relay::RelaySettings relay_settings(const Settings& settings) {
  relay::RelaySettings relay;
  relay.listen_addresses = settings.listen_addresses;
  relay.port = settings.port;
  relay.tls_ports = settings.tls_ports;
  // Whoever tries it out has it without TLS rather than not at all.
  relay.go_on_without_tls_ports = settings.tls_ports_by_default && settings.certificate_file.empty();
  relay.relay_addresses = settings.relay_addresses;
  relay.relay_port_first = settings.relay_port_first;
  relay.relay_port_last = settings.relay_port_last;
  relay.shards = settings.shards;
  relay.fast_path = fast_path_choice(settings.fast_path);
  relay.fast_path_channels = settings.fast_path_channels;
  relay.raw_sockets = settings.raw_sockets;
  relay.packet_sockets = packet_socket_choice(settings.packet_sockets);
  relay.xdp_sockets = settings.xdp_sockets;
  relay.socket_lookup = settings.socket_lookup;
  relay.user_quota = settings.user_quota;
  relay.total_quota = settings.total_quota;
  relay.payload_bytes_per_s = std::uint64_t{settings.max_bitrate} * 1000 / 8;
  relay.realm = settings.realm;
  relay.lifetime_default = settings.lifetime_default;
  relay.lifetime_limit = settings.lifetime_limit;
  relay.rfc5766_channels = settings.rfc5766_channels;
  relay.peers_by_call = settings.peer_policy == settings::PeerPolicy::call;
  relay.alternate_servers = settings.alternate_servers;
  relay.allow_peers = settings.allow_peers;
  relay.deny_peers = settings.deny_peers;
  if (settings.dev) {
    for (const char* text : kDevPeers) relay.allow_peers.push_back(*Prefix::parse(text));
    for (const Ip& ip : relay::local_addresses()) relay.allow_peers.emplace_back(ip, ip.is_v4() ? 32U : 128U);
  }
  for (const settings::ExternalAddress& external : settings.external_addresses) {
    if (external.bound) {
      relay.external_addresses.emplace_back(*external.bound, external.external);
      continue;
    }
    // Without a pair it stands for every relay address of its family.
    const auto& bound = !relay.relay_addresses.empty()    ? relay.relay_addresses
                        : !relay.listen_addresses.empty() ? relay.listen_addresses
                                                          : relay::local_addresses();
    for (const Ip& ip : bound) {
      if (ip.family() == external.external.family())
        relay.external_addresses.emplace_back(ip, external.external);
    }
  }
  return relay;
}

service::CredentialsSettings credentials_settings(const Settings& settings) {
  service::CredentialsSettings credentials;
  credentials.state_dir = settings.state_dir;
  credentials.shared_secrets = settings.shared_secrets;
  credentials.static_users = settings.static_users;
  credentials.ttl = settings.credential_ttl;
  credentials.public_host = settings.public_host;
  for (const auto& external : settings.external_addresses)
    credentials.external_addresses.push_back(external.external);
  credentials.port = settings.port;
  credentials.ipv4_loopback = settings.listen_addresses.empty() ||
                              std::any_of(settings.listen_addresses.begin(), settings.listen_addresses.end(),
                                          [](const Ip& ip) { return ip.is_v4() && ip.is_loopback(); });
  credentials.token_keys = {.key_file = settings.jwt_key_file,
                            .jwks_file = settings.jwks_file,
                            .issuer = settings.jwt_issuer,
                            .audience = settings.jwt_audience,
                            .accept_own_secret = settings.dev};
  credentials.api_keys = settings.api_keys;
  credentials.dev = settings.dev;
  return credentials;
}

service::CertificateSettings certificate_settings(const Settings& settings) {
  service::CertificateSettings certificates;
  certificates.certificate_file = settings.certificate_file;
  certificates.key_file = settings.key_file;
  certificates.make_own = settings.dev;
  certificates.state_dir = settings.state_dir;
  certificates.addresses =
      settings.listen_addresses.empty() ? relay::local_addresses() : settings.listen_addresses;
  for (const auto& external : settings.external_addresses)
    certificates.addresses.push_back(external.external);
  return certificates;
}

service::ApiActions api_actions(service::SignalService& signal, service::CredentialsService& credentials,
                                relay::RelayService& relay) {
  service::ApiActions actions;
  actions.record = [&signal](const auto& call) { return signal.record(call); };
  actions.page = [&signal](const auto& query) { return signal.page(query); };
  actions.end_call = [&signal](const auto& call) { return signal.end_call(call); };
  actions.place_call = [&signal](const auto& caller, const auto& callee, auto media) {
    return signal.place_call(caller, callee, media);
  };
  actions.presence = [&signal](std::string_view user) { return signal.presence(user); };
  actions.block = [&signal](const auto& by, const auto& of) { return signal.block(by, of); };
  actions.unblock = [&signal](const auto& by, const auto& of) { signal.unblock(by, of); };
  actions.blocks = [&signal](std::string_view user, std::string_view after, std::size_t limit) {
    return signal.blocks(user, after, limit);
  };
  actions.revoke_tokens = [&credentials](std::string_view user) -> std::optional<service::TokensRevoked> {
    const auto revocation = credentials.revoke(user);
    if (!revocation) return std::nullopt;
    return service::TokensRevoked{revocation->at, revocation->survives_restart};
  };
  actions.end_sessions = [&signal](std::string_view user) { return signal.end_sessions_of(user); };
  actions.cut_relay = [&relay](std::string_view user) { return relay.revoke(user); };
  return actions;
}

service::WakeSettings wake_settings(const Settings& settings) {
  service::WakeSettings wake;
  wake.state_dir = settings.state_dir;
  wake.ring_timeout = settings.ring_timeout;
  wake.webhook_url = settings.webhook_url;
  wake.webhook_secret = settings.webhook_secret;
  wake.push_contact = settings.push_contact;
  if (wake.push_contact.empty() && !settings.public_name.empty())
    wake.push_contact = "https://" + settings.public_name;
  wake.any_endpoint = settings.dev;
  return wake;
}

// The TURN URI over TLS. A certificate of our own is not offered: a browser would try it, and refuse it, in
// every call. A public name says that clients trust it all the same.
void offer_tls(const Settings& settings, const relay::RelayService& relay,
               const service::Certificates& certificates, service::CredentialsService& credentials) {
  constexpr std::uint16_t kHttpsPort = 443;  // passes most firewalls
  if (relay.tls_addresses().empty()) return;
  if (settings.certificate_file.empty() && settings.public_name.empty()) return;
  const auto& ports = settings.tls_ports;
  const bool has_https_port = std::find(ports.begin(), ports.end(), kHttpsPort) != ports.end();
  credentials.offer_tls({.port = has_https_port ? kHttpsPort : ports.front(),
                         .public_name = settings.public_name,
                         .certificates = certificates});
}

void greet(const Settings& settings, const relay::RelayService& relay,
           const service::Certificates& certificates) {
  spdlog::info(
      "offhook {} serves STUN and TURN over UDP and TCP on port {} ({} addresses), relay ports {}-{}",
      OFFHOOK_VERSION, settings.port, relay.listening_addresses().size(), settings.relay_port_first,
      settings.relay_port_last);
  if (settings.dev) {
    spdlog::warn(
        "--dev: anybody may sign in, and the relay reaches loopback and private networks; not for the "
        "internet");
  }
  const std::string host =
      settings.listen_addresses.empty() ? "localhost" : settings.listen_addresses.front().text();
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  spdlog::info("call page: http://{}:{}/", shown, settings.http_port);
  if (relay.tls_addresses().empty()) return;
  // Browsers give a camera to https and to localhost alone.
  spdlog::info("call page for other machines: {}{}",
               service::page_url(*certificates->current(), settings.public_name, relay.tls_addresses()),
               settings.certificate_file.empty()
                   ? " (certificate of our own: the browser warns once; give one with --cert and --key)"
                   : "");
}

}  // namespace

int serve(const Settings& settings) {
  set_up_logging(settings.log_format);
  crypto::SecureRandom random;
  // First, so that it goes last: timers and routes of the services hang on its loop.
  service::ControlPlane control({.allowed_origins = settings.allowed_origins,
                                 .requests_per_second = settings.requests_per_second,
                                 .websockets_per_second = settings.websockets_per_second});
  auto credentials = service::CredentialsService::create(credentials_settings(settings), random);
  if (!credentials) return refuse(credentials.error());

  const auto certificates = service::open_certificates(certificate_settings(settings));
  if (!certificates) return refuse(certificates.error());

  relay::RelaySettings for_relay = relay_settings(settings);
  for_relay.certificates = *certificates;
  relay::RelayService relay(std::move(for_relay), (*credentials)->turn_credentials());
  if (const auto started = relay.start(); !started) return refuse(started.error().message);
  if (!control.adopt_from(relay.http_fd(), [&relay] { return relay.take_http(); }))
    return refuse("no descriptor is left to start with; raise the limit of open files (LimitNOFILE=)");
  const relay::ReadyProbe probe(relay);

  // Before the signalling, which ends its calls, and says so, when it goes.
  auto wake = service::WakeService::create(control.loop(), wake_settings(settings),
                                           (*credentials)->token_verifier(), random);
  if (!wake) return refuse(wake.error());

  service::SignalSettings signal_settings;
  signal_settings.call.ring_timeout = settings.ring_timeout;
  signal_settings.call.dials_per_minute = settings.dials_per_minute;
  signal_settings.call.credentials_interval = Duration(settings.credential_ttl) / 2;
  signal_settings.warm_path = settings.warm_path;
  if (settings.journal) signal_settings.journal_file = settings.state_dir + "/journal.db";
  signal_settings.call.is_own_relay = [&relay](const Address& address) {
    return relay.is_relayed_address(address);
  };
  service::SignalHooks hooks;
  hooks.credentials_for = [&issuer = **credentials](std::string_view user, const Address& local_address,
                                                    std::string_view host) {
    return issuer.ice_servers_for(user, local_address, host);
  };
  hooks.on_peer_introduced = [&relay](const std::string& user, const std::string& call, const Address& peer) {
    relay.introduce(user, call, peer);
  };
  hooks.on_call_over = [&relay](const std::string& call) { relay.part(call); };
  hooks.on_call_dialled = [&wake = **wake](const auto& dialled) { wake.handle(dialled); };
  hooks.on_call_answered = [&wake = **wake](const auto& answered) { wake.handle(answered); };
  hooks.on_call_ended = [&wake = **wake](const auto& ended) { wake.handle(ended); };
  service::SignalService signal(control.loop(), control.http(), signal_settings,
                                (*credentials)->token_verifier(), random, std::move(hooks));
  service::ApiService api(control.loop(), (*credentials)->api_keys(), (*credentials)->token_verifier(),
                          api_actions(signal, **credentials, relay));
  api.add_routes(control.http());
  (*wake)->on_waking([&signal](const auto& call, auto waking) { signal.handle_waking(call, waking); });
  (*wake)->add_routes(control.http());
  (*credentials)->add_routes(control.http());
  (*credentials)->watch(control.loop(), [&relay](auto fresh) { relay.set_credentials(std::move(fresh)); });
  service::add_web_routes(control.http(), [&probe] {
    const std::string reason = probe.reason();
    return service::Readiness{reason.empty(), reason};
  });
  if (const auto listening = control.listen(settings.listen_addresses, settings.http_port); !listening) {
    return refuse(listening.error());
  }
  if (*certificates) {
    control.watch(*certificates, certificate_settings(settings));
    offer_tls(settings, relay, *certificates, **credentials);
  }
  greet(settings, relay, *certificates);
  control.run([&signal] { signal.shutdown(); });
  spdlog::info("stopped");
  return kGood;
}

}  // namespace offhook::cmd
