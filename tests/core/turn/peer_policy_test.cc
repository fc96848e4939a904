#include <gtest/gtest.h>

#include <type_traits>

#include "core/turn/fixture.h"
#include "core/turn/peer_policy.h"

namespace offhook::turn::test {
namespace {

using Via = Forward::Via;

// Only the gate makes these.
static_assert(!std::is_default_constructible_v<AllowedIp>);
static_assert(!std::is_constructible_v<AllowedIp, Ip>);
static_assert(!std::is_constructible_v<AllowedIp, Ip, Ip, bool>);
static_assert(!std::is_default_constructible_v<AllowedPeer>);
static_assert(!std::is_constructible_v<AllowedPeer, Address>);
static_assert(!std::is_constructible_v<AllowedPeer, AllowedIp, std::uint16_t>);

const std::vector<std::string_view> kDenied = {
    "0.0.0.0/8",      "10.0.0.0/8",      "100.64.0.0/10",   "127.0.0.0/8",      "169.254.0.0/16",
    "172.16.0.0/12",  "192.0.0.0/24",    "192.0.2.0/24",    "192.31.196.0/24",  "192.52.193.0/24",
    "192.88.99.0/24", "192.168.0.0/16",  "192.175.48.0/24", "198.18.0.0/15",    "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4",     "240.0.0.0/4",     "168.63.129.16/32", "::/96",
    "::ffff:0:0/96",  "::ffff:0:0:0/96", "64:ff9b::/96",    "64:ff9b:1::/48",   "100::/64",
    "100:0:0:1::/64", "2001::/23",       "2001:db8::/32",   "2002::/16",        "2620:4f:8000::/48",
    "3fff::/20",      "5f00::/16",       "fc00::/7",        "fe80::/10",        "fec0::/10",
    "ff00::/8",
};

// The same question asked in another way: a bit string against a bit string.
bool in_prefix(std::string_view prefix, const Ip& candidate) {
  const std::size_t slash = prefix.find('/');
  const Ip base = ip(prefix.substr(0, slash));
  const auto length = static_cast<std::size_t>(std::stoul(std::string(prefix.substr(slash + 1))));
  if (base.family() != candidate.family()) return false;
  for (std::size_t bit = 0; bit < length; ++bit) {
    const unsigned shift = 7U - bit % 8;
    const unsigned differing = unsigned{base.octets()[bit / 8]} ^ unsigned { candidate.octets()[bit / 8] };
    if (((differing >> shift) & 1U) != 0) return false;
  }
  return true;
}
bool isatap(const Ip& candidate) {
  const Bytes octets = candidate.octets();
  return octets.size() == 16 && (octets[8] & 0xFCU) == 0 && octets[9] == 0 && octets[10] == 0x5E &&
         octets[11] == 0xFE;
}
bool public_peer(const Ip& candidate) {
  for (const std::string_view prefix : kDenied) {
    if (in_prefix(prefix, candidate)) return false;
  }
  return candidate.is_v4() || (in_prefix("2000::/3", candidate) && !isatap(candidate));
}

Ip made(Family family, Bytes octets) {
  if (family == Family::ipv4) return Ip::v4({octets[0], octets[1], octets[2], octets[3]});
  std::array<std::uint8_t, 16> all{};
  std::copy(octets.begin(), octets.end(), all.begin());
  return Ip::v6(all);
}

// The first and last address of a prefix, and those just outside.
std::vector<Ip> edges_of(std::string_view prefix) {
  const std::size_t slash = prefix.find('/');
  const Ip base = ip(prefix.substr(0, slash));
  const auto length = static_cast<std::size_t>(std::stoul(std::string(prefix.substr(slash + 1))));
  Buffer first(base.octets().begin(), base.octets().end());
  Buffer last = first;
  for (std::size_t bit = length; bit < last.size() * 8; ++bit) {
    last[bit / 8] = static_cast<std::uint8_t>(last[bit / 8] | (1U << (7U - bit % 8)));
  }
  Buffer before = first;
  for (std::size_t i = before.size(); i-- > 0 && before[i]-- == 0;) {
  }
  Buffer after = last;
  for (std::size_t i = after.size(); i-- > 0 && ++after[i] == 0;) {
  }
  return {made(base.family(), before), made(base.family(), first), made(base.family(), last),
          made(base.family(), after)};
}

TEST(PeerGate, holds_at_the_edges_of_every_denied_prefix_on_every_way_in) {
  World world;
  TestClient client = world.client();
  world.allocate(client, raw(0x8000, std::string{2, 0, 0, 0}));
  std::size_t allowed = 0;
  std::uint16_t number = 0x4000;
  for (const std::string_view prefix : kDenied) {
    for (const Ip& edge : edges_of(prefix)) {
      const std::string peer_address = Address{edge, 5000}.text();
      const bool is_public = public_peer(edge);
      allowed += is_public ? 1 : 0;
      EXPECT_EQ(world.permit(client, peer_address), is_public ? 0 : 403) << peer_address;
      EXPECT_EQ(world.send(client, peer_address, "x").forward.via, is_public ? Via::peer : Via::nobody)
          << peer_address;
      const auto bound = world.bind(client, number, peer_address);
      EXPECT_TRUE(bound == (is_public ? 0 : 403) || (is_public && bound == 400))
          << peer_address << " bound before";
      EXPECT_EQ(world.channel_data(client, number, "x").forward.via == Via::peer, bound == 0) << peer_address;
      number += 1;
    }
  }
  EXPECT_GT(allowed, 25U) << "the neighbours outside";
}

TEST(PeerGate, agrees_with_its_oracle_on_random_addresses) {
  PlainRelays relays;
  const PeerPolicy policy({}, relays);
  SeededRandom random(7);
  for (int i = 0; i < 300'000; ++i) {
    std::array<std::uint8_t, 16> octets{};
    random.fill(octets);
    const Ip ipv4 = made(Family::ipv4, octets);
    ASSERT_EQ(policy.allow(ipv4).has_value(), public_peer(ipv4)) << ipv4.text();
    if (i % 2 == 0) octets[0] = static_cast<std::uint8_t>(0x20U | (octets[0] & 0x1FU));
    const Ip ipv6 = made(Family::ipv6, octets);
    ASSERT_EQ(policy.allow(ipv6).has_value(), public_peer(ipv6)) << ipv6.text();
  }
}

// Every way to hide an IPv4 address in an IPv6 one.
std::vector<Ip> encodings(const std::array<std::uint8_t, 4>& v4, std::uint64_t random) {
  const auto at = [](std::initializer_list<std::uint8_t> head) {
    std::array<std::uint8_t, 16> octets{};
    std::copy(head.begin(), head.end(), octets.begin());
    return octets;
  };
  const auto put = [&](std::array<std::uint8_t, 16> octets, std::size_t where) {
    std::copy(v4.begin(), v4.end(), octets.begin() + static_cast<std::ptrdiff_t>(where));
    return Ip::v6(octets);
  };
  std::vector<Ip> all = {
      put(at({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}), 12),  // mapped
      put(at({}), 12),                                          // compatible
      put(at({0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}), 12),        // SIIT
      put(at({0x20, 0x02}), 2),                                 // 6to4
      put(at({0x00, 0x64, 0xFF, 0x9B}), 12),                    // NAT64
  };
  auto local_nat64 = at({0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01, v4[0], v4[1], 0, v4[2], v4[3]});
  all.push_back(Ip::v6(local_nat64));
  auto teredo = at({0x20, 0x01, 0, 0});
  for (std::size_t i = 0; i < 4; ++i) teredo[12 + i] = static_cast<std::uint8_t>(~v4[i] & 0xFFU);
  all.push_back(Ip::v6(teredo));
  auto isatap_of = at({0x2A, 0x00, static_cast<std::uint8_t>(random), static_cast<std::uint8_t>(random >> 8U),
                       0, 0, 0, 0, static_cast<std::uint8_t>(random >> 16U & 2U), 0, 0x5E, 0xFE});
  all.push_back(put(isatap_of, 12));
  return all;
}

TEST(PeerGate, refuses_a_million_ipv4_addresses_in_every_encoding) {
  PlainRelays relays;
  const PeerPolicy policy({}, relays);
  SeededRandom random(11);
  for (int i = 0; i < 1'000'000; ++i) {
    const std::uint64_t bits = random.next_u64();
    const std::array<std::uint8_t, 4> v4 = {
        static_cast<std::uint8_t>(bits), static_cast<std::uint8_t>(bits >> 8U),
        static_cast<std::uint8_t>(bits >> 16U), static_cast<std::uint8_t>(bits >> 24U)};
    for (const Ip& hidden : encodings(v4, bits >> 32U)) {
      ASSERT_FALSE(policy.allow(hidden).has_value()) << hidden.text();
    }
  }
}

TEST(PeerGate, names_the_address_inside) {
  const std::array<std::uint8_t, 4> v4 = {127, 0, 0, 1};
  for (const Ip& hidden : encodings(v4, 2))
    EXPECT_EQ(embedded_ipv4(hidden), ip("127.0.0.1")) << hidden.text();
  for (const std::string_view plain : {"::", "::1", "2a00:1450::5", "127.0.0.1", "fe80::1"}) {
    EXPECT_EQ(embedded_ipv4(ip(plain)), std::nullopt) << plain;
  }
}

TEST(PeerGate, refuses_ports_below_1024) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  world.permit(client, "8.8.8.8:0");
  for (const int port : {0, 1, 53, 123, 389, 1023}) {
    const std::string to = "8.8.8.8:" + std::to_string(port);
    EXPECT_EQ(world.bind(client, 0x4000, to), 403) << port;
    EXPECT_EQ(world.send(client, to, "x").forward.via, Via::nobody) << port;
  }
  EXPECT_EQ(world.send(client, "8.8.8.8:1024", "x").forward.via, Via::peer);
  const RelayId relay = world.open_relays.begin()->first;
  EXPECT_EQ(world.from_peer(relay, "8.8.8.8:1023", "x").forward.via, Via::nobody);
  EXPECT_EQ(world.from_peer(relay, "8.8.8.8:1024", "x").forward.via, Via::client);
  EXPECT_EQ(world.bind(client, 0x4000, "8.8.8.8:65535"), 0);
}

TEST(PeerGate, allow_wins_over_deny_and_deny_adds_to_the_list) {
  Settings settings;
  settings.allow_peers = {Prefix::parse("10.1.0.0/16").value(), Prefix::parse("fd00::/8").value()};
  settings.deny_peers = {Prefix::parse("10.1.2.0/24").value(), Prefix::parse("8.8.8.0/24").value()};
  PlainRelays relays;
  const PeerPolicy policy(settings, relays);
  EXPECT_TRUE(policy.allow(ip("10.1.2.3")));
  EXPECT_FALSE(policy.allow(ip("10.2.0.1")));
  EXPECT_TRUE(policy.allow(ip("fd00::1")));
  EXPECT_FALSE(policy.allow(ip("fc00::1")));
  EXPECT_FALSE(policy.allow(ip("8.8.8.8")));
  EXPECT_TRUE(policy.allow(ip("8.8.9.8")));
  EXPECT_FALSE(policy.allow(address("10.1.0.1:0")));
  EXPECT_FALSE(policy.allow(address("10.1.0.1:53")));
  EXPECT_TRUE(policy.allow(address("10.1.0.1:1024")));
}

TEST(PeerGate, allow_opens_neither_the_unspecified_address_nor_an_ipv4_address_inside_ipv6) {
  Settings settings;
  settings.allow_peers = {Prefix::parse("0.0.0.0/0").value(), Prefix::parse("::/0").value()};
  PlainRelays relays;
  EXPECT_FALSE(PeerPolicy(settings, relays).allow(ip("0.0.0.0")));
  EXPECT_FALSE(PeerPolicy(settings, relays).allow(ip("::")));
  settings.allow_peers = {Prefix::parse("::/0").value()};
  settings.own_addresses = {ip("5.9.0.1")};
  const PeerPolicy policy(settings, relays);
  for (const std::array<std::uint8_t, 4>& v4 :
       {std::array<std::uint8_t, 4>{127, 0, 0, 1}, {10, 0, 0, 1}, {5, 9, 0, 1}}) {
    for (const Ip& hidden : encodings(v4, 0)) EXPECT_FALSE(policy.allow(hidden)) << hidden.text();
  }
  EXPECT_TRUE(policy.allow(ip("64:ff9b::8.8.8.8"))) << "a public address behind the operator's NAT64";
}

TEST(OwnRelay, is_a_peer_while_it_lives_and_nothing_else_of_this_machine_is) {
  World world;
  TestClient caller = world.client("198.41.0.4:40001");
  TestClient callee = world.client("198.41.0.4:40002");
  world.allocate(caller);
  const Address relayed = world.allocate(callee).address_in(AttributeType::xor_relayed_address);
  EXPECT_EQ(world.permit(caller, relayed.text()), 0);
  EXPECT_EQ(world.send(caller, relayed.text(), "x").forward.peer_address, relayed);
  EXPECT_EQ(world.bind(caller, 0x4000, relayed.text()), 0);
  EXPECT_EQ(world.channel_data(caller, 0x4000, "x").forward.via, Via::peer);
  EXPECT_EQ(world.send(caller, "5.9.0.1:3478", "x").forward.via, Via::nobody) << "the listener";
  EXPECT_EQ(world.bind(caller, 0x4001, "5.9.0.1:3478"), 403);
  world.refresh(callee, 0s);
  EXPECT_EQ(world.send(caller, relayed.text(), "x").forward.via, Via::nobody)
      << "the port may be another's now";
  EXPECT_EQ(world.channel_data(caller, 0x4000, "x").forward.via, Via::nobody);
  EXPECT_EQ(world.bind(caller, 0x4000, relayed.text()), 403);
}

TEST(OwnRelay, packets_from_this_machine_come_from_live_relays_alone) {
  World world;
  TestClient caller = world.client("198.41.0.4:40001");
  TestClient callee = world.client("198.41.0.4:40002");
  const RelayId relay = world.relay_of(world.allocate(caller).address_in(AttributeType::xor_relayed_address));
  const Address relayed = world.allocate(callee).address_in(AttributeType::xor_relayed_address);
  world.permit(caller, relayed.text());
  EXPECT_EQ(world.from_peer(relay, relayed.text(), "x").forward.via, Via::client);
  EXPECT_EQ(world.from_peer(relay, "5.9.0.1:8080", "x").forward.via, Via::nobody);
}

TEST(OwnRelay, loopback_is_no_peer_unless_relays_are_bound_there) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  EXPECT_EQ(world.permit(client, "127.0.0.1:50000"), 403);
  Settings settings;
  settings.relay_ips = {ip("127.0.0.1")};
  World local(settings);
  local.relay_ipv4 = ip("127.0.0.1");
  TestClient caller = local.client("127.0.0.1:40001");
  TestClient callee = local.client("127.0.0.1:40002");
  local.allocate(caller);
  const Address relayed = local.allocate(callee).address_in(AttributeType::xor_relayed_address);
  EXPECT_EQ(local.bind(caller, 0x4000, relayed.text()), 0);
  EXPECT_EQ(local.bind(caller, 0x4001, "127.0.0.1:8080"), 403);
}

