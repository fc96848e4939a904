#pragma once
// A page's allocation on the relay: made with the newest credentials, refreshed, made anew when it is gone or
// when the NAT has given the device another address. Datagrams are lost, late and doubled; requests are sent
// again.

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "relay_host.h"
#include "stage.h"
#include "wire/stun/message.h"

namespace offhook::sim {

class RelayClient {
 public:
  using SendDatagram = std::function<void(Buffer datagram)>;

  // `handle_relay` is called whenever relayed_address() changes to another one, `take_port` when requests are
  // to come from another address from now on.
  RelayClient(Stage& stage, std::uint64_t seed, SendDatagram send, std::function<void()> handle_relay,
              std::function<void()> take_port);

  void set_credentials(std::string username, std::string credential);
  // The old address reaches nobody any more.
  void handle_rebinding();
  void receive(Bytes datagram);
  void ask_permission(const Address& peer_address);
  // Gives the allocation back, as far as a datagram still gets out.
  void stop();

  const std::optional<Address>& relayed_address() const { return relayed_address_; }

 private:
  struct Request {
    stun::Method method{};
    std::optional<Address> peer_address;
    std::optional<std::chrono::seconds> lifetime;
    std::size_t tries = 0;
    std::size_t challenges = 0;
  };

  void ask(Request request);
  void transmit();
  Buffer build(const Request& request);
  void handle_answer(const stun::Message& answer);
  void handle_error(const stun::Message& answer);
  void fail_request();
  void allocate_later();
  void allocate();
  void lose_allocation();

  Stage& stage_;
  Dice dice_;
  SendDatagram send_;
  std::function<void()> handle_relay_;
  std::function<void()> take_port_;
  std::string username_;
  std::string credential_;
  std::string realm_;
  std::string nonce_;
  std::optional<Address> relayed_address_;
  std::string owner_;  // whose credentials made the allocation: requests on it carry them
  std::string owner_credential_;
  std::deque<Request> requests_;  // the first is under way
  stun::TransactionId id_{};
  Timer retransmission_;
  Timer refresh_timer_;
  Timer again_timer_;
};

}  // namespace offhook::sim
