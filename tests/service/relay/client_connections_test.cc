#include "service/relay/client_connections.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "io/loop/clock.h"
#include "relay_fixture.h"
#include "service/relay/tcp_segments.h"

namespace offhook::relay {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Connections over real sockets, under a clock that the test sets.
class Connections : public testing::Test {
 protected:
  // Returns the client's end; the server's end is adopted.
  io::Socket connect(const Ip& from = kLoopback4) {
    io::Socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    io::SocketAddress address{};
    socklen_t length = io::to_socket_address({from, 0}, address);
    EXPECT_EQ(bind(client.get(), &address.any, length), 0);
    length = io::to_socket_address(listen_address_, address);
    EXPECT_EQ(::connect(client.get(), &address.any, length), 0);
    EXPECT_TRUE(test::await_readable(listener_.get(), test::kPatience));
    connections_.adopt(std::move(*io::accept_connection(listener_)), listen_address_, service_, now_);
    return client;
  }
  static bool is_closed(const io::Socket& client) {
    char byte = 0;
    return test::await_readable(client.get(), test::kPatience) && recv(client.get(), &byte, 1, 0) <= 0;
  }
  // The event that the poller reports next.
  EventTag next_event() {
    const auto ready = poller_->wait(kNever, now_);
    EXPECT_EQ(ready.size(), 1U);
    return ready.empty() ? EventTag{} : EventTag::unpack(ready[0].tag);
  }
  // What a shard does with a readable connection; returns the frames.
  std::vector<Buffer> read_frames() { return read_frames(next_event()); }
  std::vector<Buffer> read_frames(const EventTag& event) {
    const auto client = connections_.find(event);
    EXPECT_TRUE(client.has_value());
    std::vector<Buffer> frames;
    const auto read = connections_.read(client->handle, now_);
    if (read.framer == nullptr) return frames;
    while (const auto frame = read.framer->next()) frames.emplace_back(frame->begin(), frame->end());
    connections_.finish_read(client->handle, !frames.empty(), now_);
    return frames;
  }
  std::size_t close_doomed() {
    std::size_t count = 0;
    while (connections_.take_doomed()) count += 1;
    return count;
  }
  std::uint64_t count(Counter counter) {
    RelayCounters counted;
    counters_.add_to(counted);
    return counted[counter];
  }
  // ChannelData of 1004 bytes with a number in it.
  static Buffer media(std::uint32_t number) {
    Buffer packet(1004, 7);
    const Buffer head = {0x40, 0x01, 1000 >> 8U, 1000 & 0xFFU};
    std::copy(head.begin(), head.end(), packet.begin());
    std::memcpy(&packet[4], &number, sizeof number);
    return packet;
  }
  // The numbers of all media that comes before `reply`, which must come.
  std::vector<std::uint32_t> receive_until(const io::Socket& client, const Buffer& reply) {
    turn::StreamFramer framer;
    std::vector<std::uint32_t> numbers;
    for (;;) {
      for (const io::Ready& ready : poller_->wait(now_, now_)) {
        if (ready.writable)
          (void)connections_.handle_writable(connections_.find(EventTag::unpack(ready.tag))->handle, now_);
      }
      const MutableBytes space = framer.space(65536);
      if (!test::await_readable(client.get(), test::kPatience)) break;
      const ssize_t count = recv(client.get(), space.data(), space.size(), MSG_DONTWAIT);
      if (count <= 0) break;
      framer.filled(static_cast<std::size_t>(count));
      while (const auto frame = framer.next()) {
        if (equal(*frame, reply)) return numbers;
        std::memcpy(&numbers.emplace_back(), &(*frame)[4], sizeof(std::uint32_t));
        EXPECT_TRUE(equal(*frame, media(numbers.back()))) << "whole and unchanged";
      }
    }
    ADD_FAILURE() << "the reply never came";
    return numbers;
  }
  // The `index`th that is connected.
  turn::Client client_of(const io::Socket& client, std::uint32_t index = 0) {
    return {{*io::bound_address(client), listen_address_, turn::Transport::tcp},
            index | ClientConnections::kHandleBit};
  }
  // Clients for each of which media waits.
  std::vector<io::Socket> connect_with_media(std::uint32_t count) {
    std::vector<io::Socket> clients;
    for (std::uint32_t i = 0; i < count; ++i) {
      clients.push_back(connect());
      connections_.set_has_allocation(client_of(clients[i], i), true, now_);
      connections_.send_media(client_of(clients[i], i), media(i), now_);
    }
    return clients;
  }
  // As many as it has media, which came with `segments` segments.
  void expect_media(const io::Socket& client, std::size_t count, std::uint32_t segments) {
    if (!test::await_readable(client.get(), milliseconds(count == 0 ? 0 : 5000))) {
      EXPECT_EQ(count, 0U);
      return;
    }
    Buffer space(8192);
    EXPECT_EQ(recv(client.get(), space.data(), space.size(), 0), static_cast<ssize_t>(count * 1004));
    EXPECT_EQ(test::data_segments_received(client.get()), segments);
  }

