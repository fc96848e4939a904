#include "io/tls/record_stream.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tls_client.h"

namespace offhook::io {
namespace {

using From = RecordStream::From;
using Purpose = RecordProtection::Purpose;

struct Message {
  ContentType type = ContentType::application_data;
  std::string content;
  bool operator==(const Message&) const = default;
};
Message alert(std::uint8_t level, std::uint8_t description) {
  return {ContentType::alert, {static_cast<char>(level), static_cast<char>(description)}};
}

constexpr std::string_view kNewKeys{"\x18\0\0\x01\0", 5};
constexpr std::string_view kNewKeysBothWays{"\x18\0\0\x01\x01", 5};

// A server's stream and the client's end of it, which can say what no client of a library would.
class RecordStreams : public testing::Test {
 protected:
  // `next`: the number of the server's first record.
  void begin(TlsVersion version, std::uint64_t next = 0) {
    test::SocketPair ends = test::socket_pair();
    client_socket_ = std::move(ends.client);
    server_socket_ = std::move(ends.server);
    const bool sends_nonce = version == TlsVersion::tls12;
    keys_.cipher = {version, EVP_aes_128_gcm(), sends_nonce};
    keys_.hash = EVP_sha256();
    client_secret_ = TrafficSecret(Buffer(32, 1));
    server_secret_ = TrafficSecret(Buffer(32, 2));
    TrafficKeys keys;
    keys.cipher = keys_.cipher;
    keys.hash = keys_.hash;
    keys.from_client = {protection_from(keys_, Purpose::open, client_secret_, 0),
                        TrafficSecret(Buffer(32, 1))};
    keys.to_client = {protection_from(keys_, Purpose::seal, server_secret_, next),
                      TrafficSecret(Buffer(32, 2))};
    seals_ = protection_from(keys_, Purpose::seal, client_secret_, 0);
    opens_ = protection_from(keys_, Purpose::open, server_secret_, next);
    server_.emplace(server_socket_.get(), std::move(keys));
  }
  void change_client_keys() {
    client_secret_ = next_secret(keys_, client_secret_);
    seals_ = protection_from(keys_, Purpose::seal, client_secret_, 0);
  }
  void change_server_keys() {
    server_secret_ = next_secret(keys_, server_secret_);
    opens_ = protection_from(keys_, Purpose::open, server_secret_, 0);
  }

