#include "io/tls/record_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

namespace offhook::io {
namespace {

// Of a record, and one to spare for a change of keys in front of it.
constexpr std::size_t kSealedLimit = kRecordLimit + 64;
// Records in a row that carry nothing: who sends more of them wants to keep the processor busy.
constexpr std::uint8_t kIdleRecordsLimit = 32;
// A change of keys costs as much as some twenty records, and may come again after so many with data. No
// library changes them before millions.
constexpr std::uint8_t kKeyUpdatesLimit = 8;
constexpr std::uint16_t kRecordsForAKeyUpdate = 1024;
// RFC 8446 section 5.5: AES-GCM is good for 2^24.5 records of full size under one key. A third of that.
constexpr std::uint64_t kRecordsOfAKeyLimit = std::uint64_t{1} << 23U;
constexpr std::uint8_t kClientHello = 1;  // RFC 8446 section 4
constexpr std::uint8_t kKeyUpdate = 24;   // RFC 8446 section 4
constexpr std::uint8_t kFatal = 2;        // RFC 8446 section 6

bool come_again() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

MutableBytes sealing_space() {
  static thread_local std::array<std::uint8_t, kSealedLimit> space;
  return space;
}

}  // namespace

// The thread's own buffer, in which one connection at a time has what came: content that was deciphered, then
// records. What is left when the call ends goes into the connection's own buffer.
class RecordStream::Incoming {
 public:
  explicit Incoming(RecordStream& stream) : stream_(stream), bytes_(space()) {
    const Buffer& rest = stream.rest_;
    if (!rest.empty()) std::memcpy(bytes_.data(), rest.data(), rest.size());
    content_end_ = stream.rest_content_;
    records_ = content_end_;
    end_ = rest.size();
  }
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;
  ~Incoming() {
    const Bytes content = this->content();
    const Bytes records = this->records();
    stream_.rest_content_ = content.size();
    if (content.empty() && records.empty()) {
      stream_.rest_ = {};  // an idle connection keeps no buffer
      return;
    }
    stream_.rest_.assign(content.begin(), content.end());
    stream_.rest_.insert(stream_.rest_.end(), records.begin(), records.end());
  }

  Bytes content() const { return bytes_.subspan(content_begin_, content_end_ - content_begin_); }
  MutableBytes records() const { return bytes_.subspan(records_, end_ - records_); }
  MutableBytes free() {
    if (records_ > 0 && content().empty()) {
      std::memmove(bytes_.data(), bytes_.data() + records_, end_ - records_);
      end_ -= std::exchange(records_, 0);
    }
    return bytes_.subspan(end_);
  }
  void filled(std::size_t count) { end_ += count; }
  void take_content(std::size_t count) { content_begin_ += count; }
  void take_record(std::size_t bytes) { records_ += bytes; }
  // Precondition: the content before is taken; the new one lies before the records that are left.
  void set_content(Bytes content) {
    content_begin_ = static_cast<std::size_t>(content.data() - bytes_.data());
    content_end_ = content_begin_ + content.size();
  }
  void drop_records() { end_ = records_; }

 private:
  static MutableBytes space() {
    static thread_local std::array<std::uint8_t, kRecordLimit> space;
    return space;
  }