  ClientConnections::Service service_ = ClientConnections::Service::turn;
  Instant now_{seconds(1000)};
  ShardCounters counters_;
  std::unique_ptr<io::Poller> poller_ = io::make_epoll_poller();
  io::Socket listener_ = *io::open_tcp_listener({kLoopback4, 0}, io::PortSharing::exclusive);
  Address listen_address_ = *io::bound_address(listener_);
  ClientConnections connections_{*poller_, counters_};
};

const Buffer kFrame = {0x40, 0x01, 0x00, 0x04, 1, 2, 3, 4};

TEST_F(Connections, WithoutAllocationEndAfterTheirTime) {
  const io::Socket client = connect();
  EXPECT_EQ(connections_.next_deadline(), now_ + kConnectionWithoutAllocationTimeout);
  now_ += kConnectionWithoutAllocationTimeout - milliseconds(1);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 0U);
  now_ += milliseconds(1);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 1U);
  EXPECT_TRUE(is_closed(client));
  EXPECT_EQ(connections_.next_deadline(), kNever);
}

TEST_F(Connections, WithAnAllocationStayUntilItEndedSomeTimeAgo) {
  const io::Socket client = connect();
  connections_.set_has_allocation(client_of(client), true, now_);
  now_ += 10 * kConnectionWithoutAllocationTimeout;
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 0U);
  connections_.set_has_allocation(client_of(client), false, now_);
  EXPECT_EQ(connections_.next_deadline(), now_ + kConnectionWithoutAllocationTimeout);
  now_ += kConnectionWithoutAllocationTimeout;
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 1U);
}

TEST_F(Connections, AFrameThatTricklesInEndsThemAndWholeFramesDoNot) {
  const io::Socket client = connect();
  connections_.set_has_allocation(client_of(client), true, now_);
  Buffer one_and_a_half = kFrame;
  one_and_a_half.insert(one_and_a_half.end(), kFrame.begin(), kFrame.begin() + 5);
  ASSERT_EQ(send(client.get(), one_and_a_half.data(), one_and_a_half.size(), 0), 13);
  EXPECT_EQ(read_frames(), std::vector<Buffer>{kFrame});
  now_ += kFrameTimeout - milliseconds(1);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 0U);
  // The half becomes whole, and the next one begins: its time begins too.
  ASSERT_EQ(send(client.get(), kFrame.data() + 5, 3, 0), 3);
  EXPECT_EQ(read_frames(), std::vector<Buffer>{kFrame});
  ASSERT_EQ(send(client.get(), kFrame.data(), 1, 0), 1);
  EXPECT_TRUE(read_frames().empty());
  now_ += kFrameTimeout - milliseconds(1);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 0U);
  // One more byte does not buy more time.
  ASSERT_EQ(send(client.get(), kFrame.data() + 1, 1, 0), 1);
  EXPECT_TRUE(read_frames().empty());
  now_ += milliseconds(1);
  connections_.handle_deadlines(now_);
  EXPECT_EQ(close_doomed(), 1U);
  EXPECT_TRUE(is_closed(client));
}

