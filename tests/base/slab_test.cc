#include "base/slab.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>

namespace offhook {
namespace {

TEST(Slab, AStaleIdFindsNothing) {
  Slab<std::string> slab;
  const SlabId first = slab.emplace("first");
  EXPECT_EQ(*slab.find(first), "first");
  EXPECT_TRUE(slab.erase(first));
  EXPECT_EQ(slab.find(first), nullptr);
  EXPECT_FALSE(slab.erase(first));
  const SlabId second = slab.emplace("second");
  EXPECT_EQ(second.index, first.index);  // the slot is used again
  EXPECT_NE(second, first);
  EXPECT_EQ(slab.find(first), nullptr);
  EXPECT_EQ(*slab.find(second), "second");
}

TEST(Slab, ADefaultIdAndAForeignIdFindNothing) {
  Slab<int> slab;
  EXPECT_EQ(slab.find(SlabId{}), nullptr);
  const SlabId id = slab.emplace(1);
  EXPECT_EQ(slab.find(SlabId{}), nullptr);
  EXPECT_EQ(slab.find(SlabId{id.index + 1, id.generation}), nullptr);
  EXPECT_EQ(slab.find(SlabId{UINT32_MAX, 1}), nullptr);
  EXPECT_TRUE(slab.erase(id));
  EXPECT_EQ(slab.find(SlabId{id.index, id.generation + 1}), nullptr);  // the even generation of a free slot
}

TEST(Slab, PointersStayValidWhileOthersComeAndGo) {
  Slab<int> slab;
  const SlabId kept = slab.emplace(42);
  const int* at = slab.find(kept);
  std::vector<SlabId> others;
  for (int i = 0; i < 10000; ++i) others.push_back(slab.emplace(i));
  for (const SlabId id : others) EXPECT_TRUE(slab.erase(id));
  EXPECT_EQ(slab.find(kept), at);
  EXPECT_EQ(*at, 42);
}

TEST(Slab, ErasingDestroysTheValue) {
  Slab<std::shared_ptr<int>> slab;
  const auto value = std::make_shared<int>(1);
  const SlabId id = slab.emplace(value);
  EXPECT_EQ(value.use_count(), 2);
  EXPECT_TRUE(slab.erase(id));
  EXPECT_EQ(value.use_count(), 1);
}

TEST(Slab, AVisitorMayEraseWhatItIsGiven) {
  Slab<int> slab;
  for (int i = 0; i < 100; ++i) (void)slab.emplace(i);
  slab.for_each([&](SlabId id, int value) {
    if (value % 2 == 0) {
      EXPECT_TRUE(slab.erase(id));
    }
  });
  EXPECT_EQ(slab.size(), 50U);
  slab.for_each([](SlabId, int value) { EXPECT_EQ(value % 2, 1); });
}

TEST(Slab, AgreesWithAMapUnderRandomOperations) {
  std::mt19937 random(7);
  Slab<unsigned> slab;
  std::map<SlabId, unsigned> model;
  std::vector<SlabId> ever;
  for (unsigned step = 0; step < 20000; ++step) {
    if (ever.empty() || random() % 2 == 0) {
      const SlabId id = slab.emplace(step);
      ASSERT_TRUE(model.emplace(id, step).second);  // no id comes twice
      ever.push_back(id);
    } else {
      const SlabId id = ever[random() % ever.size()];
      ASSERT_EQ(slab.erase(id), model.erase(id) == 1);
    }
    const SlabId asked = ever[random() % ever.size()];
    const auto expected = model.find(asked);
    const unsigned* found = slab.find(asked);
    ASSERT_EQ(found != nullptr, expected != model.end());
    if (found != nullptr) {
      ASSERT_EQ(*found, expected->second);
    }
    ASSERT_EQ(slab.size(), model.size());
  }
}

}  // namespace
}  // namespace offhook
