#include "service/relay/relay_service.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <latch>
#include <thread>
#include <utility>

#include "core/turn/peer_policy.h"
#include "io/loop/clock.h"
#include "io/net/fd_limit.h"
#include "io/net/fd_table.h"
#include "io/net/interfaces.h"
#include "service/relay/fast_path_start.h"
#include "service/relay/self_check.h"
#include "service/relay/senders.h"
#include "service/relay/shard.h"
#include "service/relay/xdp_senders.h"
#include "wire/turn/channel_data.h"

namespace offhook::relay {
namespace {

// Descriptors of one table besides relay sockets: listeners, TCP clients, HTTP, files.
constexpr std::uint64_t kFdReserve = 20'000;
// Peers on lower ports are refused, so that two clients of this relay could not reach each other there.
constexpr std::uint16_t kRelayPortLeast = turn::kPeerPortFirst;

// The self-check's introduction of itself.
constexpr const char* kSelfCheckCall = "self-check";

void add_once(std::vector<Ip>& to, const Ip& ip) {
  if (std::find(to.begin(), to.end(), ip) == to.end()) to.push_back(ip);
}

// Everything that is this machine: its interfaces, what we listen on or relay from, and what the world calls
// it.
std::vector<Ip> own_addresses(const RelaySettings& settings, const std::vector<Ip>& listen_ips) {
  std::vector<Ip> own = io::interface_addresses();
  for (const Ip& ip : listen_ips) add_once(own, ip);
  for (const Ip& ip : settings.relay_addresses) add_once(own, ip);
  for (const auto& [bound, external] : settings.external_addresses) add_once(own, external);
  return own;
}

const std::vector<Ip>& relay_ips(const RelaySettings& settings, const std::vector<Ip>& listen_ips) {
  return settings.relay_addresses.empty() ? listen_ips : settings.relay_addresses;
}

// What clients are told for a relayed address at this one.
const Ip& external_of(const RelaySettings& settings, const Ip& bound) {
  const auto& pairs = settings.external_addresses;
  const auto found =
      std::find_if(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == bound; });
  return found == pairs.end() ? bound : found->second;
}

turn::Settings core_settings(const RelaySettings& settings, const std::vector<Ip>& listen_ips) {
  turn::Settings core;
  core.realm = settings.realm;
  crypto::SecureRandom().fill(core.nonce_key);
  core.nonce_lifetime = settings.nonce_lifetime;
  core.lifetime_default = settings.lifetime_default;
  core.lifetime_limit = settings.lifetime_limit;
  core.permission_lifetime = settings.permission_lifetime;
  core.channel_lifetime = settings.channel_lifetime;
  if (settings.rfc5766_channels) core.channel_number_last = turn::kChannelNumberLastRfc5766;
  core.peer_rule = settings.peers_by_call ? turn::PeerRule::call : turn::PeerRule::open;
  core.payload_bytes_per_s = settings.payload_bytes_per_s;
  core.alternate_servers = settings.alternate_servers;
  core.allow_peers = settings.allow_peers;
  core.deny_peers = settings.deny_peers;
  core.own_addresses = own_addresses(settings, listen_ips);
  core.relay_ips = relay_ips(settings, listen_ips);
  core.external_addresses = settings.external_addresses;
  return core;
}

std::vector<Ip> reached_addresses(const RelaySettings& settings, const std::vector<Ip>& listen_ips) {
  std::vector<Ip> reached = listen_ips;
  for (const Ip& ip : settings.relay_addresses) add_once(reached, ip);
  return reached;
}

// Each with at least one port: the kernel gives clients to shards unasked, and one without ports could serve
// none of its clients.
unsigned shards_of(const RelaySettings& settings) {
  const unsigned wanted =
      settings.shards != 0 ? settings.shards : std::max(1U, std::thread::hardware_concurrency());
  return std::min(wanted, RelayPorts::pairs_in(settings.relay_port_first, settings.relay_port_last));
}

}  // namespace

