// Each kind of filter is found in a network of its own that has nothing else, and is gone when it is removed.

#include "io/net/packet_filter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "io/loop/fd.h"
#include "io/net/own_network.h"

namespace offhook::io {
namespace {

constexpr uid_t kNobody = 65534;

// What a process finds that first prepares itself; nothing if it cannot.
std::optional<std::string> found_by_child(const std::function<bool()>& prepare) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  (void)std::fflush(nullptr);  // or the child's end writes it once more
  const pid_t child = fork();
  if (child == 0) {
    if (!prepare()) _exit(1);
    const std::string found = packet_filter_in_the_way();
    _exit(write(ends[1], found.data(), found.size()) == static_cast<ssize_t>(found.size()) ? 0 : 1);
  }
  const Fd reading(ends[0]);
  Fd(ends[1]).close();
  std::string text(4096, '\0');
  const ssize_t length = read(reading.get(), text.data(), text.size());
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0 || length < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(length));
  return text;
}

bool keep_capabilities(std::uint32_t kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct sets[2] = {{kept, kept, 0}, {0, 0, 0}};
  return syscall(SYS_capset, &header, sets) == 0;
}

// As a service that runs as a user of its own, with AmbientCapabilities=CAP_NET_ADMIN.
bool become_network_administrator() {
  return prctl(PR_SET_KEEPCAPS, 1) == 0 && setresuid(kNobody, kNobody, kNobody) == 0 &&
         keep_capabilities(1U << CAP_NET_ADMIN);
}

// Replaces /proc/thread-self/net by an empty directory, for this process alone.
bool replace_proc_net() {
  return unshare(CLONE_NEWNS) == 0 && mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("none", "/proc/thread-self/net", "tmpfs", 0, "mode=755") == 0;
}

std::optional<std::string> found_with_proc_net(const std::string& file, const std::string& text) {
  return found_by_child(
      [&] { return replace_proc_net() && write_file("/proc/thread-self/net/" + file, text); });
}

class PacketFilterTest : public OwnNetworkTest {
 protected:
  void SetUp() override {
    OwnNetworkTest::SetUp();
    if (IsSkipped()) return;
    const std::string found = packet_filter_in_the_way();
    if (found == "a cgroup program") GTEST_SKIP() << "the tests' own cgroup has one";
    if (found.starts_with("unknown: ")) GTEST_SKIP() << found;
    ASSERT_EQ(found, "") << "in a new network namespace";
  }
};

TEST_F(PacketFilterTest, ChainsOfEachHookAreFoundWithTheirTable) {
  struct Case {
    const char* family;
    const char* hook;
  };
  const Case cases[] = {{"inet", "output"},      {"inet", "input"},    {"ip", "prerouting"}, {"ip", "input"},
                        {"ip", "forward"},       {"ip6", "output"},    {"ip6", "forward"},   {"ip6", "input"},
                        {"inet", "postrouting"}, {"ip", "postrouting"}};
  for (const Case& each : cases) {
    const std::string table = std::string(each.family) + " mine";
    SCOPED_TRACE(table + " " + each.hook);
    ASSERT_TRUE(run("nft 'add table " + table + "; add chain " + table + " c { type filter hook " +
                    each.hook + " priority 0; }'"));
    EXPECT_EQ(packet_filter_in_the_way(), "nftables (table " + table + ")");
    ASSERT_TRUE(run("nft delete table " + table));
    EXPECT_EQ(packet_filter_in_the_way(), "");
  }
}

TEST_F(PacketFilterTest, ChainsWithoutAHookDoNothing) {
  ASSERT_TRUE(run("nft 'add table inet mine; add chain inet mine jumped_to; add table ip empty'"));
  EXPECT_EQ(packet_filter_in_the_way(), "");
}

TEST_F(PacketFilterTest, ChainsThatSeeAPacketSocketTooAreNotInTheWay) {
  for (const char* chain : {"netdev mine in { type filter hook ingress device lo priority 0; }",
                            "netdev mine out { type filter hook egress device lo priority 0; }",
                            "inet mine in { type filter hook ingress device lo priority 0; }",
                            "bridge mine out { type filter hook output priority 0; }",
                            "arp mine out { type filter hook output priority 0; }"}) {
    const std::string text = chain;
    const std::string table = text.substr(0, text.find(' ')) + " mine";
    if (run("nft 'add table " + table + "; add chain " + text + "'")) {
      EXPECT_EQ(packet_filter_in_the_way(), "") << chain;
    } else {
      std::printf("not on this kernel: %s\n", chain);
    }
  }
}

TEST_F(PacketFilterTest, TheLastOfManyChainsIsFound) {
  ASSERT_TRUE(add_many_chains());
  EXPECT_EQ(packet_filter_in_the_way(), "");
  ASSERT_TRUE(run("nft 'add chain inet mine last { type filter hook output priority 0; }'"));
  EXPECT_EQ(packet_filter_in_the_way(), "nftables (table inet mine)");
}

