#include <gtest/gtest.h>

#include "core/turn/fixture.h"
#include "core/turn/reply.h"
#include "wire/stun/attr_mapped_address.h"
#include "wire/turn/attr_lifetime.h"

namespace offhook::turn::test {
namespace {

World::Fill lifetime(std::chrono::seconds value) {
  return [value](MessageBuilder& builder) { add_lifetime(builder, value); };
}
World::Fill channel(std::uint16_t number, std::string_view to) {
  return all(
      {raw(0x000C, std::string{static_cast<char>(number >> 8), static_cast<char>(number), 0, 0}), peer(to)});
}

struct Golden {
  const char* name;
  Method method;
  World::Fill fill;
  Protect protect;
  bool has_allocation;
  int code;
  std::size_t bytes;
  KeyOf algorithm = KeyOf::md5;
};

TEST(ReplySize, is_what_the_table_says) {
  const std::vector<Golden> table = {
      {"Binding", Method::binding, nothing(), Protect::nothing, false, 0, 32},
      {"challenge", Method::allocate, udp(), Protect::nothing, false, 401, 84},
      {"challenge to a bare header", Method::refresh, nothing(), Protect::nothing, false, 401, 84},
      {"Allocate", Method::allocate, udp(), Protect::sha1, false, 0, 20 + 12 + 8 + 12 + 24},
      {"Allocate with password algorithm", Method::allocate, udp(), Protect::sha256, false, 0,
       20 + 12 + 8 + 12 + 36, KeyOf::sha256},
      {"Refresh", Method::refresh, nothing(), Protect::sha1, true, 0, 20 + 8 + 24},
      {"CreatePermission", Method::create_permission, peer("8.8.8.8:5000"), Protect::sha1, true, 0, 44},
      {"ChannelBind", Method::channel_bind, channel(0x4000, "8.8.8.8:5000"), Protect::sha1, true, 0, 44},
      {"437 has a reason, for its receiver is known", Method::refresh, nothing(), Protect::sha1, false, 437,
       20 + 4 + 4 + 20 + 24},
  };
  for (const Golden& row : table) {
    World world;
    TestClient client = world.client();
    if (row.has_allocation) world.allocate(client);
    client.protect = row.protect;
    client.algorithm = row.algorithm;
    const Buffer request = world.build(client, row.method, row.fill);
    Outcome outcome = world.deliver(client.client, request);
    world.obey(outcome.effects);
    const auto answer = answer_in(outcome.effects);
    ASSERT_TRUE(answer) << row.name;
    EXPECT_EQ(answer->error, row.code) << row.name;
    EXPECT_EQ(answer->bytes.size(), row.bytes) << row.name;
    EXPECT_FALSE(answer->has(AttributeType::software)) << row.name;
  }
}

TEST(ReplySize, of_420_to_strangers_is_below_the_request) {
  World world;
  TestClient client = world.client();
  client.protect = Protect::nothing;
  std::vector<World::Fill> unknown;
  for (std::uint16_t i = 0; i < 40; ++i) unknown.push_back(raw(static_cast<std::uint16_t>(0x7000 + i), ""));
  const Buffer request = world.build(client, Method::binding, all(unknown));
  const auto answer = answer_in(world.deliver(client.client, request).effects).value();
  EXPECT_EQ(answer.error, 420);
  EXPECT_LE(answer.bytes.size(), request.size());
}

TEST(Reply, that_does_not_fit_is_500) {
  const PlainCredentials credentials;
  const Authentication authentication({}, credentials);
  const Replies replies(authentication);
  for (const Integrity integrity : {Integrity::none, Integrity::message_integrity_sha256}) {
    ReplyTo to;
    to.method = Method::allocate;
    to.integrity = integrity;
    to.has_fingerprint = true;
    const Buffer answer = replies.success(to, raw(0x8022, std::string(1490, 'x')));
    EXPECT_EQ(answer_in({SendToClient{{}, answer}}).value().error, 500);
  }
}

TEST(TryAlternate, turns_new_allocations_away_to_a_server_of_the_clients_family) {
  Settings settings;
  settings.alternate_servers = {address("[2a01:4f8::99]:3478"), address("5.9.0.99:3479")};
  World world(settings);
  TestClient over_ipv4 = world.client("198.41.0.4:40000");
  TestClient over_ipv6 = world.client("[2a00:1450::5]:40000");
  const std::vector<std::pair<TestClient*, std::string>> table = {{&over_ipv4, "5.9.0.99:3479"},
                                                                  {&over_ipv6, "[2a01:4f8::99]:3478"}};
  for (const auto& [client, alternate] : table) {
    const Answer answer = answer_in(world.ask(*client, Method::allocate, udp()).effects).value();
    EXPECT_EQ(answer.error, 300);
    const Message message = answer.message();
    const stun::Attribute* server = message.find(AttributeType::alternate_server);
    ASSERT_NE(server, nullptr);
    EXPECT_EQ(stun::parse_mapped_address(server->value), address(alternate));
    EXPECT_TRUE(answer.message().verify_integrity(client->key())) << "else anybody could lead clients away";
  }
  EXPECT_EQ(world.server.allocation_count(), 0U);
  EXPECT_EQ(world.quota.total(), 0U);
}

TEST(TryAlternate, is_for_new_allocations_of_known_users_with_an_alternate_alone) {
  Settings settings;
  settings.alternate_servers = {address("5.9.0.99:3478")};
  settings.own_addresses = {ip("198.41.0.7")};
  World world(settings);
  TestClient stranger = world.client();
  stranger.protect = Protect::nothing;
  EXPECT_EQ(world.code(stranger, Method::allocate, udp()), 401);
  TestClient bad = world.client();
  EXPECT_EQ(world.code(bad, Method::allocate), 400) << "a request that would be refused is not sent on";
  TestClient no_alternate = world.client("[2a00:1450::5]:40000");
  EXPECT_EQ(world.code(no_alternate, Method::allocate, udp()), 0);
  TestClient own = world.client("198.41.0.7:40000");
  EXPECT_EQ(world.code(own, Method::allocate, udp()), 0);
  EXPECT_EQ(world.refresh(own, 600s), 0);
}

TEST(Reply, carries_fingerprint_where_the_request_did) {
  for (const bool fingerprint : {false, true}) {
    World world;
    TestClient client = world.client();
    client.fingerprint = fingerprint;
    EXPECT_EQ(world.allocate(client).message().has_fingerprint(), fingerprint);
    EXPECT_EQ(answer_in(world.ask(client, Method::refresh).effects)->message().has_fingerprint(),
              fingerprint);
    client.password = "wrong";
    EXPECT_EQ(answer_in(world.ask(client, Method::refresh).effects)->message().has_fingerprint(),
              fingerprint);
  }
}

// Method x state: what each method draws where it does not belong.
TEST(Matrix, of_users_methods_and_states) {
  enum class State { none, opening, live };
  enum class Who { stranger, wrong_password, other_user, owner };
  struct Row {
    State state;
    Who who;
    int allocate, refresh, permit, bind;  // -1: silence
  };
  const std::vector<Row> table = {
      {State::none, Who::stranger, 401, 401, 401, 401},
      {State::none, Who::wrong_password, 401, 401, 401, 401},
      {State::none, Who::other_user, 0, 437, 437, 437},
      {State::none, Who::owner, 0, 437, 437, 437},
      {State::opening, Who::stranger, 401, 401, 401, 401},
      {State::opening, Who::wrong_password, 401, 401, 401, 401},
      {State::opening, Who::other_user, 437, 441, 441, 441},
      {State::opening, Who::owner, 437, 437, 437, 437},
      {State::live, Who::stranger, 401, 401, 401, 401},
      {State::live, Who::wrong_password, 401, 401, 401, 401},
      {State::live, Who::other_user, 437, 441, 441, 441},
      {State::live, Who::owner, 437, 0, 0, 0},
  };
  for (const Row& row : table) {
    const auto code_of = [&](Method method, const World::Fill& fill) {
      World world;
      TestClient client = world.client();
      world.relays_stay_opening = row.state == State::opening;
      if (row.state != State::none) world.ask(client, Method::allocate, udp());
      world.relays_stay_opening = false;
      if (row.who == Who::stranger) client.protect = Protect::nothing;
      if (row.who == Who::wrong_password) client.password = "wrong";
      if (row.who == Who::other_user) {
        client.username = "bob";
        client.password = "hunter2";
      }
      const std::size_t before = world.server.allocation_count();
      const int code = world.code(client, method, fill).value_or(-1);
      const bool made = method == Method::allocate && code == 0;
      EXPECT_EQ(world.server.allocation_count(), before + (made ? 1 : 0));
      EXPECT_EQ(world.server.broken_invariant(), "");
      return code;
    };
    SCOPED_TRACE("state " + std::to_string(static_cast<int>(row.state)) + " who " +
                 std::to_string(static_cast<int>(row.who)));
    EXPECT_EQ(code_of(Method::allocate, udp()), row.allocate);
    EXPECT_EQ(code_of(Method::refresh, nothing()), row.refresh);
    EXPECT_EQ(code_of(Method::create_permission, peer("8.8.8.8:5000")), row.permit);
    EXPECT_EQ(code_of(Method::channel_bind, channel(0x4000, "8.8.8.8:5000")), row.bind);
  }
}

TEST(Tampering, with_any_bit_of_a_protected_request_never_succeeds) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  const std::vector<Buffer> requests = {
      world.build(client, Method::refresh, lifetime(0s)),
      world.build(client, Method::create_permission, peer("8.8.8.8:5000")),
      world.build(client, Method::channel_bind, channel(0x4000, "8.8.8.8:5000")),
  };
  for (const Buffer& request : requests) {
    for (std::size_t bit = 0; bit < request.size() * 8; ++bit) {
      Buffer tampered = request;
      tampered[bit / 8] = static_cast<std::uint8_t>(tampered[bit / 8] ^ (1U << (bit % 8)));
      const Outcome outcome = world.deliver(client.client, tampered);
      const auto answer = answer_in(outcome.effects);
      if (answer && answer->method == Method::binding)
        continue;  // one bit from ChannelBind, and asks for nothing
      ASSERT_TRUE(!answer || answer->error == 400 || answer->error == 401 || answer->error == 438)
          << "bit " << bit << " drew " << answer->error;
    }
  }
  EXPECT_EQ(world.server.allocation_count(), 1U);
  EXPECT_EQ(world.send(client, "8.8.8.8:5000", "x").forward.via, Forward::Via::nobody);
  EXPECT_EQ(world.server.broken_invariant(), "");
}

TEST(Tampering, replies_go_to_whole_requests_of_known_methods_alone) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  SeededRandom random(5);
  const std::vector<Buffer> seeds = {world.build(client, Method::binding, nothing()),
                                     world.build(client, Method::allocate, udp()),
                                     world.build(client, Method::refresh, lifetime(600s)),
                                     world.build(client, Method::create_permission, peer("8.8.8.8:5000"))};
  std::size_t answered = 0;
  for (int i = 0; i < 200'000; ++i) {
    Buffer mutant = seeds[random.below(seeds.size())];
    for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
      mutant[random.below(mutant.size())] = static_cast<std::uint8_t>(random.next_u64());
    }
    if (random.below(4) == 0) mutant.resize(random.below(mutant.size() + 1));
    const Outcome outcome = world.deliver(client.client, mutant);
    const auto answer = answer_in(outcome.effects);
    if (!answer) continue;
    answered += 1;
    const auto request = Message::parse(mutant);
    ASSERT_TRUE(request.has_value());
    ASSERT_EQ(request->message_class(), MessageClass::request);
    ASSERT_EQ(answer->method, request->method());
    ASSERT_EQ(answer->message().transaction_id(), request->transaction_id());
  }
  EXPECT_GT(answered, 1000U);
}

}  // namespace
}  // namespace offhook::turn::test
