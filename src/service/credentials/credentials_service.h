#pragma once
// Secrets and keys of a running server, and the HTTP routes that hand out credentials:
//
//   GET /api/turn/credentials   for whoever has a token
//   GET /api/dev/token          with --dev alone

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "core/credentials/revocations.h"
#include "core/credentials/token_verifier.h"
#include "core/credentials/turn_credentials.h"
#include "io/http/http_server.h"
#include "io/tls/server_certificates.h"
#include "service/credentials/token_keys.h"

namespace offhook::service {

struct CredentialsSettings {
  std::string state_dir;
  std::vector<Secret> shared_secrets;  // given by the operator; empty: the state directory's file, watched
  std::map<std::string, Secret, std::less<>> static_users;
  std::chrono::seconds ttl{3600};
  std::string public_host;
  std::vector<Ip> external_addresses;
  std::uint16_t port = 3478;
  bool ipv4_loopback = true;  // do we listen on 127.0.0.1?
  TokenKeySources token_keys;
  std::vector<Secret> api_keys;  // given by the operator; empty: the state directory's file
  bool dev = false;
};

struct Revocation {
  UnixTime at;
  bool survives_restart = false;  // it is in the state directory
};

struct TlsOffer {
  std::uint16_t port = 0;
  std::string public_name;  // the host to name; empty: one that the certificate covers
  std::shared_ptr<const io::ServerCertificates> certificates;  // not null
};

class CredentialsService {
 public:
  using TurnCredentials = std::shared_ptr<const credentials::TurnCredentials>;

  // Reads or makes secrets and keys. The error is a sentence for the operator.
  static Result<std::unique_ptr<CredentialsService>, std::string> create(CredentialsSettings settings,
                                                                         Random& random);

  TurnCredentials turn_credentials() const { return turn_credentials_; }
  const credentials::TokenVerifier& token_verifier() const { return token_keys_.verifier; }
  const std::vector<Secret>& api_keys() const { return api_keys_; }

  // From now on tokens of the user that were issued until now, and credentials minted here until now, count
  // no more. What they have opened stays open. Nothing if too many revocations are in force
  // (Revocations::kLimit).
  std::optional<Revocation> revoke(std::string_view user);

  // From now on the answers name TURN over TLS as well.
  void offer_tls(TlsOffer offer) { tls_ = std::move(offer); }

  // What GET /api/turn/credentials answers this user, who reached `local_address` by this `Host` header.
  std::string ice_servers_for(std::string_view user, const Address& local_address,
                              std::string_view host_header) const;

  // Both are called on the control thread. The service must outlive the server's last request, and the loop
  // the service.
  void add_routes(io::HttpServer& server);
  // Looks at the file of shared secrets once a second; after a rotation, and after a revocation, hands the
  // new set to `on_change`.
  void watch(io::ControlLoop& loop, std::function<void(TurnCredentials)> on_change);

 private:
  CredentialsService(CredentialsSettings settings, Random& random, Secret token_secret, TokenKeys token_keys,
                     credentials::Revocations revocations);

  io::HttpResponse answer_credentials(const io::HttpRequest& request) const;
  io::HttpResponse answer_dev_token(const io::HttpRequest& request) const;
  Result<void, std::string> load_shared_secrets();
  void renew_turn_credentials();
  void look_for_rotation();

  CredentialsSettings settings_;
  std::optional<TlsOffer> tls_;
  Random& random_;
  Secret token_secret_;
  TokenKeys token_keys_;
  std::vector<Secret> api_keys_;
  credentials::Revocations revocations_;
  std::vector<Secret> shared_secrets_;
  TurnCredentials turn_credentials_;
  std::uint64_t secrets_version_ = 0;
  std::unique_ptr<io::ControlLoop::Timer> timer_;
  std::function<void(TurnCredentials)> on_change_;
};

}  // namespace offhook::service
