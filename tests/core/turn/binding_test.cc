#include <gtest/gtest.h>

#include "core/turn/fixture.h"

namespace offhook::turn::test {
namespace {

TestClient without_credentials(World& world, std::string_view client_address = "198.41.0.4:40000") {
  TestClient client = world.client(client_address);
  client.protect = Protect::nothing;
  return client;
}

TEST(Binding, answers_with_the_address_it_saw_and_nothing_more) {
  World world;
  TestClient client = without_credentials(world);
  const auto answer = answer_in(world.ask(client, Method::binding).effects).value();
  EXPECT_EQ(answer.error, 0);
  EXPECT_EQ(answer.address_in(AttributeType::xor_mapped_address), address("198.41.0.4:40000"));
  EXPECT_EQ(answer.message().attributes().size(), 1U);
  EXPECT_EQ(answer.bytes.size(), 32U);
}

TEST(Binding, answers_ipv6_in_44_bytes) {
  World world;
  TestClient client = without_credentials(world, "[2a00:1450::5]:40000");
  EXPECT_EQ(answer_in(world.ask(client, Method::binding).effects).value().bytes.size(), 44U);
}

TEST(Binding, answers_with_fingerprint_only_who_sent_one) {
  World world;
  TestClient client = without_credentials(world);
  client.fingerprint = true;
  const auto answer = answer_in(world.ask(client, Method::binding).effects).value();
  EXPECT_TRUE(answer.message().has_fingerprint());
  EXPECT_EQ(answer.bytes.size(), 40U);
}

TEST(Binding, names_unknown_comprehension_required_attributes) {
  World world;
  TestClient client = without_credentials(world);
  const auto answer =
      answer_in(world.ask(client, Method::binding, all({raw(0x7F01, "ab"), raw(0x7F02, ""), raw(0x7F01, "")}))
                    .effects)
          .value();
  EXPECT_EQ(answer.error, 420);
  const Message message = answer.message();
  const auto* unknown = message.find(AttributeType::unknown_attributes);
  ASSERT_NE(unknown, nullptr);
  EXPECT_EQ(to_string(unknown->value), std::string("\x7F\x01\x7F\x02", 4));
}

TEST(Binding, ignores_unknown_comprehension_optional_attributes) {
  World world;
  TestClient client = without_credentials(world);
  EXPECT_EQ(world.code(client, Method::binding, raw(0xFF01, "whatever")), 0);
}

TEST(Silence, is_the_answer_to_everything_that_is_no_request) {
  World world;
  TestClient client = without_credentials(world);
  for (const MessageClass message_class :
       {MessageClass::indication, MessageClass::success_response, MessageClass::error_response}) {
    for (unsigned method = 0; method <= 0xFFF; ++method) {
      std::array<std::uint8_t, 64> storage{};
      MessageBuilder builder(storage, message_class, static_cast<Method>(method), world.next_id());
      const Outcome outcome = world.deliver(client.client, builder.finish());
      ASSERT_TRUE(outcome.effects.empty()) << method;
      ASSERT_EQ(outcome.forward.via, Forward::Via::nobody);
    }
  }
}

TEST(Silence, is_the_answer_to_unknown_methods) {
  World world;
  TestClient client = without_credentials(world);
  std::size_t answered = 0;
  for (unsigned method = 0; method <= 0xFFF; ++method) {
    std::array<std::uint8_t, 64> storage{};
    MessageBuilder builder(storage, MessageClass::request, static_cast<Method>(method), world.next_id());
    if (!world.deliver(client.client, builder.finish()).effects.empty()) answered += 1;
  }
  EXPECT_EQ(answered, 5U);  // Binding, Allocate, Refresh, CreatePermission, ChannelBind
}

TEST(Silence, is_the_answer_to_truncated_and_lying_packets) {
  World world;
  TestClient client = world.client();
  const Buffer request = world.build(client, Method::allocate, udp());
  for (std::size_t size = 0; size < request.size(); ++size) {
    EXPECT_TRUE(world.deliver(client.client, Bytes(request).first(size)).effects.empty()) << size;
  }
  for (unsigned length = 0; length <= 0xFFFF; ++length) {
    if (length == request.size() - 20) continue;
    Buffer lying = request;
    lying[2] = static_cast<std::uint8_t>(length >> 8U);
    lying[3] = static_cast<std::uint8_t>(length & 0xFFU);
    ASSERT_TRUE(world.deliver(client.client, lying).effects.empty()) << length;
  }
  EXPECT_EQ(world.server.allocation_count(), 0U);
}

}  // namespace
}  // namespace offhook::turn::test
