#include "service/relay/reservation_table.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "crypto/secure_random.h"
#include "io/net/fd_table.h"

namespace offhook::relay {
namespace {

const Ip kIp = *Ip::parse("127.0.0.8");

turn::ReservationToken token(std::size_t number) {
  return {0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(number / 256), static_cast<std::uint8_t>(number % 256)};
}

struct Reservations {
  RelayPorts ports{{kIp}, 30000, 31999, 1};
  ReservationTable table;
  crypto::SecureRandom random;

  // The address that was reserved; nothing if the table refused.
  std::optional<Address> hold(std::size_t number) {
    auto lease = ports.take(0, 0, RelayPorts::Parity::any, random);
    EXPECT_TRUE(lease);
    auto socket = io::open_relay_socket(lease->address());
    EXPECT_TRUE(socket);
    const Address at = lease->address();
    if (!table.hold(token(number), LeasedSocket(std::move(*lease), std::move(*socket)))) return std::nullopt;
    return at;
  }
};

bool is_bound(const Address& address) { return !io::open_relay_socket(address); }

TEST(ReservationTable, GivesASocketToTheThreadThatClaimsIt) {
  Reservations reservations;
  std::vector<Address> held;
  std::thread([&] {
    const auto own = io::own_fd_table(reservations.table.fds());
    for (std::size_t number = 0; number < 3; ++number) held.push_back(*reservations.hold(number));
    if (own) io::close_own_fd_table();
  }).join();
  for (const Address& address : held) EXPECT_TRUE(is_bound(address));
  // Not in the order in which they were made.
  for (const std::size_t number : {1U, 2U, 0U}) {
    const auto claimed = reservations.table.claim(token(number));
    ASSERT_TRUE(claimed.has_value()) << number;
    EXPECT_EQ(claimed->lease.address(), held[number]);
    EXPECT_EQ(io::bound_address(claimed->socket), held[number]);
    EXPECT_FALSE(reservations.table.claim(token(number)).has_value()) << "it was claimed";
  }
  for (const Address& address : held) EXPECT_FALSE(is_bound(address));
}

TEST(ReservationTable, ReleaseClosesThePortAndFreesIt) {
  Reservations reservations;
  const Address kept = *reservations.hold(1);
  const Address released = *reservations.hold(2);
  reservations.table.release(token(2));
  reservations.table.release(token(3));
  EXPECT_FALSE(is_bound(released));
  EXPECT_TRUE(is_bound(kept));
  EXPECT_TRUE(reservations.table.claim(token(1)).has_value());
}

TEST(ReservationTable, IsBoundedAndRecovers) {
  Reservations reservations;
  const std::size_t limit = ReservationTable::kReservationsLimit;
  std::vector<Address> held;
  for (std::size_t number = 0; number < limit; ++number) {
    const auto address = reservations.hold(number);
    ASSERT_TRUE(address.has_value()) << number;
    held.push_back(*address);
  }
  EXPECT_FALSE(reservations.hold(limit).has_value());
  EXPECT_TRUE(reservations.table.claim(token(limit - 1)).has_value()) << "past all others";
  EXPECT_TRUE(reservations.hold(limit).has_value());
  for (std::size_t number = 0; number + 1 < limit; ++number) {
    const auto claimed = reservations.table.claim(token(number));
    ASSERT_TRUE(claimed.has_value()) << number;
    EXPECT_EQ(io::bound_address(claimed->socket), held[number]);
  }
}

TEST(ReservationTable, ATokenStandsForOneSocket) {
  Reservations reservations;
  const Address first = *reservations.hold(1);
  EXPECT_FALSE(reservations.hold(1).has_value());
  EXPECT_EQ(io::bound_address(reservations.table.claim(token(1))->socket), first);
}

TEST(ReservationTable, EndsWithEveryPortFree) {
  Address at;
  {
    Reservations reservations;
    at = *reservations.hold(1);
    EXPECT_TRUE(is_bound(at));
  }
  EXPECT_FALSE(is_bound(at));
}

}  // namespace
}  // namespace offhook::relay
