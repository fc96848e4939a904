#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "io/loop/fd.h"

namespace offhook::io {

// By the shell, in the calling thread's network.
inline bool run(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

inline bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.flush();
  return file.good();
}

// Each test has a network namespace of its own; the one before comes back at the end, for other tests.
class OwnNetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    has_left_ = before_ && unshare(CLONE_NEWNET) == 0;
    if (!has_left_) GTEST_SKIP() << "no network namespace (root is needed)";
  }
  void TearDown() override {
    if (!has_left_) return;
    ASSERT_EQ(setns(before_.get(), CLONE_NEWNET), 0);
  }

 private:
  Fd before_{open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  bool has_left_ = false;
};

// A table of more chains than one answer of the kernel holds, none of which has a hook.
constexpr int kManyChains = 2000;
inline bool add_many_chains() {
  std::string rules = "table inet mine {\n";
  for (int i = 0; i < kManyChains; ++i) rules += "chain number_" + std::to_string(i) + " {}\n";
  const std::string path = testing::TempDir() + "offhook_many_chains";
  return write_file(path, rules + "}\n") && run("nft -f " + path) && unlink(path.c_str()) == 0;
}

}  // namespace offhook::io
