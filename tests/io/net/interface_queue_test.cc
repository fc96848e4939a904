// What an AF_XDP socket would go past is found in a network of its own that has nothing else, and is gone
// when it is removed.

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "io/loop/fd.h"
#include "io/net/own_network.h"
#include "io/net/packet_filter.h"

namespace offhook::io {
namespace {

class InterfaceQueueTest : public OwnNetworkTest {
 protected:
  void SetUp() override {
    OwnNetworkTest::SetUp();
    if (IsSkipped()) return;
    if (!run("ip link add here type veth peer name there && ip link set here up && ip link set there up"))
      GTEST_SKIP() << "no virtual interfaces";
    const std::string found = interface_queue_in_the_way();
    if (found.starts_with("unknown: ")) GTEST_SKIP() << found;
    ASSERT_EQ(found, "") << "in a new network namespace";
  }
};

TEST_F(InterfaceQueueTest, DisciplinesAreFoundWithTheirInterface) {
  struct Case {
    const char* discipline;
    const char* found;
  };
  const Case cases[] = {{"root pfifo limit 100", "tc (pfifo on here)"},
                        {"root tbf rate 1mbit burst 10kb limit 10kb", "tc (tbf on here)"},
                        {"clsact", "tc (clsact on here)"}};
  for (const Case& each : cases) {
    ASSERT_TRUE(run(std::string("tc qdisc add dev here ") + each.discipline));
    EXPECT_EQ(interface_queue_in_the_way(), each.found);
    const std::string text = each.discipline;
    ASSERT_TRUE(run("tc qdisc delete dev here " + text.substr(0, text.find(' '))));
    EXPECT_EQ(interface_queue_in_the_way(), "");
  }
}

TEST_F(InterfaceQueueTest, ChainsOfWhatLeavesAnInterfaceAreFoundAndNoOthers) {
  ASSERT_TRUE(run(
      "nft 'add table netdev mine; add chain netdev mine in { type filter hook ingress device here priority "
      "0; }; add table inet other; add chain inet other out { type filter hook output priority 0; }'"));
  EXPECT_EQ(interface_queue_in_the_way(), "");
  if (!run("nft 'add chain netdev mine out { type filter hook egress device here priority 0; }'"))
    GTEST_SKIP() << "no chains of what leaves (Linux before 5.16)";
  EXPECT_EQ(interface_queue_in_the_way(), "nftables (table netdev mine)");
  ASSERT_TRUE(run("nft delete chain netdev mine out"));
  EXPECT_EQ(interface_queue_in_the_way(), "");
}

// Of Linux 6.6; Debian 12's header is older.
constexpr std::uint32_t kTcxIngress = 46;
constexpr std::uint32_t kTcxEgress = 47;

bpf_attr no_attributes() {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  return attributes;
}

int bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

// A program that lets every packet pass, and its link; it is detached when the link is closed.
Fd attach_to(const char* interface, std::uint32_t type) {
  const bpf_insn code[] = {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0},
                           {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  bpf_attr load = no_attributes();
  load.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  load.insns = reinterpret_cast<std::uintptr_t>(code);
  load.insn_cnt = std::size(code);
  load.license = reinterpret_cast<std::uintptr_t>("MIT");
  const Fd program(bpf(BPF_PROG_LOAD, load));
  bpf_attr link = no_attributes();
  link.link_create.prog_fd = static_cast<std::uint32_t>(program.get());
  link.link_create.target_fd = if_nametoindex(interface);
  link.link_create.attach_type = type;
  return program ? Fd(bpf(BPF_LINK_CREATE, link)) : Fd();
}

TEST_F(InterfaceQueueTest, ProgramsOfWhatLeavesAreFoundAndNoOthers) {
  const Fd ingress = attach_to("there", kTcxIngress);
  if (!ingress) GTEST_SKIP() << "no programs of an interface (Linux before 6.6)";
  EXPECT_EQ(interface_queue_in_the_way(), "");
  Fd egress = attach_to("there", kTcxEgress);
  ASSERT_TRUE(egress);
  EXPECT_EQ(interface_queue_in_the_way(), "a tcx program on there");
  egress.close();
  EXPECT_EQ(interface_queue_in_the_way(), "");
}

}  // namespace
}  // namespace offhook::io
