#pragma once
// Frames that a client sends: parsed and validated here, so that the floors above take them as they are.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/redact.h"
#include "base/result.h"
#include "base/warm_path.h"
#include "wire/signal/types.h"

namespace offhook::signal {

struct Resume {
  std::string session;  // "s_…" as the client gave it; it may name nothing
  Secret resume_token;
  std::uint64_t ack = 0;
  std::uint64_t attempt = 0;  // the client counts its hellos; 0: it does not
};

struct Hello {
  Secret token;  // a JWT, not verified
  std::optional<Resume> resume;
  std::optional<WarmPath> warm_path;  // what this device wants; it can only make the server's stricter
};
struct Ping {};
struct Pong {};
struct Ack {};

struct Bye {};
struct Dial {
  CallId call;
  std::string to;
  Media media;
  std::optional<RoomName> room = std::nullopt;  // both are members of: that member's device alone is meant
};
struct Ringing {
  CallId call;
};
struct Accept {
  CallId call;
  Media media;
};
struct Reject {
  CallId call;
  EndReason reason = EndReason::declined;  // declined, busy or media_denied
  bool here = false;                       // the user's other devices ring on
};
struct Hangup {
  CallId call;
  EndReason reason = EndReason::hangup;  // hangup, ice_failed, ice_lost, media_denied or error
};
struct Offer {
  CallId call;
  std::uint32_t generation = 0;
  std::string sdp;
  bool fresh = false;  // of a new peer connection: the other side takes a new one as well
};
struct Answer {
  CallId call;
  std::uint32_t generation = 0;
  std::string sdp;
};
struct IceCandidate {
  CallId call;
  std::uint32_t generation = 0;
  Candidate candidate;
};
struct SelectedPair {
  std::string local;  // kinds of candidate: "host", "srflx", "prflx", "relay"
  std::string remote;
  std::string protocol;
};
struct Connected {
  CallId call;
  std::optional<std::uint32_t> time_to_connect_ms;
  std::optional<SelectedPair> pair;
};
// What a device knows of a call, told to a server that may know nothing of it (docs/protocol.md, "After a
// restart of the server").
struct Snapshot {
  enum class State : std::uint8_t { ringing, accepted, connected, ended };

  CallId call;
  std::string peer;  // the user at the other end
  bool is_caller = false;
  State state = State::ringing;
  Media media;                              // what this side sends; of a call that is not over
  std::optional<std::uint32_t> generation;  // the newest that it knows; nothing before the first offer
  std::uint64_t age_ms = 0;                 // since the dial; of the caller of a call that rings
  EndReason reason = EndReason::hangup;     // of a call that is over
  bool was_accepted = false;                // the same
  std::optional<RoomName> room = std::nullopt;
};
struct State {
  CallId call;
  MediaState state;
};
// This device goes on with a call of its user that another one has.
struct Take {
  CallId call;
  Media media;
};
// Which calls of its user other devices have.
struct Elsewhere {};
// This device becomes a member of a room, or is one no more.
struct Join {
  RoomName room;
};
struct Leave {
  RoomName room;
};
// The user of this device wants no calls with that user any more, or has nothing against them again.
struct Block {
  std::string user;
};
struct Unblock {
  std::string user;
};
// A numbered message that breaks a rule. It takes its place in the order, and is answered with an `error`.
struct Refused {
  ErrorCode code = ErrorCode::bad_message;
  std::string message;
  std::optional<CallId> call;
};

using NumberedMessage =
    std::variant<Bye, Dial, Ringing, Accept, Reject, Hangup, Offer, Answer, IceCandidate, Connected, Snapshot,
                 State, Take, Elsewhere, Join, Leave, Block, Unblock, Refused>;
struct Numbered {
  std::uint64_t seq = 0;  // from 1
  NumberedMessage message;
  std::size_t bytes = 0;  // of the frame that it came in
};

struct ClientFrame {
  std::optional<std::uint64_t> ack;
  std::variant<Hello, Ping, Pong, Ack, Numbered> content;
};

// A frame that has no place in the order: no JSON object, no type, no number where one is due, a wrong hello.
// The connection is closed with 4400 and this text ("bad_message: seq is missing").
struct ParseError {
  std::string text;
};

Result<ClientFrame, ParseError> parse_client_frame(std::string_view text);

}  // namespace offhook::signal
