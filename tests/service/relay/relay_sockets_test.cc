#include "service/relay/relay_sockets.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "crypto/secure_random.h"

namespace offhook::relay {
namespace {

const Ip kLoopback4 = *Ip::parse("127.0.0.9");
const Ip kLoopback6 = *Ip::parse("::1");
const Ip kOutside4 = *Ip::parse("192.0.2.1");

// Takes descriptors in, or is at the limit of those that it may watch.
class FakePoller final : public io::Poller {
 public:
  bool at_limit = false;

  bool add(int, io::Interest, std::uint64_t) override {
    errno = at_limit ? ENOSPC : 0;
    return !at_limit;
  }
  bool modify(int, io::Interest, std::uint64_t) override { return true; }
  void remove(int) override {}
  int fd() const override { return -1; }
  std::span<const io::Ready> wait(Instant, Instant) override { return {}; }
};

struct Sockets {
  explicit Sockets(std::vector<Ip> relay_ips, RelayAddressRule rule = RelayAddressRule::by_listen_address)
      : ports(std::move(relay_ips), 32000, 32001, 1), relays({ports, table, random, poller}, rule, 0) {}

  RelayPorts ports;
  ReservationTable table;
  crypto::SecureRandom random;
  FakePoller poller;
  RelaySockets relays;
};

turn::OpenRelaySocket wanted(const Ip& listen_ip, Family family) {
  return {.relay = {{0, 1}, family}, .listen_address = {listen_ip, 3478}};
}

TEST(RelaySockets, ARelayThatCannotBeWatchedKeepsNoReservation) {
  Sockets sockets({kLoopback4});
  auto pair = wanted(kLoopback4, Family::ipv4);
  pair.even_port = true;
  pair.reserve_next = true;
  pair.token = {1, 2, 3, 4, 5, 6, 7, 8};
  sockets.poller.at_limit = true;
  const auto refused = sockets.relays.open(pair);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), turn::Server::RelayFailure::no_port_free);
  EXPECT_EQ(sockets.relays.last_error(), ENOSPC);
  EXPECT_FALSE(sockets.table.claim(pair.token));
  sockets.poller.at_limit = false;
  EXPECT_TRUE(sockets.relays.open(pair)) << "the only pair is free again";
  EXPECT_TRUE(sockets.table.claim(pair.token));
}

TEST(RelaySockets, AClientFromOutsideIsNeverRelayedOnLoopback) {
  Sockets sockets({kOutside4, kLoopback6});
  const auto refused = sockets.relays.open(wanted(kOutside4, Family::ipv6));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), turn::Server::RelayFailure::family_not_supported);
}

TEST(RelaySockets, AClientOnLoopbackIsRelayedOnLoopback) {
  Sockets sockets({kOutside4, kLoopback4, kLoopback6});
  const auto relayed_address = sockets.relays.open(wanted(kLoopback6, Family::ipv4));
  ASSERT_TRUE(relayed_address);
  EXPECT_EQ(relayed_address->ip, kLoopback4);
}

TEST(RelaySockets, ARelayThatIsLeftForLaterIsInLineOnce) {
  Sockets sockets({kLoopback4});
  ASSERT_TRUE(sockets.relays.open(wanted(kLoopback4, Family::ipv4)));
  const EventTag tag{EventKind::relay, Family::ipv4, 1, 0};
  sockets.relays.leave(tag, false);
  sockets.relays.leave(tag, true);
  sockets.relays.leave(tag, false);
  ASSERT_EQ(sockets.relays.unfinished_count(), 1U);
  EXPECT_TRUE(sockets.relays.take_unfinished().with_errors) << "also of the second time";
  sockets.relays.leave(tag, false);
  ASSERT_EQ(sockets.relays.unfinished_count(), 1U);
  EXPECT_FALSE(sockets.relays.take_unfinished().with_errors);
}

