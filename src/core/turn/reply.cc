#include "core/turn/reply.h"

#include <cassert>

#include "wire/stun/attr_error_code.h"
#include "wire/stun/attr_mapped_address.h"
#include "wire/stun/attr_unknown_attributes.h"

namespace offhook::turn {

Buffer Replies::error(const ReplyTo& to, stun::ErrorCode code,
                      std::span<const std::uint16_t> unknown_attributes, Instant now) const {
  std::array<std::uint8_t, stun::kMessageBytesLimit> storage{};
  stun::MessageBuilder answer(storage, stun::MessageClass::error_response, to.method, to.transaction_id);
  if (to.integrity == Integrity::none) {
    stun::add_error_code(answer, {static_cast<std::uint16_t>(code), {}});
  } else {
    stun::add_error_code(answer, code);
  }
  if (!unknown_attributes.empty()) stun::add_unknown_attributes(answer, unknown_attributes);
  const bool challenges = code == stun::ErrorCode::unauthenticated || code == stun::ErrorCode::stale_nonce;
  if (challenges) authentication_.add_challenge(answer, to.client.five_tuple.client_address, now);
  Buffer finished_answer = finished(to, answer);
  if (finished_answer.empty()) return server_error(to);
  return finished_answer;
}

Buffer Replies::try_alternate(const ReplyTo& to, const Address& alternate) const {
  assert(to.integrity != Integrity::none);
  std::array<std::uint8_t, stun::kMessageBytesLimit> storage{};
  stun::MessageBuilder answer(storage, stun::MessageClass::error_response, to.method, to.transaction_id);
  stun::add_error_code(answer, stun::ErrorCode::try_alternate);
  stun::add_alternate_server(answer, alternate);
  Buffer finished_answer = finished(to, answer);
  assert(!finished_answer.empty());  // all of it has fixed sizes
  return finished_answer;
}

Buffer Replies::server_error(const ReplyTo& to) const {
  std::array<std::uint8_t, stun::kMessageBytesLimit> storage{};
  stun::MessageBuilder answer(storage, stun::MessageClass::error_response, to.method, to.transaction_id);
  stun::add_error_code(answer, stun::ErrorCode::server_error);
  Buffer finished_answer = finished(to, answer);
  assert(!finished_answer.empty());  // ERROR-CODE, integrity and FINGERPRINT have fixed sizes
  return finished_answer;
}

Buffer Replies::finished(const ReplyTo& to, stun::MessageBuilder& answer) const {
  switch (to.integrity) {
    case Integrity::none:
      break;
    case Integrity::message_integrity:
      answer.add_message_integrity(to.key.bytes());
      break;
    case Integrity::message_integrity_sha256:
      answer.add_message_integrity_sha256(to.key.bytes());
      break;
  }
  if (to.has_fingerprint) answer.add_fingerprint();
  const Bytes message = answer.finish();
  return Buffer(message.begin(), message.end());
}

}  // namespace offhook::turn
