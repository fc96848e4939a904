#include <gtest/gtest.h>

#include "core/turn/fixture.h"
#include "wire/stun/attr_nonce.h"
#include "wire/stun/attr_password_algorithms.h"
#include "wire/stun/attr_realm.h"
#include "wire/stun/attr_username.h"
#include "wire/stun/nonce_cookie.h"

namespace offhook::turn::test {
namespace {

// A request whose credentials are put together by hand.
Answer by_hand(World& world, const TestClient& from, const World::Fill& fill, bool with_integrity = true) {
  TestClient bare = from;
  bare.protect = Protect::nothing;
  const Buffer key = from.key();
  const Buffer request = world.build(bare, Method::allocate, all({udp(), fill, [&](MessageBuilder& builder) {
                                                                    if (with_integrity)
                                                                      builder.add_message_integrity(key);
                                                                  }}));
  Outcome outcome = world.deliver(from.client, request);
  world.obey(outcome.effects);
  return answer_in(outcome.effects).value();
}

World::Fill username(const std::string& name) {
  return [name](MessageBuilder& builder) { stun::add_username(builder, name); };
}
World::Fill realm(const std::string& name) {
  return [name](MessageBuilder& builder) { stun::add_realm(builder, name); };
}
World::Fill nonce(const std::string& text) {
  return [text](MessageBuilder& builder) { stun::add_nonce(builder, text); };
}
World::Fill algorithms(std::vector<std::uint16_t> listed) {
  return [listed](MessageBuilder& builder) {
    std::vector<stun::PasswordAlgorithm> values;
    for (const std::uint16_t number : listed) values.push_back({number, {}});
    stun::add_password_algorithms(builder, values);
  };
}
World::Fill algorithm(std::uint16_t number) {
  return [number](MessageBuilder& builder) { stun::add_password_algorithm(builder, {number, {}}); };
}

bool is_unprotected(const Answer& answer) {
  return !answer.has(AttributeType::message_integrity) &&
         !answer.has(AttributeType::message_integrity_sha256);
}

TEST(Challenge, carries_realm_nonce_and_password_algorithms_and_no_more) {
  World world;
  TestClient client = world.client();
  client.protect = Protect::nothing;
  for (const Method method :
       {Method::allocate, Method::refresh, Method::create_permission, Method::channel_bind}) {
    Outcome outcome = world.ask(client, method, udp());
    const auto answer = answer_in(outcome.effects).value();
    EXPECT_EQ(answer.error, 401);
    EXPECT_EQ(outcome.effects.size(), 1U) << "a challenge is no event";
    EXPECT_EQ(answer.message().attributes().size(), 4U);
    EXPECT_EQ(answer.bytes.size(), 84U);
    EXPECT_TRUE(is_unprotected(answer));
    const Message message = answer.message();
    EXPECT_EQ(stun::parse_realm(message.find(AttributeType::realm)->value), "offhook");
    const auto features =
        stun::parse_nonce_cookie(stun::parse_nonce(message.find(AttributeType::nonce)->value).value())
            .value();
    EXPECT_TRUE(features.password_algorithms);
    EXPECT_FALSE(features.username_anonymity);
    const auto listed =
        stun::parse_password_algorithms(message.find(AttributeType::password_algorithms)->value).value();
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(listed[0].algorithm, stun::kPasswordAlgorithmSha256);
    EXPECT_EQ(listed[1].algorithm, stun::kPasswordAlgorithmMd5);
  }
}

TEST(Challenge, offers_username_anonymity_only_if_every_user_can_be_found_by_hash) {
  World world;
  world.credentials.userhash_is_offered = true;
  const auto features = stun::parse_nonce_cookie(world.fetch_nonce(world.client())).value();
  EXPECT_TRUE(features.username_anonymity);
}

TEST(Challenge, asks_for_its_features_once_a_second) {
  World world;
  const TestClient client = world.client();
  for (int i = 0; i < 100; ++i) (void)world.fetch_nonce(client);
  EXPECT_EQ(world.credentials.userhash_questions, 1U);
  world.credentials.userhash_is_offered = true;
  world.wait(1s);
  EXPECT_TRUE(stun::parse_nonce_cookie(world.fetch_nonce(client)).value().username_anonymity);
  EXPECT_EQ(world.credentials.userhash_questions, 2U);
}

TEST(Credentials, missing_attributes_draw_400_without_challenge) {
  World world;
  TestClient client = world.client();
  client.nonce = world.fetch_nonce(client);
  const std::vector<World::Fill> incomplete = {
      nothing(),
      all({realm("offhook"), nonce(client.nonce)}),
      all({username("alice"), nonce(client.nonce)}),
      all({username("alice"), realm("offhook")}),
  };
  for (const World::Fill& fill : incomplete) {
    const Answer answer = by_hand(world, client, fill);
    EXPECT_EQ(answer.error, 400);
    EXPECT_FALSE(answer.has(AttributeType::nonce));
    EXPECT_FALSE(answer.has(AttributeType::realm));
    EXPECT_TRUE(is_unprotected(answer));
    EXPECT_EQ(answer.bytes.size(), 28U);
  }
}

TEST(Credentials, malformed_names_draw_400) {
  World world;
  TestClient client = world.client();
  client.nonce = world.fetch_nonce(client);
  const std::string overlong(509, 'a');
  EXPECT_EQ(by_hand(world, client, all({raw(0x0006, overlong), realm("offhook"), nonce(client.nonce)})).error,
            400);
  EXPECT_EQ(
      by_hand(world, client, all({raw(0x0006, "\xFF\xFE"), realm("offhook"), nonce(client.nonce)})).error,
      400);
  EXPECT_EQ(by_hand(world, client, all({raw(0x001E, "short"), realm("offhook"), nonce(client.nonce)})).error,
            400);
}

TEST(Credentials, wrong_user_password_or_realm_draw_an_unprotected_401_and_an_audit) {
  World world;
  TestClient stranger = world.client();
  stranger.username = "mallory";
  TestClient mistyped = world.client();
  mistyped.password = "Secret";
  TestClient elsewhere = world.client();
  elsewhere.nonce = world.fetch_nonce(elsewhere);
  elsewhere.realm = "other";
  for (TestClient* client : {&stranger, &mistyped, &elsewhere}) {
    Outcome outcome = world.ask(*client, Method::allocate, udp());
    EXPECT_EQ(described(outcome.effects, world.now.monotonic),
              (std::vector<std::string>{"SendToClient Allocate 401", "Audit credentials_refused"}));
    const auto answer = answer_in(outcome.effects).value();
    EXPECT_TRUE(answer.has(AttributeType::nonce));
    EXPECT_TRUE(is_unprotected(answer));
  }
  EXPECT_EQ(world.server.allocation_count(), 0U);
  EXPECT_EQ(world.quota.total(), 0U);
}

// RFC 8489 section 9.2.4, last paragraph.
TEST(Credentials, answers_are_protected_as_the_password_attributes_say) {
  for (const KeyOf algorithm_of_key : {KeyOf::md5, KeyOf::sha256}) {
    for (const Protect protect : {Protect::sha1, Protect::sha256, Protect::both}) {
      World world;
      TestClient client = world.client();
      client.algorithm = algorithm_of_key;
      client.protect = protect;
      const Answer answer = world.allocate(client);
      EXPECT_EQ(answer.error, 0);
      const Message message = answer.message();
      const bool of_rfc_5389 = algorithm_of_key == KeyOf::md5;  // no password attributes
      EXPECT_EQ(message.verify_integrity(client.key()), of_rfc_5389);
      EXPECT_EQ(message.verify_integrity_sha256(client.key()), !of_rfc_5389);
      EXPECT_NE(message.has(AttributeType::message_integrity),
                message.has(AttributeType::message_integrity_sha256));
      EXPECT_EQ(world.refresh(client, 600s), 0);
    }
  }
}

TEST(Credentials, with_both_integrities_the_stronger_one_counts) {
  World world;
  TestClient client = world.client();
  client.protect = Protect::both;
  Buffer request = world.build(client, Method::allocate, udp());
  request.back() ^= 1U;  // in MESSAGE-INTEGRITY-SHA256, behind MESSAGE-INTEGRITY
  EXPECT_EQ(answer_in(world.deliver(client.client, request).effects).value().error, 401);
}

TEST(Credentials, bid_down_is_refused) {
  World world;
  TestClient client = world.client();
  client.nonce = world.fetch_nonce(client);
  const auto code = [&](World::Fill chosen) {
    return by_hand(world, client,
                   all({username("alice"), realm("offhook"), nonce(client.nonce), std::move(chosen)}))
        .error;
  };
  EXPECT_EQ(code(algorithms({2, 1})), 400) << "a list without a choice";
  EXPECT_EQ(code(algorithm(1)), 400) << "a choice without a list";
  EXPECT_EQ(code(all({algorithms({1}), algorithm(1)})), 400) << "a shortened list";
  EXPECT_EQ(code(all({algorithms({1, 2}), algorithm(1)})), 400) << "a list in another order";
  EXPECT_EQ(code(all({algorithms({2, 1}), algorithm(3)})), 400) << "a choice that was not offered";
  EXPECT_EQ(code(all({algorithms({2, 1}), raw(0x001D, "xx")})), 400) << "a choice that does not parse";
  EXPECT_EQ(code(all({algorithms({2, 1}), algorithm(1)})), 0);
}

TEST(Credentials, a_nonce_stripped_of_its_features_is_stale) {
  World world;
  TestClient client = world.client();
  client.nonce = world.fetch_nonce(client);
  const std::string stripped = stun::make_nonce_cookie({}) + client.nonce.substr(stun::kNonceCookieBytes);
  EXPECT_EQ(by_hand(world, client, all({username("alice"), realm("offhook"), nonce(stripped)})).error, 438);
}

TEST(Credentials, userhash_stands_for_the_name) {
  World world;
  world.credentials.userhash_is_offered = true;
  TestClient client = world.client();
  client.by_userhash = true;
  EXPECT_EQ(world.allocate(client).error, 0);
  EXPECT_EQ(world.refresh(client, 600s), 0);
  client.by_userhash = false;
  EXPECT_EQ(world.refresh(client, 600s), 0) << "hash and name are one user";
  TestClient stranger = world.client("198.41.0.4:40001");
  stranger.by_userhash = true;
  stranger.username = "mallory";
  EXPECT_EQ(world.code(stranger, Method::allocate, udp()), 401);
}

TEST(Credentials, every_shared_secret_in_rotation_is_accepted) {
  World world;
  world.credentials.users["alice"].passwords = {"new", "secret", "older"};
  TestClient client = world.client();
  EXPECT_EQ(world.allocate(client).error, 0);
  client.client.five_tuple.client_address.port += 1;
  client.nonce.clear();
  client.password = "gone";
  EXPECT_EQ(world.code(client, Method::allocate, udp()), 401);
}

TEST(Credentials, expiry_is_checked_on_allocate_alone) {
  World world;
  world.credentials.users["alice"].expires_at_s = world.now.wall.seconds + 100;
  TestClient client = world.client();
  world.wait(99s);
  EXPECT_EQ(world.allocate(client).error, 0);
  world.wait(1s);
  EXPECT_EQ(world.refresh(client, 600s), 0);
  EXPECT_EQ(world.permit(client, "8.8.8.8:5000"), 0);
  EXPECT_EQ(world.bind(client, 0x4000, "8.8.8.8:5000"), 0);
  EXPECT_EQ(world.code(client, Method::allocate, udp()), 437) << "nothing new is made here";
  EXPECT_EQ(world.refresh(client, 0s), 0);
  EXPECT_EQ(world.refresh(client, 600s), 437);
  const auto answer = answer_in(world.ask(client, Method::allocate, udp()).effects).value();
  EXPECT_EQ(answer.error, 401);
  EXPECT_TRUE(is_unprotected(answer));
}

TEST(Credentials, a_live_allocation_outlives_the_rotation_of_its_secret) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  world.credentials.users.clear();
  EXPECT_EQ(world.refresh(client, 600s), 0);
  client.password = "guess";
  EXPECT_EQ(world.refresh(client, 600s), 401);
}

TEST(Credentials, another_user_on_the_same_five_tuple_gets_441) {
  World world;
  TestClient alice = world.client();
  world.allocate(alice);
  TestClient bob = world.client();
  bob.username = "bob";
  bob.password = "hunter2";
  for (const Method method : {Method::refresh, Method::create_permission, Method::channel_bind}) {
    const auto answer = answer_in(world.ask(bob, method).effects).value();
    EXPECT_EQ(answer.error, 441);
    EXPECT_TRUE(answer.message().verify_integrity(bob.key()));
  }
  EXPECT_EQ(world.code(bob, Method::allocate, udp()), 437);
  EXPECT_EQ(world.server.allocation_count(), 1U);
}

TEST(Credentials, attributes_behind_the_integrity_do_not_exist) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  Buffer request = world.build(client, Method::refresh, nothing());
  const Buffer lifetime_zero = {0x00, 0x0D, 0x00, 0x04, 0, 0, 0, 0};
  request.insert(request.end(), lifetime_zero.begin(), lifetime_zero.end());
  request[3] = static_cast<std::uint8_t>(request[3] + 8);
  const auto answer = answer_in(world.deliver(client.client, request).effects).value();
  EXPECT_EQ(answer.error, 0);
  EXPECT_EQ(answer.lifetime(), 600s);
}