// Its successor has nothing of it.
TEST(RelaySockets, ARelayThatIsLeftForLaterMayBeGone) {
  Sockets sockets({kLoopback4});
  ASSERT_TRUE(sockets.relays.open(wanted(kLoopback4, Family::ipv4)));
  const EventTag tag{EventKind::relay, Family::ipv4, 1, 0};
  sockets.relays.leave(tag, true);
  sockets.relays.close({{0, 1}, Family::ipv4});
  sockets.relays.leave(tag, true);
  auto next = wanted(kLoopback4, Family::ipv4);
  next.relay.allocation.generation = 3;
  ASSERT_TRUE(sockets.relays.open(next));
  const EventTag next_tag{EventKind::relay, Family::ipv4, 3, 0};
  sockets.relays.leave(next_tag, false);
  ASSERT_EQ(sockets.relays.unfinished_count(), 2U);
  EXPECT_FALSE(sockets.relays.find(sockets.relays.take_unfinished().tag));
  const auto second = sockets.relays.take_unfinished();
  EXPECT_TRUE(sockets.relays.find(second.tag));
  EXPECT_FALSE(second.with_errors);
}

// 512 datagrams or 1 MiB in 2^24 ns of the clock.
TEST(RelaySockets, ARelayThatTakesMoreThanItsShareReceivesAloneFromThenOn) {
  constexpr std::int64_t kTick = 1 << 24;
  const auto at = [](std::int64_t ns) { return Instant(Duration(ns)); };
  const turn::RelayId relay{{0, 1}, Family::ipv4};
  const auto open = [&](Sockets& sockets) {
    ASSERT_TRUE(sockets.relays.open(wanted(kLoopback4, Family::ipv4)));
  };
  {
    Sockets sockets({kLoopback4});
    open(sockets);
    for (std::int64_t tick = 1; tick < 5; ++tick) {
      for (int i = 0; i < 512; ++i)
        ASSERT_FALSE(sockets.relays.note_shared(relay, 100, at(tick * kTick + i))) << i;
    }
    EXPECT_FALSE(sockets.relays.share_again(relay, at(5 * kTick - 1))) << "it does share";
    EXPECT_TRUE(sockets.relays.note_shared(relay, 100, at(5 * kTick - 1)));
    EXPECT_FALSE(sockets.relays.note_shared(relay, 100, at(5 * kTick - 1))) << "it is told once";
    constexpr std::int64_t kSecond = 1'000'000'000;
    EXPECT_FALSE(sockets.relays.share_again(relay, at(5 * kTick - 1 + kSecond - 1)));
    EXPECT_TRUE(sockets.relays.share_again(relay, at(5 * kTick - 1 + kSecond)));
    EXPECT_FALSE(sockets.relays.share_again(relay, at(5 * kTick - 1 + kSecond))) << "it does again";
    EXPECT_FALSE(sockets.relays.note_shared(relay, 100, at(5 * kTick - 1 + kSecond)));
  }
  {
    Sockets sockets({kLoopback4});
    open(sockets);
    constexpr std::size_t kHalf = 512 * 1024;
    EXPECT_FALSE(sockets.relays.note_shared(relay, kHalf, at(kTick)));
    EXPECT_FALSE(sockets.relays.note_shared(relay, kHalf, at(kTick)));
    EXPECT_TRUE(sockets.relays.note_shared(relay, 1, at(kTick)));
  }
  Sockets sockets({kLoopback4});
  EXPECT_FALSE(sockets.relays.note_shared(relay, 1, at(kTick))) << "none is open";
}

// Two fifths of the queue of all are in use after its turn.
TEST(RelaySockets, WhileAShardDoesNotKeepPaceRelaysReceiveAlone) {
  const turn::RelayId relay{{0, 1}, Family::ipv4};
  const Instant now{std::chrono::hours(1)};
  Sockets sockets({kLoopback4});
  ASSERT_TRUE(sockets.relays.open(wanted(kLoopback4, Family::ipv4)));
  sockets.relays.note_shared_queue(Family::ipv4, 40);
  EXPECT_FALSE(sockets.relays.note_shared(relay, 100, now));
  sockets.relays.note_shared_queue(Family::ipv6, 41);
  EXPECT_FALSE(sockets.relays.note_shared(relay, 100, now)) << "that is the other family's";
  sockets.relays.note_shared_queue(Family::ipv4, 41);
  EXPECT_TRUE(sockets.relays.note_shared(relay, 100, now));
  sockets.relays.note_shared_queue(Family::ipv4, 0);
  EXPECT_TRUE(sockets.relays.share_again(relay, now + std::chrono::seconds(1)));
  EXPECT_FALSE(sockets.relays.note_shared(relay, 100, now + std::chrono::seconds(1)));
}

}  // namespace
}  // namespace offhook::relay
