#pragma once
// Answers. Here alone an answer is finished and sent: challenge, integrity, FINGERPRINT if the request had
// one. 300 (Try Alternate) goes to those alone who have proved who they are: a forged one would lead clients
// away.
//
// Answers to those who have not proved who they are stay as small as the RFC allows, for their source address
// may be forged: no SOFTWARE, no reason phrase.

#include <cstdint>
#include <span>

#include "core/turn/authentication.h"
#include "core/turn/owner.h"
#include "core/turn/types.h"
#include "wire/stun/message.h"

namespace offhook::turn {

// What an answer must know of its request. Kept while relay sockets are being opened.
struct ReplyTo {
  Client client;
  stun::Method method = stun::Method::binding;
  stun::TransactionId transaction_id{};
  bool has_fingerprint = false;
  Integrity integrity = Integrity::none;  // of the answer; none: the request is not authenticated
  LongTermKey key;
};

class Replies {
 public:
  explicit Replies(const Authentication& authentication) : authentication_(authentication) {}

  // `fill(MessageBuilder&)` adds the attributes. If they do not fit, the answer is 500 (Server Error)
  // instead.
  template <typename Fill>
  Buffer success(const ReplyTo& to, Fill fill) const {
    std::array<std::uint8_t, stun::kMessageBytesLimit> storage{};
    stun::MessageBuilder answer(storage, stun::MessageClass::success_response, to.method, to.transaction_id);
    fill(answer);
    Buffer finished_answer = finished(to, answer);
    if (finished_answer.empty()) return server_error(to);
    return finished_answer;
  }
  // `unknown_attributes` goes with 420.
  Buffer error(const ReplyTo& to, stun::ErrorCode code, std::span<const std::uint16_t> unknown_attributes,
               Instant now) const;
  // 300 (RFC 8489 section 10). `to` is authenticated; `alternate` is of the family of the client's address.
  Buffer try_alternate(const ReplyTo& to, const Address& alternate) const;

 private:
  // Empty if it does not fit.
  Buffer finished(const ReplyTo& to, stun::MessageBuilder& answer) const;
  Buffer server_error(const ReplyTo& to) const;

  const Authentication& authentication_;
};

}  // namespace offhook::turn