TEST(Credentials, unknown_attributes_are_named_after_the_user_has_proved_who_he_is) {
  World world;
  TestClient client = world.client();
  const auto answer =
      answer_in(world.ask(client, Method::allocate, all({udp(), raw(0x7F01, "")})).effects).value();
  EXPECT_EQ(answer.error, 420);
  EXPECT_TRUE(answer.message().verify_integrity(client.key()));
  client.password = "wrong";
  EXPECT_EQ(world.code(client, Method::allocate, all({udp(), raw(0x7F01, "")})), 401);
}

TEST(Nonce, lives_its_lifetime_and_no_longer) {
  World world;
  TestClient client = world.client();
  client.nonce = world.fetch_nonce(client);
  world.wait(3600s);
  EXPECT_EQ(world.allocate(client).error, 0);
  world.wait(1s);
  const auto answer = answer_in(world.ask(client, Method::allocate, udp()).effects).value();
  EXPECT_EQ(answer.error, 438);
  EXPECT_TRUE(answer.has(AttributeType::nonce));
  EXPECT_TRUE(answer.has(AttributeType::realm));
  EXPECT_TRUE(answer.has(AttributeType::password_algorithms));
  client.nonce = std::string(stun::parse_nonce(answer.message().find(AttributeType::nonce)->value).value());
  EXPECT_EQ(world.refresh(client, 600s), 0);
}

