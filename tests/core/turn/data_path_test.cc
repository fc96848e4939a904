#include <gtest/gtest.h>

#include "core/turn/fixture.h"
#include "wire/stun/attr_xor_address.h"
#include "wire/turn/attr_dont_fragment.h"
#include "wire/turn/attr_icmp.h"
#include "wire/turn/channel_data.h"

namespace offhook::turn::test {
namespace {

using Via = Forward::Via;

struct Live {
  explicit Live(Transport transport = Transport::udp, Settings settings = {}) : world(std::move(settings)) {
    client = world.client("198.41.0.4:40000", transport);
    const Answer answer = world.allocate(client, raw(0x8000, std::string{2, 0, 0, 0}));
    relay = {world.open_relays.begin()->first.allocation, Family::ipv4};
    relay_ipv6 = {relay.allocation, Family::ipv6};
    (void)answer;
  }
  World world;
  TestClient client;
  RelayId relay;
  RelayId relay_ipv6;
};

Outcome send_raw(World& world, const TestClient& from, const World::Fill& fill) {
  std::array<std::uint8_t, 1500> storage{};
  MessageBuilder builder(storage, MessageClass::indication, Method::send, world.next_id());
  fill(builder);
  return world.deliver(from.client, builder.finish());
}

TEST(SendIndication, goes_to_the_peer_from_the_relay_of_its_family) {
  Live live;
  live.world.permit(live.client, "8.8.8.8:1");
  live.world.permit(live.client, "[2a00:1450::5]:1");
  const Outcome ipv4 = live.world.send(live.client, "8.8.8.8:5000", "payload");
  EXPECT_TRUE(ipv4.effects.empty());
  EXPECT_EQ(ipv4.forward.via, Via::peer);
  EXPECT_EQ(ipv4.forward.relay, live.relay);
  EXPECT_EQ(ipv4.forward.peer_address, address("8.8.8.8:5000"));
  EXPECT_EQ(to_string(ipv4.forward.bytes), "payload");
  EXPECT_FALSE(ipv4.forward.dont_fragment);
  const Outcome ipv6 = live.world.send(live.client, "[2a00:1450::5]:5000", "");
  EXPECT_EQ(ipv6.forward.relay, live.relay_ipv6);
  EXPECT_TRUE(ipv6.forward.bytes.empty()) << "an empty datagram is one too";
}

TEST(SendIndication, asks_for_df_with_dont_fragment) {
  Live live;
  live.world.permit(live.client, "8.8.8.8:1");
  EXPECT_TRUE(live.world.send(live.client, "8.8.8.8:5000", "x", true).forward.dont_fragment);
}

TEST(SendIndication, is_dropped_where_it_is_not_whole) {
  Live live;
  live.world.permit(live.client, "8.8.8.8:1");
  const World::Fill data = raw(0x0013, "x");
  EXPECT_EQ(send_raw(live.world, live.client, peer("8.8.8.8:5000")).forward.via, Via::nobody) << "no DATA";
  EXPECT_EQ(send_raw(live.world, live.client, data).forward.via, Via::nobody) << "no peer";
  EXPECT_EQ(send_raw(live.world, live.client, all({raw(0x0012, "bad"), data})).forward.via, Via::nobody);
  EXPECT_EQ(send_raw(live.world, live.client, all({peer("8.8.8.8:5000"), data, raw(0x7F01, "")})).forward.via,
            Via::nobody)
      << "an unknown comprehension-required attribute";
  EXPECT_EQ(send_raw(live.world, live.client, all({peer("8.8.8.8:5000"), data, raw(0xFF01, "")})).forward.via,
            Via::peer);
}

TEST(ChannelData, goes_to_the_bound_peer) {
  Live live;
  live.world.bind(live.client, 0x4001, "8.8.8.8:5000");
  const Outcome outcome = live.world.channel_data(live.client, 0x4001, "payload");
  EXPECT_EQ(outcome.forward.via, Via::peer);
  EXPECT_EQ(outcome.forward.relay, live.relay);
  EXPECT_EQ(outcome.forward.peer_address, address("8.8.8.8:5000"));
  EXPECT_EQ(to_string(outcome.forward.bytes), "payload");
  EXPECT_EQ(live.world.channel_data(live.client, 0x4002, "payload").forward.via, Via::nobody);
  TestClient other = live.world.client("198.41.0.4:40001");
  EXPECT_EQ(live.world.channel_data(other, 0x4001, "payload").forward.via, Via::nobody)
      << "another five-tuple";
}

TEST(ChannelData, from_peers_with_a_channel_is_not_padded_on_datagrams) {
  Live live;
  live.world.bind(live.client, 0x4001, "8.8.8.8:5000");
  const Outcome outcome = live.world.from_peer(live.relay, "8.8.8.8:5000", "hello");
  EXPECT_EQ(outcome.forward.via, Via::client);
  EXPECT_EQ(outcome.forward.client.five_tuple, live.client.client.five_tuple);
  EXPECT_EQ(outcome.forward.client.handle, live.client.client.handle);
  EXPECT_EQ(to_string(outcome.forward.bytes), std::string("\x40\x01\x00\x05hello", 9));
}

// 16 KiB may pass at once, and then 32 KiB a second.
Settings limited() {
  Settings settings;
  settings.payload_bytes_per_s = 32 * 1024;
  return settings;
}
const std::string kKib(1024, 'x');

// How many of `count` sendings of 1 KiB in a row pass; the others are dropped for the limit.
template <typename Send>
int passing(int count, Send send) {
  int passed = 0;
  for (int i = 0; i < count; ++i) {
    const Forward forward = send().forward;
    EXPECT_EQ(forward.over_limit, forward.via == Via::nobody);
    passed += forward.via == Via::nobody ? 0 : 1;
  }
  return passed;
}

TEST(PayloadLimit, lets_a_burst_pass_and_then_the_rate_each_way_for_itself) {
  Live live(Transport::udp, limited());
  ASSERT_EQ(live.world.bind(live.client, 0x4001, "8.8.8.8:5000"), 0);
  const auto up = [&] { return live.world.channel_data(live.client, 0x4001, kKib); };
  const auto down = [&] { return live.world.from_peer(live.relay, "8.8.8.8:5000", kKib); };
  EXPECT_EQ(passing(40, up), 17);
  EXPECT_EQ(passing(40, down), 17);
  EXPECT_EQ(passing(1, up), 0);
  live.world.wait(32ms);  // and 1 KiB takes 31.25
  EXPECT_EQ(passing(3, up), 1);
  live.world.wait(10s);
  EXPECT_EQ(passing(40, down), 17) << "what is not used is not saved up beyond the burst";
}

TEST(PayloadLimit, counts_indications_together_with_channel_data) {
  Live live(Transport::udp, limited());
  ASSERT_EQ(live.world.bind(live.client, 0x4001, "8.8.8.8:5000"), 0);
  ASSERT_EQ(live.world.permit(live.client, "9.9.9.9:1"), 0);
  EXPECT_EQ(passing(10, [&] { return live.world.send(live.client, "9.9.9.9:6000", kKib); }), 10);
  EXPECT_EQ(passing(40, [&] { return live.world.channel_data(live.client, 0x4001, kKib); }), 7);
  EXPECT_EQ(passing(1, [&] { return live.world.send(live.client, "9.9.9.9:6000", kKib); }), 0);
  EXPECT_EQ(passing(10, [&] { return live.world.from_peer(live.relay, "9.9.9.9:6000", kKib); }), 10);
  EXPECT_EQ(passing(40, [&] { return live.world.from_peer(live.relay, "8.8.8.8:5000", kKib); }), 7);
}

TEST(PayloadLimit, is_of_each_allocation_alone_and_none_by_default) {
  Live live(Transport::udp, limited());
  TestClient other = live.world.client("198.41.0.5:40000");
  (void)live.world.allocate(other);
  for (TestClient* client : {&live.client, &other}) {
    ASSERT_EQ(live.world.bind(*client, 0x4001, "8.8.8.8:5000"), 0);
    EXPECT_EQ(passing(40, [&] { return live.world.channel_data(*client, 0x4001, kKib); }), 17);
  }
  Live unlimited;
  ASSERT_EQ(unlimited.world.bind(unlimited.client, 0x4001, "8.8.8.8:5000"), 0);
  EXPECT_EQ(passing(1000, [&] { return unlimited.world.channel_data(unlimited.client, 0x4001, kKib); }),
            1000);
}

TEST(ChannelData, from_peers_with_a_channel_is_padded_with_zeros_on_streams) {
  Live live(Transport::tcp);
  live.world.bind(live.client, 0x4001, "8.8.8.8:5000");
  EXPECT_EQ(to_string(live.world.from_peer(live.relay, "8.8.8.8:5000", "hello").forward.bytes),
            std::string("\x40\x01\x00\x05hello\0\0\0", 12));
  EXPECT_EQ(to_string(live.world.from_peer(live.relay, "8.8.8.8:5000", "four").forward.bytes),
            std::string("\x40\x01\x00\x04"
                        "four",
                        8));
  EXPECT_EQ(live.world.from_peer(live.relay, "8.8.8.8:5000", "").forward.bytes.size(), 4U);
}

TEST(DataIndication, brings_what_comes_from_a_permitted_peer_without_a_channel) {
  Live live;
  live.world.permit(live.client, "8.8.8.8:1");
  live.world.permit(live.client, "[2a00:1450::5]:1");
  for (std::size_t size = 0; size <= 9; ++size) {
    const std::string payload(size, 'p');
    for (const auto& [relay, from] :
         {std::pair{live.relay, "8.8.8.8:5000"}, {live.relay_ipv6, "[2a00:1450::5]:5000"}}) {
      const Outcome outcome = live.world.from_peer(relay, from, payload);
      ASSERT_EQ(outcome.forward.via, Via::client);
      const Message message = Message::parse(outcome.forward.bytes).value();
      EXPECT_EQ(message.message_class(), MessageClass::indication);
      EXPECT_EQ(message.method(), Method::data);
      EXPECT_EQ(message.attributes().size(), 2U);
      EXPECT_EQ(stun::parse_xor_address(message.find(AttributeType::xor_peer_address)->value,
                                        message.transaction_id()),
                address(from));
      EXPECT_EQ(to_string(message.find(AttributeType::data)->value), payload);
      for (std::size_t i = 0; i < padded_to_four(size) - size; ++i) {
        EXPECT_EQ(outcome.forward.bytes[outcome.forward.bytes.size() - 1 - i], 0) << "padding is zeros";
      }
    }
  }
}

TEST(DataIndication, has_a_transaction_id_of_its_own) {
  Live live;
  live.world.permit(live.client, "8.8.8.8:1");
  std::set<stun::TransactionId> ids;
  for (int i = 0; i < 1000; ++i) {
    const Outcome outcome = live.world.from_peer(live.relay, "8.8.8.8:5000", "x");
    ids.insert(Message::parse(outcome.forward.bytes).value().transaction_id());
  }
  EXPECT_EQ(ids.size(), 1000U);
}

TEST(DataIndication, of_a_datagram_too_large_for_its_length_field_is_dropped) {
  Live live;
  live.world.permit(live.client, "8.8.8.8:1");
  EXPECT_EQ(live.world.from_peer(live.relay, "8.8.8.8:5000", std::string(65'400, 'x')).forward.via,
            Via::client);
  EXPECT_EQ(live.world.from_peer(live.relay, "8.8.8.8:5000", std::string(65'527, 'x')).forward.via,
            Via::nobody);
}

TEST(PeerPacket, of_an_unknown_relay_or_stranger_is_dropped) {
  Live live;
  live.world.permit(live.client, "8.8.8.8:1");
  RelayId stale = live.relay;
  stale.allocation.generation += 2;
  EXPECT_EQ(live.world.from_peer(stale, "8.8.8.8:5000", "x").forward.via, Via::nobody);
  EXPECT_EQ(live.world.from_peer({}, "8.8.8.8:5000", "x").forward.via, Via::nobody);
  EXPECT_EQ(live.world.from_peer(live.relay, "9.9.9.9:5000", "x").forward.via, Via::nobody);
}

TEST(PeerPacket, is_never_answered_with_an_error) {
  Live live;
  std::array<std::uint8_t, 128> storage{};
  MessageBuilder builder(storage, MessageClass::request, Method::binding, live.world.next_id());
  const Bytes request = builder.finish();
  const Outcome outcome = live.world.from_peer(live.relay, "8.8.8.8:5000", as_text(request));
  EXPECT_EQ(outcome.forward.via, Via::nobody) << "a peer is no client";
}

TEST(PeerIcmp, reaches_the_client_as_a_data_indication) {
  struct Row {
    std::string_view from;
    std::uint8_t type, code;
    std::uint32_t error_data;
    bool relayed;
  };
  const std::vector<Row> table = {
      {"8.8.8.8:5000", 3, 3, 0, true},           {"8.8.8.8:5000", 3, 4, 1400, true},
      {"8.8.8.8:5000", 11, 0, 0, true},          {"8.8.8.8:5000", 5, 0, 0, false},
      {"8.8.8.8:5000", 8, 0, 0, false},          {"8.8.8.8:5000", 12, 0, 0, false},
      {"9.9.9.9:5000", 3, 3, 0, false},          {"[2a00:1450::5]:5000", 1, 4, 0, true},
      {"[2a00:1450::5]:5000", 2, 0, 1280, true}, {"[2a00:1450::5]:5000", 3, 0, 0, true},
      {"[2a00:1450::5]:5000", 4, 0, 0, false},   {"[2a00:1450::5]:5000", 135, 0, 0, false},
  };
  Live live;
  live.world.permit(live.client, "8.8.8.8:1");
  live.world.permit(live.client, "[2a00:1450::5]:1");
  for (const Row& row : table) {
    const Address from = address(row.from);
    const RelayId relay = from.family() == Family::ipv4 ? live.relay : live.relay_ipv6;
    Outbox effects;
    live.world.server.handle_peer_icmp(relay, from, row.type, row.code, row.error_data, live.world.now,
                                       effects);
    ASSERT_EQ(effects.size(), row.relayed ? 1U : 0U) << row.from << " type " << int{row.type};
    if (!row.relayed) continue;
    const auto answer = answer_in(effects).value();
    EXPECT_EQ(answer.message_class, MessageClass::indication);
    EXPECT_EQ(answer.method, Method::data);
    EXPECT_EQ(answer.address_in(AttributeType::xor_peer_address), from);
    EXPECT_FALSE(answer.has(AttributeType::data));
    const Message message = answer.message();
    const auto icmp = parse_icmp(message.find(AttributeType::icmp)->value).value();
    EXPECT_EQ(icmp.type, row.type);
    EXPECT_EQ(icmp.code, row.code);
    EXPECT_EQ(icmp.error_data, row.error_data);
  }
}

TEST(PeerIcmp, never_ends_anything) {
  Live live;
  live.world.bind(live.client, 0x4000, "8.8.8.8:5000");
  Outbox effects;
  for (int i = 0; i < 1000; ++i) {
    live.world.server.handle_peer_icmp(live.relay, address("8.8.8.8:5000"), 3, 3, 0, live.world.now, effects);
  }
  EXPECT_EQ(live.world.channel_data(live.client, 0x4000, "x").forward.via, Via::peer);
}

}  // namespace
}  // namespace offhook::turn::test
