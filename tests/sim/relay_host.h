#pragma once
// The real TURN core and what its service does for it: ports, quota, credentials. After each step its tables
// agree with what was opened, and packets between the parties of a call pass as docs/architecture.md says.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/turn/server.h"
#include "dice.h"
#include "stage.h"

namespace offhook::sim {

// Quota, live relays and credentials as the service has them, without its locks.
class RelayTables final : public turn::CredentialSource, public turn::Quota, public turn::LiveRelays {
 public:
  static constexpr std::size_t kUserQuota = 12;

  std::optional<Candidate> find(std::string_view username, UnixTime now) const override;
  std::optional<Candidate> find_by_userhash(Bytes, UnixTime) const override { return std::nullopt; }
  bool offers_userhash() const override { return false; }
  Taking try_take(std::string_view user) override;
  void give_back(std::string_view user) override;
  bool contains(const Address& relayed_address) const override { return live.contains(relayed_address); }
  std::uint32_t incarnation(const Address& relayed_address) const override;

  std::size_t total() const;

  struct Opened {
    turn::RelayId relay;
    std::string user;        // once its Allocate has succeeded
    Address client_address;  // the same
  };
  std::map<Address, Opened> live;
  std::map<Address, std::uint32_t> openings;
  std::map<std::string, std::size_t, std::less<>> taken;
};

struct RelayCredentials {
  std::string username;
  std::string credential;
};

class RelayHost {
 public:
  using SendDatagram = std::function<void(const Address& client_address, Buffer datagram)>;

  RelayHost(Stage& stage, SendDatagram send);

  RelayCredentials mint(std::string_view user) const;
  void receive(const Address& client_address, Buffer datagram);
  void introduce(const std::string& user, const std::string& call, const Address& peer_address);
  void part(const std::string& call);
  void crash();

  bool is_live(const Address& relayed_address) const { return tables_.contains(relayed_address); }
  // The same of any time since the start: a candidate is looked at when it comes, and may wait for its
  // description or a device.
  bool was_live(const Address& relayed_address) const { return tables_.openings.contains(relayed_address); }
  // Whose it is as long as it lives.
  const RelayTables::Opened* find(const Address& relayed_address) const;
  // Whether a packet of the client that has `from` reaches the client that has `to`, through both relays.
  bool passes(const Address& from, const Address& to);
  // The client has asked for a permission itself, so the end of a call need not take it away.
  void note_asked(const std::string& user, const Ip& ip) { asked_.emplace(user, ip); }

  void check_nothing_left();
  std::size_t allocations() const { return server_->allocation_count(); }

  static const Address kListenAddress;

 private:
  struct Introduced {
    std::string user;
    Ip ip;
    auto operator<=>(const Introduced&) const = default;
  };

  void start();
  void obey(turn::Outbox& outbox);
  void open(const turn::OpenRelaySocket& wanted, turn::Outbox& outbox);
  void close(const turn::RelayId& relay);
  void note(const turn::Audit& audit);
  void settle(turn::Outbox& outbox);
  void arm();
  void run_deadlines();
  void check();
  bool admits(const Address& to, const Address& peer_address);
  std::vector<Address> relays_of(const std::string& user) const;
  Now time() const { return {stage_.now(), stage_.timetable.wall()}; }

  Stage& stage_;
  SendDatagram send_;
  turn::Settings settings_;
  Dice dice_;
  RelayTables tables_;
  std::unique_ptr<turn::Server> server_;
  std::map<turn::RelayId, Address> address_by_relay_;
  std::map<Introduced, std::set<std::string>> calls_by_introduced_;
  std::set<std::pair<std::string, Ip>> asked_;
  std::uint16_t next_port_ = 50'000;
  Instant armed_for_ = kNever;
  Timer timer_;
  Buffer buffer_;
};

}  // namespace offhook::sim