TEST(OwnRelay, is_a_peer_wherever_any_shard_binds_relays) {
  Settings settings;
  settings.relay_ips = {ip("127.0.0.2"), ip("127.0.0.3")};
  settings.own_addresses = settings.relay_ips;
  World world(settings);
  world.relay_ipv4 = ip("127.0.0.2");
  TestClient client = world.client("127.0.0.1:40001");
  world.allocate(client);
  const Address elsewhere = address("127.0.0.3:50000");
  EXPECT_EQ(world.permit(client, elsewhere.text()), 0);
  EXPECT_EQ(world.bind(client, 0x4000, elsewhere.text()), 403) << "no relay lives there";
  world.relays.open(elsewhere);
  EXPECT_EQ(world.bind(client, 0x4000, elsewhere.text()), 0);
}

TEST(OwnAddress, is_opened_by_an_entry_for_it_alone) {
  Settings settings;
  settings.own_addresses = {ip("10.0.0.5"), ip("2a01:4f8::7")};
  settings.relay_ips = {ip("10.0.0.5")};
  settings.allow_peers = {Prefix::parse("10.0.0.0/8").value(), Prefix::parse("127.0.0.0/8").value(),
                          Prefix::parse("2a01:4f8::/32").value()};
  PlainRelays relays;
  relays.open(address("10.0.0.5:50000"));
  const PeerPolicy broad(settings, relays);
  EXPECT_TRUE(broad.allow(address("10.0.0.6:6379"))) << "the network was meant";
  for (const std::string_view own :
       {"10.0.0.5:6379", "127.0.0.1:6379", "127.0.0.2:6379", "[2a01:4f8::7]:6379"}) {
    EXPECT_FALSE(broad.allow(address(own))) << own;
  }
  EXPECT_TRUE(broad.allow(address("10.0.0.5:50000"))) << "a live relay";
  settings.allow_peers.push_back(Prefix::parse("10.0.0.5/32").value());
  settings.allow_peers.push_back(Prefix::parse("2a01:4f8::7/128").value());
  settings.allow_peers.push_back(Prefix::parse("127.0.0.1").value());
  const PeerPolicy exact(settings, relays);
  for (const std::string_view own : {"10.0.0.5:6379", "127.0.0.1:6379", "[2a01:4f8::7]:6379"}) {
    EXPECT_TRUE(exact.allow(address(own))) << own;
  }
  EXPECT_FALSE(exact.allow(address("127.0.0.2:6379")));
}