  Buffer sealed(ContentType type, std::string_view content) {
    Buffer record(content.size() + seals_->overhead());
    EXPECT_EQ(seals_->seal(type, as_bytes(content), record), record.size());
    return record;
  }
  void send_raw(Bytes bytes) {
    ASSERT_EQ(::send(client_socket_.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }
  void say(ContentType type, std::string_view content) { send_raw(sealed(type, content)); }
  void say(std::string_view data) { say(ContentType::application_data, data); }

  // What has come, record by record, under the keys of now.
  std::vector<Message> heard() {
    std::array<std::uint8_t, 65536> space{};
    const ssize_t count = recv(client_socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
    MutableBytes rest = MutableBytes(space).first(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    std::vector<Message> messages;
    while (!rest.empty()) {
      const std::size_t size = kRecordHeaderBytes + static_cast<std::size_t>(rest[3] * 256 + rest[4]);
      const auto opened = opens_->open(rest.first(size));
      EXPECT_EQ(opened.fault, RecordProtection::Fault::none);
      if (opened.fault != RecordProtection::Fault::none) break;
      messages.push_back({opened.type, to_string(opened.content)});
      // The server says under which keys it goes on.
      if (opened.type == ContentType::handshake) change_server_keys();
      rest = rest.subspan(size);
    }
    return messages;
  }
  std::string read(std::size_t most = 16384, From from = From::socket) {
    Buffer space(most);
    const auto got = server_->read(space, from);
    status_ = got.status;
    return to_string(Bytes(space).first(got.bytes));
  }
  // The server hears what is at fault, ends, and says why.
  void expect_failure(std::uint8_t description) {
    EXPECT_EQ(read(), "");
    EXPECT_EQ(status_, TlsStatus::ended);
    EXPECT_EQ(heard(), std::vector<Message>{alert(2, description)});
    EXPECT_EQ(server_->write(as_bytes("more")).status, TlsStatus::ended);
    server_->send_close();
    EXPECT_EQ(heard(), std::vector<Message>{});
  }

  TrafficKeys keys_;
  TrafficSecret client_secret_;
  TrafficSecret server_secret_;
  std::optional<RecordProtection> seals_;
  std::optional<RecordProtection> opens_;
  Fd client_socket_;
  Fd server_socket_;
  std::optional<RecordStream> server_;
  TlsStatus status_ = TlsStatus::done;
};

constexpr TlsVersion kVersions[] = {TlsVersion::tls12, TlsVersion::tls13};

TEST_F(RecordStreams, GiveAllThatHasComeWithOneRead) {
  for (const TlsVersion version : kVersions) {
    begin(version);
    say("one ");
    say("");
    say("two");
    EXPECT_EQ(read(), "one two");
    EXPECT_FALSE(server_->is_buffering());
    EXPECT_EQ(read(), "");
    EXPECT_EQ(status_, TlsStatus::wants_read);
  }
}

TEST_F(RecordStreams, WaitForTheRestOfARecordByteByByte) {
  for (const TlsVersion version : kVersions) {
    begin(version);
    for (int round = 0; round < 2; ++round) {
      const Buffer record = sealed(ContentType::application_data, "whole");
      for (std::size_t i = 0; i + 1 < record.size(); ++i) {
        send_raw(Bytes(record).subspan(i, 1));
        EXPECT_EQ(read(), "");
        EXPECT_EQ(status_, TlsStatus::wants_read);
        EXPECT_TRUE(server_->is_buffering());
        EXPECT_EQ(read(10, From::buffered_alone), "");
        EXPECT_EQ(status_, TlsStatus::wants_read);
      }
      send_raw(Bytes(record).last(1));
      EXPECT_EQ(read(), "whole");
      EXPECT_FALSE(server_->is_buffering());
    }
  }
}

TEST_F(RecordStreams, GiveOutPieceByPieceWhatDoesNotFit) {
  begin(TlsVersion::tls13);
  std::string longest(kRecordPlaintextLimit, 'x');
  for (std::size_t i = 0; i < longest.size(); ++i) longest[i] = static_cast<char>('a' + i % 26);
  say(longest);
  const Buffer part = sealed(ContentType::application_data, "then");
  send_raw(Bytes(part).first(7));
  std::array<std::uint8_t, 3> few{};
  EXPECT_EQ(server_->peek(few).bytes, 3U);
  EXPECT_EQ(to_string(few), "abc");
  std::string all = read(5);
  while (status_ == TlsStatus::done) all += read(4099, From::buffered_alone);
  EXPECT_EQ(status_, TlsStatus::wants_read);
  EXPECT_EQ(all, longest);
  EXPECT_EQ(read(), "");
  send_raw(Bytes(part).subspan(7));
  EXPECT_EQ(read(), "then");
}

TEST_F(RecordStreams, EndOnARecordThatWasTamperedWith) {
  for (const TlsVersion version : kVersions) {
    const std::size_t size = [&] {
      begin(version);
      return sealed(ContentType::application_data, "secret").size();
    }();
    // Whichever byte it is, but for the length.
    for (std::size_t i = 0; i < size; ++i) {
      if (i == 3 || i == 4) continue;
      begin(version);
      Buffer record = sealed(ContentType::application_data, "secret");
      record[i] ^= 1;
      send_raw(record);
      const bool wrong_type = version == TlsVersion::tls13 && i == 0;
      expect_failure(wrong_type ? 10 : 20);
    }
  }
}

TEST_F(RecordStreams, EndOnARecordThatComesTwice) {
  for (const TlsVersion version : kVersions) {
    begin(version);
    const Buffer record = sealed(ContentType::application_data, "once");
    send_raw(record);
    EXPECT_EQ(read(), "once");
    send_raw(record);
    expect_failure(20);
  }
}

TEST_F(RecordStreams, GiveWhatCameBeforeTheFault) {
  begin(TlsVersion::tls13);
  say("good");
  Buffer nonsense(25, 0);
  std::ranges::copy(Buffer{23, 3, 3, 0, 20}, nonsense.begin());
  send_raw(nonsense);
  EXPECT_EQ(read(), "good");
  EXPECT_TRUE(server_->is_buffering());
  EXPECT_EQ(read(10, From::buffered_alone), "");
  EXPECT_EQ(status_, TlsStatus::ended);
}

TEST_F(RecordStreams, EndOnARecordThatIsTooLong) {
  for (const TlsVersion version : kVersions) {
    begin(version);
    send_raw(Buffer{23, 3, 3, 0x48, 0x01});
    expect_failure(22);
  }
  // RFC 8446 section 5.2: no more than 256 bytes beyond the longest content.
  for (const std::uint8_t beyond : Buffer{0, 1}) {
    begin(TlsVersion::tls13);
    send_raw(Buffer{23, 3, 3, 0x41, beyond});
    send_raw(Buffer(0x4100U + beyond, 0));
    expect_failure(beyond == 0 ? 20 : 22);
  }
}

TEST_F(RecordStreams, TakeTheLongestRecordThereMayBe) {
  for (const TlsVersion version : kVersions) {
    begin(version);
    const std::string longest(kRecordPlaintextLimit, 'x');
    say(longest);
    EXPECT_EQ(read(), longest);
    say("next");
    EXPECT_EQ(read(), "next");
  }
}

TEST_F(RecordStreams, EndOnWhatIsTooShortToBeARecord) {
  for (const TlsVersion version : kVersions) {
    begin(version);
    send_raw(Buffer{23, 3, 3, 0, 3, 1, 2, 3});
    expect_failure(20);
  }
}

TEST_F(RecordStreams, EndOnWhatNobodyMaySayNow) {
  for (const TlsVersion version : kVersions) {
    for (const auto type : {ContentType::change_cipher_spec, ContentType{24}, ContentType{0}}) {
      begin(version);
      say(type, "\x01");
      expect_failure(10);
    }
  }
  // Padding alone.
  begin(TlsVersion::tls13);
  say(ContentType{0}, std::string_view("\0\0", 2));
  expect_failure(10);
}

TEST_F(RecordStreams, TakeAlertsForTheEndUnlessTheyAreWarnings) {
  struct Case {
    TlsVersion version;
    std::uint8_t level;
    std::uint8_t description;
    bool ends;
    bool may_write;
  };
  const Case cases[] = {
      {TlsVersion::tls12, 1, 0, true, true},    {TlsVersion::tls13, 1, 0, true, true},
      {TlsVersion::tls12, 2, 40, true, false},  {TlsVersion::tls13, 2, 40, true, false},
      {TlsVersion::tls12, 1, 100, false, true}, {TlsVersion::tls13, 1, 90, false, true},
      {TlsVersion::tls13, 1, 100, true, false}, {TlsVersion::tls13, 2, 90, false, true},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(int{each.description});
    begin(each.version);
    const Message message = alert(each.level, each.description);
    say(message.type, message.content);
    EXPECT_EQ(read(), "");
    EXPECT_EQ(status_, each.ends ? TlsStatus::ended : TlsStatus::wants_read);
    EXPECT_EQ(server_->write(as_bytes("answer")).status, each.may_write ? TlsStatus::done : TlsStatus::ended);
    EXPECT_EQ(heard().size(), each.may_write ? 1U : 0U);
  }
  begin(TlsVersion::tls13);
  say(ContentType::alert, "\x01");
  expect_failure(50);
}

TEST_F(RecordStreams, NothingBehindTheEndIsHeard) {
  begin(TlsVersion::tls13);
  say("last");
  say(ContentType::alert, std::string_view("\x01\0", 2));
  say("too late");
  EXPECT_EQ(read(), "last");
  EXPECT_EQ(read(10, From::buffered_alone), "");
  EXPECT_EQ(status_, TlsStatus::ended);
  say("later still");
  EXPECT_EQ(read(), "");
  EXPECT_EQ(status_, TlsStatus::ended);
}

TEST_F(RecordStreams, FollowAClientThatChangesItsKeys) {
  begin(TlsVersion::tls13);
  for (int i = 0; i < 3; ++i) {
    say("before ");
    say(ContentType::handshake, kNewKeys);
    change_client_keys();
    say("after");
    EXPECT_EQ(read(), "before after");
  }
  EXPECT_EQ(server_->write(as_bytes("as ever")).status, TlsStatus::done);
  EXPECT_EQ(heard(), (std::vector<Message>{{ContentType::application_data, "as ever"}}));
}

// Once, before what is sent next, however often it was asked (RFC 8446 section 4.6.3).
TEST_F(RecordStreams, ChangeTheirKeysWhenTheyAreAsked) {
  begin(TlsVersion::tls13);
  for (int i = 0; i < 3; ++i) {
    say(ContentType::handshake, kNewKeysBothWays);
    change_client_keys();
  }
  EXPECT_EQ(read(), "");
  EXPECT_EQ(status_, TlsStatus::wants_read);
  EXPECT_EQ(heard(), std::vector<Message>{});
  EXPECT_EQ(server_->write(as_bytes("one")).bytes, 3U);
  EXPECT_EQ(server_->write(as_bytes("two")).bytes, 3U);
  EXPECT_EQ(heard(), (std::vector<Message>{{ContentType::handshake, std::string(kNewKeys)},
                                           {ContentType::application_data, "one"},
                                           {ContentType::application_data, "two"}}));
}

// RFC 8446 section 5.5. Nobody has asked.
TEST_F(RecordStreams, ChangeTheirKeysBeforeThoseAreWornOut) {
  constexpr std::uint64_t kLimit = 1U << 23U;
  for (const TlsVersion version : kVersions) {
    begin(version, kLimit - 1);
    for (const std::string_view data : {"last", "first", "second"}) {
      EXPECT_EQ(server_->write(as_bytes(data)).bytes, data.size());
    }
    std::vector<Message> messages{{ContentType::application_data, "last"},
                                  {ContentType::application_data, "first"},
                                  {ContentType::application_data, "second"}};
    if (version == TlsVersion::tls13) {
      messages.insert(messages.begin() + 1, {ContentType::handshake, std::string(kNewKeys)});
    }
    EXPECT_EQ(heard(), messages);
  }
}

// Each costs far more than a record: data has to come between them.
TEST_F(RecordStreams, BearNobodyWhoChangesKeysAgainAndAgain) {
  begin(TlsVersion::tls13);
  const auto change = [this] {
    say(ContentType::handshake, kNewKeys);
    change_client_keys();
    say("x");
  };
  for (int i = 0; i < 8; ++i) change();
  EXPECT_EQ(read(), "xxxxxxxx");
  for (int i = 0; i < 1024 - 8; ++i) {
    say("y");
    ASSERT_EQ(read(), "y");
  }
  change();
  EXPECT_EQ(read(), "x");
  say(ContentType::handshake, kNewKeys);
  expect_failure(10);
}

// RFC 5246 section 7.2.2: it may go on as before.
TEST_F(RecordStreams, TellAClientOfTls12ThatNothingIsNegotiatedAnew) {
  begin(TlsVersion::tls12);
  say(ContentType::handshake, {"\x01\0\0\0", 4});
  say("as before");
  EXPECT_EQ(read(), "as before");
  EXPECT_EQ(heard(), std::vector<Message>{alert(1, 100)});
  EXPECT_EQ(server_->write(as_bytes("likewise")).bytes, 8U);
  EXPECT_EQ(heard(), (std::vector<Message>{{ContentType::application_data, "likewise"}}));
}

TEST_F(RecordStreams, NothingFollowsTheirEnd) {
  begin(TlsVersion::tls13);
  server_->send_close();
  server_->send_close();
  EXPECT_EQ(server_->write(as_bytes("more")).status, TlsStatus::ended);
  EXPECT_EQ(heard(), std::vector<Message>{alert(1, 0)});
}

TEST_F(RecordStreams, NoKeysComeFromAnEmptySecret) {
  begin(TlsVersion::tls13);
  EXPECT_FALSE(protection_from(keys_, Purpose::seal, TrafficSecret(), 0).has_value());
}

TEST_F(RecordStreams, EndOnAnyOtherWordOfAHandshake) {
  const std::string_view unexpected[] = {{"\x01\0\0\0", 4},        // ClientHello
                                         {"\x18\0\0\x01", 4},      // a part
                                         {"\x18\0\0\x01\0\0", 6},  // and something behind it
                                         {"\x18\0\0\x02\0\0", 6},
                                         {"", 0}};
  for (const std::string_view message : unexpected) {
    begin(TlsVersion::tls13);
    say(ContentType::handshake, message);
    expect_failure(10);
  }
  begin(TlsVersion::tls13);
  say(ContentType::handshake, {"\x18\0\0\x01\x02", 5});
  expect_failure(47);
  begin(TlsVersion::tls12);
  say(ContentType::handshake, kNewKeys);
  expect_failure(10);
}

TEST_F(RecordStreams, BearNobodyWhoSendsRecordsOfNothing) {
  begin(TlsVersion::tls13);
  for (int i = 0; i < 32; ++i) say("");
  say("x");
  for (int i = 0; i < 32; ++i) say("");
  EXPECT_EQ(read(), "x");
  EXPECT_FALSE(server_->is_buffering());
  say("");
  expect_failure(10);
}

TEST_F(RecordStreams, ASealedRecordThatDidNotGoWholeGoesFirst) {
  begin(TlsVersion::tls12);
  const std::string block(kRecordPlaintextLimit, 'b');
  std::size_t sent = 0;
  TlsTransfer wrote = server_->write(as_bytes(block));
  for (; wrote.status == TlsStatus::done; wrote = server_->write(as_bytes(block))) sent += wrote.bytes;
  ASSERT_EQ(wrote.status, TlsStatus::wants_write);
  EXPECT_EQ(server_->write(as_bytes(block)).status, TlsStatus::wants_write);
  std::string arrived;
  Buffer stream;
  std::array<std::uint8_t, 65536> space{};
  const ssize_t first = recv(client_socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
  ASSERT_GT(first, 0);
  stream.assign(space.begin(), space.begin() + first);
  // There is room, but no alert may go into the middle of it.
  say(ContentType::handshake, {"\x01\0\0\0", 4});
  EXPECT_EQ(read(), "");
  EXPECT_EQ(status_, TlsStatus::wants_read);
  for (;;) {
    const ssize_t count = recv(client_socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
    ASSERT_NE(wrote.status, TlsStatus::ended);
    if (count <= 0 && wrote.status == TlsStatus::done) break;
    if (count > 0) stream.insert(stream.end(), space.begin(), space.begin() + count);
    if (wrote.status != TlsStatus::done) wrote = server_->write(as_bytes(block));
  }
  EXPECT_EQ(wrote.bytes, block.size());
  MutableBytes rest = stream;
  while (rest.size() > kRecordHeaderBytes) {
    const std::size_t size = kRecordHeaderBytes + static_cast<std::size_t>(rest[3] * 256 + rest[4]);
    const auto opened = opens_->open(rest.first(size));
    ASSERT_EQ(opened.fault, RecordProtection::Fault::none);
    arrived += to_string(opened.content);
    rest = rest.subspan(size);
  }
  EXPECT_EQ(arrived.size(), sent + block.size());
}

TEST_F(RecordStreams, EndWhenTheClientIsGone) {
  begin(TlsVersion::tls13);
  say("last");
  client_socket_.close();
  EXPECT_EQ(read(), "last");
  EXPECT_EQ(read(), "");
  EXPECT_EQ(status_, TlsStatus::ended);
  EXPECT_EQ(server_->write(as_bytes("anybody?")).status, TlsStatus::ended);
}

}  // namespace
}  // namespace offhook::io