// In a second thread: only that one's network has the tables.
TEST_F(PacketFilterTest, LegacyTablesAreFoundByName) {
  if (!run("iptables-legacy -V")) GTEST_SKIP() << "iptables-legacy is not installed";
  bool has_tables = false;
  std::string found;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0) return;
    has_tables = run("iptables-legacy -t filter -L -n");
    found = packet_filter_in_the_way();
  }).join();
  if (!has_tables) GTEST_SKIP() << "the kernel has no ip_tables";
  EXPECT_EQ(found, "iptables (filter)");
  EXPECT_EQ(packet_filter_in_the_way(), "");
}

TEST_F(PacketFilterTest, LegacyTablesOfIpv6AreFoundByName) {
  if (!run("ip6tables-legacy -t mangle -L -n")) GTEST_SKIP() << "no ip6tables-legacy, or no ip6_tables";
  EXPECT_EQ(packet_filter_in_the_way(), "ip6tables (mangle)");
}

TEST_F(PacketFilterTest, FilesOfTheKernelAreReadAsItWritesThem) {
  const std::string ipvs_header =
      "IP Virtual Server version 1.2.1 (size=4096)\n"
      "Prot LocalAddress:Port Scheduler Flags\n"
      "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";
  struct Case {
    const char* file;
    std::string text;
    const char* found;
  };
  const Case cases[] = {{"none_of_these", "filter\n", ""},
                        {"ip_tables_names", "", ""},
                        {"ip_tables_names", "nat\nfilter\n", "iptables (nat, filter)"},
                        {"ip6_tables_names", "raw\n", "ip6tables (raw)"},
                        {"ip_vs", ipvs_header, ""},
                        {"ip_vs", ipvs_header + "UDP  0A000001:0D96 rr\n", "IPVS"}};
  for (const Case& each : cases) {
    const auto found = found_with_proc_net(each.file, each.text);
    if (!found) GTEST_SKIP() << "/proc cannot be mounted over";
    EXPECT_EQ(*found, each.found) << each.file << ": " << each.text;
  }
}

TEST_F(PacketFilterTest, AFileThatMayNotBeReadIsUnknown) {
  for (const std::string file : {"ip_tables_names", "ip6_tables_names", "ip_vs"}) {
    const auto found = found_by_child([&] {
      const std::string path = "/proc/thread-self/net/" + file;
      return replace_proc_net() && write_file(path, "filter\n") && chmod(path.c_str(), 0) == 0 &&
             become_network_administrator();
    });
    if (!found) GTEST_SKIP() << "/proc cannot be mounted over";
    EXPECT_EQ(*found, "unknown: reading /proc/net/" + file + ": Permission denied");
  }
}

TEST_F(PacketFilterTest, WithoutProcItIsUnknown) {
  const auto found = found_by_child([] {
    return unshare(CLONE_NEWNS) == 0 && mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("none", "/proc", "tmpfs", 0, nullptr) == 0;
  });
  if (!found) GTEST_SKIP() << "/proc cannot be mounted over";
  EXPECT_EQ(*found, "unknown: opening /proc/thread-self/net: No such file or directory");
}

TEST_F(PacketFilterTest, IpsecPoliciesForWhatLeavesAreFound) {
  const std::string of_peers = "src 10.0.0.0/24 dst 10.0.1.0/24 ";
  const std::string tunnel = "tmpl src 10.0.0.1 dst 10.0.1.1 proto esp mode tunnel";
  if (!run("ip xfrm policy add " + of_peers + "dir in " + tunnel)) GTEST_SKIP() << "no IPsec (XFRM)";
  ASSERT_TRUE(run("ip xfrm policy add " + of_peers + "dir fwd " + tunnel));
  EXPECT_EQ(packet_filter_in_the_way(), "");
  ASSERT_TRUE(run("ip xfrm policy add " + of_peers + "dir out " + tunnel));
  EXPECT_EQ(packet_filter_in_the_way(), "IPsec policies");
  ASSERT_TRUE(run("ip xfrm policy delete " + of_peers + "dir out"));
  EXPECT_EQ(packet_filter_in_the_way(), "");
}

// A cgroup below that of the hierarchy's root, with one inside; gone with the test.
class CgroupPair {
 public:
  CgroupPair() {
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      struct statfs mounted {};
      if (statfs(root, &mounted) == 0 && mounted.f_type == CGROUP2_SUPER_MAGIC)
        outer_ = std::string(root) + "/offhook_test_" + std::to_string(getpid());
    }
    is_there_ = !outer_.empty() && mkdir(outer_.c_str(), 0755) == 0 && mkdir(inner().c_str(), 0755) == 0;
  }
  ~CgroupPair() {
    if (outer_.empty()) return;
    (void)rmdir(inner().c_str());
    (void)rmdir(outer_.c_str());
  }
  CgroupPair(const CgroupPair&) = delete;
  CgroupPair& operator=(const CgroupPair&) = delete;
  bool is_there() const { return is_there_; }
  const std::string& outer() const { return outer_; }
  std::string inner() const { return outer_ + "/inner"; }
  bool enter_inner() const { return write_file(inner() + "/cgroup.procs", "0"); }

 private:
  std::string outer_;
  bool is_there_ = false;
};

