#include "io/store/journal.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "io/store/database.h"

namespace offhook::io {
namespace {

class JournalFile : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/offhook-journal-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    directory_ = pattern;
    path_ = directory_ + "/state/journal.db";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Journal::Opened open() {
    auto opened = Journal::open(path_, [this](const std::string& problem) { problems_.push_back(problem); });
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  // Through a connection of its own, as another process.
  std::int64_t stored() {
    auto database = Database::open(path_);
    EXPECT_TRUE(database);
    return database->number("SELECT count(*) FROM waiting_call").value_or(-1);
  }

  std::string directory_;
  std::string path_;
  std::vector<std::string> problems_;
};

JournalRecord record(const std::string& call, std::int64_t dialled_at_s = 1000) {
  return {call, "alice", "bob \"'é", true, false, "relay", UnixTime{dialled_at_s}};
}

TEST_F(JournalFile, GivesWhatWasPutAndNotErasedToTheNextProcess) {
  {
    const Journal::Opened opened = open();
    EXPECT_TRUE(opened.records.empty());
    EXPECT_EQ(opened.note, "");
    opened.journal->put(record("c_2", 2000));
    opened.journal->put(record("c_1", 1000));
    opened.journal->put(record("c_3", 3000));
    opened.journal->erase("c_2");
    opened.journal->erase("c_unknown");
  }
  const Journal::Opened opened = open();
  ASSERT_EQ(opened.records.size(), 2U);
  const JournalRecord& first = opened.records[0];  // the oldest
  EXPECT_EQ(first.call, "c_1");
  EXPECT_EQ(first.caller, "alice");
  EXPECT_EQ(first.callee, "bob \"'é");
  EXPECT_TRUE(first.audio);
  EXPECT_FALSE(first.video);
  EXPECT_EQ(first.warm_path, "relay");
  EXPECT_EQ(first.dialled_at.seconds, 1000);
  EXPECT_EQ(opened.records[1].call, "c_3");
}

TEST_F(JournalFile, IsInTheFileAfterAFlushAndNoProcessHasToEndForIt) {
  const Journal::Opened opened = open();
  for (int i = 0; i < 100; ++i) opened.journal->put(record("c_" + std::to_string(i)));
  opened.journal->flush();
  EXPECT_EQ(stored(), 100);
  for (int i = 0; i < 99; ++i) opened.journal->erase("c_" + std::to_string(i));
  opened.journal->flush();
  EXPECT_EQ(stored(), 1);
  EXPECT_TRUE(problems_.empty());
}

TEST_F(JournalFile, PuttingTwiceIsPuttingOnce) {
  const Journal::Opened opened = open();
  opened.journal->put(record("c_1"));
  opened.journal->put(record("c_1", 5000));
  opened.journal->flush();
  EXPECT_EQ(stored(), 1);
}

TEST_F(JournalFile, GivesBlocksToTheNextProcess) {
  {
    const Journal::Opened opened = open();
    EXPECT_TRUE(opened.blocks.empty());
    for (const char* of : {"bob \"'é", "carol", "bob \"'é"}) opened.journal->put_block({"alice", of});
    opened.journal->put_block({"bob", "alice"});
    opened.journal->erase_block({"alice", "carol"});
    opened.journal->erase_block({"nobody", "carol"});
    opened.journal->put(record("c_1"));
  }
  const Journal::Opened opened = open();
  ASSERT_EQ(opened.blocks.size(), 2U);
  EXPECT_EQ(opened.blocks[0].by, "alice");
  EXPECT_EQ(opened.blocks[0].of, "bob \"'é");
  EXPECT_EQ(opened.blocks[1].by, "bob");
  EXPECT_EQ(opened.records.size(), 1U) << "beside the calls";
}

// As releases before blocks have left it.
TEST_F(JournalFile, OneFromBeforeBlocksGoesOn) {
  open().journal->put(record("c_1"));
  ASSERT_TRUE(Database::open(path_)->run("DROP TABLE user_block; PRAGMA user_version = 1"));
  {
    const Journal::Opened opened = open();
    EXPECT_EQ(opened.note, "");
    EXPECT_EQ(opened.records.size(), 1U);
    opened.journal->put_block({"alice", "bob"});
  }
  EXPECT_EQ(open().blocks.size(), 1U);
  EXPECT_EQ(Database::open(path_)->number("PRAGMA user_version").value_or(-1), 2);
}

// Whoever died between the two statements of the step before has left the new table and the old number.
TEST_F(JournalFile, OneThatWasHalfWayThereGoesOn) {
  open().journal->put_block({"alice", "bob"});
  ASSERT_TRUE(Database::open(path_)->run("PRAGMA user_version = 1"));
  const Journal::Opened opened = open();
  EXPECT_EQ(opened.note, "");
  EXPECT_EQ(opened.blocks.size(), 1U);
}

TEST_F(JournalFile, IsItsOwnersAlone) {
  const Journal::Opened opened = open();
  opened.journal->put(record("c_1"));
  opened.journal->flush();
  for (const char* companion : {"", "-wal"}) {
    struct stat status {};
    ASSERT_EQ(stat((path_ + companion).c_str(), &status), 0) << companion;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << companion;
  }
}

TEST_F(JournalFile, ADamagedOneIsMovedAsideAndSaid) {
  std::filesystem::create_directories(directory_ + "/state");
  std::ofstream(path_) << "this is no database, and long enough to be taken for the header of one "
                       << std::string(2000, 'x');
  {
    const Journal::Opened opened = open();
    EXPECT_TRUE(opened.records.empty());
    EXPECT_NE(opened.note.find(path_ + ".aside"), std::string::npos) << opened.note;
    EXPECT_TRUE(file_exists(path_ + ".aside"));
    opened.journal->put(record("c_1"));
  }
  EXPECT_EQ(open().records.size(), 1U);
}

TEST_F(JournalFile, OneOfAnotherVersionIsMovedAside) {
  open().journal->put(record("c_1"));
  ASSERT_TRUE(Database::open(path_)->run("PRAGMA user_version = 7"));
  const Journal::Opened opened = open();
  EXPECT_TRUE(opened.records.empty());
  EXPECT_NE(opened.note.find("version 7"), std::string::npos) << opened.note;
}

TEST_F(JournalFile, OneWithOtherTablesIsMovedAside) {
  open().journal->put(record("c_1"));
  ASSERT_TRUE(Database::open(path_)->run("DROP TABLE waiting_call; CREATE TABLE other (a)"));
  EXPECT_NE(open().note, "");
}

TEST_F(JournalFile, SaysWhereItCannotBe) {
  std::ofstream(directory_ + "/state") << "a file where a directory should be";
  const auto opened = Journal::open(path_, [](const std::string&) {});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find(directory_), std::string::npos) << opened.error().message;
}

TEST_F(JournalFile, ADiskThatTakesNothingIsSaidOnce) {
  const Journal::Opened opened = open();
  ASSERT_TRUE(Database::open(path_)->run("DROP TABLE waiting_call"));
  opened.journal->put(record("c_1"));
  opened.journal->flush();
  opened.journal->put(record("c_2"));
  opened.journal->flush();
  EXPECT_EQ(problems_.size(), 1U);
}

}  // namespace
}  // namespace offhook::io
