#pragma once
// What the call server asks the service to do. Effects are carried out in order.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "base/warm_path.h"
#include "wire/signal/types.h"

namespace offhook::call {

// Chosen by the service, one a WebSocket, never used again.
enum class ConnectionId : std::uint64_t {};

struct SendFrame {
  ConnectionId connection{};
  std::string text;  // one text frame
};

// After this the server has forgotten the connection; handle_connection_closed() for it is allowed and does
// nothing.
struct CloseConnection {
  ConnectionId connection{};
  std::uint16_t code = 0;
  std::string reason;  // at most 123 bytes (RFC 6455 section 5.5)
};

struct TimelineEntry {
  std::uint64_t offset_ms = 0;  // since the dial
  std::string event;
};

// Somebody has dialled, and the sessions that the callee has are ringing. For whoever can wake devices that
// have none: what comes of it returns by Server::handle_waking().
struct CallDialled {
  signal::CallId call;
  std::string caller;
  std::string callee;
  signal::Media media;
};

// A device has accepted: no other one needs to ring, or to be woken.
struct CallAnswered {
  signal::CallId call;
};

// The record of a call, given out once, when it is over.
struct CallEnded {
  signal::CallId call;
  std::string caller;
  std::string callee;
  signal::EndReason reason = signal::EndReason::error;  // as the caller was told it
  bool accepted = false;
  bool connected = false;  // both ends decoded media
  Duration lasted{};       // since the dial
  std::vector<TimelineEntry> timeline;
  std::optional<signal::RoomName> room = std::nullopt;  // of a call between two of its members
};

// The other party of the call, which has a call with `user`, is at this address, or most likely is: it has
// said so in a candidate, or its connection comes from there (port 0). Once for each address, for the first
// kMaxIntroduced of a call and user. The call is over with its CallEnded.
struct PeerIntroduced {
  signal::CallId call;
  std::string user;
  Address peer_address;
};
inline constexpr std::size_t kMaxIntroduced = 32;

// Whether a callee without a session may still come.
enum class Waking : std::uint8_t {
  under_way,  // a device is being woken, or somebody has taken it on
  failed,     // nobody can be woken, or no more
};

// This connection is to be sent fresh TURN credentials for its user.
struct CredentialsDue {
  ConnectionId connection{};
  std::string user;
};

// A call that nobody has accepted, as it outlives the process.
struct WaitingCall {
  signal::CallId call;
  std::string caller;
  std::string callee;
  signal::Media media;
  WarmPath warm_path = WarmPath::relay;  // of the caller
  Duration age{};                        // since the dial
};

// To be kept until ForgetCall, and given to Server::restore() by the process after this one.
struct JournalCall {
  WaitingCall call;
};
struct ForgetCall {
  signal::CallId call;
};

// `by` wants no calls with `of`.
struct UserBlock {
  std::string by;
  std::string of;
  auto operator<=>(const UserBlock&) const = default;
};

// To be kept until ForgetBlock, and given to Server::restore_blocks() by the process after this one.
struct JournalBlock {
  UserBlock block;
};
struct ForgetBlock {
  UserBlock block;
};

using Effect = std::variant<SendFrame, CloseConnection, CallDialled, CallAnswered, CallEnded, PeerIntroduced,
                            CredentialsDue, JournalCall, ForgetCall, JournalBlock, ForgetBlock>;
using Outbox = std::vector<Effect>;

}  // namespace offhook::call
