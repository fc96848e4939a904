#pragma once
// Runs a fuzz target on every file of fuzz/corpus/<name>/. A finding ends the process, as under the fuzzer.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/bytes.h"

namespace offhook {

inline void replay_corpus(const std::string& name, int (*target)(const std::uint8_t*, std::size_t)) {
  std::size_t inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(OFFHOOK_SOURCE_DIR "/fuzz/corpus/" + name)) {
    std::ifstream file(entry.path(), std::ios::binary);
    ASSERT_TRUE(file.is_open()) << entry.path();
    const Buffer input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    EXPECT_EQ(target(input.data(), input.size()), 0) << entry.path();
    inputs += 1;
  }
  EXPECT_GT(inputs, 0U);
}

}  // namespace offhook