TEST(Nonce, of_another_address_is_stale) {
  World world;
  TestClient client = world.client();
  const std::string stolen = world.fetch_nonce(client);
  for (const std::string_view other : {"198.41.0.4:40001", "198.41.0.5:40000", "[2a00:1450::5]:40000"}) {
    TestClient thief = world.client(other);
    thief.nonce = stolen;
    EXPECT_EQ(world.code(thief, Method::allocate, udp()), 438) << other;
  }
}

TEST(Nonce, with_any_character_changed_is_stale_and_costs_no_credential_lookup) {
  World world;
  TestClient client = world.client();
  const std::string good = world.fetch_nonce(client);
  for (std::size_t at = 0; at < good.size(); ++at) {
    client.nonce = good;
    client.nonce[at] = good[at] == 'x' ? 'y' : 'x';
    const auto code = world.code(client, Method::allocate, udp());
    EXPECT_TRUE(code == 438 || code == 400) << at;
  }
  client.nonce = good + "A";
  EXPECT_EQ(world.code(client, Method::allocate, udp()), 438);
  client.nonce = "x";
  EXPECT_EQ(world.code(client, Method::allocate, udp()), 438);
  EXPECT_EQ(world.credentials.lookups, 0U);
}

TEST(Nonce, is_the_same_in_every_shard_and_for_a_second) {
  World one;
  World other;
  EXPECT_EQ(one.fetch_nonce(one.client()), other.fetch_nonce(other.client()));
  other.now.monotonic += 1s;
  EXPECT_NE(one.fetch_nonce(one.client()), other.fetch_nonce(other.client()));
}

TEST(Nonce, expiry_in_mid_call_loses_nothing) {
  World world;
  TestClient client = world.client();
  world.allocate(client);
  std::size_t renewals = 0;
  for (int minutes = 0; minutes < 24 * 60; minutes += 4) {
    auto code = world.permit(client, "8.8.8.8:5000");
    if (code == 438) {
      client.nonce.clear();
      renewals += 1;
      code = world.permit(client, "8.8.8.8:5000");
    }
    ASSERT_EQ(code, 0);
    ASSERT_EQ(world.refresh(client, 600s), 0);
    world.wait(4min);
    ASSERT_EQ(world.send(client, "8.8.8.8:5000", "x").forward.via, Forward::Via::peer);
  }
  EXPECT_GE(renewals, 22U);
}

}  // namespace
}  // namespace offhook::turn::test
