#pragma once
// The causality rule of docs/protocol.md, for what one party of a call sends: no candidate goes out before
// the description it belongs to, each goes out once, in the order in which they came, and none of an older
// description follows a newer one.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/signal/types.h"

namespace offhook::call {

// A candidate that is kept, to be sent or to be compared with.
struct Kept {
  signal::Candidate candidate;
  bool in_description = false;         // it came in its description; whoever gets that whole has it
  std::optional<std::string> guarded;  // its text as it is shown before accept; nothing: withheld till then
};

class Outflow {
 public:
  enum class Ruling : std::uint8_t {
    pass,  // its description is out: send it now
    hold,  // kept until its description is out
    drop,  // a duplicate, or of a description that has been replaced
    full,  // one candidate more than `limit`
  };

  Ruling take(std::uint32_t generation, const Kept& kept, std::size_t limit);

  // Whether a description of `generation` may bring these candidates beside those that are held for it.
  bool has_room(std::uint32_t generation, const std::vector<signal::Candidate>& withheld,
                std::size_t limit) const;

  // The description of `generation` goes out now (generations only rise), without the candidates that are
  // `withheld` of it. Returns the candidates that follow it, those first. The result is valid until the next
  // call.
  const std::vector<Kept>& release(std::uint32_t generation, std::string_view sdp,
                                   std::vector<signal::Candidate> withheld);

  // The candidates of the newest description that has gone out.
  const std::vector<Kept>& released() const;
  // The generation of the newest description that went out.
  std::optional<std::uint32_t> newest() const { return newest_; }

  // An offer of this generation was refused: what was held for it belongs to nothing, nor does an end of
  // candidates that names no ufrag and comes before the next description of this generation.
  void forget_refused(std::uint32_t generation);
  // Whether it may be of such an offer.
  bool was_refused(std::uint32_t generation) const;
  // An offer of this generation has come: nothing that is held for one before it goes out any more.
  void forget_held_before(std::uint32_t generation);
  std::size_t stored() const;

 private:
  // False for a candidate of an offer that lost against the other party's: same generation, other ufrag.
  bool belongs_to_newest(const signal::Candidate& candidate) const;

  std::optional<std::uint32_t> newest_;
  // Of offers that were refused, from the lowest to the highest, until a description reaches beyond them.
  struct Generations {
    std::uint32_t lowest = 0;
    std::uint32_t highest = 0;
  };
  std::optional<Generations> refused_;
  std::vector<std::string> ufrags_;  // of the newest description
  std::map<std::uint32_t, std::vector<Kept>> candidates_by_generation_;
};

// The values of a=ice-ufrag lines (RFC 8839 section 5.4), without repetition; none where there are very many.
std::vector<std::string> ice_ufrags(std::string_view sdp);

}  // namespace offhook::call
