#include "wire/turn/stream_framing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "wire/stun/message.h"
#include "wire/turn/channel_data.h"

namespace offhook::turn {
namespace {

using State = StreamFramer::State;

Buffer stun_message(std::size_t payload) {
  Buffer buffer(70000);
  const Buffer value(payload, 0x11);
  stun::MessageBuilder builder(buffer, stun::MessageClass::indication, stun::Method::send, {});
  const Bytes built = builder.add(stun::AttributeType::data, value).finish();
  return {built.begin(), built.end()};
}

Buffer channel_data(std::uint16_t number, std::size_t payload) {
  Buffer bytes(kChannelDataHeaderBytes + payload, 0x22);
  write_channel_data_header(bytes, number, static_cast<std::uint16_t>(payload));
  return bytes;
}

void append(Buffer& stream, const Buffer& frame, std::uint8_t padding = 0) {
  stream.insert(stream.end(), frame.begin(), frame.end());
  stream.resize(padded_to_four(stream.size()), padding);
}

void feed(StreamFramer& framer, Bytes bytes) {
  const MutableBytes space = framer.space(bytes.size());
  ASSERT_GE(space.size(), bytes.size());
  std::copy(bytes.begin(), bytes.end(), space.begin());
  framer.filled(bytes.size());
}

std::vector<Buffer> drain(StreamFramer& framer) {
  std::vector<Buffer> frames;
  while (const auto frame = framer.next()) frames.emplace_back(frame->begin(), frame->end());
  return frames;
}

// What `stream` gives when it arrives in chunks of the sizes that `next_size` says.
template <typename NextSize>
std::vector<Buffer> framed(const Buffer& stream, NextSize next_size) {
  StreamFramer framer;
  std::vector<Buffer> frames;
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t size = std::min<std::size_t>(next_size(), stream.size() - at);
    feed(framer, Bytes(stream).subspan(at, size));
    at += size;
    for (Buffer& frame : drain(framer)) frames.push_back(std::move(frame));
  }
  EXPECT_EQ(framer.state(), State::ok);
  EXPECT_EQ(framer.pending(), 0U);
  return frames;
}

std::vector<Buffer> sample_frames() {
  return {stun_message(0),           channel_data(0x4000, 0), channel_data(0x4001, 1),
          channel_data(0x4FFF, 2),   channel_data(0x4ABC, 3), stun_message(7),
          channel_data(0x4001, 4),   stun_message(1500),      channel_data(0x4001, 172),
          channel_data(0x4001, 1201)};
}

Buffer sample_stream(std::uint8_t padding = 0) {
  Buffer stream;
  for (const Buffer& frame : sample_frames()) append(stream, frame, padding);
  return stream;
}

TEST(StreamFramer, PipelinedFramesComeOutOfOneRead) {
  EXPECT_EQ(framed(sample_stream(), [] { return SIZE_MAX; }), sample_frames());
}

TEST(StreamFramer, AByteAtATimeIsTheSame) {
  EXPECT_EQ(framed(sample_stream(), [] { return 1; }), sample_frames());
}

TEST(StreamFramer, AnyChunkingIsTheSame) {
  std::mt19937 random(8656);
  for (int round = 0; round < 300; ++round) {
    const std::size_t most = 1 + random() % 700;
    EXPECT_EQ(framed(sample_stream(), [&] { return 1 + random() % most; }), sample_frames());
  }
}

TEST(StreamFramer, PaddingMayHaveAnyValue) {
  EXPECT_EQ(framed(sample_stream(0xFF), [] { return 5; }), sample_frames());
}

TEST(StreamFramer, TheLargestFramesFit) {
  const std::vector<Buffer> frames = {channel_data(0x4000, 65535), stun_message(65528),
                                      channel_data(0x4000, 65533)};
  EXPECT_EQ(frames[1].size(), kStreamFrameBytesLimit);
  Buffer stream;
  for (const Buffer& frame : frames) append(stream, frame);
  EXPECT_EQ(framed(stream, [] { return 16384; }), frames);
}

TEST(StreamFramer, WaitsForTheChannelDatasPadding) {
  StreamFramer framer;
  feed(framer, channel_data(0x4000, 1));
  EXPECT_FALSE(framer.next().has_value());
  EXPECT_EQ(framer.pending(), 5U);
  feed(framer, Buffer{0, 0});
  EXPECT_FALSE(framer.next().has_value());
  feed(framer, Buffer{0});
  const auto frame = framer.next();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->size(), 5U);
  EXPECT_EQ(framer.pending(), 0U);
}

