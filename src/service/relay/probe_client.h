#pragma once
// A TURN client over UDP, just large enough for the self-check: one allocation, one peer, blocking.

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "base/address.h"
#include "base/random.h"
#include "base/result.h"
#include "core/credentials/turn_credentials.h"
#include "io/net/socket.h"
#include "wire/stun/message.h"

namespace offhook::relay {

class ProbeClient {
 public:
  // Until `deadline` every step must be done; `random` must outlive the client.
  ProbeClient(const Address& server, credentials::TurnCredential credential, Instant deadline,
              Random& random);
  // Deletes its allocation. Waits for the answer as for one transmission: the next client may come to another
  // shard, and find the quota of its user taken.
  ~ProbeClient();
  ProbeClient(const ProbeClient&) = delete;
  ProbeClient& operator=(const ProbeClient&) = delete;

  // Each error is the reason alone: "no answer", "error 486 Allocation Quota Reached".
  Result<Address, std::string> allocate();  // the relayed address
  Result<void, std::string> permit(const Address& peer_address);
  Result<void, std::string> send(const Address& peer_address, Bytes payload);
  // Waits for this payload from this peer; others are passed over.
  Result<void, std::string> await(const Address& peer_address, Bytes payload);

 private:
  using Answer = Result<stun::Message, std::string>;
  template <typename AddAttributes>
  Bytes build_request(stun::Method method, MutableBytes buffer, AddAttributes add);
  // Sends the request, again when no answer comes, and returns its answer of either class.
  template <typename AddAttributes>
  Answer ask(stun::Method method, AddAttributes add);
  // The next datagram before `until`; empty if none came.
  Bytes receive(Instant until);
  void take_challenge(const stun::Message& challenge);

  Address server_;
  credentials::TurnCredential credential_;
  Instant deadline_;
  Random& random_;
  io::Socket socket_;
  std::string realm_;
  std::string nonce_;
  bool allocated_ = false;
  Buffer received_;
};

}  // namespace offhook::relay
