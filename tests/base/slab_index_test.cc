#include "base/slab_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace offhook {
namespace {

// Names whose hash is chosen by the test.
struct Named {
  std::uint64_t name = 0;
};

class NamedSlab {
 public:
  // Of so many hashes: few make long runs.
  explicit NamedSlab(std::size_t hashes) : hashes_(hashes) {}
  std::size_t hash(std::uint64_t name) const { return (name * 0x9E3779B97F4A7C15ULL >> 20U) % hashes_; }
  SlabId add(std::uint64_t name) {
    const SlabId id = slab_.emplace(Named{name});
    index_.insert(hash(name), id);
    return id;
  }
  void remove(std::uint64_t name, SlabId id) {
    index_.erase(hash(name), id);
    ASSERT_TRUE(slab_.erase(id));
  }
  SlabId find(std::uint64_t name) {
    return index_.find(hash(name), [&](SlabId id) { return slab_.find(id)->name == name; });
  }
  std::size_t size() const { return index_.size(); }

 private:
  std::size_t hashes_;
  Slab<Named> slab_;
  SlabIndex index_;
};

TEST(SlabIndex, NothingIsFoundInAnEmptyOne) {
  const SlabIndex index;
  EXPECT_EQ(index.find(7, [](SlabId) { return true; }), SlabId{});
  EXPECT_EQ(index.size(), 0U);
}

// Against a map, with many names of the same hash, and with few.
TEST(SlabIndex, FindsWhatIsThereAndNothingElse) {
  for (const std::size_t hashes : {std::size_t{1}, std::size_t{7}, std::size_t{1} << 40U}) {
    SCOPED_TRACE(hashes);
    NamedSlab slab(hashes);
    std::map<std::uint64_t, SlabId> expected;
    std::mt19937_64 random(hashes);
    for (int step = 0; step < 20'000; ++step) {
      const std::uint64_t name = random() % 300;
      const auto known = expected.find(name);
      ASSERT_EQ(slab.find(name), known == expected.end() ? SlabId{} : known->second);
      if (known == expected.end()) {
        expected[name] = slab.add(name);
      } else if (random() % 2 == 0) {
        slab.remove(name, known->second);
        expected.erase(known);
      }
      ASSERT_EQ(slab.size(), expected.size());
    }
    for (std::uint64_t name = 0; name < 300; ++name)
      EXPECT_EQ(slab.find(name) != SlabId{}, expected.contains(name));
  }
}

}  // namespace
}  // namespace offhook
