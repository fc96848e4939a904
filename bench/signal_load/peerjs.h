#pragma once
// Clients of PeerJS's server, which relays an offer, an answer and candidates between two sockets and knows
// no calls: what can be compared with ours is its sockets, and how fast it relays.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "signal_load/conversation.h"
#include "signal_load/crowd.h"
#include "signal_load/fixed_delay.h"

namespace offhook::bench {

class PeerClient;

// Whoever has clients talk.
class PeerParty {
 public:
  virtual ~PeerParty() = default;
  virtual void handle_message(PeerClient& client, std::string_view type, std::string_view frame) = 0;
};

class PeerClient final : public WebSocket::Listener {
 public:
  PeerClient(Crowd& crowd, std::string id) : crowd_(crowd), id_(std::move(id)) {}

  void open() {
    socket_ = crowd_.connect("/peerjs?key=peerjs&id=" + id_ + "&token=bench&version=1.5.5", *this);
  }
  void belong_to(PeerParty& party) { party_ = &party; }
  const std::string& id() const { return id_; }
  bool is_signed_in() const { return signed_in_; }
  void send_heartbeat() { crowd_.send(socket_, R"({"type":"HEARTBEAT"})"); }
  // `payload` is JSON.
  void say(std::string_view type, const std::string& to, std::string_view payload);

 private:
  void handle_open() override {}  // it greets us
  void handle_text(std::string_view frame) override;
  void handle_closed(std::uint16_t code, std::string_view reason) override;

  Crowd& crowd_;
  std::string id_;
  PeerParty* party_ = nullptr;
  std::size_t socket_ = 0;
  bool signed_in_ = false;
};

class PeerClients final : public Timed {
 public:
  explicit PeerClients(Crowd& crowd);
  PeerClient& add(std::string_view prefix, std::size_t number);
  // As Devices::sign_in().
  bool sign_in();
  Crowd& crowd() { return crowd_; }

 private:
  Instant next_due() const override { return heartbeats_.next(); }
  void handle_due(Instant now) override;

  Crowd& crowd_;
  FixedDelay<PeerClient*> heartbeats_;
  std::vector<std::unique_ptr<PeerClient>> clients_;
  std::size_t opened_ = 0;
  std::size_t signed_in_ = 0;
};

// Offer and candidates one way, answer and candidates the other: over when both have all.
class PeerExchange final : public Conversation, public PeerParty {
 public:
  PeerExchange(Crowd& crowd, Operator& its_operator, PeerClient& caller, PeerClient& callee);
  void dial(std::size_t serial, Instant due) override;

 private:
  struct Heard {
    bool description = false;
    std::size_t candidates = 0;
  };
  void handle_message(PeerClient& client, std::string_view type, std::string_view frame) override;
  void take_description(Heard& heard, bool is_callee);
  void say_all(PeerClient& from, const PeerClient& to, std::string_view type, std::string_view ufrag);

  Crowd& crowd_;
  Operator& operator_;
  PeerClient& caller_;
  PeerClient& callee_;
  std::string caller_ufrag_;
  std::string callee_ufrag_;
  Instant due_;
  Instant answered_at_;
  Heard caller_heard_;
  Heard callee_heard_;
};

}  // namespace offhook::bench