struct RelayService::Running {
  Running(const RelaySettings& settings, const std::vector<Ip>& listen_ips, unsigned shard_count,
          std::shared_ptr<const credentials::TurnCredentials> credentials)
      : shared{core_settings(settings, listen_ips),
               settings.hops,
               settings.relay_addresses.empty() ? RelayAddressRule::by_listen_address
                                                : RelayAddressRule::fixed,
               VouchedUsers(settings.realm, std::move(credentials)),
               AllocationQuota(settings.user_quota, settings.total_quota),
               RelayPorts(relay_ips(settings, listen_ips), settings.relay_port_first,
                          settings.relay_port_last, shard_count),
               {},
               {},
               {}},
        reached(reached_addresses(settings, listen_ips)),
        relay_sockets((std::uint64_t{settings.relay_port_last} - settings.relay_port_first + 1) *
                      shared.ports.addresses().size()),
        tables_settled(shard_count) {}
  ~Running() {
    for (const auto& shard : shards) shard->stop();
    for (std::thread& thread : threads) thread.join();
    if (shared.fast_path) log_reasons(*shared.fast_path);
  }

  // The body of a shard's thread. What it opens is in its own table of descriptors, or in the process's where
  // the system allows no other; either way it is closed before the thread ends.
  void run(Shard& shard) {
    const auto own = io::own_fd_table(shard.fds());
    if (!own) shared_table_error = own.error().code;
    tables_settled.count_down();
    shard.run();
    if (own) io::close_own_fd_table();
  }

  // In this order, each once.
  Result<void, StartError> equip(const RelaySettings& settings, const Listeners& listeners);
  std::vector<std::vector<io::XdpSender>> xdp_senders(std::size_t count);
  Result<void, StartError> make_shards(const RelaySettings& settings, Listeners& listeners);
  void start_threads();

  void introduce(const std::string& user, const std::string& call, const Address& peer);
  void part(const std::string& call);
  void note_overflow();

  Shared shared;
  std::vector<Ip> reached;                          // where clients and peers send to
  std::uint64_t relay_sockets = 0;                  // at most
  std::unique_ptr<PacketFilterWatch> filter_watch;  // null: not needed
  std::vector<std::unique_ptr<Shard>> shards;
  std::latch tables_settled;  // each shard has its table of descriptors
  // Of introductions and parted calls that no shard wrote down.
  std::atomic<std::uint64_t> overflows = 0;
  std::atomic<int> shared_table_error = 0;  // why a shard has none of its own: an errno
  std::vector<std::thread> threads;         // as shards, once started
};

std::vector<Ip> local_addresses() { return io::interface_addresses(); }

RelayService::RelayService(RelaySettings settings,
                           std::shared_ptr<const credentials::TurnCredentials> credentials)
    : settings_(std::move(settings)), credentials_(std::move(credentials)) {}

RelayService::~RelayService() { stop(); }

Result<void, StartError> RelayService::check_settings() const {
  if (settings_.relay_port_first < kRelayPortLeast ||
      settings_.relay_port_first > settings_.relay_port_last) {
    return fail(StartError{"relay ports " + std::to_string(settings_.relay_port_first) + "-" +
                           std::to_string(settings_.relay_port_last) + ": the first must be at least " +
                           std::to_string(kRelayPortLeast) + " and not above the last, such as 49152-65535"});
  }
  for (const Ip& ip : settings_.relay_addresses) {
    if (!ip.is_unspecified()) continue;
    return fail(StartError{"relay address " + ip.text() +
                           ": peers need an address that they can send to; name one of this machine"});
  }
  return {};
}

