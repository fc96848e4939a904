#include <gtest/gtest.h>

#include "core/turn/allocations.h"
#include "core/turn/deletion.h"
#include "core/turn/fixture.h"
#include "wire/turn/attr_lifetime.h"

namespace offhook::turn::test {
namespace {

using Lines = std::vector<std::string>;

World::Fill lifetime(std::chrono::seconds value) {
  return [value](MessageBuilder& builder) { add_lifetime(builder, value); };
}
World::Fill family(std::uint8_t value) { return raw(0x0017, std::string{static_cast<char>(value), 0, 0, 0}); }
World::Fill additional_ipv6() { return raw(0x8000, std::string{2, 0, 0, 0}); }

TEST(Refresh, extends_the_allocation) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  world.wait(599s);
  const Outcome outcome = world.ask(client, Method::refresh, lifetime(700s));
  EXPECT_EQ(described(outcome.effects, world.now.monotonic),
            (Lines{"SendToClient Refresh success", "Audit allocation_refreshed alice"}));
  EXPECT_EQ(answer_in(outcome.effects)->lifetime(), 700s);
  world.wait(700s - 1ms);
  EXPECT_EQ(world.server.allocation_count(), 1U);
  world.wait(1ms);
  EXPECT_EQ(world.server.allocation_count(), 0U);
}

TEST(Refresh, without_lifetime_gives_the_default) {
  World world;
  TestClient client = world.client();
  world.allocate(client, lifetime(3000s));
  EXPECT_EQ(answer_in(world.ask(client, Method::refresh).effects)->lifetime(), 600s);
  world.wait(600s);
  EXPECT_EQ(world.server.allocation_count(), 0U);
}

TEST(Refresh, with_malformed_attributes_is_400) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  EXPECT_EQ(world.code(client, Method::refresh, raw(0x000D, "ab")), 400);
  EXPECT_EQ(world.code(client, Method::refresh, raw(0x0017, "ab")), 400);
  EXPECT_EQ(world.server.allocation_count(), 1U);
}

TEST(Refresh, to_zero_deletes_everything) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  world.bind(client, 0x4000, "8.8.8.8:5000");
  world.bind(client, 0x4001, "8.8.8.8:5001");
  EXPECT_EQ(described(world.ask(client, Method::refresh, lifetime(0s)).effects, world.now.monotonic),
            (Lines{"SendToClient Refresh success", "RemoveRoute 16384", "RemoveRoute 16385",
                   "CloseRelaySocket ipv4", "Audit allocation_deleted alice 5.9.0.1:50000"}));
  EXPECT_EQ(world.quota.total(), 0U);
  EXPECT_TRUE(world.open_relays.empty());
  EXPECT_EQ(world.channel_data(client, 0x4000, "x").forward.via, Forward::Via::nobody);
}

TEST(Refresh, to_zero_retransmitted_gets_the_first_answer) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  const Buffer request = world.build(client, Method::refresh, lifetime(0s));
  const auto first = answer_in(world.deliver(client.client, request).effects).value();
  world.wait(39'999ms);
  const Outcome again = world.deliver(client.client, request);
  EXPECT_EQ(again.effects.size(), 1U);
  EXPECT_EQ(answer_in(again.effects)->bytes, first.bytes);
  world.wait(1ms);
  EXPECT_EQ(answer_in(world.deliver(client.client, request).effects)->error, 437);
  EXPECT_EQ(world.server.next_deadline(), kNever);
}

TEST(Refresh, a_late_copy_of_a_deletion_spares_the_next_allocation) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  const Buffer request = world.build(client, Method::refresh, lifetime(0s));
  world.deliver(client.client, request);
  EXPECT_EQ(world.allocate(client).error, 0) << "a new allocation follows at once";
  EXPECT_EQ(answer_in(world.deliver(client.client, request).effects)->error, 0);
  EXPECT_EQ(world.server.allocation_count(), 1U);
}