TEST(StreamFramer, AFrameMayBeChangedInPlaceAndStaysUntilTheNextSpace) {
  StreamFramer framer;
  Buffer stream;
  append(stream, channel_data(0x4000, 8));
  append(stream, channel_data(0x4001, 8));
  feed(framer, stream);
  const auto first = framer.next();
  ASSERT_TRUE(first.has_value());
  std::fill(first->begin(), first->end(), std::uint8_t{0xEE});
  const auto second = framer.next();
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(equal(*second, channel_data(0x4001, 8)));
  EXPECT_EQ(first->front(), 0xEE);
}

TEST(StreamFramer, TheFirstByteDecidesWhatCanNotBeTurn) {
  for (unsigned first = 0; first <= 255; ++first) {
    StreamFramer framer;
    feed(framer, Buffer{static_cast<std::uint8_t>(first)});
    EXPECT_FALSE(framer.next().has_value());
    const bool possible = first <= 0x7F;  // 0b00 is STUN, 0b01 ChannelData
    EXPECT_EQ(framer.state(), possible ? State::ok : State::not_turn) << first;
  }
}

TEST(StreamFramer, AStunLengthThatIsNoMultipleOfFourIsNotTurn) {
  for (unsigned length = 0; length <= 65535; ++length) {
    StreamFramer framer;
    feed(framer,
         Buffer{0, 1, static_cast<std::uint8_t>(length >> 8U), static_cast<std::uint8_t>(length & 0xFFU)});
    ASSERT_FALSE(framer.next().has_value());
    ASSERT_EQ(framer.state(), length % 4 == 0 ? State::ok : State::not_turn) << length;
  }
}

TEST(StreamFramer, ABadCookieIsNotTurnBeforeTheMessageIsWhole) {
  for (std::size_t at = 4; at < 8; ++at) {
    Buffer start = stun_message(100);
    start.resize(8);
    start[at] ^= 0x10U;
    StreamFramer framer;
    feed(framer, start);
    EXPECT_FALSE(framer.next().has_value());
    EXPECT_EQ(framer.state(), State::not_turn);
  }
}

TEST(StreamFramer, GoodFramesComeOutBeforeTheStreamTurnsBad) {
  Buffer stream;
  append(stream, stun_message(4));
  append(stream, channel_data(0x4000, 4));
  stream.push_back(0x80);
  StreamFramer framer;
  feed(framer, stream);
  EXPECT_EQ(drain(framer).size(), 2U);
  EXPECT_EQ(framer.state(), State::not_turn);
  feed(framer, stun_message(4));
  EXPECT_FALSE(framer.next().has_value());  // it never recovers
}

TEST(StreamFramer, AnIdleFramerIsEmpty) {
  StreamFramer framer;
  EXPECT_FALSE(framer.next().has_value());
  EXPECT_EQ(framer.pending(), 0U);
  EXPECT_EQ(framer.state(), State::ok);
}

TEST(StreamFramer, SpaceThatIsNotFilledCountsForNothing) {
  StreamFramer framer;
  EXPECT_GE(framer.space(4096).size(), 4096U);
  framer.filled(0);
  EXPECT_FALSE(framer.next().has_value());
  EXPECT_EQ(framer.pending(), 0U);
}

}  // namespace
}  // namespace offhook::turn
