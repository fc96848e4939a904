// Feeds records of TLS, sealed as a client would and as none would, to a server's record stream, in chunks
// that the input chooses. What is given out must be what was sealed, from its beginning, and chunking must
// not matter.
//
// Input: one byte that chooses version and cipher; one byte with the number of chunk sizes, the chunk sizes
// (used in turn); then records: one byte for the type (0: the bytes that follow go as they are), two for the
// size, the content.

#include <openssl/evp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "io/loop/fd.h"
#include "io/tls/record_stream.h"

namespace {

using namespace offhook;
using io::RecordStream;
using io::TlsStatus;
using Purpose = io::RecordProtection::Purpose;

void require(bool holds) {
  if (!holds) std::abort();
}

io::TrafficSecret secret_of(std::uint8_t side) { return io::TrafficSecret(Buffer(32, side)); }

io::TrafficKeys keys_of(std::uint8_t choice) {
  const bool is_13 = (choice & 1U) != 0;
  const bool is_gcm = (choice & 2U) != 0;
  io::TrafficKeys keys;
  keys.cipher = {is_13 ? io::TlsVersion::tls13 : io::TlsVersion::tls12,
                 is_gcm ? EVP_aes_128_gcm() : EVP_chacha20_poly1305(), is_gcm && !is_13};
  keys.hash = EVP_sha256();
  keys.from_client = {io::protection_from(keys, Purpose::open, secret_of(1), 0), secret_of(1)};
  keys.to_client = {io::protection_from(keys, Purpose::seal, secret_of(2), 0), secret_of(2)};
  return keys;
}

struct Said {
  Buffer stream;
  Buffer data;  // all application data that was sealed
};

bool changes_keys(std::uint8_t type, Bytes content) {
  constexpr std::array<std::uint8_t, 4> kKeyUpdate{24, 0, 0, 1};
  return type == 22 && content.size() == 5 && equal(content.first(4), kKeyUpdate) && content[4] <= 1;
}

Said say(std::uint8_t choice, Reader reader) {
  const io::TrafficKeys keys = keys_of(choice);
  io::TrafficSecret secret = secret_of(1);
  auto seals = io::protection_from(keys, Purpose::seal, secret, 0);
  Said said;
  while (!reader.at_end()) {
    const std::uint8_t type = reader.u8();
    const std::size_t size = reader.u16();
    const Bytes content = reader.take(std::min({size, reader.remaining(), io::kRecordPlaintextLimit}));
    if (type == 0) {
      said.stream.insert(said.stream.end(), content.begin(), content.end());
      continue;
    }
    Buffer record(content.size() + seals->overhead());
    require(seals->seal(static_cast<io::ContentType>(type), content, record) == record.size());
    said.stream.insert(said.stream.end(), record.begin(), record.end());
    if (type == 23) said.data.insert(said.data.end(), content.begin(), content.end());
    if (keys.cipher.version == io::TlsVersion::tls13 && changes_keys(type, content)) {
      secret = io::next_secret(keys, secret);
      seals = io::protection_from(keys, Purpose::seal, secret, 0);
    }
  }
  return said;
}

struct Outcome {
  Buffer given;
  bool ended = false;
};

void read_all(RecordStream& stream, Outcome& outcome) {
  std::array<std::uint8_t, 700> space{};
  for (;;) {
    const auto got = stream.read(space, RecordStream::From::socket);
    require(got.status != TlsStatus::wants_write);
    require((got.status == TlsStatus::done) == (got.bytes > 0));
    outcome.ended = got.status == TlsStatus::ended;
    if (got.status != TlsStatus::done) return;
    outcome.given.insert(outcome.given.end(), space.begin(),
                         space.begin() + static_cast<std::ptrdiff_t>(got.bytes));
  }
}

Outcome feed(std::uint8_t choice, Bytes bytes, Bytes chunk_sizes) {
  std::array<int, 2> ends{-1, -1};
  require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
  const io::Fd client(ends[0]);
  const io::Fd server(ends[1]);
  RecordStream stream(server.get(), keys_of(choice));
  Outcome outcome;
  for (std::size_t turn = 0; !bytes.empty(); ++turn) {
    const std::size_t wish = chunk_sizes.empty() ? 4096 : chunk_sizes[turn % chunk_sizes.size()] + 1U;
    const Bytes chunk = bytes.first(std::min(wish, bytes.size()));
    require(send(client.get(), chunk.data(), chunk.size(), 0) == static_cast<ssize_t>(chunk.size()));
    bytes = bytes.subspan(chunk.size());
    read_all(stream, outcome);
    if (outcome.ended) break;
  }
  const auto wrote = stream.write(as_bytes("answer"));
  require(wrote.status == TlsStatus::done || (wrote.status == TlsStatus::ended && outcome.ended));
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Reader reader(Bytes(bytes, size));
  const std::uint8_t choice = reader.u8();
  const std::size_t chunks = reader.u8();
  const Bytes chunk_sizes = reader.take(std::min(chunks, reader.remaining()));
  const Said said = say(choice, reader);
  const Outcome chunked = feed(choice, said.stream, chunk_sizes);
  const Outcome whole = feed(choice, said.stream, {});
  require(chunked.given == whole.given && chunked.ended == whole.ended);
  require(whole.given.size() <= said.data.size() &&
          equal(whole.given, Bytes(said.data).first(whole.given.size())));
  return 0;
}
