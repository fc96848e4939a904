// A hundred thousand random steps by a crowd of clients. After each, the tables agree with themselves, and
// with what the service has been told; at the end, nothing is left.

#include <gtest/gtest.h>

#include "core/turn/fixture.h"
#include "wire/turn/attr_lifetime.h"

namespace offhook::turn::test {
namespace {

Settings tight() {
  Settings settings;
  settings.permissions_limit = 3;
  settings.channels_limit = 2;
  return settings;
}

struct Crowd {
  Crowd() {
    world.quota.limit = 6;
    for (int i = 0; i < 16; ++i) {
      TestClient client = world.client("198.41.0.4:" + std::to_string(40'000 + i),
                                       i % 4 == 0 ? Transport::tcp : Transport::udp);
      if (i % 2 == 0) {
        client.username = "bob";
        client.password = "hunter2";
      }
      if (i % 3 == 0) client.protect = Protect::sha256;
      if (i % 5 == 0) client.algorithm = KeyOf::sha256;
      clients.push_back(client);
    }
  }

  std::uint64_t below(std::uint64_t bound) { return random.below(bound); }
  std::string any_peer() {
    static const std::vector<std::string> kPeers = {"8.8.8.8:5000", "8.8.8.8:5001",  "9.9.9.9:5000",
                                                    "9.9.9.9:53",   "10.0.0.1:5000", "[2a00:1450::5]:5000",
                                                    "[::1]:5000"};
    if (below(8) == 0 && !world.relays.live.empty()) return world.relays.live.begin()->text();
    return kPeers[below(kPeers.size())];
  }
  World::Fill any_lifetime() {
    const auto seconds = std::chrono::seconds(below(3) == 0 ? 0 : below(4000));
    return [seconds](MessageBuilder& builder) { add_lifetime(builder, seconds); };
  }
  World::Fill any_allocate() {
    std::vector<World::Fill> fills = {udp()};
    if (below(4) == 0) fills.push_back(raw(0x8000, std::string{2, 0, 0, 0}));
    if (below(4) == 0) fills.push_back(raw(0x0017, std::string{static_cast<char>(below(4)), 0, 0, 0}));
    if (below(4) == 0) fills.push_back(raw(0x0018, std::string{static_cast<char>(below(2) * 0x80)}));
    if (below(6) == 0 && !world.reserved.empty()) {
      fills.push_back(raw(0x0022, std::string(as_text(world.reserved.begin()->first))));
    }
    if (below(2) == 0) fills.push_back(any_lifetime());
    return all(fills);
  }

  // Notes what the effects say, and checks that they fit what was said before.
  void observe(const Outbox& effects) {
    for (const Effect& effect : effects) {
      if (const auto* created = std::get_if<Audit>(&effect)) {
        if (created->event == AuditEvent::allocation_created)
          relayed_addresses[created->client.five_tuple] = created->address;
      } else if (const auto* sent = std::get_if<SendToClient>(&effect)) {
        const auto answer = answer_in({*sent});
        codes[answer->error] += 1;
      } else if (const auto* open = std::get_if<OpenRelaySocket>(&effect)) {
        if (world.relays_stay_opening) slow.push_back(*open);
      } else if (const auto* install = std::get_if<InstallRoute>(&effect)) {
        routes[{install->relay, install->channel_number}] = install->expires_at;
      } else if (const auto* remove = std::get_if<RemoveRoute>(&effect)) {
        EXPECT_EQ(routes.erase({remove->relay, remove->channel_number}), 1U) << "removed what was installed";
      }
    }
  }
  void ask(TestClient& client, Method method, const World::Fill& fill) {
    if (client.nonce.empty()) {
      client.nonce = world.fetch_nonce(client);
      observe(std::exchange(world.challenge_effects, {}));
    }
    Outcome outcome = world.ask(client, method, fill);
    observe(outcome.effects);
    if (const auto answer = answer_in(outcome.effects); answer && answer->error == 438) client.nonce.clear();
  }
  void finish_slow_openings() {
    for (const OpenRelaySocket& open : std::exchange(slow, {})) {
      Outbox effects;
      if (below(3) == 0) {
        world.server.handle_relay_failed(open.relay, Server::RelayFailure::no_port_free, world.now, effects);
      } else {
        const Address opened{open.relay.family == Family::ipv4 ? world.relay_ipv4 : world.relay_ipv6,
                             world.next_port};
        world.next_port =
            world.next_port == 65'535 ? 50'000 : static_cast<std::uint16_t>(world.next_port + 1);
        world.open_relays[open.relay] = opened;
        world.relays.open(opened);
        if (open.reserve_next) world.reserved[open.token] = opened;
        world.server.handle_relay_opened(open.relay, opened, world.now, effects);
      }
      world.obey(effects);
      observe(effects);
    }
  }
  void step();
  // Two clients bind channels to each other's relayed addresses, as a call over the relay does.
  void meet_another(TestClient& client) {
    TestClient& other = clients[below(clients.size())];
    const auto relayed_address_of = [&](const TestClient& of) -> std::optional<Address> {
      const auto found = relayed_addresses.find(of.client.five_tuple);
      if (found == relayed_addresses.end() || !world.relays.live.contains(found->second)) return std::nullopt;
      return found->second;
    };
    const auto here = relayed_address_of(client);
    const auto there = relayed_address_of(other);
    if (!here || !there) return;
    for (auto& [from, to] : {std::pair(&client, *there), std::pair(&other, *here)}) {
      if (below(6) == 0) continue;
      ask(*from, Method::channel_bind,
          all({raw(0x000C, std::string{0x40, static_cast<char>(below(2)), 0, 0}), peer(to.text())}));
    }
    for (std::uint16_t number = 0x4000; number < 0x4002; ++number) {
      take_channel(client, number);
      take_channel(other, number);
    }
  }
  // A hop gives the same client the same bytes as the two relay sockets would.
  void take_channel(TestClient& client, std::uint16_t number) {
    const Outcome hopped = world.channel_data(client, number, "payload");
    if (hopped.forward.via != Forward::Via::hop) return;
    hops_taken += 1;
    const Buffer bytes(hopped.forward.bytes.begin(), hopped.forward.bytes.end());
    // A far end whose time is over by decision closes its relay in its next turn.
    if (any_revoked) return;
    const Outcome plain = world.channel_data_over_sockets(client, number, "payload");
    ASSERT_EQ(plain.forward.via, Forward::Via::client);
    EXPECT_EQ(plain.forward.client.five_tuple, hopped.forward.client.five_tuple);
    EXPECT_EQ(plain.forward.client.handle, hopped.forward.client.handle);
    EXPECT_TRUE(equal(plain.forward.bytes, bytes));
  }
  void introduce_something() {
    const std::string call = "call " + std::to_string(below(6));
    if (below(3) == 0) {
      observe(world.call_over(call));
      return;
    }
    Outbox effects;
    const bool taken = world.server.handle_peer_introduced(below(2) == 0 ? "alice" : "bob", call,
                                                           address(any_peer()), world.now, effects);
    EXPECT_TRUE(taken);
    world.obey(effects);
    observe(effects);
  }
  void forward_something(TestClient& client) {
    world.send(client, any_peer(), "payload");
    take_channel(client, static_cast<std::uint16_t>(0x4000 + below(4)));
    if (world.open_relays.empty()) return;
    const auto& [relay, bound] = *world.open_relays.begin();
    const std::string from = any_peer();
    if (address(from).family() == relay.family) world.from_peer(relay, from, "payload");
  }

  World world{tight()};
  SeededRandom random{2024};
  std::vector<TestClient> clients;
  std::map<int, std::size_t> codes;
  std::map<std::pair<RelayId, std::uint16_t>, Instant> routes;
  std::vector<OpenRelaySocket> slow;
  std::map<FiveTuple, Address> relayed_addresses;
  std::size_t hops_taken = 0;
  bool any_revoked = false;  // and perhaps not swept away yet
};

void Crowd::step() {
  TestClient& client = clients[below(clients.size())];
  switch (below(17)) {
    case 0:
    case 1:
      ask(client, Method::allocate, any_allocate());
      break;
    case 2:
      ask(client, Method::refresh, any_lifetime());
      break;
    case 3:
      ask(client, Method::refresh,
          all({any_lifetime(), raw(0x0017, std::string{static_cast<char>(1 + below(2)), 0, 0, 0})}));
      break;
    case 4:
    case 5:
      ask(client, Method::create_permission, all({peer(any_peer()), peer(any_peer())}));
      break;
    case 6:
    case 7:
      ask(client, Method::channel_bind,
          all({raw(0x000C, std::string{0x40, static_cast<char>(below(4)), 0, 0}), peer(any_peer())}));
      break;
    case 8:
      forward_something(client);
      break;
    case 9:
      observe(world.wait(std::chrono::milliseconds(below(400'000))));
      any_revoked = false;
      break;
    case 10:
      world.now.monotonic += std::chrono::milliseconds(below(50'000));
      break;  // and deadlines come late
    case 11: {
      Outbox effects;
      if (below(4) == 0) {
        world.server.revoke(client.username, world.now);
        any_revoked = true;
      } else {
        world.server.handle_client_closed(client.client, world.now, effects);
      }
      world.obey(effects);
      observe(effects);
      break;
    }
    case 12:
      if (below(5) == 0) client.client.handle += 1;
      world.next_failure = below(6) == 0 ? std::optional(Server::RelayFailure::no_port_free) : std::nullopt;
      break;
    case 13:
      world.relays_stay_opening = below(3) == 0;
      finish_slow_openings();
      break;
    case 14:
      introduce_something();
      break;
    case 15:
    case 16:
      meet_another(client);
      break;
  }
}

TEST(RandomOperations, leave_no_contradiction_and_nothing_behind) {
  Crowd crowd;
  World& world = crowd.world;
  for (int step = 0; step < 100'000; ++step) {
    if (world.next_port > 65'000) world.next_port = 50'000;
    crowd.step();
    ASSERT_EQ(world.server.broken_invariant(), "") << "step " << step;
    ASSERT_EQ(world.quota.total(), world.server.allocation_count()) << "step " << step;
    ASSERT_LE(world.open_relays.size(), 2 * world.server.allocation_count()) << "step " << step;
  }
  crowd.finish_slow_openings();
  world.relays_stay_opening = false;
  for (int i = 0; i < 10; ++i) crowd.observe(world.wait(1000s));
  EXPECT_EQ(world.server.allocation_count(), 0U);
  EXPECT_EQ(world.quota.total(), 0U);
  EXPECT_TRUE(world.open_relays.empty());
  EXPECT_TRUE(world.reserved.empty());
  EXPECT_TRUE(crowd.routes.empty());
  EXPECT_EQ(world.server.next_deadline(), kNever);
  EXPECT_GT(crowd.hops_taken, 200U);
  for (const int code : {0, 400, 403, 437, 438, 440, 443, 486, 508}) EXPECT_GT(crowd.codes[code], 0U) << code;
  EXPECT_EQ(crowd.codes.count(300), 0U) << "no alternate server is set";
  EXPECT_EQ(crowd.codes.count(500), 0U) << "answers fit, and the service opens what it is asked for";
}

}  // namespace
}  // namespace offhook::turn::test
