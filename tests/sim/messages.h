#pragma once
// The messages of docs/protocol.md as a client makes and reads them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/warm_path.h"
#include "wire/json/json.h"
#include "wire/signal/types.h"

namespace offhook::sim {

enum class Said : std::uint8_t {
  incoming,
  ringing,
  accepted,
  offer,
  answer,
  candidate,
  restored,
  state,
  taken,
  elsewhere,
  place,
  ended,
  error
};

// An answered call, as another device of the same user is told of it.
struct TakeableCall {
  std::string call;
  std::string peer;
  bool as_caller = false;
};

struct ServerMessage {
  Said said = Said::error;
  std::uint64_t seq = 0;
  std::string call;
  std::string from;
  WarmPath warm_path = WarmPath::off;
  std::uint64_t age_ms = 0;
  bool fresh = false;
  std::int64_t generation = -1;
  std::string sdp;
  std::string candidate;
  std::string ufrag;
  std::string reason;                       // of ended, or the code of error
  std::optional<signal::MediaState> state;  // of the other side
  std::string to;                           // of place
  TakeableCall taken;
  std::vector<TakeableCall> elsewhere;
  std::uint64_t ref = 0;
};

// Throws a Violation if it is none of the protocol.
ServerMessage parse_message(json::Fields& fields, std::string_view type, const std::string& text);

enum class Kind : std::uint8_t {
  dial,
  ringing,
  accept,
  reject,
  hangup,
  offer,
  answer,
  candidate,
  connected,
  snapshot,
  state,
  take,
  elsewhere,
  bye,
};

// What a client knows of one of its calls.
struct Telling {
  bool is_caller = false;
  bool was_answered = false;
  bool is_connected = false;
  bool is_over = false;
};

struct ClientMessage {
  Kind kind = Kind::bye;
  std::string call;
  std::int64_t generation = -1;  // of offers
  bool fresh = false;
  std::string members;  // what follows seq and ack, with the closing brace
  Telling telling{};    // of a snapshot
};

ClientMessage dial_message(const std::string& call, const std::string& to);
ClientMessage plain_message(Kind kind, const std::string& call);  // ringing, accept, take, connected
ClientMessage reason_message(Kind kind, const std::string& call, std::string_view reason);
ClientMessage offer_message(const std::string& call, std::int64_t generation, const std::string& sdp,
                            bool fresh);
ClientMessage answer_message(const std::string& call, std::int64_t generation, const std::string& sdp);
ClientMessage candidate_message(const std::string& call, std::int64_t generation,
                                const std::string& candidate, const std::string& ufrag);
// `reason`: why it is over, if it is. `generation`: -1 before the first.
ClientMessage snapshot_message(const std::string& call, const std::string& peer, const Telling& telling,
                               std::int64_t generation, std::uint64_t age_ms, std::string_view reason);
ClientMessage state_message(const std::string& call, const signal::MediaState& state);
ClientMessage elsewhere_message();
ClientMessage bye_message();

// Networks of this world. Those of hosts and of foreign relays are secrets before an accept.
inline constexpr std::string_view kHostNetwork = "81.0.";
inline constexpr std::string_view kForeignNetwork = "82.0.";
inline bool tells_where(std::string_view text) {
  return text.find(kHostNetwork) != std::string_view::npos ||
         text.find(kForeignNetwork) != std::string_view::npos;
}

// "candidate:<name> 1 udp ...": candidates are told apart by their foundation, which stays as it is whatever
// the server has to hide. The end of candidates has none.
std::string_view foundation_of(std::string_view candidate);

}  // namespace offhook::sim