TEST(Refresh, a_late_copy_of_a_deleted_allocate_makes_nothing) {
  World world;
  TestClient client = world.client();
  const Buffer request = world.build(client, Method::allocate, udp());
  Outcome first = world.deliver(client.client, request);
  world.obey(first.effects);
  world.refresh(client, 0s);
  EXPECT_TRUE(world.deliver(client.client, request).effects.empty());
  EXPECT_EQ(world.server.allocation_count(), 0U);
}

TEST(Refresh, deletions_remembered_are_limited_in_number) {
  World world;
  TestClient first = world.client("198.41.0.4:10000");
  world.allocate(first);
  const Buffer oldest = world.build(first, Method::refresh, lifetime(0s));
  world.deliver(first.client, oldest);
  for (std::size_t i = 0; i < kDeletionsLimit; ++i) {
    TestClient client = world.client("198.41.0.4:" + std::to_string(10'001 + i));
    world.allocate(client);
    ASSERT_EQ(world.refresh(client, 0s), 0);
  }
  EXPECT_EQ(world.server.broken_invariant(), "");
  EXPECT_EQ(answer_in(world.deliver(first.client, oldest).effects)->error, 437);
  world.wait(40s);
  EXPECT_EQ(world.server.next_deadline(), kNever);
}

TEST(Refresh, of_another_family_is_443) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  EXPECT_EQ(world.code(client, Method::refresh, family(2)), 443);
  EXPECT_EQ(world.code(client, Method::refresh, family(7)), 443);
  EXPECT_EQ(world.code(client, Method::refresh, all({family(2), lifetime(0s)})), 443);
  EXPECT_EQ(world.code(client, Method::refresh, family(1)), 0);
}

TEST(Refresh, one_family_to_zero_keeps_the_other) {
  World world;
  TestClient client = world.client();
  world.allocate(client, additional_ipv6());
  world.bind(client, 0x4000, "8.8.8.8:5000");
  world.bind(client, 0x4001, "[2a00:1450::5]:5000");
  const Buffer request = world.build(client, Method::refresh, all({family(2), lifetime(0s)}));
  Outcome outcome = world.deliver(client.client, request);
  EXPECT_EQ(described(outcome.effects, world.now.monotonic),
            (Lines{"SendToClient Refresh success", "RemoveRoute 16385", "CloseRelaySocket ipv6"}));
  world.obey(outcome.effects);
  EXPECT_EQ(described(world.deliver(client.client, request).effects, world.now.monotonic),
            (Lines{"SendToClient Refresh success"}))
      << "a late copy";
  EXPECT_EQ(world.server.broken_invariant(), "");
  EXPECT_EQ(world.channel_data(client, 0x4000, "x").forward.via, Forward::Via::peer);
  EXPECT_EQ(world.channel_data(client, 0x4001, "x").forward.via, Forward::Via::nobody);
  EXPECT_EQ(world.permit(client, "[2a00:1450::5]:5000"), 443);
  EXPECT_EQ(world.code(client, Method::refresh, family(2)), 443) << "what is gone cannot be extended";
  EXPECT_EQ(world.code(client, Method::refresh, all({family(2), lifetime(600s)})), 443);
  EXPECT_EQ(world.code(client, Method::refresh, family(1)), 0);
  EXPECT_EQ(world.code(client, Method::refresh, all({family(1), lifetime(0s)})), 0);
  EXPECT_EQ(world.server.allocation_count(), 0U) << "the last one";
}

TEST(NoAllocation, every_request_but_allocate_is_437) {
  World world;
  TestClient client = world.client();
  EXPECT_EQ(world.refresh(client, 600s), 437);
  EXPECT_EQ(world.refresh(client, 0s), 437);
  EXPECT_EQ(world.permit(client, "8.8.8.8:5000"), 437);
  EXPECT_EQ(world.bind(client, 0x4000, "8.8.8.8:5000"), 437);
  EXPECT_EQ(world.code(client, Method::create_permission), 437);
  EXPECT_EQ(world.send(client, "8.8.8.8:5000", "x").forward.via, Forward::Via::nobody);
  EXPECT_EQ(world.channel_data(client, 0x4000, "x").forward.via, Forward::Via::nobody);
}

TEST(Expiry, is_seen_before_the_deadline_is_handled) {
  World world;
  TestClient client = world.client();
  const Answer answer = world.allocate(client);
  const RelayId relay = world.relay_of(answer.address_in(AttributeType::xor_relayed_address));
  world.bind(client, 0x4000, "8.8.8.8:5000");
  world.now.monotonic += 600s;  // and handle_deadlines has not run
  EXPECT_EQ(world.send(client, "8.8.8.8:5000", "x").forward.via, Forward::Via::nobody);
  EXPECT_EQ(world.channel_data(client, 0x4000, "x").forward.via, Forward::Via::nobody);
  EXPECT_EQ(world.from_peer(relay, "8.8.8.8:5000", "x").forward.via, Forward::Via::nobody);
  EXPECT_EQ(described(world.ask(client, Method::refresh).effects, world.now.monotonic),
            (Lines{"RemoveRoute 16384", "CloseRelaySocket ipv4",
                   "Audit allocation_expired alice 5.9.0.1:50000", "SendToClient Refresh 437"}));
  EXPECT_EQ(world.allocate(client).error, 0);
}

TEST(Expiry, of_an_allocation_whose_relay_never_opened) {
  World world;
  world.relays_stay_opening = true;
  TestClient client = world.client();
  const Outcome opening = world.ask(client, Method::allocate, udp());
  EXPECT_EQ(described(world.wait(600s), world.now.monotonic), (Lines{"Audit allocation_expired alice"}));
  EXPECT_EQ(world.quota.total(), 0U);
  Outbox late;
  const RelayId relay = std::get<OpenRelaySocket>(opening.effects.at(0)).relay;
  world.server.handle_relay_opened(relay, address("5.9.0.1:50000"), world.now, late);
  EXPECT_EQ(described(late, world.now.monotonic), (Lines{"CloseRelaySocket ipv4"}));
  late.clear();
  world.server.handle_relay_failed(relay, Server::RelayFailure::no_port_free, world.now, late);
  EXPECT_TRUE(late.empty());
}

TEST(ClientClosed, ends_the_allocation_of_its_stream) {
  World world;
  TestClient client = world.client("198.41.0.4:40000", Transport::tcp);
  world.allocate(client);
  Outbox effects;
  Client newer = client.client;
  newer.handle += 1;
  world.server.handle_client_closed(newer, world.now, effects);
  EXPECT_TRUE(effects.empty()) << "another connection";
  world.server.handle_client_closed(client.client, world.now, effects);
  EXPECT_EQ(described(effects, world.now.monotonic),
            (Lines{"CloseRelaySocket ipv4", "Audit allocation_deleted alice 5.9.0.1:50000"}));
  effects.clear();
  world.server.handle_client_closed(client.client, world.now, effects);
  EXPECT_TRUE(effects.empty());
}

TEST(ClientClosed, is_implied_by_a_newer_stream_of_the_same_five_tuple) {
  World world;
  TestClient client = world.client("198.41.0.4:40000", Transport::tcp);
  world.allocate(client);
  client.client.handle += 1;
  EXPECT_EQ(
      described(world.ask(client, Method::allocate, udp()).effects, world.now.monotonic),
      (Lines{"CloseRelaySocket ipv4", "Audit allocation_deleted alice 5.9.0.1:50000", "OpenRelaySocket ipv4",
             "SendToClient Allocate success", "Audit allocation_created alice 5.9.0.1:50001"}));
}

TEST(Revoke, ends_all_allocations_of_a_name_or_user) {
  World world;
  world.credentials.users["1700003600:carol"] = {{"a"}, "carol"};
  TestClient carol = world.client("198.41.0.4:40001");
  carol.username = "1700003600:carol";
  carol.password = "a";
  TestClient alice = world.client();
  TestClient alice_again = world.client("198.41.0.4:40002");
  for (TestClient* client : {&carol, &alice, &alice_again}) world.allocate(*client);
  world.server.revoke("alice", world.now);
  EXPECT_EQ(described(world.wait(0s), world.now.monotonic),
            (Lines{"CloseRelaySocket ipv4", "Audit allocation_deleted alice 5.9.0.1:50001",
                   "CloseRelaySocket ipv4", "Audit allocation_deleted alice 5.9.0.1:50002"}));
  EXPECT_EQ(world.server.allocation_count(), 1U);
  world.server.revoke("carol", world.now);
  world.wait(0s);
  EXPECT_EQ(world.server.allocation_count(), 0U);
  EXPECT_EQ(world.quota.total(), 0U);
}

TEST(Revoke, stops_what_passes_before_anything_is_closed) {
  World world;
  TestClient client = world.client();
  const Answer answer = world.allocate(client);
  const RelayId relay = world.relay_of(answer.address_in(AttributeType::xor_relayed_address));
  world.bind(client, 0x4000, "8.8.8.8:5000");
  world.server.revoke("alice", world.now);
  EXPECT_LE(world.server.next_deadline(), world.now.monotonic);
  EXPECT_EQ(world.channel_data(client, 0x4000, "x").forward.via, Forward::Via::nobody);
  EXPECT_EQ(world.send(client, "8.8.8.8:5000", "x").forward.via, Forward::Via::nobody);
  EXPECT_EQ(world.from_peer(relay, "8.8.8.8:5000", "x").forward.via, Forward::Via::nobody);
  EXPECT_EQ(described(world.ask(client, Method::refresh).effects, world.now.monotonic),
            (Lines{"RemoveRoute 16384", "CloseRelaySocket ipv4",
                   "Audit allocation_deleted alice 5.9.0.1:50000", "SendToClient Refresh 437"}));
}

TEST(Revoke, reaches_an_allocation_whose_relay_opens_later) {
  World world;
  world.relays_stay_opening = true;
  TestClient client = world.client();
  const Outcome opening = world.ask(client, Method::allocate, udp());
  world.server.revoke("alice", world.now);
  Outbox late;
  world.server.handle_relay_opened(std::get<OpenRelaySocket>(opening.effects.at(0)).relay,
                                   address("5.9.0.1:50000"), world.now, late);
  EXPECT_EQ(described(late, world.now.monotonic),
            (Lines{"Audit allocation_deleted alice", "CloseRelaySocket ipv4"}));
  EXPECT_EQ(world.server.allocation_count(), 0U);
}

// A thousand allocations with the same deadline, ended by `end`.
void expect_bounded_turns(const std::function<void(World&)>& end) {
  World world;
  world.next_port = 20'000;
  for (int i = 0; i < 1000; ++i) {
    TestClient client = world.client("198.41.0.4:" + std::to_string(10'000 + i));
    ASSERT_EQ(world.allocate(client).error, 0);
  }
  end(world);
  std::size_t left = 1000;
  while (left > 0) {
    ASSERT_LE(world.server.next_deadline(), world.now.monotonic) << "the loop comes back at once";
    Outbox effects;
    world.server.handle_deadlines(world.now, effects);
    left -= std::min(left, kDeadlinesLimit);
    ASSERT_EQ(world.server.allocation_count(), left);
    ASSERT_EQ(world.server.broken_invariant(), "");
  }
  EXPECT_EQ(world.server.next_deadline(), kNever);
}

TEST(Turn, ends_a_bounded_number_of_allocations) {
  expect_bounded_turns([](World& world) { world.now.monotonic += 600s; });
  expect_bounded_turns([](World& world) { world.server.revoke("alice", world.now); });
}

TEST(Turn, forgets_a_bounded_number_of_deletions) {
  World world;
  for (std::size_t i = 0; i < kDeadlinesLimit + 1; ++i) {
    TestClient client = world.client("198.41.0.4:" + std::to_string(10'000 + i));
    world.allocate(client);
    ASSERT_EQ(world.refresh(client, 0s), 0);
  }
  world.now.monotonic += 40s;
  Outbox effects;
  world.server.handle_deadlines(world.now, effects);
  EXPECT_LE(world.server.next_deadline(), world.now.monotonic);
  world.server.handle_deadlines(world.now, effects);
  EXPECT_EQ(world.server.next_deadline(), kNever);
}

}  // namespace
}  // namespace offhook::turn::test
