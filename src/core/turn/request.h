#pragma once
// A request on its way through the gates to the handler of its method.

#include <span>
#include <utility>

#include "core/turn/shard.h"
#include "wire/stun/message.h"

namespace offhook::turn {

struct Request {
  Shard& shard;
  const stun::Message& message;
  const Now& now;
  Outbox& outbox;
  ReplyTo to;
  Authenticated from;                // after the credentials gate
  Allocation* allocation = nullptr;  // of the five-tuple, or null

  void refuse(stun::ErrorCode code, std::span<const std::uint16_t> unknown_attributes = {}) const {
    outbox.push_back(
        SendToClient{to.client, shard.replies.error(to, code, unknown_attributes, now.monotonic)});
  }
  template <typename Fill>
  void succeed(Fill fill) const {
    outbox.push_back(SendToClient{to.client, shard.replies.success(to, fill)});
  }
  // Under PeerRule::call, only whom a call has introduced to the allocation's user.
  bool admits(const AllowedIp& peer) const {
    return shard.settings.peer_rule == PeerRule::open ||
           shard.introductions.contains(allocation->quota.user(), peer.on_wire());
  }
  void audit(AuditEvent event, const Address& address) const {
    outbox.push_back(Audit{event, to.client, from.owner.username, address});
  }
};

// The gates, in order: class and method, credentials, unknown attributes, allocation, owner; then the
// handler.
void handle_request(Shard& shard, const Client& client, const stun::Message& message, const Now& now,
                    Outbox& outbox);

// One a method; each sends exactly one answer, but for an Allocate whose relay sockets are still being
// opened.
void handle_allocate(Request& request);
void handle_refresh(Request& request);
void handle_create_permission(Request& request);
void handle_channel_bind(Request& request);

// The relay sockets of an opening allocation answer.
void handle_relay_opened(Shard& shard, const RelayId& relay, const Address& relayed_address, const Now& now,
                         Outbox& outbox);
void handle_relay_failed(Shard& shard, const RelayId& relay, stun::ErrorCode code, const Now& now,
                         Outbox& outbox);

// The lifetime that a request gets (RFC 8656 sections 7.2 and 8.2): at least the default, at most the limit.
std::chrono::seconds granted_lifetime(const Settings& settings, std::optional<std::chrono::seconds> wanted);

// True where a comprehension-required attribute is not understood.
bool has_unknown_attributes(const stun::Message& message);

}  // namespace offhook::turn
