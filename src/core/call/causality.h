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

class Outflow {
 public:
  enum class Ruling : std::uint8_t {
    pass,  // its description is out: send it now
    hold,  // kept until its description is out
    drop,  // a duplicate, or of a description that has been replaced
    full,  // one candidate more than `limit`
  };

  Ruling take(std::uint32_t generation, const signal::Candidate& candidate, std::size_t limit);

  // The description of `generation` goes out now (generations only rise). Returns the candidates that follow
  // it. The result is valid until the next call.
  const std::vector<signal::Candidate>& release(std::uint32_t generation, std::string_view sdp);

  // The candidates that have gone out with the newest description, for a device that attaches later.
  const std::vector<signal::Candidate>& released() const;
  // The generation of the newest description that went out.
  std::optional<std::uint32_t> newest() const { return newest_; }

  // An offer of this generation was refused: what was held for it belongs to nothing.
  void forget_held(std::uint32_t generation);
  std::size_t stored() const;

 private:
  // False for a candidate of an offer that lost against the other party's: same generation, other ufrag.
  bool belongs_to_newest(const signal::Candidate& candidate) const;

  std::optional<std::uint32_t> newest_;
  std::vector<std::string> ufrags_;  // of the newest description
  std::map<std::uint32_t, std::vector<signal::Candidate>> candidates_by_generation_;
};

// The values of a=ice-ufrag lines (RFC 8839 section 5.4), without repetition; none where there are very many.
std::vector<std::string> ice_ufrags(std::string_view sdp);

}  // namespace offhook::call