  RecordStream& stream_;
  MutableBytes bytes_;
  std::size_t content_begin_ = 0;
  std::size_t content_end_ = 0;
  std::size_t records_ = 0;
  std::size_t end_ = 0;
};

TlsTransfer RecordStream::read(MutableBytes space, From from) {
  Incoming incoming(*this);
  std::size_t given = 0;
  while (given < space.size()) {
    const TlsTransfer filled = fill(incoming, given == 0 ? from : From::buffered_alone);
    if (filled.status != TlsStatus::done) {
      if (given == 0) return filled;
      break;
    }
    const std::size_t count = std::min(filled.bytes, space.size() - given);
    std::memcpy(space.data() + given, incoming.content().data(), count);
    incoming.take_content(count);
    given += count;
  }
  return {TlsStatus::done, given};
}

TlsTransfer RecordStream::peek(MutableBytes space) {
  Incoming incoming(*this);
  const TlsTransfer filled = fill(incoming, From::socket);
  if (filled.status != TlsStatus::done) return filled;
  const std::size_t count = std::min(filled.bytes, space.size());
  std::memcpy(space.data(), incoming.content().data(), count);
  return {TlsStatus::done, count};
}

// Until there is content. The socket is asked once.
TlsTransfer RecordStream::fill(Incoming& incoming, From from) {
  bool may_ask = from == From::socket;
  while (incoming.content().empty()) {
    if (ended_) return {TlsStatus::ended};
    switch (open_next(incoming)) {
      case Opened::some:
        continue;
      case Opened::over:
        ended_ = true;
        incoming.drop_records();
        return {TlsStatus::ended};
      case Opened::incomplete:
        break;
    }
    TlsStatus status = TlsStatus::wants_read;
    if (!std::exchange(may_ask, false) || !receive(incoming, status)) return {status};
  }
  return {TlsStatus::done, incoming.content().size()};
}

bool RecordStream::receive(Incoming& incoming, TlsStatus& status) {
  const MutableBytes space = incoming.free();
  const ssize_t count = recv(fd_, space.data(), space.size(), MSG_DONTWAIT);
  if (count > 0) {
    incoming.filled(static_cast<std::size_t>(count));
    return true;
  }
  const bool over = count == 0 || !come_again();
  ended_ = ended_ || over;
  status = over ? TlsStatus::ended : TlsStatus::wants_read;
  return false;
}

RecordStream::Opened RecordStream::open_next(Incoming& incoming) {
  const MutableBytes records = incoming.records();
  Reader header(records);
  header.skip(3);
  const std::size_t length = header.u16();
  if (!header.ok()) return Opened::incomplete;
  if (length > kRecordPlaintextLimit + kRecordExpansionLimit) return fail_with(Alert::record_overflow);
  if (header.take(length).size() < length) return Opened::incomplete;
  // RFC 8446 section 5.2: to the outside all are alike.
  const bool is_named = keys_.cipher.version == TlsVersion::tls12;
  if (!is_named && records[0] != static_cast<std::uint8_t>(ContentType::application_data))
    return fail_with(Alert::unexpected_message);
  const std::size_t size = kRecordHeaderBytes + length;
  const RecordProtection::Opened record = keys_.from_client.protection->open(records.first(size));
  incoming.take_record(size);
  return take(record, incoming);
}

RecordStream::Opened RecordStream::take(const RecordProtection::Opened& record, Incoming& incoming) {
  switch (record.fault) {
    case RecordProtection::Fault::none:
      break;
    case RecordProtection::Fault::bad_mac:
      return fail_with(Alert::bad_record_mac);
    case RecordProtection::Fault::overflow:
      return fail_with(Alert::record_overflow);
    case RecordProtection::Fault::no_content:
      return fail_with(Alert::unexpected_message);
  }
  const bool is_idle = record.type != ContentType::application_data || record.content.empty();
  idle_records_ = is_idle ? static_cast<std::uint8_t>(idle_records_ + 1) : 0;
  if (idle_records_ > kIdleRecordsLimit) return fail_with(Alert::unexpected_message);
  if (!is_idle) note_data();
  switch (record.type) {
    case ContentType::application_data:
      incoming.set_content(record.content);
      return Opened::some;
    case ContentType::alert:
      return take_alert(record.content);
    case ContentType::handshake:
      return take_handshake(record.content);
    case ContentType::change_cipher_spec:
      break;
  }
  // Or of a type that there is not.
  return fail_with(Alert::unexpected_message);
}

// RFC 8446 section 6: whatever it says, it is the end, but for one that tells of the end to come; TLS 1.2
// (RFC 5246 section 7.2) has others that are warnings.
RecordStream::Opened RecordStream::take_alert(Bytes message) {
  Reader reader(message);
  const bool is_fatal = reader.u8() == kFatal;
  const auto alert = static_cast<Alert>(reader.u8());
  if (!reader.ok() || !reader.at_end()) return fail_with(Alert::decode_error);
  const bool warns = keys_.cipher.version == TlsVersion::tls12 ? !is_fatal && alert != Alert::close_notify
                                                               : alert == Alert::user_canceled;
  if (warns) return Opened::some;
  failed_ = failed_ || alert != Alert::close_notify;
  return Opened::over;
}

void RecordStream::note_data() {
  if (++data_records_ < kRecordsForAKeyUpdate) return;
  data_records_ = 0;
  if (key_updates_ > 0) key_updates_ -= 1;
}

// After the handshake a client says nothing more of it but that it changes its keys. A client of TLS 1.2 may
// ask to negotiate anew, and hears that nobody does.
RecordStream::Opened RecordStream::take_handshake(Bytes message) {
  Reader reader(message);
  const std::uint8_t type = reader.u8();
  if (keys_.cipher.version == TlsVersion::tls12 && type == kClientHello) {
    send_alert(Alert::no_renegotiation);
    return Opened::some;
  }
  const bool is_key_update = type == kKeyUpdate && reader.u8() == 0 && reader.u16() == 1;
  const std::uint8_t request = reader.u8();
  if (keys_.cipher.version == TlsVersion::tls12 || !reader.ok() || !reader.at_end() || !is_key_update)
    return fail_with(Alert::unexpected_message);
  return take_key_update(request);
}

RecordStream::Opened RecordStream::take_key_update(std::uint8_t request) {
  if (request > 1) return fail_with(Alert::illegal_parameter);
  key_updates_ += 1;
  if (key_updates_ > kKeyUpdatesLimit) return fail_with(Alert::unexpected_message);
  if (!change_keys_from_client()) return fail_with(Alert::internal_error);
  owes_key_update_ = owes_key_update_ || request == 1;
  return Opened::some;
}

bool RecordStream::change_keys_from_client() {
  TrafficSecret secret = next_secret(keys_, keys_.from_client.secret);
  auto protection = protection_from(keys_, RecordProtection::Purpose::open, secret, 0);
  if (!protection) return false;
  keys_.from_client = {std::move(protection), std::move(secret)};
  return true;
}

std::size_t RecordStream::change_keys_to_client(MutableBytes space) {
  constexpr std::array<std::uint8_t, 5> kMessage{kKeyUpdate, 0, 0, 1, 0};  // and none is wanted back
  const std::size_t size = keys_.to_client.protection->seal(ContentType::handshake, kMessage, space);
  TrafficSecret secret = next_secret(keys_, keys_.to_client.secret);
  auto protection = protection_from(keys_, RecordProtection::Purpose::seal, secret, 0);
  if (!protection) return 0;
  keys_.to_client = {std::move(protection), std::move(secret)};
  return size;
}

// TLS 1.2 has no way to change them.
bool RecordStream::has_worn_out_keys() const {
  return keys_.cipher.version == TlsVersion::tls13 &&
         keys_.to_client.protection->next() >= kRecordsOfAKeyLimit;
}

RecordStream::Opened RecordStream::fail_with(Alert alert) {
  send_alert(alert);
  failed_ = true;
  return Opened::over;
}

// Of what the socket does not take of it nothing is kept: so nothing may follow.
void RecordStream::send_close() {
  send_alert(Alert::close_notify);
  closed_ = true;
}

// As far as the socket takes it: nobody waits for an answer.
void RecordStream::send_alert(Alert alert) {
  if (failed_ || closed_ || !unsent_.empty()) return;
  const bool warns = alert == Alert::close_notify || alert == Alert::no_renegotiation;
  const std::uint8_t level = warns ? 1 : kFatal;
  const std::array<std::uint8_t, 2> message{level, static_cast<std::uint8_t>(alert)};
  const MutableBytes space = sealing_space();
  const std::size_t size = keys_.to_client.protection->seal(ContentType::alert, message, space);
  if (size == 0) return;
  const ssize_t count = send(fd_, space.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
  // A record has its number, and cannot be left out.
  if (count != static_cast<ssize_t>(size)) closed_ = true;
}

TlsTransfer RecordStream::write(Bytes bytes) {
  if (failed_ || closed_) return {TlsStatus::ended};
  if (!unsent_.empty()) return send_unsent();
  const MutableBytes space = sealing_space();
  std::size_t size = 0;
  if (owes_key_update_ || has_worn_out_keys()) {
    size = change_keys_to_client(space);
    failed_ = size == 0;
    owes_key_update_ = false;
  }
  const Bytes content = bytes.first(std::min(bytes.size(), keys_.content_limit));
  const std::size_t sealed =
      keys_.to_client.protection->seal(ContentType::application_data, content, space.subspan(size));
  failed_ = failed_ || sealed == 0;
  if (failed_) return {TlsStatus::ended};
  return send_sealed(space.first(size + sealed), content.size());
}

TlsTransfer RecordStream::send_sealed(Bytes records, std::size_t content_bytes) {
  const ssize_t count = send(fd_, records.data(), records.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0 && !come_again()) {
    failed_ = true;
    return {TlsStatus::ended};
  }
  const std::size_t sent = count > 0 ? static_cast<std::size_t>(count) : 0;
  if (sent == records.size()) return {TlsStatus::done, content_bytes};
  const Bytes rest = records.subspan(sent);
  unsent_.assign(rest.begin(), rest.end());
  unsent_content_ = content_bytes;
  return {TlsStatus::wants_write};
}

TlsTransfer RecordStream::send_unsent() {
  const Buffer records = std::move(unsent_);
  unsent_ = {};
  return send_sealed(records, unsent_content_);
}

}  // namespace offhook::io
