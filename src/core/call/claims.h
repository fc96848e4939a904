#pragma once
// What sessions have told of calls that this server does not know (docs/protocol.md, "After a restart of the
// server"): kept until the other side tells the same, or has had its time. Says nothing of who is believed.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/slab.h"
#include "core/call/keys.h"
#include "core/call/sessions.h"
#include "core/call/settings.h"
#include "wire/signal/client_frame.h"

namespace offhook::call {

struct ClaimKey {
  SlabId slot;
  auto operator<=>(const ClaimKey&) const = default;
};

struct Claim {
  ClaimKey key;
  SessionKey session;
  std::string user;
  signal::Snapshot snapshot;
  bool accepts = false;  // the person of a device that rang has accepted since

  bool is_over() const { return snapshot.state == signal::Snapshot::State::ended; }
  bool rings() const { return snapshot.state == signal::Snapshot::State::ringing && !accepts; }
  // As it was told, in contrast to an accept since then.
  bool has_talked() const {
    return snapshot.state == signal::Snapshot::State::accepted ||
           snapshot.state == signal::Snapshot::State::connected;
  }
  bool talks() const { return has_talked() || accepts; }
  // Whether both name each other, from either end of the call. A call of nobody else's can be claimed so.
  bool fits(const Claim& other) const {
    return user == other.snapshot.peer && other.user == snapshot.peer &&
           snapshot.is_caller != other.snapshot.is_caller;
  }
};

class Claims {
 public:
  // Both borrowed; they must outlive this.
  Claims(const Settings& settings, Deadlines& deadlines) : settings_(settings), deadlines_(deadlines) {}

  // In place of what the session has told of this call before. False if the session, or the call, has as many
  // as it may.
  bool put(const Session& from, const signal::Snapshot& snapshot, Instant now);
  Claim* find(ClaimKey key) { return claims_.find(key.slot); }
  Claim* find(SessionKey session, const signal::CallId& call);
  // In the order in which they came.
  std::vector<ClaimKey> of_call(const signal::CallId& call) const;
  std::vector<ClaimKey> of_session(SessionKey session) const;
  // Precondition: it is there.
  Claim take(ClaimKey key);
  void clear();

  std::size_t size() const { return claims_.size(); }
  std::optional<std::string> broken_invariant();

 private:
  const Settings& settings_;
  Deadlines& deadlines_;
  Slab<Claim> claims_;
  std::map<signal::CallId, std::vector<ClaimKey>> keys_by_call_;
  std::map<SessionKey, std::vector<ClaimKey>> keys_by_session_;
};

}  // namespace offhook::call