// What is read of others meanwhile does not touch them.
TEST_F(Connections, FramesOfManyLiveUntilTheyAreDone) {
  const io::Socket first = connect();
  const Buffer one = media(1);
  const Buffer two = media(2);
  std::vector<MutableBytes> frames;
  const auto read_frame = [&](const io::Socket& client, const Buffer& frame) {
    ASSERT_EQ(send(client.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
    const auto reader = connections_.find(next_event());
    ASSERT_TRUE(reader.has_value());
    connections_.set_has_allocation(*reader, true, now_);
    const auto read = connections_.read(reader->handle, now_);
    ASSERT_NE(read.framer, nullptr);
    frames.push_back(read.framer->next().value_or(MutableBytes()));
    connections_.finish_read(reader->handle, true, now_);
    EXPECT_FALSE(connections_.has_unfinished_frame(reader->handle));
  };
  read_frame(first, one);
  const io::Socket second = connect();
  read_frame(second, two);
  EXPECT_TRUE(equal(frames.at(0), one));
  EXPECT_TRUE(equal(frames.at(1), two));
  connections_.handle_frames_done();
}

class Acknowledgements : public Connections {
 protected:
  static constexpr std::uint32_t kFrames = 320;
  // Of so many frames of a new connection, each read before the next one is sent. `pass` sets the clock.
  template <typename Pass>
  std::uint32_t count_of(Pass pass) {
    const io::Socket& client = clients_.emplace_back(connect());
    io::send_promptly(client.get());
    EXPECT_EQ(send(client.get(), kFrame.data(), kFrame.size(), 0), 8);
    connections_.set_has_allocation(*connections_.find(next_event()), true, now_);
    EXPECT_EQ(read_frames().size(), 1U);
    const std::uint32_t before = test::segments_received(client.get());
    for (std::uint32_t frame = 0; frame < kFrames; ++frame) {
      EXPECT_EQ(send(client.get(), kFrame.data(), kFrame.size(), 0), 8);
      const EventTag event = next_event();
      pass();
      EXPECT_EQ(read_frames(event).size(), 1U);
    }
    return test::segments_received(client.get()) - before;
  }
  std::vector<io::Socket> clients_;
};

TEST_F(Acknowledgements, AreFewerWhereMuchComes) {
  EXPECT_LT(count_of([&] { now_ += milliseconds(5); }), kFrames * 7 / 10);
}

// Who pauses does not wait for them, and what the kernel makes of a pause is mended.
TEST_F(Acknowledgements, AreFewerBetweenPausesToo) {
  const auto count = count_of([&, frame = 0]() mutable {
    const bool pauses = ++frame % 8 == 0;
    while (pauses && test::segments_unacknowledged(clients_.front().get()) > 0) std::this_thread::yield();
    now_ += milliseconds(pauses ? 60 : 5);
  });
  EXPECT_LT(count, kFrames * 7 / 10);
}

TEST_F(Acknowledgements, AreSentAtOnceWhereLittleComes) {
  EXPECT_GE(count_of([&] { now_ += milliseconds(20); }), kFrames * 9 / 10);
  const auto half = count_of([&, frame = 0]() mutable { now_ += milliseconds(++frame % 2 == 0 ? 40 : 2); });
  EXPECT_GE(half, kFrames * 9 / 10);
}

// Thrice: then it is known. A machine that is busy makes waits of its own, but not each time.
TEST_F(Acknowledgements, AreNotHeldBackFromWhoWaitsForThem) {
  std::size_t fewest = kFrames;
  for (int attempt = 0; attempt < 3 && fewest > 5; ++attempt) {
    const io::Socket& client = clients_.emplace_back(connect());
    now_ = io::read_now().monotonic;
    Instant read_at = now_;
    std::size_t waits = 0;
    for (std::uint32_t sent = 0; sent < kFrames; ++sent) {
      EXPECT_EQ(send(client.get(), kFrame.data(), kFrame.size(), 0), 8);
      const Instant next_one = now_ + milliseconds(3);
      for (; now_ < next_one; now_ = io::read_now().monotonic) {
        for (const io::Ready& ready : poller_->wait(next_one, now_)) {
          const EventTag event = EventTag::unpack(ready.tag);
          connections_.set_has_allocation(*connections_.find(event), true, now_);
          now_ = io::read_now().monotonic;
          waits += now_ - std::exchange(read_at, now_) >= milliseconds(25) ? 1U : 0U;
          EXPECT_FALSE(read_frames(event).empty());
        }
      }
    }
    fewest = std::min(fewest, waits);
  }
  EXPECT_LE(fewest, 5U) << "of " << kFrames;
}

// The next read of such a one goes where its frames lie.
TEST_F(Connections, WhoHasAnUnfinishedFrameSaysSo) {
  const io::Socket client = connect();
  Buffer sent = kFrame;
  sent.push_back(0x40);
  ASSERT_EQ(send(client.get(), sent.data(), sent.size(), 0), static_cast<ssize_t>(sent.size()));
  EXPECT_EQ(read_frames(), std::vector<Buffer>{kFrame});
  EXPECT_TRUE(connections_.has_unfinished_frame(client_of(client).handle));
}

TEST_F(Connections, OtherProtocolsAreClosedAtOnce) {
  const io::Socket client = connect();
  const Buffer tls_client_hello = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03};
  ASSERT_EQ(send(client.get(), tls_client_hello.data(), tls_client_hello.size(), 0), 11);
  EXPECT_TRUE(read_frames().empty());
  EXPECT_EQ(close_doomed(), 1U);
}

TEST_F(Connections, AnEventOfAClosedOneDoesNotTouchItsSuccessor) {
  io::Socket client = connect();
  client.close();
  const EventTag old = next_event();
  const auto closed = connections_.find(old);
  ASSERT_TRUE(closed.has_value());
  EXPECT_EQ(connections_.read(closed->handle, now_).framer, nullptr);
  EXPECT_FALSE(connections_.find(old).has_value()) << "doomed";
  EXPECT_EQ(close_doomed(), 1U);
  const io::Socket successor = connect();
  EXPECT_FALSE(connections_.find(old).has_value());
  connections_.send_media(*closed, kFrame, now_);
  connections_.flush();
  EXPECT_FALSE(test::await_readable(successor.get(), milliseconds(0)));
}

TEST_F(Connections, WhatComesForThoseThatWaitForTheirTurnGoesTogether) {
  const std::uint32_t last = kFlushesARound;
  std::vector<io::Socket> clients = connect_with_media(last + 1);
  connections_.flush();
  EXPECT_TRUE(connections_.has_to_flush());
  expect_media(clients[last - 1], 1, 1);
  expect_media(clients[last], 0, 0);
  connections_.send_media(client_of(clients[0], 0), media(1000), now_);
  connections_.send_media(client_of(clients[last], last), media(1000), now_);
  connections_.flush();
  EXPECT_FALSE(connections_.has_to_flush());
  expect_media(clients[0], 2, 2);
  expect_media(clients[last], 2, 1);
}

TEST_F(Connections, WhoTakesThePlaceOfOneThatWaitedIsSentToOnce) {
  const std::uint32_t last = kFlushesARound;
  std::vector<io::Socket> clients = connect_with_media(last + 1);
  connections_.flush();
  clients[last].close();
  EXPECT_TRUE(read_frames().empty());
  EXPECT_EQ(close_doomed(), 1U);
  const io::Socket successor = connect();
  connections_.set_has_allocation(client_of(successor, last), true, now_);
  connections_.send_media(client_of(successor, last), media(1), now_);
  connections_.flush();
  EXPECT_FALSE(connections_.has_to_flush());
  expect_media(successor, 1, 1);
}

TEST_F(Connections, TheOldestMediaIsDroppedWholeWhenTheClientReadsTooSlowlyAndControlIsNot) {
  const io::Socket client = connect();
  const turn::Client to = client_of(client);
  connections_.set_has_allocation(to, true, now_);
  std::uint32_t sent = 0;
  // Until the kernel takes no more and the queue is full.
  while (count(Counter::dropped_by_stream_queue) == 0) {
    connections_.send_media(to, media(sent++), now_);
    connections_.flush();
  }
  const Buffer reply = {0x40, 0x02, 0x00, 0x00};
  connections_.send_control(to, reply, now_);
  connections_.flush();
  EXPECT_EQ(close_doomed(), 0U);
  const auto numbers = receive_until(client, reply);
  EXPECT_EQ(numbers.size() + count(Counter::dropped_by_stream_queue), sent);
  EXPECT_TRUE(std::ranges::is_sorted(numbers));
  ASSERT_FALSE(numbers.empty());
  EXPECT_EQ(numbers.back(), sent - 1) << "the newest is kept";
  // One gap: what the kernel had not taken, up to half of the queue.
  const auto is_gap = [](std::uint32_t one, std::uint32_t next) { return next != one + 1; };
  const auto gap = std::ranges::adjacent_find(numbers, is_gap);
  ASSERT_NE(gap, numbers.end());
  EXPECT_EQ(std::adjacent_find(gap + 1, numbers.end(), is_gap), numbers.end());
  EXPECT_LE(numbers.end() - gap, static_cast<std::ptrdiff_t>(kStreamQueueBytesLimit / 2 / 1004 + 2));
}

TEST_F(Connections, MediaThatHasWaitedTooLongIsDropped) {
  const io::Socket client = connect();
  const turn::Client to = client_of(client);
  connections_.set_has_allocation(to, true, now_);
  std::uint32_t sent = 0;
  const auto send_one = [&] {
    connections_.send_media(to, media(sent++), now_);
    connections_.flush();
  };
  // The kernel takes no more, and much waits.
  while (count(Counter::dropped_by_stream_queue) == 0) send_one();
  const std::uint64_t dropped_before = count(Counter::dropped_by_stream_queue);
  now_ += kStaleMedia / 2 + milliseconds(1);
  const std::uint32_t young = sent;
  for (int i = 0; i < 10; ++i) send_one();
  now_ += kStaleMedia / 2;
  const Buffer reply = {0x40, 0x02, 0x00, 0x00};
  connections_.send_control(to, reply, now_);
  const auto numbers = receive_until(client, reply);
  const std::uint64_t dropped = count(Counter::dropped_by_stream_queue);
  EXPECT_EQ(numbers.size() + dropped, sent);
  EXPECT_GT(dropped - dropped_before, kStreamQueueBytesLimit / 4 / 1004) << "what waited";
  ASSERT_GE(numbers.size(), 10U);
  EXPECT_EQ(numbers[numbers.size() - 10], young) << "the younger ones are all there";
  EXPECT_EQ(numbers.back(), sent - 1);
}

TEST_F(Connections, ControlThatDoesNotFitEndsThem) {
  const io::Socket client = connect();
  const turn::Client to = client_of(client);
  connections_.set_has_allocation(to, true, now_);
  const Buffer packet(1000);
  std::size_t closed = 0;
  for (int i = 0; i < 100'000 && closed == 0; ++i) {
    connections_.send_control(to, packet, now_);
    connections_.flush();
    closed = close_doomed();
  }
  EXPECT_EQ(closed, 1U);
}

TEST_F(Connections, FewRepliesWaitForAClientWithoutAllocation) {
  const io::Socket client = connect();
  const turn::Client to = client_of(client);
  const Buffer reply(100);
  std::size_t replied = 0;
  // Without flush(): all of it might be of one wake-up.
  while (close_doomed() == 0) {
    connections_.send_control(to, reply, now_);
    replied += reply.size();
    ASSERT_LT(replied, 100'000'000U);
  }
  std::size_t arrived = 0;
  Buffer space(65536);
  ssize_t count = 0;
  while ((count = recv(client.get(), space.data(), space.size(), 0)) > 0)
    arrived += static_cast<std::size_t>(count);
  EXPECT_GT(arrived, 2 * kStreamQueueBytesLimitWithoutAllocation) << "what the kernel takes does not wait";
  EXPECT_LE(replied - arrived, kStreamQueueBytesLimitWithoutAllocation + reply.size());
}

TEST_F(Connections, AFrameMayBeLongOnlyWithAnAllocation) {
  Buffer media(60000);
  media[0] = 0x40;
  media[1] = 1;
  media[2] = 59996 >> 8U;
  media[3] = 59996 & 0xFFU;
  for (const bool has_allocation : {true, false}) {
    const io::Socket client = connect();
    connections_.set_has_allocation(client_of(client), has_allocation, now_);
    for (const std::size_t part : {kFrameBytesLimitWithoutAllocation, std::size_t{1}}) {
      EXPECT_EQ(close_doomed(), 0U);
      ASSERT_EQ(send(client.get(), media.data(), part, 0), static_cast<ssize_t>(part));
      EXPECT_TRUE(read_frames().empty());
    }
    EXPECT_EQ(close_doomed(), has_allocation ? 0U : 1U);
    connections_.close_all();
  }
}

TEST_F(Connections, AnIpv6NetworkOf64BitsCountsAsOneAddress) {
  std::vector<io::Socket> clients;
  const auto adopt_from = [&](Ip ip) {
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    clients.emplace_back(ends[0]);
    connections_.adopt({io::Socket(ends[1]), {ip, 50000}}, {kLoopback6, 3478}, service_, now_);
  };
  std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0D, 0xB8};
  for (std::size_t i = 0; i <= kWithoutAllocationLimitAnAddress; ++i) {
    octets[8] = static_cast<std::uint8_t>(i % 256);
    octets[15] = static_cast<std::uint8_t>(i / 256);
    adopt_from(Ip::v6(octets));
  }
  EXPECT_TRUE(is_closed(clients.back()));
  octets[7] = 1;
  adopt_from(Ip::v6(octets));
  RelayCounters counted;
  counters_.add_to(counted);
  EXPECT_EQ(counted[Counter::connections_refused], 1U);
  EXPECT_EQ(counted[Counter::connections_live], kWithoutAllocationLimitAnAddress + 1);
}

TEST_F(Connections, AnAddressHoldsOnlySoManyWithoutAllocation) {
  std::vector<io::Socket> clients;
  for (std::size_t i = 0; i < kWithoutAllocationLimitAnAddress; ++i) clients.push_back(connect());
  const io::Socket refused = connect();
  EXPECT_TRUE(is_closed(refused));
  RelayCounters counted;
  counters_.add_to(counted);
  EXPECT_EQ(counted[Counter::connections_refused], 1U);
  // Another address is not concerned, and an allocation makes room.
  const io::Socket other = connect(*Ip::parse("127.0.0.2"));
  connections_.set_has_allocation(client_of(clients.front()), true, now_);
  clients.push_back(connect());
  counted = RelayCounters();
  counters_.add_to(counted);
  EXPECT_EQ(counted[Counter::connections_live], kWithoutAllocationLimitAnAddress + 2);
  EXPECT_EQ(counted[Counter::connections_refused], 1U);
}

}  // namespace
}  // namespace offhook::relay
