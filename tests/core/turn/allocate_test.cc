#include <gtest/gtest.h>

#include "core/turn/fixture.h"
#include "core/turn/reservation.h"
#include "wire/turn/attr_additional_address_family.h"
#include "wire/turn/attr_address_error_code.h"
#include "wire/turn/attr_dont_fragment.h"
#include "wire/turn/attr_even_port.h"
#include "wire/turn/attr_lifetime.h"
#include "wire/turn/attr_requested_address_family.h"
#include "wire/turn/attr_requested_transport.h"
#include "wire/turn/attr_reservation_token.h"

namespace offhook::turn::test {
namespace {

using Lines = std::vector<std::string>;

World::Fill family(std::uint8_t value) { return raw(0x0017, std::string{static_cast<char>(value), 0, 0, 0}); }
World::Fill additional(std::uint8_t value) {
  return raw(0x8000, std::string{static_cast<char>(value), 0, 0, 0});
}
World::Fill even_port(bool reserve_next) {
  return [reserve_next](MessageBuilder& builder) { add_even_port(builder, {reserve_next}); };
}
World::Fill token(const ReservationToken& value) {
  return [value](MessageBuilder& builder) { add_reservation_token(builder, value); };
}
World::Fill lifetime(std::chrono::seconds value) {
  return [value](MessageBuilder& builder) { add_lifetime(builder, value); };
}

TEST(Allocate, opens_a_relay_and_tells_its_address) {
  World world;
  TestClient client = world.client();
  const Outcome outcome = world.ask(client, Method::allocate, udp());
  EXPECT_EQ(described(outcome.effects, world.now.monotonic),
            (Lines{"OpenRelaySocket ipv4", "SendToClient Allocate success",
                   "Audit allocation_created alice 5.9.0.1:50000"}));
  const Answer answer = answer_in(outcome.effects).value();
  EXPECT_EQ(answer.address_in(AttributeType::xor_relayed_address), address("5.9.0.1:50000"));
  EXPECT_EQ(answer.address_in(AttributeType::xor_mapped_address), address("198.41.0.4:40000"));
  EXPECT_EQ(answer.lifetime(), 600s);
  EXPECT_FALSE(answer.has(AttributeType::reservation_token));
  EXPECT_TRUE(answer.message().verify_integrity(client.key()));
  EXPECT_EQ(world.quota.total(), 1U);
  EXPECT_EQ(world.server.broken_invariant(), "");
}

TEST(Allocate, tells_the_listen_address_to_the_service) {
  World world;
  world.relays_stay_opening = true;
  TestClient client = world.client("[2a00:1450::5]:40000");
  const Outcome outcome = world.ask(client, Method::allocate, udp());
  EXPECT_EQ(std::get<OpenRelaySocket>(outcome.effects.at(0)).listen_address, address("[2a01:4f8::1]:3478"));
}

TEST(Allocate, without_family_means_ipv4_whatever_the_listener) {
  World world;
  TestClient client = world.client("[2a00:1450::5]:40000");
  EXPECT_EQ(world.allocate(client).address_in(AttributeType::xor_relayed_address).family(), Family::ipv4);
}

TEST(Allocate, by_requested_family) {
  World world;
  TestClient client = world.client();
  EXPECT_EQ(world.allocate(client, family(2)).address_in(AttributeType::xor_relayed_address),
            address("[2a01:4f8::1]:50000"));
  TestClient other = world.client("198.41.0.4:40001");
  EXPECT_EQ(world.allocate(other, family(1)).address_in(AttributeType::xor_relayed_address).family(),
            Family::ipv4);
}

TEST(Allocate, answers_the_external_address) {
  Settings settings;
  settings.external_addresses = {{ip("5.9.0.1"), ip("9.9.9.9")}};
  World world(settings);
  TestClient client = world.client();
  EXPECT_EQ(world.allocate(client).address_in(AttributeType::xor_relayed_address), address("9.9.9.9:50000"));
}

struct Refused {
  const char* name;
  World::Fill fill;
  int code;
};

TEST(Allocate, refuses_what_the_rfc_forbids) {
  const ReservationToken any{};
  const std::vector<Refused> table = {
      {"no REQUESTED-TRANSPORT", nothing(), 400},
      {"short REQUESTED-TRANSPORT", raw(0x0019, "\x11"), 400},
      {"TCP towards peers", raw(0x0019, std::string("\x06\0\0\0", 4)), 442},
      {"unknown family", all({udp(), family(5)}), 440},
      {"family zero", all({udp(), family(0)}), 440},
      {"short family", all({udp(), raw(0x0017, "\x01")}), 400},
      {"both family attributes", all({udp(), family(1), additional(2)}), 400},
      {"ADDITIONAL-ADDRESS-FAMILY IPv4", all({udp(), additional(1)}), 400},
      {"ADDITIONAL-ADDRESS-FAMILY unknown", all({udp(), additional(9)}), 400},
      {"ADDITIONAL-ADDRESS-FAMILY with token", all({udp(), additional(2), token(any)}), 400},
      {"ADDITIONAL-ADDRESS-FAMILY with EVEN-PORT R", all({udp(), additional(2), even_port(true)}), 400},
      {"token with EVEN-PORT", all({udp(), token(any), even_port(false)}), 400},
      {"token with family", all({udp(), token(any), family(1)}), 400},
      {"unknown token", all({udp(), token(any)}), 508},
      {"short token", all({udp(), raw(0x0022, "1234")}), 400},
      {"long EVEN-PORT", all({udp(), raw(0x0018, "ab")}), 400},
      {"short LIFETIME", all({udp(), raw(0x000D, "ab")}), 400},
      {"DONT-FRAGMENT with value", all({udp(), raw(0x001A, "a")}), 400},
      {"unknown attribute", all({udp(), raw(0x7FFF, "")}), 420},
  };
  World world;
  TestClient client = world.client();
  for (const Refused& row : table) {
    const auto answer = answer_in(world.ask(client, Method::allocate, row.fill).effects);
    ASSERT_TRUE(answer) << row.name;
    EXPECT_EQ(answer->error, row.code) << row.name;
    EXPECT_TRUE(answer->message().verify_integrity(client.key())) << row.name;
    EXPECT_EQ(world.server.allocation_count(), 0U) << row.name;
    EXPECT_EQ(world.quota.total(), 0U) << row.name;
    EXPECT_EQ(world.server.broken_invariant(), "") << row.name;
  }
  EXPECT_EQ(world.server.next_deadline(), kNever);
}

TEST(Allocate, accepts_dont_fragment) {
  World world;
  TestClient client = world.client();
  EXPECT_EQ(world.allocate(client, [](MessageBuilder& builder) { add_dont_fragment(builder); }).error, 0);
}

TEST(Allocate, grants_a_lifetime_between_default_and_limit) {
  struct Row {
    std::chrono::seconds wanted, granted;
  };
  for (const Row row : {Row{0s, 600s}, Row{1s, 600s}, Row{600s, 600s}, Row{601s, 601s}, Row{3600s, 3600s},
                        Row{3601s, 3600s}, Row{4294967295s, 3600s}}) {
    World world;
    TestClient client = world.client();
    EXPECT_EQ(world.allocate(client, lifetime(row.wanted)).lifetime(), row.granted);
    world.wait(row.granted - 1ms);
    EXPECT_EQ(world.server.allocation_count(), 1U);
    EXPECT_EQ(described(world.wait(1ms), world.now.monotonic),
              (Lines{"CloseRelaySocket ipv4", "Audit allocation_expired alice 5.9.0.1:50000"}));
    EXPECT_EQ(world.server.allocation_count(), 0U);
    EXPECT_EQ(world.quota.total(), 0U);
    EXPECT_EQ(world.server.next_deadline(), kNever);
  }
}

TEST(Allocate, a_retransmission_gets_the_first_answer_byte_for_byte) {
  World world;
  TestClient client = world.client();
  const Buffer request = world.build(client, Method::allocate, udp());
  Outcome first = world.deliver(client.client, request);
  world.obey(first.effects);
  for (int i = 0; i < 7; ++i) {
    world.wait(500ms);
    const Outcome again = world.deliver(client.client, request);
    ASSERT_EQ(again.effects.size(), 1U);
    EXPECT_EQ(answer_in(again.effects).value().bytes, answer_in(first.effects).value().bytes);
  }
  EXPECT_EQ(world.server.allocation_count(), 1U);
  EXPECT_EQ(world.quota.total(), 1U);
}

TEST(Allocate, a_retransmission_while_relays_open_is_met_with_silence) {
  World world;
  world.relays_stay_opening = true;
  TestClient client = world.client();
  const Buffer request = world.build(client, Method::allocate, udp());
  const Outcome first = world.deliver(client.client, request);
  EXPECT_EQ(described(first.effects, world.now.monotonic), (Lines{"OpenRelaySocket ipv4"}));
  EXPECT_TRUE(world.deliver(client.client, request).effects.empty());
  EXPECT_EQ(world.permit(client, "8.8.8.8:5000"), 437) << "there is no allocation yet";
  EXPECT_EQ(world.refresh(client, 600s), 437);
  Outbox late;
  world.server.handle_relay_opened(std::get<OpenRelaySocket>(first.effects[0]).relay,
                                   address("5.9.0.1:50000"), world.now, late);
  EXPECT_EQ(answer_in(late).value().error, 0);
}

TEST(Allocate, with_another_transaction_id_on_a_used_five_tuple_is_437) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  EXPECT_EQ(world.code(client, Method::allocate, udp()), 437);
  EXPECT_EQ(world.code(client, Method::allocate, nothing()), 437) << "the mismatch comes before other faults";
  client.client.five_tuple.transport = Transport::tcp;
  EXPECT_EQ(world.allocate(client).error, 0) << "TCP is another five-tuple";
}

TEST(Allocate, beyond_the_quota_is_486) {
  World world;
  world.quota.limit = 2;
  TestClient one = world.client("198.41.0.4:40001");
  TestClient two = world.client("198.41.0.4:40002");
  TestClient three = world.client("198.41.0.4:40003");
  world.allocate(one);
  world.allocate(two);
  EXPECT_EQ(described(world.ask(three, Method::allocate, udp()).effects, world.now.monotonic),
            (Lines{"SendToClient Allocate 486", "Audit quota_refused alice"}));
  world.refresh(one, 0s);
  EXPECT_EQ(world.allocate(three).error, 0);
}

TEST(Allocate, beyond_the_quota_of_all_users_is_508) {
  World world;
  world.quota.total_limit = 1;
  TestClient alice = world.client("198.41.0.4:40001");
  world.allocate(alice);
  TestClient bob = world.client("198.41.0.4:40002");
  bob.username = "bob";
  bob.password = "hunter2";
  EXPECT_EQ(described(world.ask(bob, Method::allocate, udp()).effects, world.now.monotonic),
            (Lines{"SendToClient Allocate 508", "Audit capacity_refused bob"}));
  EXPECT_EQ(world.server.allocation_count(), 1U);
}

TEST(Allocate, quota_counts_the_user_behind_ephemeral_names) {
  World world;
  world.credentials.users["1700003600:carol"] = {{"a"}, "carol"};
  world.credentials.users["1700007200:carol"] = {{"b"}, "carol"};
  world.quota.limit = 1;
  TestClient one = world.client("198.41.0.4:40001");
  one.username = "1700003600:carol";
  one.password = "a";
  TestClient two = world.client("198.41.0.4:40002");
  two.username = "1700007200:carol";
  two.password = "b";
  EXPECT_EQ(world.allocate(one).error, 0);
  EXPECT_EQ(world.code(two, Method::allocate, udp()), 486);
}

TEST(Allocate, says_why_no_relay_opened) {
  struct Row {
    Server::RelayFailure failure;
    int code;
    Lines audits;
  };
  for (const Row& row : {Row{Server::RelayFailure::no_port_free, 508, {"Audit capacity_refused alice"}},
                         Row{Server::RelayFailure::family_not_supported, 440, {}}}) {
    World world;
    TestClient client = world.client();
    world.next_failure = row.failure;
    const Outcome outcome = world.ask(client, Method::allocate, all({udp(), family(2)}));
    Lines expected = {"OpenRelaySocket ipv6", "SendToClient Allocate " + std::to_string(row.code)};
    expected.insert(expected.end(), row.audits.begin(), row.audits.end());
    EXPECT_EQ(described(outcome.effects, world.now.monotonic), expected);
    EXPECT_TRUE(answer_in(outcome.effects)->message().verify_integrity(client.key()));
    EXPECT_EQ(world.quota.total(), 0U);
    EXPECT_EQ(world.server.allocation_count(), 0U);
    world.next_failure.reset();
    EXPECT_EQ(world.allocate(client).error, 0) << "the five-tuple is free again";
  }
}

TEST(DualAllocate, answers_both_addresses_once_both_are_open) {
  World world;
  TestClient client = world.client();
  const Outcome outcome = world.ask(client, Method::allocate, all({udp(), additional(2)}));
  EXPECT_EQ(described(outcome.effects, world.now.monotonic),
            (Lines{"OpenRelaySocket ipv4", "OpenRelaySocket ipv6", "SendToClient Allocate success",
                   "Audit allocation_created alice 5.9.0.1:50000"}));
  const Message message = answer_in(outcome.effects)->message();
  std::size_t relayed = 0;
  for (const auto& attribute : message.attributes()) relayed += attribute.type == 0x0016 ? 1 : 0;
  EXPECT_EQ(relayed, 2U);
  EXPECT_EQ(world.permit(client, "8.8.8.8:5000"), 0);
  EXPECT_EQ(world.permit(client, "[2a00:1450::5]:5000"), 0);
  EXPECT_EQ(world.quota.total(), 1U) << "one allocation";
}

TEST(DualAllocate, one_failing_family_is_named_and_the_other_works) {
  for (const Family failing : {Family::ipv4, Family::ipv6}) {
    World world;
    world.next_failure = Server::RelayFailure::no_port_free;
    world.failing_family = failing;
    TestClient client = world.client();
    const Answer answer = world.allocate(client, additional(2));
    EXPECT_EQ(answer.error, 0);
    EXPECT_NE(answer.address_in(AttributeType::xor_relayed_address).family(), failing);
    const Message message = answer.message();
    const auto error =
        parse_address_error_code(message.find(AttributeType::address_error_code)->value).value();
    EXPECT_EQ(error.family, failing);
    EXPECT_EQ(error.number, 508);
    const bool ipv4_failed = failing == Family::ipv4;
    EXPECT_EQ(world.permit(client, "8.8.8.8:5000"), ipv4_failed ? 443 : 0);
    EXPECT_EQ(world.permit(client, "[2a00:1450::5]:5000"), ipv4_failed ? 0 : 443);
  }
}

TEST(DualAllocate, both_failing_is_508_whatever_for) {
  for (const auto failure :
       {Server::RelayFailure::no_port_free, Server::RelayFailure::family_not_supported}) {
    World world;
    world.next_failure = failure;
    TestClient client = world.client();
    EXPECT_EQ(world.allocate(client, additional(2)).error, 508);
    EXPECT_EQ(world.quota.total(), 0U);
  }
}

TEST(ServerError, is_the_answer_where_the_service_opens_another_family) {
  World world;
  world.relays_stay_opening = true;
  TestClient client = world.client();
  const Outcome opening = world.ask(client, Method::allocate, all({udp(), even_port(true)}));
  Outbox effects;
  world.server.handle_relay_opened(std::get<OpenRelaySocket>(opening.effects.at(0)).relay,
                                   address("[2a01:4f8::1]:50000"), world.now, effects);
  EXPECT_EQ(described(effects, world.now.monotonic),
            (Lines{"CloseRelaySocket ipv4", "ReleaseReservation", "SendToClient Allocate 500"}));
  EXPECT_EQ(world.server.allocation_count(), 0U);
  EXPECT_EQ(world.quota.total(), 0U);
}

TEST(ServerError, of_one_family_leaves_the_other) {
  World world;
  world.relays_stay_opening = true;
  TestClient client = world.client();
  const Outcome opening = world.ask(client, Method::allocate, all({udp(), additional(2)}));
  Outbox effects;
  world.server.handle_relay_opened(std::get<OpenRelaySocket>(opening.effects.at(0)).relay,
                                   address("5.9.0.1:50000"), world.now, effects);
  world.server.handle_relay_opened(std::get<OpenRelaySocket>(opening.effects.at(1)).relay,
                                   address("5.9.0.1:50001"), world.now, effects);
  const Answer answer = answer_in(effects).value();
  EXPECT_EQ(answer.error, 0);
  const Message message = answer.message();
  const auto error = parse_address_error_code(message.find(AttributeType::address_error_code)->value).value();
  EXPECT_EQ(error.family, Family::ipv6);
  EXPECT_EQ(error.number, 508);
  EXPECT_EQ(world.server.broken_invariant(), "");
}

ReservationToken token_in(const Answer& answer) {
  const Message message = answer.message();
  return parse_reservation_token(message.find(AttributeType::reservation_token)->value).value();
}

TEST(Reservation, holds_the_next_port_for_its_token) {
  World world;
  TestClient client = world.client();
  const Answer answer = world.allocate(client, even_port(true));
  EXPECT_EQ(answer.address_in(AttributeType::xor_relayed_address).port % 2, 0);
  const ReservationToken held = token_in(answer);
  TestClient second = world.client("198.41.0.4:40001");
  const Outcome claim = world.ask(second, Method::allocate, all({udp(), token(held)}));
  EXPECT_EQ(described(claim.effects, world.now.monotonic).at(0), "ClaimReservation ipv4");
  EXPECT_EQ(answer_in(claim.effects)->address_in(AttributeType::xor_relayed_address).port,
            answer.address_in(AttributeType::xor_relayed_address).port + 1);
  TestClient third = world.client("198.41.0.4:40002");
  EXPECT_EQ(world.code(third, Method::allocate, all({udp(), token(held)})), 508) << "claimed once";
}

TEST(Reservation, of_ipv6_is_claimed_as_ipv6) {
  World world;
  TestClient client = world.client();
  const ReservationToken held = token_in(world.allocate(client, all({family(2), even_port(true)})));
  TestClient second = world.client("198.41.0.4:40001");
  EXPECT_EQ(world.allocate(second, token(held)).address_in(AttributeType::xor_relayed_address),
            address("[2a01:4f8::1]:50001"));
}

TEST(Reservation, is_released_after_30_seconds) {
  World world;
  TestClient client = world.client();
  world.allocate(client, even_port(true));
  EXPECT_EQ(world.refresh(client, 0s), 0) << "it outlives its allocation";
  EXPECT_TRUE(world.wait(29'999ms).empty());
  EXPECT_EQ(described(world.wait(1ms), world.now.monotonic), (Lines{"ReleaseReservation"}));
  EXPECT_TRUE(world.reserved.empty());
}

TEST(Reservation, even_port_alone_reserves_nothing) {
  World world;
  world.next_port = 50'001;
  TestClient client = world.client();
  const Answer answer = world.allocate(client, even_port(false));
  EXPECT_EQ(answer.address_in(AttributeType::xor_relayed_address).port, 50'002);
  EXPECT_FALSE(answer.has(AttributeType::reservation_token));
  EXPECT_TRUE(world.reserved.empty());
}

TEST(Reservation, of_an_opening_that_failed_is_forgotten) {
  World world;
  world.next_failure = Server::RelayFailure::no_port_free;
  TestClient client = world.client();
  EXPECT_EQ(world.allocate(client, even_port(true)).error, 508);
  EXPECT_EQ(world.server.next_deadline(), kNever);
}

TEST(Reservation, of_an_allocation_that_ended_while_opening_is_released) {
  World world;
  world.relays_stay_opening = true;
  TestClient client = world.client();
  const Outcome opening = world.ask(client, Method::allocate, all({udp(), even_port(true)}));
  EXPECT_EQ(world.refresh(client, 0s), 0);
  EXPECT_EQ(world.quota.total(), 0U);
  Outbox late;
  world.server.handle_relay_opened(std::get<OpenRelaySocket>(opening.effects.at(0)).relay,
                                   address("5.9.0.1:50000"), world.now, late);
  EXPECT_EQ(described(late, world.now.monotonic), (Lines{"CloseRelaySocket ipv4", "ReleaseReservation"}));
}

TEST(Reservation, is_limited_in_number) {
  World world;
  TestClient client = world.client();
  client.nonce = world.fetch_nonce(client);
  for (std::size_t i = 0; i < kReservationsLimit; ++i) {
    client.username = "user" + std::to_string(i / kUserReservationsLimit);
    world.credentials.users[client.username] = {{"secret"}, client.username};
    ASSERT_EQ(world.allocate(client, even_port(true)).error, 0);
    ASSERT_EQ(world.refresh(client, 0s), 0);
  }
  client.username = "alice";
  EXPECT_EQ(world.code(client, Method::allocate, all({udp(), even_port(true)})), 508);
  EXPECT_EQ(world.quota.total(), 0U);
  EXPECT_EQ(world.allocate(client, even_port(false)).error, 0);
  world.wait(30s);
  EXPECT_TRUE(world.reserved.empty());
}

TEST(Reservation, of_one_user_is_limited_in_number) {
  World world;
  TestClient client = world.client();
  std::vector<ReservationToken> held;
  for (std::size_t i = 0; i < kUserReservationsLimit; ++i) {
    const Answer answer = world.allocate(client, even_port(true));
    ASSERT_EQ(answer.error, 0);
    held.push_back(token_in(answer));
    ASSERT_EQ(world.refresh(client, 0s), 0);
  }
  EXPECT_EQ(described(world.ask(client, Method::allocate, all({udp(), even_port(true)})).effects,
                      world.now.monotonic),
            (Lines{"SendToClient Allocate 508", "Audit capacity_refused alice"}));
  EXPECT_EQ(world.quota.total(), 0U);
  TestClient bob = world.client("198.41.0.4:40001");
  bob.username = "bob";
  bob.password = "hunter2";
  EXPECT_EQ(world.allocate(bob, even_port(true)).error, 0) << "others have their own";
  TestClient claimer = world.client("198.41.0.4:40002");
  EXPECT_EQ(world.allocate(claimer, token(held[0])).error, 0);
  EXPECT_EQ(world.server.broken_invariant(), "");
  EXPECT_EQ(world.allocate(client, even_port(true)).error, 0) << "what is claimed is no reservation any more";
}

}  // namespace
}  // namespace offhook::turn::test
