// The chains of nftables, as what there is many of.

#include "io/net/netlink_dump.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cerrno>

#include "io/net/own_network.h"

namespace offhook::io {
namespace {

using NetlinkDumpTest = OwnNetworkTest;

int seen = 0;
int changes_left = 0;

// Changes what is read while it is read, as it begins.
std::string count_and_change(const NetlinkMessage& message) {
  ++seen;
  const bool is_first = as_text(message.body).find("number_0") != std::string_view::npos;
  if (!is_first || changes_left-- <= 0) return "";
  EXPECT_TRUE(run("nft 'add table ip6 fresh; delete table ip6 fresh'"));
  return "";
}

Result<std::string, int> count_chains(int protocol = NETLINK_NETFILTER,
                                      std::uint16_t subsystem = NFNL_SUBSYS_NFTABLES) {
  struct {
    nlmsghdr header;
    nfgenmsg body;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = static_cast<std::uint16_t>(subsystem << 8 | NFT_MSG_GETCHAIN);
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  seen = 0;
  return first_in_dump(protocol, Bytes(reinterpret_cast<const std::uint8_t*>(&request), sizeof request),
                       count_and_change);
}

TEST_F(NetlinkDumpTest, WhatChangesWhileItIsReadIsReadAgain) {
  ASSERT_TRUE(add_many_chains());
  changes_left = 1;
  EXPECT_EQ(count_chains().value_or("failed"), "");
  EXPECT_EQ(seen, 2 * kManyChains);
  changes_left = 100;
  const auto found = count_chains();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), EINTR);
  EXPECT_EQ(seen, 4 * kManyChains);
}

// As packet_filter_in_the_way() takes a kernel without nfnetlink, and one without nf_tables.
TEST_F(NetlinkDumpTest, WhatTheKernelLacksHasErrorsOfItsOwn) {
  const auto no_protocol = count_chains(MAX_LINKS - 1);
  ASSERT_FALSE(no_protocol);
  EXPECT_EQ(no_protocol.error(), EPROTONOSUPPORT);
  const auto no_subsystem = count_chains(NETLINK_NETFILTER, NFNL_SUBSYS_COUNT + 1);
  ASSERT_FALSE(no_subsystem);
  EXPECT_EQ(no_subsystem.error(), EINVAL);
}

TEST(NetlinkElement, IsWholeOrNone) {
  const Buffer message = {6, 0, 1, 0, 0xAA, 0xBB, 0,
                          0, 5, 0, 2, 0,    0xCC};  // the last one's padding is missing
  ASSERT_TRUE(find_attribute(message, 1));
  EXPECT_TRUE(equal(*find_attribute(message, 1), Buffer{0xAA, 0xBB}));
  ASSERT_TRUE(find_attribute(message, 2));
  EXPECT_TRUE(equal(*find_attribute(message, 2), Buffer{0xCC}));
  EXPECT_FALSE(find_attribute(message, 3));
  for (std::size_t size = 0; size < message.size(); ++size)
    EXPECT_FALSE(find_attribute(Bytes(message).first(size), 2)) << size;
  EXPECT_FALSE(find_attribute(Buffer{3, 0, 2, 0, 0}, 2)) << "shorter than its own header";
  EXPECT_FALSE(find_attribute(Buffer{0, 0, 1, 0, 4, 0, 2, 0}, 2)) << "of no length: would never end";
}

}  // namespace
}  // namespace offhook::io
