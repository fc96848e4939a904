// The fast path as the relay holds it: where it attaches, what it says when it cannot, what is left of it.

#include "io/fastpath/fast_path.h"

#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "route_stage.h"

namespace offhook::test {
namespace {

using io::FastPath;
using io::FastPathMode;
using io::FastPathSettings;

FastPathSettings settings_with(FastPathMode mode, std::uint32_t channels = 8) {
  return {mode, {kListen4, kListen6, kRelay4, kRelay6}, kListenPort, 49152, 65535, channels};
}

// Of the XDP program there; 0: none.
std::uint32_t program_at(const char* interface) {
  std::uint32_t id = 0;
  EXPECT_EQ(bpf_xdp_query_id(static_cast<int>(if_nametoindex(interface)), 0, &id), 0);
  return id;
}

bool loopback_forwards() {
  std::ifstream file("/proc/sys/net/ipv4/conf/lo/forwarding");
  return file.get() == '1';
}

// The status of a child that runs this; it ends there.
int status_of_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

class FastPathTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!enter_own_network())
      GTEST_SKIP() << "no network namespace of its own (root and iproute2 are needed)";
    const auto loaded = io::RouteProgram::load(io::RouteHook::xdp, {1, 2, 3, 1, 1});
    if (!loaded) GTEST_SKIP() << loaded.error();
  }
};

TEST_F(FastPathTest, IsOnEveryInterfaceOfItsAddressesAndNowhereAfter) {
  {
    const auto started = FastPath::start(settings_with(FastPathMode::xdp));
    ASSERT_TRUE(started) << started.error();
    EXPECT_NE(program_at(kClientSide), 0U);
    EXPECT_NE(program_at(kPeerSide), 0U);
    EXPECT_EQ(program_at("clients"), 0U);
    EXPECT_TRUE(loopback_forwards());
    EXPECT_NE((*started)->text().find("clientside (XDP in the driver)"), std::string::npos)
        << (*started)->text();
    EXPECT_NE((*started)->text().find("MiB"), std::string::npos) << (*started)->text();
  }
  EXPECT_EQ(program_at(kClientSide), 0U);
  EXPECT_EQ(program_at(kPeerSide), 0U);
  EXPECT_FALSE(loopback_forwards());
}

TEST_F(FastPathTest, NothingIsLeftOfAProcessThatWasKilled) {
  std::array<int, 2> attached{};
  ASSERT_EQ(pipe(attached.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto started = FastPath::start(settings_with(FastPathMode::xdp));
    const char good = started ? 1 : 0;
    if (write(attached[1], &good, 1) == 1) (void)pause();
    _exit(0);
  }
  char good = 0;
  ASSERT_EQ(read(attached[0], &good, 1), 1);
  ASSERT_EQ(good, 1);
  EXPECT_NE(program_at(kClientSide), 0U);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(program_at(kClientSide), 0U);
  const auto again = FastPath::start(settings_with(FastPathMode::xdp));
  EXPECT_TRUE(again) << again.error();
  close(attached[0]);
  close(attached[1]);
}

TEST_F(FastPathTest, TheTcHookServesWhereAnotherXdpProgramIs) {
  const auto first = FastPath::start(settings_with(FastPathMode::xdp));
  ASSERT_TRUE(first) << first.error();
  const auto refused = FastPath::start(settings_with(FastPathMode::xdp));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("has another XDP program"), std::string::npos) << refused.error();
  const auto second = FastPath::start(settings_with(FastPathMode::automatic));
  ASSERT_TRUE(second) << second.error();
  EXPECT_NE((*second)->text().find("(TC)"), std::string::npos) << (*second)->text();
}

TEST_F(FastPathTest, SaysWhatIsMissing) {
  FastPathSettings settings = settings_with(FastPathMode::automatic);
  settings.addresses = {*Ip::parse("127.0.0.1")};
  const auto nowhere = FastPath::start(settings);
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().find("no interface but the loopback"), std::string::npos) << nowhere.error();

  const int status = status_of_child([] {
    constexpr uid_t kNobody = 65534;
    if (setresuid(kNobody, kNobody, kNobody) != 0) return 1;
    const auto unprivileged = FastPath::start(settings_with(FastPathMode::automatic));
    if (unprivileged) return 2;
    return unprivileged.error().find("CAP_BPF") == std::string::npos ? 3 : 0;
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(FastPathTest, AChannelHasBothRoutesOrNone) {
  const auto started = FastPath::start(settings_with(FastPathMode::xdp, 1));
  ASSERT_TRUE(started) << started.error();
  io::RelayedChannel channel = channel_of(Family::ipv4, Family::ipv4);
  EXPECT_TRUE((*started)->install(channel));
  channel.expires_at += std::chrono::seconds(1);
  EXPECT_TRUE((*started)->install(channel)) << "a refresh takes no more room";
  io::RelayedChannel other = channel;
  other.channel_number = kOtherChannel;
  other.peer_address.port += 1;
  EXPECT_FALSE((*started)->install(other));
  (*started)->remove(channel);
  EXPECT_TRUE((*started)->install(other));
}

TEST_F(FastPathTest, AccountsAreUsedAgainAndBounded) {
  const auto started = FastPath::start(settings_with(FastPathMode::xdp, 2));
  ASSERT_TRUE(started) << started.error();
  const auto first = (*started)->open_account();
  const auto second = (*started)->open_account();
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  EXPECT_FALSE((*started)->open_account());
  (*started)->close_account(*first);
  EXPECT_EQ((*started)->open_account(), first);
  EXPECT_EQ((*started)->traffic(*first).from_client.packets, 0U);
  EXPECT_FALSE((*started)->traffic(*first).from_client.last_packet);
}

// Over and over, so that a route that outlives its removal would be seen.
TEST_F(FastPathTest, ChangesCountFromTheNextPacketOn) {
  set_loopback_forwarding(true);
  Stage stage(io::RouteHook::xdp);
  ASSERT_TRUE(stage.ready());
  io::RelayedChannel channel = channel_of(Family::ipv4, Family::ipv4);
  const Buffer up = bytes_of(from_client(channel, patterned(172)));
  const auto verdict = [&] { return stage.run(up)->verdict; };
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(verdict(), std::uint32_t{XDP_PASS});
    stage.install(channel);
    EXPECT_EQ(verdict(), std::uint32_t{XDP_REDIRECT});
    channel.expires_at = Instant{};  // the permission has gone
    stage.install(channel);
    EXPECT_EQ(verdict(), std::uint32_t{XDP_PASS});
    channel.expires_at = io::read_now().monotonic + std::chrono::hours(1);
    stage.install(channel);
    EXPECT_EQ(verdict(), std::uint32_t{XDP_REDIRECT});
    stage.reset();
  }
}

}  // namespace
}  // namespace offhook::test