Result<Listeners, StartError> RelayService::open_all(const std::vector<Ip>& listen_ips,
                                                     unsigned shards) const {
  for (const Ip& ip : settings_.relay_addresses) {
    const auto probe = io::open_relay_socket({ip, 0});
    if (!probe) return fail(StartError{io::system_error("relay from " + ip.text(), probe.error()).text()});
  }
  auto listeners = open_listeners(listen_ips, settings_.port, shards);
  if (!listeners) return fail(StartError{listeners.error()});
  for (const std::uint16_t tls_port : settings_.tls_ports) {
    const auto added = add_tls_port(*listeners, listen_ips, tls_port);
    if (added) continue;
    if (!settings_.go_on_without_tls_ports) return fail(StartError{added.error().text()});
    spdlog::warn("relay: nothing is served over TLS: {}", added.error().text());
  }
  return std::move(*listeners);
}

// What all shards have in common, and how they send and receive.
Result<void, StartError> RelayService::Running::equip(const RelaySettings& settings,
                                                      const Listeners& listeners) {
  if (!shared.http) {
    return fail(
        StartError{"the system refuses sockets between threads (AF_UNIX); a systemd unit allows them with "
                   "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET "
                   "AF_XDP"});
  }
  shared.certificates = settings.certificates;
  shared.settings.listen_addresses = listeners.addresses;  // a free port is known only now
  shared.fast_path = start_fast_path(settings, reached, listeners.addresses.front().port);
  shared.receive = SharedReceive::start(settings, shared.ports.addresses(),
                                        static_cast<unsigned>(listeners.shards.size()));
  if (shared.receive) shared.ports.set_lookup(shared.receive->lookup());
  log_sending(settings, reached);
  filter_watch = watch_packet_filter(settings, shared.sending_allowed);
  return {};
}

// Of each shard; none where they may not send now.
std::vector<std::vector<io::XdpSender>> RelayService::Running::xdp_senders(std::size_t count) {
  std::vector<std::vector<io::XdpSender>> senders(count);
  if (shared.sending_allowed.packet_sockets && shared.sending_allowed.xdp_sockets)
    senders = open_xdp_senders(reached, count, Shard::kBatchSlots);
  if (filter_watch && senders.front().empty()) filter_watch->forget_xdp_sockets();
  return senders;
}

Result<void, StartError> RelayService::Running::make_shards(const RelaySettings& settings,
                                                            Listeners& listeners) {
  auto xdp = xdp_senders(listeners.shards.size());
  for (unsigned number = 0; number < listeners.shards.size(); ++number) {
    auto poller = io::make_epoll_poller();
    if (!poller) return fail(StartError{io::system_error("create an event loop", errno).text()});
    shards.push_back(
        std::make_unique<Shard>(number, shared, std::move(listeners.shards[number]), std::move(poller),
                                joint_sender(settings, reached, Shard::kBatchSlots, std::move(xdp[number]))));
    if (!shards.back()->watch())
      return fail(StartError{io::system_error("watch the listening sockets", errno).text()});
  }
  for (const auto& shard : shards) shared.shards.push_back(shard.get());
  return {};
}

void RelayService::Running::start_threads() {
  for (const auto& shard : shards) {
    threads.emplace_back(&Running::run, this, std::ref(*shard));
    const std::string name = "relay-" + std::to_string(threads.size() - 1);
    (void)pthread_setname_np(threads.back().native_handle(), name.c_str());
  }
  // Until then, what the caller closes may live on in a copy of its table.
  tables_settled.wait();
  if (const int code = shared_table_error; code != 0) {
    const auto limit = io::raise_fd_limit(relay_sockets + kFdReserve);
    spdlog::warn("relay: {}; the limit of {} open files holds for all shards together",
                 io::system_error("give each shard its own table of open files", code).text(), limit);
  }
}

