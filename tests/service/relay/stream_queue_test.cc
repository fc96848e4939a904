#include "service/relay/stream_queue.h"

#include <gtest/gtest.h>

#include <chrono>

namespace offhook::relay {
namespace {

using std::chrono::milliseconds;
using Kind = StreamQueue::Kind;

constexpr Instant kBegin{std::chrono::hours(1)};

Buffer packet(int mark, std::size_t bytes = 4) { return Buffer(bytes, static_cast<std::uint8_t>(mark)); }

// The marks of what is still to be sent, one for each byte.
Buffer rest(const StreamQueue& queue) {
  const Bytes bytes = queue.unsent();
  return {bytes.begin(), bytes.end()};
}

Buffer joined(std::initializer_list<Buffer> parts) {
  Buffer all;
  for (const Buffer& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST(StreamQueue, SendsInOrderWhateverTheSocketTakes) {
  for (std::size_t step = 1; step <= 12; ++step) {
    StreamQueue queue;
    for (const int mark : {1, 2, 3}) queue.add(packet(mark), Kind::media, kBegin);
    Buffer sent;
    while (!queue.empty()) {
      const Bytes part = queue.unsent().first(std::min(step, queue.bytes()));
      sent.insert(sent.end(), part.begin(), part.end());
      queue.handle_sent(part.size());
      if (sent.size() == step) queue.add(packet(4, 2), Kind::control, kBegin);
    }
    EXPECT_EQ(sent, joined({packet(1), packet(2), packet(3), packet(4, 2)})) << step;
  }
}

TEST(StreamQueue, TakesOutStaleMediaAndKeepsControl) {
  StreamQueue queue;
  queue.add(packet(1), Kind::media, kBegin);
  queue.add(packet(2), Kind::control, kBegin);
  queue.add(packet(3), Kind::media, kBegin + milliseconds(10));
  queue.add(packet(4), Kind::media, kBegin + milliseconds(20));
  EXPECT_FALSE(queue.has_media_before(kBegin));
  EXPECT_TRUE(queue.has_media_before(kBegin + milliseconds(1)));
  EXPECT_EQ(queue.drop_media_before(kBegin), 0U);
  EXPECT_EQ(queue.drop_media_before(kBegin + milliseconds(20)), 2U);
  EXPECT_EQ(rest(queue), joined({packet(2), packet(4)}));
  EXPECT_EQ(queue.drop_media_before(kBegin + milliseconds(21)), 1U);
  EXPECT_EQ(rest(queue), packet(2));
  EXPECT_FALSE(queue.has_media_before(kBegin + milliseconds(100))) << "control is never stale";
}

TEST(StreamQueue, NeverCutsAPacketOfWhichAByteIsSent) {
  StreamQueue queue;
  for (const int mark : {1, 2, 3}) queue.add(packet(mark), Kind::media, kBegin);
  queue.handle_sent(5);
  EXPECT_EQ(queue.drop_media_before(kBegin + milliseconds(1)), 1U);
  EXPECT_EQ(rest(queue), packet(2, 3));
  EXPECT_FALSE(queue.has_media_before(kBegin + milliseconds(1)));
  queue.add(packet(4), Kind::media, kBegin);
  queue.handle_sent(3);
  EXPECT_EQ(rest(queue), packet(4)) << "the books are right after it";
}

TEST(StreamQueue, NeverTakesOutWhatHasToBeOfferedAgain) {
  StreamQueue queue;
  for (const int mark : {1, 2, 3}) queue.add(packet(mark), Kind::media, kBegin);
  queue.hold(6);
  EXPECT_EQ(queue.drop_oldest_media(1000), 1U);
  EXPECT_EQ(rest(queue), joined({packet(1), packet(2)}));
  queue.handle_sent(6);
  EXPECT_EQ(queue.drop_oldest_media(1000), 0U) << "half of the second is sent";
  EXPECT_EQ(rest(queue), packet(2, 2));
}

TEST(StreamQueue, TakesOutNoMoreThanIsAskedFor) {
  StreamQueue queue;
  for (const int mark : {1, 2, 3, 4}) queue.add(packet(mark), Kind::media, kBegin);
  EXPECT_EQ(queue.drop_oldest_media(5), 2U);
  EXPECT_EQ(rest(queue), joined({packet(3), packet(4)}));
  EXPECT_EQ(queue.bytes(), 8U);
}

}  // namespace
}  // namespace offhook::relay
