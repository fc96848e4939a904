#include "cmd/serve/server_process.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>

#include "cmd/exit_status.h"
#include "cmd/serve/logging.h"
#include "crypto/secure_random.h"
#include "service/credentials/credentials_service.h"
#include "service/relay/ready_probe.h"
#include "service/relay/relay_service.h"
#include "service/signal/signal_service.h"
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

relay::RelaySettings relay_settings(const Settings& settings) {
  relay::RelaySettings relay;
  relay.listen_addresses = settings.listen_addresses;
  relay.port = settings.port;
  relay.relay_addresses = settings.relay_addresses;
  relay.relay_port_first = settings.relay_port_first;
  relay.relay_port_last = settings.relay_port_last;
  relay.shards = settings.shards;
  relay.user_quota = settings.user_quota;
  relay.total_quota = settings.total_quota;
  relay.realm = settings.realm;
  relay.lifetime_default = settings.lifetime_default;
  relay.lifetime_limit = settings.lifetime_limit;
  relay.rfc5766_channels = settings.rfc5766_channels;
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
  credentials.dev = settings.dev;
  return credentials;
}

void greet(const Settings& settings, const relay::RelayService& relay) {
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
}

}  // namespace

int serve(const Settings& settings) {
  set_up_logging(settings.log_format);
  crypto::SecureRandom random;
  // First, so that it goes last: timers and routes of the services hang on its loop.
  service::ControlPlane control(settings.allowed_origins);
  auto credentials = service::CredentialsService::create(credentials_settings(settings), random);
  if (!credentials) return refuse(credentials.error());

  relay::RelayService relay(relay_settings(settings), (*credentials)->turn_credentials());
  if (const auto started = relay.start(); !started) return refuse(started.error().message);
  const relay::ReadyProbe probe(relay);

  service::SignalSettings signal_settings;
  signal_settings.call.ring_timeout = settings.ring_timeout;
  service::SignalService signal(control.loop(), control.http(), signal_settings,
                                (*credentials)->token_verifier(), random);
  (*credentials)->add_routes(control.http());
  (*credentials)->watch(control.loop(), [&relay](auto fresh) { relay.set_credentials(std::move(fresh)); });
  service::add_web_routes(control.http(), [&probe] {
    const std::string reason = probe.reason();
    return service::Readiness{reason.empty(), reason};
  });
  if (const auto listening = control.listen(settings.listen_addresses, settings.http_port); !listening) {
    return refuse(listening.error());
  }
  greet(settings, relay);
  control.run([&signal] { signal.shutdown(); });
  spdlog::info("stopped");
  return kGood;
}

}  // namespace offhook::cmd