Result<void, StartError> RelayService::start() {
  if (auto checked = check_settings(); !checked) return checked;
  const auto listen_ips = expand_listen_addresses(settings_.listen_addresses);
  const unsigned shard_count = shards_of(settings_);
  auto running = std::make_unique<Running>(settings_, listen_ips, shard_count, credentials_);
  (void)io::raise_fd_limit(running->relay_sockets / shard_count + kFdReserve);
  auto listeners = open_all(listen_ips, shard_count);
  if (!listeners) return fail(listeners.error());
  if (auto equipped = running->equip(settings_, *listeners); !equipped) return equipped;
  if (auto made = running->make_shards(settings_, *listeners); !made) return made;
  running->start_threads();
  listening_addresses_ = std::move(listeners->addresses);
  tls_addresses_ = std::move(listeners->tls_addresses);
  running_ = std::move(running);
  for (const Address& address : listening_addresses_)
    spdlog::info("relay: UDP and TCP on {}", address.text());
  for (const Address& address : tls_addresses_)
    spdlog::info("relay: TLS, and HTTP for the page, on {}", address.text());
  return {};
}

void RelayService::stop() { running_.reset(); }

void RelayService::set_credentials(std::shared_ptr<const credentials::TurnCredentials> credentials) {
  credentials_ = std::move(credentials);
  if (running_) running_->shared.users.replace(credentials_);
}

bool RelayService::revoke(std::string_view user) {
  if (!running_) return true;
  bool all = true;
  for (const auto& shard : running_->shards) all = shard->revoke(std::string(user)) && all;
  return all;
}

// Counts what a full mailbox did not take, and logs the first of every thousand.
void RelayService::Running::note_overflow() {
  constexpr std::uint64_t kLogged = 1000;
  if (overflows.fetch_add(1) % kLogged == 0) {
    spdlog::warn("relay: a shard is too busy to hear of calls; their permissions come late");
  }
}

void RelayService::Running::introduce(const std::string& user, const std::string& call, const Address& peer) {
  for (const auto& shard : shards) {
    if (!shard->introduce({user, call, peer})) note_overflow();
  }
}

void RelayService::Running::part(const std::string& call) {
  for (const auto& shard : shards) shard->part(call);
}

void RelayService::introduce(const std::string& user, const std::string& call, const Address& peer) {
  if (running_) running_->introduce(user, call, peer);
}

void RelayService::part(const std::string& call) {
  if (running_) running_->part(call);
}

int RelayService::http_fd() const { return running_ ? running_->shared.http.fd() : -1; }

bool RelayService::is_relayed_address(const Address& address) const {
  if (!running_) return false;
  const RelayPorts& ports = running_->shared.ports;
  return std::any_of(ports.addresses().begin(), ports.addresses().end(), [&](const Ip& bound) {
    return external_of(settings_, bound) == address.ip && ports.contains({bound, address.port});
  });
}

std::vector<io::AcceptedStream> RelayService::take_http() {
  return running_ ? running_->shared.http.take() : std::vector<io::AcceptedStream>{};
}

RelayCounters RelayService::counters() const {
  RelayCounters sum;
  if (!running_) return sum;
  sum.add(Counter::mailbox_overflows, running_->overflows);
  for (const auto& shard : running_->shards) shard->add_to(sum);
  if (running_->shared.fast_path) add_traffic(*running_->shared.fast_path, sum);
  return sum;
}

Result<void, std::string> RelayService::self_check(std::chrono::milliseconds patience) const {
  if (!running_) return fail(std::string("the relay is not started"));
  const Address& server = listening_addresses_.front();
  const auto& relays = settings_.relay_addresses;
  // Nothing else introduces the check to its own relayed address.
  const auto credentials = running_->shared.users.credentials();  // others may come meanwhile
  const std::string user = user_of_check(*credentials);
  for (const Ip& ip : relays.empty() ? std::vector<Ip>{server.ip} : relays) {
    running_->introduce(user, kSelfCheckCall, {ip, server.port});
  }
  auto checked = check_relayed_echo(server, *credentials, io::read_now().wall, patience);
  running_->part(kSelfCheckCall);
  return checked;
}

}  // namespace offhook::relay
