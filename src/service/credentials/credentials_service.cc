#include "service/credentials/credentials_service.h"

#include <spdlog/spdlog.h>

#include "io/store/private_file.h"
#include "service/credentials/ice_servers.h"
#include "service/credentials/secret_files.h"
#include "wire/json/json.h"

namespace offhook::service {
namespace {

constexpr std::chrono::seconds kRotationLookInterval{1};
constexpr std::chrono::seconds kDevTokenTtl{86400};

std::string revocations_path(const std::string& state_dir) { return state_dir + "/revocations"; }

Result<credentials::Revocations, std::string> load_revocations(const std::string& state_dir) {
  const std::string path = revocations_path(state_dir);
  if (!io::file_exists(path)) return credentials::Revocations{};
  const auto text = io::read_file(path);
  if (!text) return fail(text.error().message);
  return credentials::Revocations::parse(*text);
}

io::HttpResponse json_response(std::string body) {
  io::HttpResponse response;
  response.body = std::move(body);
  response.headers.emplace_back("Cache-Control", "no-store");  // credentials belong into no cache
  return response;
}

std::optional<Ip> external_of(const std::vector<Ip>& externals, Family family) {
  for (const Ip& ip : externals) {
    if (ip.family() == family) return ip;
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<CredentialsService>, std::string> CredentialsService::create(
    CredentialsSettings settings, Random& random) {
  auto token_secret = load_or_make_token_secret(settings.state_dir, random);
  if (!token_secret) return fail(token_secret.error());
  auto token_keys = load_token_keys(settings.token_keys, *token_secret);
  if (!token_keys) return fail(token_keys.error());
  auto revocations = load_revocations(settings.state_dir);
  if (!revocations) return fail(revocations.error());
  std::vector<Secret> api_keys = settings.api_keys;
  if (api_keys.empty()) {
    auto made = load_or_make_api_keys(settings.state_dir, random);
    if (!made) return fail(made.error());
    api_keys = std::move(*made);
  }
  std::unique_ptr<CredentialsService> service(new CredentialsService(
      std::move(settings), random, *token_secret, std::move(*token_keys), std::move(*revocations)));
  service->api_keys_ = std::move(api_keys);
  if (auto loaded = service->load_shared_secrets(); !loaded) return fail(loaded.error());
  return service;
}

CredentialsService::CredentialsService(CredentialsSettings settings, Random& random, Secret token_secret,
                                       TokenKeys token_keys, credentials::Revocations revocations)
    : settings_(std::move(settings)),
      random_(random),
      token_secret_(std::move(token_secret)),
      token_keys_(std::move(token_keys)),
      revocations_(std::move(revocations)) {
  token_keys_.verifier.consult(revocations_);
  for (const std::string& warning : token_keys_.warnings) spdlog::warn("jwks: {}", warning);
}

Result<void, std::string> CredentialsService::load_shared_secrets() {
  std::vector<Secret> secrets = settings_.shared_secrets;
  if (secrets.empty()) {
    if (auto made = load_or_make_turn_secrets(settings_.state_dir, random_); !made) return fail(made.error());
    // The version is read before the secrets: a rotation in between is then seen at the next look.
    secrets_version_ = io::file_version(turn_secrets_path(settings_.state_dir));
    auto loaded = load_or_make_turn_secrets(settings_.state_dir, random_);
    if (!loaded) return fail(loaded.error());
    secrets = std::move(*loaded);
  }
  shared_secrets_ = std::move(secrets);
  renew_turn_credentials();
  return {};
}

// What was minted until a revocation expires a ttl after it, or before.
void CredentialsService::renew_turn_credentials() {
  credentials::TurnCredentials::ExpiryByUser refused;
  for (const auto& [user, at] : revocations_.by_user()) refused.emplace(user, at + settings_.ttl);
  turn_credentials_ = std::make_shared<credentials::TurnCredentials>(shared_secrets_, settings_.static_users,
                                                                     std::move(refused));
}

std::optional<Revocation> CredentialsService::revoke(std::string_view user) {
  const UnixTime now = io::ControlLoop::now().wall;
  if (!revocations_.add(user, now)) return std::nullopt;
  renew_turn_credentials();
  if (on_change_) on_change_(turn_credentials_);
  const auto written = io::write_private_file(revocations_path(settings_.state_dir), revocations_.text());
  if (!written)
    spdlog::error("a revocation is in force, and lost with a restart: {}", written.error().message);
  return Revocation{now, bool(written)};
}

void CredentialsService::watch(io::ControlLoop& loop, std::function<void(TurnCredentials)> on_change) {
  on_change_ = std::move(on_change);
  if (!settings_.shared_secrets.empty()) return;  // given on the command line: nothing to watch
  timer_ = std::make_unique<io::ControlLoop::Timer>(loop, [this] { look_for_rotation(); });
  timer_->set(io::ControlLoop::now().monotonic + kRotationLookInterval);
}

void CredentialsService::look_for_rotation() {
  timer_->set(io::ControlLoop::now().monotonic + kRotationLookInterval);
  if (io::file_version(turn_secrets_path(settings_.state_dir)) == secrets_version_) return;
  if (auto loaded = load_shared_secrets(); !loaded) {
    spdlog::error("the shared secrets stay as they were: {}", loaded.error());
    return;
  }
  spdlog::info("the shared secrets were rotated: new credentials use the new one, the last one stays valid");
  on_change_(turn_credentials_);
}

void CredentialsService::add_routes(io::HttpServer& server) {
  server.route("GET", "/api/turn/credentials",
               [this](const io::HttpRequest& request) { return answer_credentials(request); });
  if (!settings_.dev) return;
  server.route("GET", "/api/dev/token",
               [this](const io::HttpRequest& request) { return answer_dev_token(request); });
}

io::HttpResponse CredentialsService::answer_credentials(const io::HttpRequest& request) const {
  const auto token = credentials::bearer_token(request.header("Authorization"));
  if (!token)
    return io::error_response(401, "token_missing", "send the header Authorization: Bearer and the token");
  const UnixTime now = io::ControlLoop::now().wall;
  const auto user = token_keys_.verifier.verify(*token, now);
  if (!user) return io::error_response(401, credentials::code(user.error()), credentials::text(user.error()));
  return json_response(ice_servers_for(user->user, request.local_address, request.header("Host")));
}

std::string CredentialsService::ice_servers_for(std::string_view user, const Address& local_address,
                                                std::string_view host_header) const {
  const auto external = external_of(settings_.external_addresses, local_address.family());
  const std::string host =
      relay_host(settings_.public_host, external, host_header, local_address, settings_.ipv4_loopback);
  const auto credential = turn_credentials_->mint(user, settings_.ttl, io::ControlLoop::now().wall);
  if (!tls_) return ice_servers_json(credential, relay_uris(host, settings_.port));
  const std::string tls_host =
      turns_host(tls_->public_name, host, host_header, tls_->certificates->current()->names);
  return ice_servers_json(credential, relay_uris(host, settings_.port, tls_host, tls_->port));
}

io::HttpResponse CredentialsService::answer_dev_token(const io::HttpRequest& request) const {
  const std::string_view user = request.query_value("user");
  if (!credentials::valid_user(user)) {
    return io::error_response(400, "bad_user", "user must be 1 to 128 bytes without control characters");
  }
  json::Writer out;
  out.begin_object()
      .field("token", credentials::mint_token(token_secret_, user, kDevTokenTtl, io::ControlLoop::now().wall))
      .field("user", user)
      .field("expires_in", static_cast<std::int64_t>(kDevTokenTtl.count()))
      .end_object();
  return json_response(out.take());
}

}  // namespace offhook::service
