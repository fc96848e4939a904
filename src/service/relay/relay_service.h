#pragma once
// The relay: STUN and TURN for clients over UDP and TCP, one shard a core. Owned and called by the control
// thread.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "core/credentials/turn_credentials.h"
#include "io/tls/accepted_stream.h"
#include "service/relay/relay_counters.h"
#include "service/relay/relay_settings.h"

namespace offhook::relay {

// The addresses of this machine's interfaces, for settings that speak of all of them.
std::vector<Ip> local_addresses();

// Why the relay cannot start, in one line that says what to do about it.
struct StartError {
  std::string message;
};

struct Listeners;

class RelayService {
 public:
  // `credentials` is not null.
  RelayService(RelaySettings settings, std::shared_ptr<const credentials::TurnCredentials> credentials);
  ~RelayService();  // stops
  RelayService(const RelayService&) = delete;
  RelayService& operator=(const RelayService&) = delete;

  // Binds every listener, then starts the shards. Once it has returned without error, clients are served.
  // Raises the process's limit of open files to what the relay ports need, as far as it is allowed to. Once
  // in a lifetime.
  Result<void, StartError> start();
  // Ends every allocation and connection, and joins the shards. Idempotent.
  void stop();

  // For requests from now on, in every shard. Live allocations stay.
  void set_credentials(std::shared_ptr<const credentials::TurnCredentials> credentials);
  // Ends every allocation of this user, soon. False if a shard is too busy to take the order: ask again.
  [[nodiscard]] bool revoke(std::string_view user);

  // A call has passed `peer` to `user` as a candidate of the other party: every allocation of the user
  // permits its IP address until part(call), if the peer gate lets it. In effect for all that a client sends
  // after this has returned. From any thread while the relay runs; never waits. What a shard has no room for
  // is counted and logged.
  void introduce(const std::string& user, const std::string& call, const Address& peer);
  void part(const std::string& call);

  // Whether a live allocation has this relayed address, as its client knows it (the external one behind 1:1
  // NAT). From any thread while the relay runs; never waits.
  bool is_relayed_address(const Address& address) const;

  // HTTP connections that came in at a TLS port: take_http() gives all that wait, to
  // the control thread, and http_fd() is readable while some do; -1 while the relay does not run.
  std::vector<io::AcceptedStream> take_http();
  int http_fd() const;

  RelayCounters counters() const;
  // Each serves UDP and TCP. Empty before start().
  const std::vector<Address>& listening_addresses() const { return listening_addresses_; }
  // Each serves TLS, TURN over TCP and HTTP. Empty before start().
  const std::vector<Address>& tls_addresses() const { return tls_addresses_; }

  // An echo through the relay itself, as a client would (self_check.h), over UDP and the first listening
  // address. In the caller's thread, at most `patience`. The error says which step failed.
  Result<void, std::string> self_check(std::chrono::milliseconds patience) const;

 private:
  struct Running;
  Result<void, StartError> check_settings() const;
  Result<Listeners, StartError> open_all(const std::vector<Ip>& listen_ips, unsigned shards) const;

  RelaySettings settings_;
  std::shared_ptr<const credentials::TurnCredentials> credentials_;
  std::vector<Address> listening_addresses_;
  std::vector<Address> tls_addresses_;
  std::unique_ptr<Running> running_;
};

}  // namespace offhook::relay
