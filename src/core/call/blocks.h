#pragma once
// Who wants no calls with whom (docs/protocol.md, "Blocks"). Knows nothing of calls: what a block means for
// them is in calls_blocks.cc.

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/call/record.h"
#include "core/call/settings.h"

namespace offhook::call {

class Blocks {
 public:
  // Borrowed; it must outlive this.
  explicit Blocks(const Settings& settings) : settings_(settings) {}

  bool has(std::string_view by, std::string_view of) const;
  // Whether `by` may block one more.
  bool has_room(std::string_view by) const;
  // False if it is there already. Whoever adds what somebody asks for now looks at has_room() first; what was
  // kept by the process before this one had room there.
  bool add(const std::string& by, const std::string& of);
  // False if there is no such block.
  bool remove(std::string_view by, std::string_view of);
  // The first `limit` users after `after` whom `by` has blocked.
  BlockPage page(std::string_view by, std::string_view after, std::size_t limit) const;
  std::size_t size() const { return size_; }

  std::optional<std::string> broken_invariant() const;

 private:
  using Names = std::set<std::string, std::less<>>;

  const Settings& settings_;
  std::map<std::string, Names, std::less<>> blocked_by_user_;
  std::size_t size_ = 0;  // of all lists together
};

}  // namespace offhook::call
