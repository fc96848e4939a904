// Feeds a stream in chunks that the input chooses. Frames and their padding must be the stream's prefix, each
// must be what it claims, and chunking must not matter.
//
// Input: one byte with the number of chunk sizes, the chunk sizes (used in turn), the stream.

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "wire/stun/message.h"
#include "wire/turn/channel_data.h"
#include "wire/turn/stream_framing.h"

namespace {

using namespace offhook;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  std::vector<Buffer> frames;
  turn::StreamFramer::State state = turn::StreamFramer::State::ok;
  std::size_t pending = 0;
};

std::size_t bytes_on_stream(Bytes frame) {
  if (!stun::looks_like_stun(frame)) {
    const auto channel_data = turn::parse_channel_data(frame);
    require(channel_data && channel_data->payload.size() + turn::kChannelDataHeaderBytes == frame.size());
    return turn::padded_to_four(frame.size());
  }
  require(frame.size() >= stun::kHeaderBytes && frame.size() % 4 == 0);
  Reader reader(frame);
  reader.skip(2);
  require(reader.u16() + stun::kHeaderBytes == frame.size());
  require(reader.u32() == stun::kMagicCookie);
  return frame.size();
}

Outcome feed(Bytes stream, Bytes chunk_sizes) {
  Outcome outcome;
  turn::StreamFramer framer;
  std::size_t fed = 0;
  std::size_t framed = 0;
  for (std::size_t turn_of = 0; fed < stream.size(); ++turn_of) {
    const std::size_t wish =
        chunk_sizes.empty() ? stream.size() : chunk_sizes[turn_of % chunk_sizes.size()] + 1U;
    const Bytes chunk = stream.subspan(fed, std::min(wish, stream.size() - fed));
    const MutableBytes space = framer.space(chunk.size());
    require(space.size() >= chunk.size());
    std::copy(chunk.begin(), chunk.end(), space.begin());
    framer.filled(chunk.size());
    fed += chunk.size();
    while (const auto frame = framer.next()) {
      require(frame->size() <= turn::kStreamFrameBytesLimit);
      require(equal(*frame, stream.subspan(framed, frame->size())));
      framed += bytes_on_stream(*frame);
      require(framed <= fed);
      outcome.frames.emplace_back(frame->begin(), frame->end());
    }
    require(framer.pending() == fed - framed);
    if (framer.state() == turn::StreamFramer::State::not_turn) break;
  }
  outcome.state = framer.state();
  outcome.pending = framer.pending();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Reader reader(Bytes(bytes, size));
  const std::size_t chunks = reader.u8();
  const Bytes chunk_sizes = reader.take(std::min(chunks, reader.remaining()));
  const Bytes stream = reader.take_rest();
  const Outcome chunked = feed(stream, chunk_sizes);
  const Outcome whole = feed(stream, {});
  require(chunked.frames == whole.frames);
  require(chunked.state == whole.state);
  // After not_turn the rest is never fed, so only a good stream leaves the same behind.
  if (whole.state == turn::StreamFramer::State::ok) require(chunked.pending == whole.pending);
  return 0;
}