// As a kernel answers that lacks something, and as a container's policy does.
bool refuse(long call, int error) {
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{std::size(code), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(PacketFilterTest, WhatTheKernelLacksIsNotThereAndWhatItRefusesIsUnknown) {
  struct Case {
    long call;
    int error;
    const char* beginning;
  };
  const Case cases[] = {{SYS_socket, EPROTONOSUPPORT, ""},
                        {SYS_socket, EAFNOSUPPORT, "unknown: reading nftables: "},
                        {SYS_bpf, EINVAL, ""},
                        {SYS_bpf, ENOSYS, ""},
                        {SYS_bpf, EPERM, "unknown: asking for the programs of cgroup "}};
  if (!CgroupPair().is_there()) GTEST_SKIP() << "no cgroup of version 2 can be made";
  for (const Case& each : cases) {
    const auto found = found_by_child([&] { return refuse(each.call, each.error); });
    if (!found) GTEST_SKIP() << "no seccomp";
    EXPECT_EQ(found->empty(), *each.beginning == 0) << *found;
    EXPECT_TRUE(found->starts_with(each.beginning)) << *found;
  }
}

TEST_F(PacketFilterTest, WhoMayNotAskDoesNotKnow) {
  EXPECT_EQ(found_by_child([] { return keep_capabilities(0); }),
            "unknown: reading nftables: Operation not permitted");
  EXPECT_EQ(found_by_child([] { return setresuid(kNobody, kNobody, kNobody) == 0; }),
            "unknown: reading nftables: Operation not permitted");
}

int bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

bpf_attr no_attributes() {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  return attributes;
}

// Lets every packet pass.
Fd load_cgroup_program(bpf_attach_type type) {
  const bpf_insn code[] = {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1},
                           {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  bpf_attr attributes = no_attributes();
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_SKB;
  attributes.expected_attach_type = type;
  attributes.insns = reinterpret_cast<std::uintptr_t>(code);
  attributes.insn_cnt = std::size(code);
  attributes.license = reinterpret_cast<std::uintptr_t>("MIT");
  return Fd(bpf(BPF_PROG_LOAD, attributes));
}

bool attach_program(const std::string& cgroup, bpf_attach_type type) {
  const Fd program = load_cgroup_program(type);
  const Fd directory(open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!program || !directory) return false;
  bpf_attr attributes = no_attributes();
  attributes.target_fd = static_cast<std::uint32_t>(directory.get());
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
  attributes.attach_type = type;
  return bpf(BPF_PROG_ATTACH, attributes) == 0;
}

TEST_F(PacketFilterTest, ProgramsOfTheCgroupAndOfThoseAboveAreFound) {
  const CgroupPair cgroups;
  if (!cgroups.is_there()) GTEST_SKIP() << "no cgroup of version 2 can be made";
  const auto enter = [&] { return cgroups.enter_inner(); };
  EXPECT_EQ(found_by_child(enter), "");
  if (!attach_program(cgroups.inner(), BPF_CGROUP_INET_INGRESS)) GTEST_SKIP() << "no cgroup programs";
  EXPECT_EQ(found_by_child(enter), "");
  ASSERT_TRUE(attach_program(cgroups.outer(), BPF_CGROUP_INET_EGRESS));
  EXPECT_EQ(found_by_child(enter), "a cgroup program");
  EXPECT_EQ(packet_filter_in_the_way(), "") << "this process is in neither";
}

TEST_F(PacketFilterTest, AProgramThatCannotBeLookedForMayBeThere) {
  const CgroupPair cgroups;
  if (!cgroups.is_there()) GTEST_SKIP() << "no cgroup of version 2 can be made";
  const auto found = found_by_child([&] {
    return cgroups.enter_inner() && unshare(CLONE_NEWNS) == 0 &&
           mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("none", "/sys", "tmpfs", 0, nullptr) == 0;
  });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rfind("unknown: the process's cgroup ", 0), 0U) << *found;
}

TEST_F(PacketFilterTest, IpsecThatBlocksByDefaultIsFound) {
  if (!run("ip xfrm policy setdefault out block")) GTEST_SKIP() << "no IPsec (XFRM) with a default";
  EXPECT_EQ(packet_filter_in_the_way(), "IPsec policies");
  ASSERT_TRUE(run("ip xfrm policy setdefault out accept"));
  EXPECT_EQ(packet_filter_in_the_way(), "");
}

}  // namespace
}  // namespace offhook::io
