// The house rules, as a test: who may include whom, which words a floor may not use, how long a file may be.
// docs/architecture.md draws the floors; this table is the same thing for machines.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = OFFHOOK_SOURCE_DIR;
constexpr std::size_t kFileLinesLimit = 500;

// Files that may break a rule. It is empty, and is meant to stay so.
const std::vector<std::string> kExceptions = {};

// What each room may include of ours. A room may always include itself.
const std::map<std::string, std::vector<std::string>> kMayInclude = {
    {"base", {}},
    {"crypto", {"base"}},
    {"wire/icmp", {"base"}},
    {"wire/json", {"base"}},
    {"wire/stun", {"base", "crypto"}},
    {"wire/turn", {"base", "crypto", "wire/stun"}},
    {"wire/signal", {"base", "crypto", "wire/json"}},
    {"wire/jwt", {"base", "crypto", "wire/json"}},
    {"wire/sdp", {"base"}},
    {"wire/push", {"base", "crypto", "wire/json"}},
    {"core/turn", {"base", "crypto", "wire/stun", "wire/turn"}},
    {"core/call", {"base", "crypto", "wire/signal", "wire/sdp"}},
    {"core/credentials", {"base", "crypto", "wire/jwt"}},
    {"core/wake", {"base"}},
    {"wire/lookup_abi.h", {}},
    {"wire/route_abi.h", {}},
    {"io/loop", {"base"}},
    {"io/fastpath", {"base", "wire/lookup_abi.h", "wire/route_abi.h", "io/loop"}},
    {"io/net", {"base", "io/loop"}},
    {"io/tls", {"base", "io/loop", "io/store"}},
    {"io/http", {"base", "io/loop", "io/net", "io/tls"}},
    {"io/store", {"base"}},
    {"service/settings", {"base", "io"}},
    {"service/relay", {"base", "crypto", "wire", "core", "io"}},
    {"service/signal", {"base", "crypto", "wire", "core", "io"}},
    {"service/credentials", {"base", "crypto", "wire", "core", "io"}},
    {"service/api", {"base", "crypto", "wire", "core", "io"}},
    {"service/wake", {"base", "crypto", "wire", "core", "io"}},
    {"service/web", {"base", "crypto", "wire", "core", "io"}},
    {"cmd", {"base", "crypto", "service"}},
};

struct ForbiddenWord {
  const char* floor;  // prefix of the path under src/
  const char* pattern;
  const char* why;
};
const ForbiddenWord kForbidden[] = {
    {"core/", R"((steady|system|high_resolution)_clock|gettimeofday|clock_gettime|\btime\()",
     "the core gets `now`"},
    {"core/", R"(std::(mutex|shared_mutex|thread|jthread|atomic|condition_variable)|<(mutex|thread|atomic)>)",
     "a core belongs to one shard or thread"},
    {"core/", R"(spdlog|std::c(out|err|log)\b|\bprintf)", "the core reports by effects"},
    {"core/", R"(<(sys|netinet|arpa|net)/|<(unistd|fcntl)\.h>|boost/|<openssl/)",
     "the core has no outside world"},
    {"core/", R"(std::random_device|std::mt19937|\brand\()", "randomness is injected"},
    {"core/", R"(\bshared_ptr\b)", "a core owns by value, slab or unique_ptr"},
    {"wire/", R"((steady|system|high_resolution)_clock|gettimeofday|clock_gettime)", "wire has no time"},
    {"wire/", R"(std::(mutex|thread|atomic)|spdlog|<sys/socket\.h>)", "wire is bytes in, values out"},
    {"service/", R"(boost/|<openssl/|<sys/epoll\.h>)", "services use io, not its libraries"},
    {"cmd/", R"(boost/|<openssl/|<sys/socket\.h>)", "commands use services"},
    {"", R"(catch \(\.\.\.\))", "no catch-all"},
    {"", R"(\bsleep_for\b|\busleep\b|\bsleep_until\b)", "await an event instead"},
    {"", R"(\b(TODO|FIXME|XXX|HACK)\b)", "finish it or leave it out"},
    {"", R"((class|struct|namespace) \w*(Manager|Helper|Util|Utils|Misc|Common)\b)", "name it by what it is"},
};

// Third-party headers that one room alone may see.
struct SoleUser {
  const char* pattern;
  std::vector<std::string> rooms;
};
const SoleUser kSoleUsers[] = {
    {R"(#include <openssl/)", {"crypto", "io/tls"}},
    {R"(#include <boost/json)", {"wire/json"}},
    {R"(#include <boost/(asio|beast))", {"io/http"}},
    {R"(#include <toml\+\+)", {"service/settings"}},
    {R"(#include <CLI)", {"cmd"}},
    {R"(#include <bpf/)", {"io/fastpath"}},
    {R"(#include <sqlite3)", {"io/store"}},
    {R"((steady|system)_clock::now)", {"io/loop"}},
};

