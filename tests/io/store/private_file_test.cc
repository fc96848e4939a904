#include "io/store/private_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

namespace offhook::io {
namespace {

class PrivateFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "offhook-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(PrivateFile, IsReadableByItsOwnerAloneInADirectoryMadeOnDemand) {
  const std::string path = folder_ + "/state/deep/secret";
  ASSERT_TRUE(write_private_file(path, "hush\n"));
  EXPECT_EQ(*read_file(path), "hush\n");
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(stat((folder_ + "/state/deep").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(PrivateFile, ReplacingChangesTheVersionAndLeavesNothingBehind) {
  const std::string path = folder_ + "/secret";
  EXPECT_EQ(file_version(path), 0U);
  ASSERT_TRUE(write_private_file(path, "one"));
  const std::uint64_t before = file_version(path);
  ASSERT_TRUE(write_private_file(path, "two"));
  EXPECT_NE(file_version(path), before);
  EXPECT_EQ(*read_file(path), "two");
  EXPECT_FALSE(file_exists(path + ".new"));
}

TEST_F(PrivateFile, ChangesItsVersionWithItsMode) {
  const std::string path = folder_ + "/secret";
  ASSERT_TRUE(write_private_file(path, "one"));
  const std::uint64_t before = file_version(path);
  EXPECT_EQ(file_version(path), before);
  struct stat first {};
  ASSERT_EQ(stat(path.c_str(), &first), 0);
  struct stat status = first;
  // The clock of a file system moves in steps.
  while (status.st_ctim.tv_sec == first.st_ctim.tv_sec && status.st_ctim.tv_nsec == first.st_ctim.tv_nsec) {
    ASSERT_EQ(chmod(path.c_str(), S_IRUSR), 0);
    ASSERT_EQ(stat(path.c_str(), &status), 0);
  }
  EXPECT_NE(file_version(path), before);
}

TEST_F(PrivateFile, ErrorsSayWhatHappenedAndWhatToDo) {
  const auto missing = read_file(folder_ + "/nothing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().error, ENOENT);
  EXPECT_NE(missing.error().message.find("check the path"), std::string::npos);

  ASSERT_TRUE(write_private_file(folder_ + "/file", "x"));
  const auto below_a_file = write_private_file(folder_ + "/file/secret", "x");
  ASSERT_FALSE(below_a_file);
  EXPECT_NE(below_a_file.error().message.find("cannot create"), std::string::npos);
}

}  // namespace
}  // namespace offhook::io