TEST(OwnAddress, where_the_server_listens_is_never_a_peer) {
  Settings settings;
  settings.own_addresses = {ip("10.0.0.5")};
  settings.external_addresses = {{ip("10.0.0.5"), ip("9.9.9.9")}};
  settings.listen_addresses = {address("10.0.0.5:3478"), address("10.0.0.6:3478")};
  for (const std::string_view entry : {"10.0.0.0/8", "10.0.0.5", "9.9.9.9"}) {
    settings.allow_peers.push_back(Prefix::parse(entry).value());
  }
  PlainRelays relays;
  const PeerPolicy policy(settings, relays);
  for (const std::string_view host : {"10.0.0.5", "10.0.0.6", "9.9.9.9"}) {
    const auto allowed = policy.allow(ip(host)).value();
    EXPECT_FALSE(policy.allow(Address{ip(host), 3478})) << host;
    EXPECT_FALSE(policy.allow_port(allowed, 3478)) << host;
    EXPECT_FALSE(policy.admits(allowed, {allowed.on_wire(), 3478})) << host;
    EXPECT_TRUE(policy.allow_port(allowed, 3479)) << host;
    EXPECT_TRUE(policy.admits(allowed, {allowed.on_wire(), 3479})) << host;
  }
}

TEST(OwnRelay, behind_nat_is_named_by_its_external_address) {
  Settings settings;
  settings.external_addresses = {{ip("10.0.0.5"), ip("9.9.9.9")}};
  settings.own_addresses = {ip("127.0.0.1"), ip("10.0.0.5")};
  World world(settings);
  world.relay_ipv4 = ip("10.0.0.5");
  TestClient caller = world.client("198.41.0.4:40001");
  TestClient callee = world.client("198.41.0.4:40002");
  world.allocate(caller);
  const RelayId relay = world.relay_of(address("10.0.0.5:50000"));
  const Address named = world.allocate(callee).address_in(AttributeType::xor_relayed_address);
  ASSERT_EQ(named, address("9.9.9.9:50001"));
  EXPECT_EQ(world.permit(caller, "9.9.9.9:1"), 0);
  EXPECT_EQ(world.send(caller, named.text(), "x").forward.peer_address, address("10.0.0.5:50001"));
  EXPECT_EQ(world.send(caller, "9.9.9.9:8080", "x").forward.via, Via::nobody);
  const Outcome back = world.from_peer(relay, "10.0.0.5:50001", "x");
  ASSERT_EQ(back.forward.via, Via::client);
  const Answer indication{Buffer(back.forward.bytes.begin(), back.forward.bytes.end()), {}, {}, 0};
  EXPECT_EQ(indication.address_in(AttributeType::xor_peer_address), named);
  Outbox icmp;
  world.server.handle_peer_icmp(relay, address("10.0.0.5:50001"), 3, 3, 0, world.now, icmp);
  EXPECT_EQ(answer_in(icmp)->address_in(AttributeType::xor_peer_address), named);

  const Outcome bound = world.ask(caller, Method::channel_bind,
                                  all({raw(0x000C, std::string{0x40, 0, 0, 0}), peer(named.text())}));
  EXPECT_EQ(described(bound.effects, world.now.monotonic),
            (std::vector<std::string>{
                "SendToClient ChannelBind success", "InstallRoute 16384 10.0.0.5:50001 for 300 s",
                "InstallHop 10.0.0.5:50001 to 10.0.0.5:50000 channel 16384 for 300 s"}));
  EXPECT_EQ(to_string(world.from_peer(relay, "10.0.0.5:50001", "x").forward.bytes),
            std::string("\x40\0\0\1x", 5));
  EXPECT_EQ(world.bind(caller, 0x4001, "10.0.0.5:50001"), 400) << "both names are one peer";
}

TEST(OwnRelay, behind_nat_an_allow_entry_for_the_external_address_opens_no_port) {
  Settings settings;
  settings.external_addresses = {{ip("10.0.0.5"), ip("9.9.9.9")}};
  settings.own_addresses = {ip("10.0.0.5")};
  settings.allow_peers = {Prefix::parse("9.9.9.0/24").value()};
  PlainRelays relays;
  const PeerPolicy policy(settings, relays);
  EXPECT_FALSE(policy.allow(address("9.9.9.9:8080")));
  EXPECT_TRUE(policy.allow(address("9.9.9.8:8080")));
}

}  // namespace
}  // namespace offhook::turn::test