std::string read_file(const fs::path& path) {
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::vector<fs::path> source_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".h" || extension == ".cc") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// "wire/stun" of "wire/stun/message.h"; "cmd" whatever lies below it; a file that is a room of its own.
std::string room_of(const std::string& path_under_src) {
  for (const auto& [room, allowed] : kMayInclude) {
    if (path_under_src.starts_with(room + "/") || path_under_src == room) return room;
  }
  return "";
}

bool excepted(const std::string& path) {
  return std::find(kExceptions.begin(), kExceptions.end(), path) != kExceptions.end();
}

std::vector<std::string> matches(const std::string& text, const std::string& pattern, std::size_t group) {
  std::vector<std::string> found;
  const std::regex regex(pattern);
  for (auto at = std::sregex_iterator(text.begin(), text.end(), regex); at != std::sregex_iterator(); ++at) {
    found.push_back((*at)[group].str());
  }
  return found;
}

bool may_include(const std::string& room, const std::string& target) {
  if (target == room) return true;
  const auto& allowed = kMayInclude.at(room);
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& prefix) {
    return target == prefix || target.starts_with(prefix + "/");
  });
}

TEST(House, EveryFileLivesInARoom) {
  for (const fs::path& file : source_files(kRoot / "src")) {
    const std::string path = fs::relative(file, kRoot / "src").string();
    EXPECT_NE(room_of(path), "") << path << " lies in no room of the table above";
  }
}

TEST(House, IncludesGoDownTheFloors) {
  std::size_t edges = 0;
  for (const fs::path& file : source_files(kRoot / "src")) {
    const std::string path = fs::relative(file, kRoot / "src").string();
    const std::string room = room_of(path);
    if (room.empty() || excepted(path)) continue;
    for (const std::string& target : matches(read_file(file), "#include \"([^\"]+)\"", 1)) {
      if (target == "web_assets.h" && room == "service/web") continue;  // made by the build
      edges += 1;
      EXPECT_TRUE(may_include(room, room_of(target))) << path << " includes " << target;
    }
  }
  EXPECT_GT(edges, 100U) << "the test looked in the wrong place";
}

TEST(House, FloorsKeepTheirWords) {
  for (const fs::path& file : source_files(kRoot / "src")) {
    const std::string path = fs::relative(file, kRoot / "src").string();
    if (excepted(path)) continue;
    const std::string text = read_file(file);
    for (const ForbiddenWord& word : kForbidden) {
      if (!path.starts_with(word.floor)) continue;
      for (const std::string& found : matches(text, word.pattern, 0)) {
        ADD_FAILURE() << path << " says \"" << found << "\": " << word.why;
      }
    }
  }
}

TEST(House, LibrariesHaveOneUser) {
  for (const fs::path& file : source_files(kRoot / "src")) {
    const std::string path = fs::relative(file, kRoot / "src").string();
    if (excepted(path)) continue;
    const std::string text = read_file(file);
    for (const SoleUser& sole : kSoleUsers) {
      if (matches(text, sole.pattern, 0).empty()) continue;
      const bool allowed = std::find(sole.rooms.begin(), sole.rooms.end(), room_of(path)) != sole.rooms.end();
      EXPECT_TRUE(allowed) << path << " uses " << sole.pattern;
    }
  }
}

TEST(House, FilesAreShort) {
  for (const char* folder : {"src", "tests", "fuzz", "bench", "lab"}) {
    for (const fs::path& file : source_files(kRoot / folder)) {
      const std::string text = read_file(file);
      const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
      EXPECT_LE(lines, kFileLinesLimit) << fs::relative(file, kRoot).string();
    }
  }
}

// The checks above must be able to fail.
TEST(House, TheRulesBite) {
  EXPECT_FALSE(may_include("core/turn", room_of("io/net/socket.h")));
  EXPECT_FALSE(may_include("core/turn", room_of("core/call/server.h")));
  EXPECT_FALSE(may_include("service/relay", room_of("service/signal/signal_service.h")));
  EXPECT_FALSE(may_include("cmd", room_of("core/turn/server.h")));
  EXPECT_TRUE(may_include("service/relay", room_of("core/turn/server.h")));
  EXPECT_FALSE(matches("auto t = std::chrono::steady_clock::now();", kForbidden[0].pattern, 0).empty());
  EXPECT_FALSE(matches("std::mutex lock;", kForbidden[1].pattern, 0).empty());
}

}  // namespace
