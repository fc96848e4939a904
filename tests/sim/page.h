#pragma once
// A page (or an app) of a user on a device: its session, its allocation, its calls, as the SDK's CallClient.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connection.h"
#include "judge.h"
#include "page_call.h"
#include "relay_client.h"
#include "stage.h"

namespace offhook::sim {

class Page;

// A device: what stays when its page is reloaded.
struct Slot {
  Slot(Stage& stage, std::size_t at);
  // The relay sees it at another port.
  void move();

  std::size_t index;
  std::size_t number = 0;  // among the devices of its user
  std::size_t count = 0;   // of them
  std::string user;
  std::string label;
  Access access;
  std::string host;        // IP address
  Address client_address;  // as the relay sees it
  std::uint16_t bindings = 0;
  std::unique_ptr<Page> page;
};

// What pages know of each other without the server: whether there is a path.
class Paths {
 public:
  virtual ~Paths() = default;
  virtual void enter(const std::string& ufrag, std::size_t device, PageCall& call) = 0;
  virtual void leave(const std::string& ufrag) = 0;
  virtual bool has_path(std::size_t device, const PageCall& call) = 0;
  virtual void say_over_path(std::size_t device, const PageCall& call) = 0;
  virtual void look_at(std::size_t device, PageCall& call) = 0;
  virtual void send_datagram(std::size_t device, Buffer datagram) = 0;
};

class Page final : public ConnectionOwner, public CallPlace {
 public:
  Page(Stage& stage, Network& network, RelayHost& relay, Judge& judge, Paths& paths, Slot& slot);
  ~Page() override;

  void start();
  void dial(std::size_t to, const Entry* script);
  // As the app has asked for it.
  void dial(std::size_t to, const Entry* script, const std::string& id);
  // The page closes: it says so, or it does not.
  void leave();
  void hang_up_all();
  void renew_network();
  void handle_rebinding();
  void restart_ice();
  void take_fresh_path();
  void burst(std::uint64_t choice);
  void change(std::uint64_t choice);
  // Takes the first call of another device of this user, if there is one.
  void ask_elsewhere();
  void receive_datagram(Bytes datagram) { relay_client_.receive(datagram); }
  void hear_word(const std::string& call);

  bool has_calls() const { return !calls_.empty(); }
  // All has been said, and all is known: nothing goes wrong any more.
  void check_settled() const;
  const Connection& connection() const { return connection_; }

  // ConnectionOwner
  void handle_message(const ServerMessage& message, const ClientMessage* refused) override;
  void handle_online(bool resumed) override;
  void handle_offline() override;
  void handle_session_lost(const std::set<std::string>& kept) override;
  void handle_credentials(const std::string& username, const std::string& credential) override;

  // CallPlace
  void send(ClientMessage message) override;
  bool is_online() const override { return connection_.is_online(); }
  bool is_well() const override;
  std::string label() const override { return slot_.label; }
  std::string new_ufrag(PageCall& call) override;
  void drop_ufrag(const std::string& ufrag) override { paths_.leave(ufrag); }
  std::optional<Address> relayed_address() const override { return relay_client_.relayed_address(); }
  std::string host_address() const override { return slot_.host; }
  bool may_warm() const override;
  bool has_path(const PageCall& call) override { return paths_.has_path(slot_.index, call); }
  void say_over_path(const PageCall& call) override { paths_.say_over_path(slot_.index, call); }
  void handle_candidate(const std::string& candidate) override;
  void handle_ended(PageCall& call) override;
  void handle_answered(PageCall& call) override;
  void handle_state() override;
  void look_at(PageCall& call) override { paths_.look_at(slot_.index, call); }
  std::uint64_t dice() override { return dice_.roll(); }

 private:
  PageCall* find(const std::string& call);
  void handle_incoming(const ServerMessage& message);
  void take(const TakeableCall& wanted);
  void handle_place(const ServerMessage& message);
  void replace_own(PageCall& own, const ServerMessage& message);
  PageCall* dialled(const std::string& user);
  bool is_busy() const;
  void show(PageCall& call);
  void release_held();
  std::vector<PageCall*> calls();
  void bury() { over_.clear(); }
  std::string new_call_id();
  void tell_all();
  void remember(const PageCall& call);
  bool is_remembered(const std::string& call) const;

  Stage& stage_;
  RelayHost& relay_;
  Judge& judge_;
  Paths& paths_;
  Slot& slot_;
  Dice dice_;
  std::map<std::string, std::unique_ptr<PageCall>> calls_;
  std::vector<std::unique_ptr<PageCall>> over_;  // until nothing of them runs any more
  std::set<std::string> held_;
  std::map<std::string, View> views_;  // of this session
  // Snapshots of the last calls that are over: should the word of it be lost, it is told again.
  std::deque<ClientMessage> last_words_;
  Connection connection_;
  RelayClient relay_client_;
  Timer offline_timer_;
  Timer burial_timer_;
  bool is_leaving_ = false;
};

}  // namespace offhook::sim
