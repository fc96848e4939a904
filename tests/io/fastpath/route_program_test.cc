// The kernel program by rows: what comes in, why it leaves and how, what is counted. Each runs at both hooks.

#include <gtest/gtest.h>

#include <ctime>
#include <functional>
#include <vector>

#include "io/loop/fd.h"
#include "route_stage.h"

namespace offhook::test {
namespace {

using io::RelayedChannel;
using io::RouteHook;

struct Row {
  const char* description;
  std::function<void(Stage&)> prepare;
  Buffer in;
  route_abi::route_reason reason;
  std::optional<Frame> out;  // nothing: the packet is as it was
  RunContext context;
  std::optional<RouteHook> only;  // the hook that can have it
};

constexpr Family k4 = Family::ipv4;
constexpr Family k6 = Family::ipv6;

std::function<void(Stage&)> with(const RelayedChannel& channel) {
  return [channel](Stage& stage) { stage.install(channel); };
}
std::function<void(Stage&)> with(const Pair& pair) {
  return [pair](Stage& stage) {
    stage.install(pair.first);
    stage.install(pair.second);
  };
}

// The programs read the clock that the kernel sets at each tick, which may be some milliseconds behind the
// other: what has expired by that one may still stand here.
Instant program_now() {
  timespec now{};
  EXPECT_EQ(clock_gettime(CLOCK_MONOTONIC_COARSE, &now), 0);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

Frame changed(Frame frame, const std::function<void(Frame&)>& change) {
  change(frame);
  return frame;
}
Buffer patched(Buffer bytes, std::size_t at, std::initializer_list<std::uint8_t> with_bytes) {
  std::copy(with_bytes.begin(), with_bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  return bytes;
}

// Between all families, every size that changes something: nothing, odd, below Ethernet's least, typical,
// large.
void add_relayed(std::vector<Row>& rows) {
  for (const Family client : {k4, k6}) {
    for (const Family peer : {k4, k6}) {
      const RelayedChannel channel = channel_of(client, peer);
      for (const std::size_t size : {0U, 1U, 3U, 17U, 172U, 1100U, 1201U}) {
        const Buffer payload = patterned(size);
        rows.push_back({"client to peer", with(channel), bytes_of(from_client(channel, payload)),
                        route_abi::route_sent_across, to_peer(channel, payload)});
        rows.push_back({"peer to client", with(channel), bytes_of(from_peer(channel, payload)),
                        route_abi::route_sent_across, to_client(channel, payload)});
      }
    }
  }
  for (const Family first : {k4, k6}) {
    for (const Family second : {k4, k6}) {
      for (const Family relays : {k4, k6}) {
        const Pair pair = pair_of(first, second, relays);
        const Buffer payload = patterned(172);
        rows.push_back({"relay to relay", with(pair), bytes_of(from_client(pair.first, payload)),
                        route_abi::route_sent_across, to_client(pair.second, payload)});
      }
    }
  }
}

void add_headers(std::vector<Row>& rows) {
  const RelayedChannel four = channel_of(k4, k4);
  const RelayedChannel six = channel_of(k6, k6);
  const RelayedChannel six_to_four = channel_of(k6, k4);
  const Buffer payload = patterned(172);
  const auto marked = [](Frame& frame) {
    frame.traffic_class = 0xBA;  // EF, and ECN's ECT(0)
    frame.ttl = static_cast<std::uint8_t>(frame.ttl - 40);
  };
  rows.push_back({"DSCP, ECN and TTL of IPv4", with(four),
                  bytes_of(changed(from_client(four, payload), marked)), route_abi::route_sent_across,
                  changed(to_peer(four, payload), marked)});
  rows.push_back({"DSCP, ECN and hop limit of IPv6", with(six),
                  bytes_of(changed(from_client(six, payload), marked)), route_abi::route_sent_across,
                  changed(to_peer(six, payload), marked)});
  rows.push_back({"DSCP, ECN and hop limit from IPv6 to IPv4", with(six_to_four),
                  bytes_of(changed(from_client(six_to_four, payload), marked)), route_abi::route_sent_across,
                  changed(to_peer(six_to_four, payload), marked)});
  const auto fragmentable = [](Frame& frame) {
    frame.dont_fragment = false;
    frame.identification = 0x1234;
  };
  rows.push_back({"DF and identification are copied", with(four),
                  bytes_of(changed(from_client(four, payload), fragmentable)), route_abi::route_sent_across,
                  changed(to_peer(four, payload), fragmentable)});
  const auto without = [](Frame& frame) { frame.checksum = Checksum::absent; };
  rows.push_back({"IPv4 without checksum, up", with(four),
                  bytes_of(changed(from_client(four, payload), without)), route_abi::route_sent_across,
                  changed(to_peer(four, payload), without)});
  rows.push_back({"IPv4 without checksum, down", with(four),
                  bytes_of(changed(from_peer(four, payload), without)), route_abi::route_sent_across,
                  changed(to_client(four, payload), without)});
  Buffer padded = bytes_of(from_peer(four, patterned(3)));
  padded.resize(60);
  rows.push_back({"Ethernet's padding stays behind", with(four), padded, route_abi::route_sent_across,
                  to_client(four, patterned(3))});
  rows.push_back({"redirected to where it came in",
                  [pair = pair_of(k4, k4, k4)](Stage& stage) {
                    stage.install(pair.first);
                    stage.install(pair.second);
                    stage.allow_sending(kClientSide, route_abi::route_send_across);
                  },
                  bytes_of(from_client(pair_of(k4, k4, k4).first, payload)),
                  route_abi::route_sent_across,
                  to_client(pair_of(k4, k4, k4).second, payload),
                  {.interface_index = if_nametoindex(kClientSide)},
                  RouteHook::xdp});
  rows.push_back({"sent back where it came in",
                  [pair = pair_of(k4, k4, k4)](Stage& stage) {
                    stage.install(pair.first);
                    stage.install(pair.second);
                  },
                  bytes_of(from_client(pair_of(k4, k4, k4).first, payload)),
                  route_abi::route_sent_back,
                  to_client(pair_of(k4, k4, k4).second, payload),
                  {.interface_index = if_nametoindex(kClientSide)},
                  RouteHook::xdp});
}

// Before a route is looked for.
void add_not_ours(std::vector<Row>& rows) {
  const RelayedChannel four = channel_of(k4, k4);
  const RelayedChannel six = channel_of(k6, k6);
  const Buffer up = bytes_of(from_client(four, patterned(40)));
  const Buffer up6 = bytes_of(from_client(six, patterned(40)));
  const auto pass = [&](const char* description, const RelayedChannel& channel, Buffer in,
                        route_abi::route_reason reason) {
    rows.push_back({description, with(channel), std::move(in), reason, {}});
  };
  pass("ARP", four, patched(up, 12, {0x08, 0x06}), route_abi::route_not_ip);
  pass("a VLAN tag", four, patched(up, 12, {0x81, 0x00}), route_abi::route_not_ip);
  pass("IPv4 says more than there is", four, patched(up, 16, {0x01, 0x00}), route_abi::route_malformed);
  pass("IPv4 shorter than UDP's header", four, patched(up, 16, {0x00, 0x1B}), route_abi::route_malformed);
  pass("IPv6 says more than there is", six, patched(up6, 18, {0x01, 0x00}), route_abi::route_malformed);
  pass("UDP's length is not IP's", four, patched(up, 14 + 20 + 4, {0x00, 0x20}), route_abi::route_malformed);
  pass("version 6 behind the type of IPv4", four, patched(up, 14, {0x65}), route_abi::route_malformed);
  pass("IPv4 options", four, patched(up, 14, {0x46}), route_abi::route_ip_options);
  pass("IPv6 hop-by-hop options", six, patched(up6, 20, {0}), route_abi::route_ip_options);
  pass("first fragment", four, patched(up, 20, {0x20, 0x00}), route_abi::route_fragment);
  pass("last fragment", four, patched(up, 20, {0x00, 0x10}), route_abi::route_fragment);
  pass("IPv6 fragment", six, patched(up6, 20, {44}), route_abi::route_fragment);
  pass("TCP", four, patched(up, 23, {6}), route_abi::route_not_udp);
  pass("ICMPv6", six, patched(up6, 20, {58}), route_abi::route_not_udp);
  pass("another program's port", four, patched(up, 36, {0x00, 0x35}), route_abi::route_other_port);
  pass("a STUN message", four, patched(up, 42, {0x00, 0x01}), route_abi::route_not_channel_data);
  pass("a channel number above all", four, patched(up, 42, {0x80, 0x01}), route_abi::route_not_channel_data);
  pass("a datagram of three bytes", four,
       bytes_of(changed(from_client(four, {}), [](Frame& frame) { frame.payload.resize(3); })),
       route_abi::route_not_channel_data);
  pass("ChannelData with padding", four, patched(up, 44, {0x00, 0x27}), route_abi::route_channel_length);
  pass("ChannelData that was cut", four, patched(up, 44, {0x00, 0x29}), route_abi::route_channel_length);
  rows.push_back({"merged by receive offload",
                  with(four),
                  up,
                  route_abi::route_merged,
                  {},
                  {.segments = 2},
                  RouteHook::tc});
}

void add_no_route(std::vector<Row>& rows) {
  const RelayedChannel four = channel_of(k4, k4);
  const Buffer payload = patterned(40);
  const Frame up = from_client(four, payload);
  const auto pass = [&](const char* description, const Frame& in, route_abi::route_reason reason) {
    rows.push_back({description, with(four), bytes_of(in), reason, {}});
  };
  pass("another channel", changed(up, [&](Frame& f) { f.payload = channel_data(0x4005, payload); }),
       route_abi::route_unknown);
  pass("another client port", changed(up, [](Frame& f) { f.source.port = 40009; }), route_abi::route_unknown);
  pass("another listen address", changed(up, [](Frame& f) { f.destination.ip = kRelay4; }),
       route_abi::route_unknown);
  pass("a peer's other port", changed(from_peer(four, payload), [](Frame& f) { f.source.port = 5001; }),
       route_abi::route_unknown);
  pass("another peer", changed(from_peer(four, payload), [](Frame& f) { f.source.ip = kStranger4; }),
       route_abi::route_unknown);
  pass("another relay port", changed(from_peer(four, payload), [](Frame& f) { f.destination.port = 50001; }),
       route_abi::route_unknown);
  RelayedChannel expired = four;
  expired.expires_at = program_now();
  rows.push_back({"expired, up", with(expired), bytes_of(up), route_abi::route_expired, {}});
  rows.push_back(
      {"expired, down", with(expired), bytes_of(from_peer(four, payload)), route_abi::route_expired, {}});
  RelayedChannel never = four;
  never.expires_at = Instant{};
  rows.push_back({"permission gone", with(never), bytes_of(up), route_abi::route_expired, {}});
  const Pair pair = pair_of(k4, k4, k4);
  rows.push_back({"no channel back",
                  with(pair.first),
                  bytes_of(from_client(pair.first, payload)),
                  route_abi::route_one_way,
                  {}});
  rows.push_back({"the network says that it is a relayed address here",
                  with(pair),
                  bytes_of(from_peer(pair.second, payload)),
                  route_abi::route_own_source,
                  {}});
  Pair late = pair;
  late.second.expires_at = program_now();
  rows.push_back({"the channel back has expired",
                  with(late),
                  bytes_of(from_client(pair.first, payload)),
                  route_abi::route_one_way,
                  {}});
  RelayedChannel lost = four;
  lost.account = 4;
  rows.push_back({"an account that is not there", with(lost), bytes_of(up), route_abi::route_no_account, {}});
}

// With a route, and yet not safe to send.
void add_not_sent(std::vector<Row>& rows) {
  const RelayedChannel four = channel_of(k4, k4);
  const RelayedChannel four_to_six = channel_of(k4, k6);
  const Buffer payload = patterned(40);
  const Frame up = from_client(four, payload);
  const auto to = [&](const Ip& peer) {
    RelayedChannel channel = four;
    channel.peer_address.ip = peer;
    return channel;
  };
  rows.push_back({"TTL 1",
                  with(four),
                  bytes_of(changed(up, [](Frame& f) { f.ttl = 1; })),
                  route_abi::route_ttl_exceeded,
                  {}});
  rows.push_back(
      {"IPv4 without checksum to IPv6",
       with(four_to_six),
       bytes_of(changed(from_client(four_to_six, payload), [](Frame& f) { f.checksum = Checksum::absent; })),
       route_abi::route_no_checksum,
       {}});
  for (const RelayedChannel& channel : {four, channel_of(k6, k6)}) {
    rows.push_back(
        {"a checksum that the device was to finish",
         with(channel),
         bytes_of(changed(from_client(channel, payload), [](Frame& f) { f.checksum = Checksum::partial; })),
         route_abi::route_partial_checksum,
         {}});
  }
  rows.push_back(
      {"unreachable", with(to(kUnreachable4)), bytes_of(up), route_abi::route_no_network_route, {}});
  rows.push_back({"no network route", with(to(kNowhere4)), bytes_of(up), route_abi::route_not_forwarded, {}});
  rows.push_back(
      {"a peer on this machine", with(to(kListen4)), bytes_of(up), route_abi::route_not_forwarded, {}});
  rows.push_back(
      {"unknown MAC address", with(to(kStranger4)), bytes_of(up), route_abi::route_no_neighbour, {}});
  const Buffer large = patterned(kPeerSideMtu - 27);
  rows.push_back({"a byte above the MTU",
                  with(four),
                  bytes_of(from_client(four, large)),
                  route_abi::route_too_large,
                  {}});
  const Buffer largest = patterned(kPeerSideMtu - 28);
  rows.push_back({"exactly the MTU", with(four), bytes_of(from_client(four, largest)),
                  route_abi::route_sent_across, to_peer(four, largest)});
  rows.push_back({"routes cannot be looked up",
                  [four](Stage& stage) {
                    stage.install(four);
                    set_loopback_forwarding(false);
                  },
                  bytes_of(up),
                  route_abi::route_forwarding_off,
                  {}});
  rows.push_back({"an interface that takes no frames",
                  [four](Stage& stage) {
                    stage.install(four);
                    stage.allow_sending(kPeerSide, route_abi::route_send_back);
                  },
                  bytes_of(up),
                  route_abi::route_cannot_send,
                  {},
                  {},
                  RouteHook::xdp});
  rows.push_back({"no headroom",
                  with(channel_of(k6, k4)),
                  bytes_of(from_peer(channel_of(k6, k4), payload)),
                  route_abi::route_no_room,
                  {},
                  {.metadata_bytes = 216},
                  RouteHook::xdp});
  rows.push_back({"over the limit of bandwidth",
                  [four](Stage& stage) {
                    stage.install(four);
                    auto& traffic = stage.program().accounts()[0].from_client;
                    traffic.ns_per_kib = 1;
                    traffic.burst_ns = 1;
                    traffic.limit_due_at_ns = ~0ULL >> 1;
                  },
                  bytes_of(up),
                  route_abi::route_over_limit,
                  {}});
}

std::vector<Row> all_rows() {
  std::vector<Row> rows;
  add_relayed(rows);
  add_headers(rows);
  add_not_ours(rows);
  add_no_route(rows);
  add_not_sent(rows);
  return rows;
}

bool is_sent(route_abi::route_reason reason) {
  return reason == route_abi::route_sent_back || reason == route_abi::route_sent_across;
}

std::uint32_t verdict_of(RouteHook hook, route_abi::route_reason reason) {
  const bool xdp = hook == RouteHook::xdp;
  if (reason == route_abi::route_sent_back) return xdp ? std::uint32_t{XDP_TX} : 7;
  if (reason == route_abi::route_sent_across)
    return xdp ? std::uint32_t{XDP_REDIRECT} : 7;                                       // TC_ACT_REDIRECT
  if (reason == route_abi::route_over_limit) return xdp ? std::uint32_t{XDP_DROP} : 2;  // TC_ACT_SHOT
  return xdp ? std::uint32_t{XDP_PASS} : static_cast<std::uint32_t>(-1);                // TC_ACT_UNSPEC
}

// Small datagrams from IPv6 get an identification of IPv4 drawn at random.
void take_identification(Frame& expected, const Buffer& in, const Buffer& out) {
  const bool from_ipv6 = in[12] == 0x86;
  if (!from_ipv6 || !expected.source.ip.is_v4() || out.size() < 20) return;
  if (28 + expected.payload.size() > 1260) return;
  expected.dont_fragment = false;
  expected.identification = static_cast<std::uint16_t>(out[18] << 8U | out[19]);
}

void expect_traffic(const Stage& stage, const Row& row) {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  for (const auto& account : stage.program().accounts()) {
    packets += account.from_client.packets + account.to_client.packets;
    bytes += account.from_client.bytes + account.to_client.bytes;
  }
  if (!row.out) {
    EXPECT_EQ(packets, 0U);
    return;
  }
  const bool hop = row.out->destination.port == 40001;  // one account sends, the other receives
  const bool up = row.out->destination.port == 5000;
  const auto& first = stage.program().accounts()[0];
  const std::size_t payload = row.out->payload.size() - (up ? 0 : 4);
  EXPECT_EQ(packets, hop ? 2U : 1U);
  EXPECT_EQ(bytes, payload * (hop ? 2 : 1));
  EXPECT_EQ((up || hop ? first.from_client : first.to_client).packets, 1U);
  EXPECT_EQ(stage.program().accounts()[1].to_client.packets, hop ? 1U : 0U);
}

class RouteProgramTest : public testing::TestWithParam<RouteHook> {
 protected:
  void SetUp() override {
    if (const auto why = unable_to_run(GetParam())) GTEST_SKIP() << *why;
    link_ = attach();
  }
  // A receive queue of a veth knows XDP only while a program is attached.
  io::Fd attach() {
    attached_ = std::move(*io::RouteProgram::load(RouteHook::xdp, {1, 2, 2, 1, 1}));
    return io::Fd(bpf_link_create(attached_->program_fd(), static_cast<int>(if_nametoindex(kClientSide)),
                                  BPF_XDP, nullptr));
  }
  std::unique_ptr<io::RouteProgram> attached_;
  io::Fd link_;
};

TEST_P(RouteProgramTest, EveryRow) {
  std::map<std::string, int> seen;
  Stage stage(GetParam());
  ASSERT_TRUE(stage.ready());
  for (const Row& row : all_rows()) {
    if (row.only && *row.only != GetParam()) continue;
    SCOPED_TRACE(std::string(row.description) + ", " + io::name(row.reason) + ", " +
                 std::to_string(row.in.size()) + " bytes in");
    stage.reset();
    row.prepare(stage);
    const auto result = stage.run(row.in, row.context);
    ASSERT_TRUE(result) << strerror(errno);
    const std::map<std::string, std::uint64_t> one{{io::name(row.reason), 1}};
    EXPECT_EQ(stage.counts(), one);
    EXPECT_EQ(result->verdict, verdict_of(GetParam(), row.reason));
    ASSERT_EQ(is_sent(row.reason), row.out.has_value());
    Frame expected = row.out.value_or(Frame{});
    if (row.out) take_identification(expected, row.in, result->out);
    EXPECT_EQ(result->out, row.out ? bytes_of(expected) : row.in);
    expect_traffic(stage, row);
    seen[io::name(row.reason)] += 1;
  }
  for (int i = 0; i < route_abi::route_reason_count; ++i) {
    const auto reason = static_cast<route_abi::route_reason>(i);
    const bool xdp = GetParam() == RouteHook::xdp;
    // No packet makes the kernel fail half way; TC has no headroom to run out of and sends anywhere.
    if (reason == route_abi::route_resize_failed) continue;
    if (reason == (xdp ? route_abi::route_merged : route_abi::route_no_room)) continue;
    if (!xdp && (reason == route_abi::route_cannot_send || reason == route_abi::route_sent_back)) continue;
    EXPECT_GT(seen[io::name(reason)], 0) << "no row for " << io::name(reason);
  }
}

TEST_P(RouteProgramTest, BandwidthIsABucket) {
  set_loopback_forwarding(true);
  Stage stage(GetParam());
  ASSERT_TRUE(stage.ready());
  const RelayedChannel channel = channel_of(k4, k4);
  stage.install(channel);
  auto& traffic = stage.program().accounts()[0].from_client;
  // 1,024 bytes take an hour; a packet may pass that is two hours and a half ahead.
  constexpr std::uint64_t kHour_ns = 3'600'000'000'000;
  traffic.ns_per_kib = kHour_ns;
  traffic.burst_ns = 5 * kHour_ns / 2;
  const Buffer packet = bytes_of(from_client(channel, patterned(1024)));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(stage.run(packet));
  const std::map<std::string, std::uint64_t> expected{{"sent_across", 3}, {"over_limit", 2}};
  EXPECT_EQ(stage.counts(), expected);
  EXPECT_EQ(traffic.packets, 3U);
  // The other way has its own.
  ASSERT_TRUE(stage.run(bytes_of(from_peer(channel, patterned(1024)))));
  EXPECT_EQ(stage.program().accounts()[0].to_client.packets, 1U);
}

INSTANTIATE_TEST_SUITE_P(Hooks, RouteProgramTest, testing::Values(RouteHook::xdp, RouteHook::tc),
                         [](const auto& hook) { return hook.param == RouteHook::xdp ? "Xdp" : "Tc"; });

}  // namespace
}  // namespace offhook::test
