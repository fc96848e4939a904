#include "base/deadline_heap.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace offhook {
namespace {

Instant at(std::int64_t nanoseconds) { return Instant(Duration(nanoseconds)); }

TEST(DeadlineHeap, AnEmptyHeapIsNeverDue) {
  DeadlineHeap<int> heap;
  EXPECT_EQ(heap.next(), kNever);
  EXPECT_FALSE(heap.pop_due(kNever).has_value());
  heap.cancel(1);
  EXPECT_EQ(heap.size(), 0U);
}

TEST(DeadlineHeap, PopsInOrderAndNotBeforeTime) {
  DeadlineHeap<std::string> heap;
  heap.set("c", at(30));
  heap.set("a", at(10));
  heap.set("b", at(20));
  EXPECT_EQ(heap.next(), at(10));
  EXPECT_FALSE(heap.pop_due(at(9)).has_value());
  EXPECT_EQ(heap.pop_due(at(10)), "a");
  EXPECT_FALSE(heap.pop_due(at(19)).has_value());
  EXPECT_EQ(heap.pop_due(at(100)), "b");
  EXPECT_EQ(heap.pop_due(at(100)), "c");
  EXPECT_EQ(heap.size(), 0U);
}

TEST(DeadlineHeap, AKeyHasOneDeadline) {
  DeadlineHeap<int> heap;
  heap.set(1, at(10));
  heap.set(1, at(50));
  EXPECT_EQ(heap.size(), 1U);
  EXPECT_FALSE(heap.pop_due(at(49)).has_value());
  heap.set(1, at(5));
  EXPECT_EQ(heap.pop_due(at(5)), 1);
  EXPECT_FALSE(heap.pop_due(kNever).has_value());
}

TEST(DeadlineHeap, NeverCancels) {
  DeadlineHeap<int> heap;
  heap.set(1, at(10));
  heap.set(1, kNever);
  heap.set(2, kNever);
  EXPECT_EQ(heap.size(), 0U);
  EXPECT_EQ(heap.next(), kNever);
}

Instant earliest(const std::map<unsigned, Instant>& model) {
  Instant least = kNever;
  for (const auto& [key, deadline] : model) least = std::min(least, deadline);
  return least;
}

TEST(DeadlineHeap, AgreesWithAModelUnderRandomOperations) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    DeadlineHeap<unsigned> heap;
    std::map<unsigned, Instant> model;
    for (int step = 0; step < 3000; ++step) {
      const unsigned key = static_cast<unsigned>(random() % 60);
      const Instant deadline = at(static_cast<std::int64_t>(random() % 500));  // many ties
      const unsigned choice = static_cast<unsigned>(random() % 8);
      if (choice < 5) {
        heap.set(key, deadline);
        model[key] = deadline;
      } else if (choice == 5) {
        heap.cancel(key);
        model.erase(key);
      } else if (const auto popped = heap.pop_due(deadline)) {
        ASSERT_TRUE(model.contains(*popped));
        ASSERT_EQ(model[*popped], earliest(model));
        ASSERT_LE(model[*popped], deadline);
        model.erase(*popped);
      } else {
        ASSERT_GT(earliest(model), deadline);
      }
      ASSERT_EQ(heap.size(), model.size());
      ASSERT_EQ(heap.next(), earliest(model));
    }
  }
}

}  // namespace
}  // namespace offhook
