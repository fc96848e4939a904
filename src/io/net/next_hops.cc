#include "io/net/next_hops.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/net/netlink_message.h"
#include "io/net/socket_address.h"

namespace offhook::io {
namespace {

// Destinations that are remembered, then all are forgotten; each takes 28 bytes twice. And what there is room
// for at first.
constexpr std::size_t kPathsLimit = 32 * 1024;
constexpr std::size_t kPathsAtFirst = 512;
// Local addresses beyond these are left to the kernel.
constexpr std::size_t kLocalsLimit = 255;
// Questions a round: each takes as long as a few packets, and whoever sends to ever new destinations must not
// hold up the others.
constexpr std::size_t kQuestionsARound = 8;
// A path is asked for again, should a change not have been told.
constexpr std::chrono::seconds kPathAge{60};
// So often the kernel sends a packet to a neighbour itself. What it has not heard of for a while it checks
// then.
constexpr std::chrono::seconds kKernelTurn{1};
constexpr int kValidNeighbour = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
constexpr unsigned kNotEthernet = IFF_LOOPBACK | IFF_NOARP | IFF_POINTOPOINT;

std::optional<Ip> ip_of(std::optional<Bytes> attribute) {
  if (!attribute || (attribute->size() != 4 && attribute->size() != 16)) return std::nullopt;
  std::array<std::uint8_t, 16> octets{};
  std::ranges::copy(*attribute, octets.begin());
  return attribute->size() == 16 ? Ip::v6(octets) : Ip::v4({octets[0], octets[1], octets[2], octets[3]});
}

std::optional<std::array<std::uint8_t, 6>> ethernet_of(std::optional<Bytes> attribute) {
  std::array<std::uint8_t, 6> address{};
  if (!attribute || attribute->size() != address.size()) return std::nullopt;
  std::ranges::copy(*attribute, address.begin());
  return address;
}

std::uint32_t number_of(std::optional<Bytes> attribute) {
  return attribute ? start_of<std::uint32_t>(*attribute).value_or(0) : 0;
}

// What a reply about a route says.
struct Route {
  bool is_plain = false;  // to another machine, with nothing that a packet socket would leave out
  int interface = 0;
  std::optional<Ip> gateway;
  std::size_t mtu = 0;  // 0: the link's
};

Route read_route(Bytes body) {
  const auto start = start_of<rtmsg>(body);
  if (!start) return {};
  const Bytes attributes = attributes_behind<rtmsg>(body);
  // A tunnel, or a gateway of the other family.
  const bool is_special = find_attribute(attributes, RTA_ENCAP) || find_attribute(attributes, RTA_VIA);
  const Bytes metrics = find_attribute(attributes, RTA_METRICS).value_or(Bytes{});
  return {.is_plain = start->rtm_type == RTN_UNICAST && !is_special,
          .interface = static_cast<int>(number_of(find_attribute(attributes, RTA_OIF))),
          .gateway = ip_of(find_attribute(attributes, RTA_GATEWAY)),
          .mtu = number_of(find_attribute(metrics, RTAX_MTU))};
}

struct NeighbourState {
  int interface = 0;
  std::optional<Ip> ip;
  std::optional<std::array<std::uint8_t, 6>> ethernet;
};

NeighbourState read_neighbour(const NetlinkMessage& message) {
  const auto start = start_of<ndmsg>(message.body);
  if (!start || (start->ndm_family != AF_INET && start->ndm_family != AF_INET6)) return {};
  const Bytes attributes = attributes_behind<ndmsg>(message.body);
  NeighbourState state{start->ndm_ifindex, ip_of(find_attribute(attributes, NDA_DST)), std::nullopt};
  if (message.header.nlmsg_type == RTM_NEWNEIGH && (start->ndm_state & kValidNeighbour) != 0)
    state.ethernet = ethernet_of(find_attribute(attributes, NDA_LLADDR));
  return state;
}

Fd open_netlink(std::uint32_t groups, int another_group) {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  own.nl_groups = groups;
  if (!socket || bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return Fd();
  // Kernels from before 5.3 know neither objects of next hops nor this group.
  if (another_group != 0)
    (void)setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &another_group, sizeof another_group);
  return socket;
}

}  // namespace

std::optional<NextHops> NextHops::open() {
  constexpr std::uint32_t kGroups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
                                    RTMGRP_IPV4_RULE | (1U << (RTNLGRP_IPV6_RULE - 1U));
  Fd changes = open_netlink(kGroups, RTNLGRP_NEXTHOP);
  Fd questions = open_netlink(0, 0);
  std::uint16_t salt = 0;
  if (!changes || !questions || getrandom(&salt, sizeof salt, 0) != sizeof salt) return std::nullopt;
  return NextHops(std::move(questions), std::move(changes), salt);
}

std::optional<NextHop> NextHops::find(const Ip& from, const Ip& to, Instant now) {
  const auto place = local(from);
  Path* way = place ? path(*place, to, now) : nullptr;
  if (way == nullptr || way->neighbour == kNoNeighbour) return std::nullopt;
  Neighbour& neighbour = neighbours_[way->neighbour];
  if (!neighbour.ethernet) return std::nullopt;
  if (neighbour.kernel_turn_at <= now) {
    neighbour.kernel_turn_at = now + kKernelTurn;
    return std::nullopt;
  }
  NextHop hop{.interface = neighbour.interface,
              .ethernet = {},
              .ip_bytes_limit = way->ip_bytes_limit,
              .identification = way->identification++};
  std::ranges::copy(*neighbour.ethernet, hop.ethernet.begin());
  std::ranges::copy(neighbour.source, hop.ethernet.begin() + 6);
  return hop;
}

std::optional<std::uint8_t> NextHops::local(const Ip& ip) {
  const auto known = std::ranges::find(locals_, ip);
  const auto place = static_cast<std::size_t>(known - locals_.begin());
  if (place >= kLocalsLimit) return std::nullopt;
  if (known == locals_.end()) locals_.push_back(ip);
  return static_cast<std::uint8_t>(place);
}

NextHops::Path& NextHops::place_of(std::uint8_t from, const Ip& to) {
  const std::size_t mask = paths_.size() - 1;
  std::size_t at = hash_value(to) & mask;
  while (paths_[at].is_used && (paths_[at].from != from || paths_[at].to != to)) at = (at + 1) & mask;
  return paths_[at];
}

NextHops::Path* NextHops::path(std::uint8_t from, const Ip& to, Instant now) {
  if (paths_.empty()) paths_.resize(kPathsAtFirst);
  const auto now_s =
      static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
  Path* known = &place_of(from, to);
  if (known->is_used && now_s - known->asked_at_s < kPathAge.count()) return known;
  if (!may_ask(now)) return nullptr;
  if (!known->is_used) {
    make_room();
    known = &place_of(from, to);
    *known = {.to = to, .from = from, .is_used = true};
    known->identification = static_cast<std::uint16_t>(hash_value(to) ^ salt_);
    path_count_ += 1;
  }
  ask_for_path(*known);
  known->asked_at_s = now_s;
  return known;
}

void NextHops::make_room() {
  if ((path_count_ + 1) * 2 <= paths_.size()) return;
  if (path_count_ >= kPathsLimit) {
    forget_all();
    return paths_.resize(kPathsAtFirst);
  }
  std::vector<Path> before(paths_.size() * 2);
  before.swap(paths_);
  for (const Path& each : before) {
    if (each.is_used) place_of(each.from, each.to) = each;
  }
}

bool NextHops::may_ask(Instant now) {
  if (now != asked_at_) {
    asked_at_ = now;
    asked_ = 0;
  }
  return asked_++ < kQuestionsARound;
}

void NextHops::ask_for_path(Path& path) {
  const Ip& from = locals_[path.from];
  rtmsg about{};
  about.rtm_family = static_cast<unsigned char>(domain_of(path.to.family()));
  about.rtm_dst_len = static_cast<unsigned char>(path.to.octets().size() * 8);
  about.rtm_src_len = static_cast<unsigned char>(from.octets().size() * 8);
  NetlinkRequest request(RTM_GETROUTE, about);
  request.put(RTA_DST, path.to.octets());
  request.put(RTA_SRC, from.octets());
  path.neighbour = kNoNeighbour;
  const auto reply = ask(request, RTM_NEWROUTE);
  const Route route = reply ? read_route(reply->body) : Route{};
  if (!route.is_plain) return;
  const Link& out = link(route.interface);
  if (!out.is_ethernet) return;
  const std::size_t mtu = route.mtu == 0 ? out.mtu : std::min(out.mtu, route.mtu);
  path.ip_bytes_limit = static_cast<std::uint16_t>(std::min<std::size_t>(mtu, 0xFFFF));
  path.neighbour = neighbour({route.interface, route.gateway.value_or(path.to)}, out);
}

std::uint16_t NextHops::neighbour(const NeighbourKey& key, const Link& link) {
  const auto known = neighbour_places_.find(key);
  if (known != neighbour_places_.end()) return known->second;
  const std::size_t place = neighbours_.size();
  if (place >= kNoNeighbour) return kNoNeighbour;
  ndmsg about{};
  about.ndm_family = static_cast<unsigned char>(domain_of(key.ip.family()));
  about.ndm_ifindex = key.interface;
  NetlinkRequest request(RTM_GETNEIGH, about);
  request.put(NDA_DST, key.ip.octets());
  // No reply: the kernel looks for it once it has something to send, and tells.
  const auto reply = ask(request, RTM_NEWNEIGH);
  const auto ethernet = reply ? read_neighbour(*reply).ethernet : std::nullopt;
  neighbours_.push_back({.interface = key.interface, .source = link.ethernet, .ethernet = ethernet});
  neighbour_places_.emplace(key, static_cast<std::uint16_t>(place));
  return static_cast<std::uint16_t>(place);
}

const NextHops::Link& NextHops::link(int interface) {
  const auto [entry, is_new] = links_.try_emplace(interface);
  Link& link = entry->second;
  if (!is_new) return link;
  ifinfomsg about{};
  about.ifi_index = interface;
  NetlinkRequest request(RTM_GETLINK, about);
  const auto reply = ask(request, RTM_NEWLINK);
  const auto start = reply ? start_of<ifinfomsg>(reply->body) : std::nullopt;
  if (!start) return link;
  const Bytes attributes = attributes_behind<ifinfomsg>(reply->body);
  const auto ethernet = ethernet_of(find_attribute(attributes, IFLA_ADDRESS));
  const bool is_up = (start->ifi_flags & IFF_UP) != 0 && (start->ifi_flags & kNotEthernet) == 0;
  link.is_ethernet = is_up && ethernet && start->ifi_type == ARPHRD_ETHER;
  link.ethernet = ethernet.value_or(EthernetAddress{});
  link.mtu = number_of(find_attribute(attributes, IFLA_MTU));
  return link;
}

// The kernel answers before send() returns.
std::optional<NetlinkMessage> NextHops::ask(NetlinkRequest& request, std::uint16_t reply_type) {
  const Bytes question = request.bytes(++sequence_);
  if (send(questions_.get(), question.data(), question.size(), 0) < 0) return std::nullopt;
  const ssize_t length = recv(questions_.get(), message_.data(), message_.size(), MSG_TRUNC);
  if (length <= 0 || static_cast<std::size_t>(length) > message_.size()) return std::nullopt;
  Bytes rest = Bytes(message_).first(static_cast<std::size_t>(length));
  const auto reply = take_element<nlmsghdr>(rest);
  const bool is_right =
      reply && reply->header.nlmsg_seq == sequence_ && reply->header.nlmsg_type == reply_type;
  return is_right ? reply : std::nullopt;
}

void NextHops::handle_changes() {
  for (;;) {
    const ssize_t length = recv(changes_.get(), message_.data(), message_.size(), MSG_TRUNC);
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (length < 0 && errno == EINTR) continue;
    const bool is_whole = length > 0 && static_cast<std::size_t>(length) <= message_.size();
    if (is_whole) {
      handle_change(Bytes(message_).first(static_cast<std::size_t>(length)));
      continue;
    }
    // Changes were lost, or are larger than they can be.
    forget_all();
    if (length < 0 && errno != ENOBUFS) return;
  }
}

void NextHops::handle_change(Bytes messages) {
  while (const auto message = take_element<nlmsghdr>(messages)) {
    const auto type = message->header.nlmsg_type;
    if (type != RTM_NEWNEIGH && type != RTM_DELNEIGH) {
      forget_all();
      continue;
    }
    const NeighbourState state = read_neighbour(*message);
    if (!state.ip) continue;
    const auto known = neighbour_places_.find({state.interface, *state.ip});
    if (known != neighbour_places_.end()) neighbours_[known->second].ethernet = state.ethernet;
  }
}

void NextHops::forget_all() {
  paths_.clear();
  path_count_ = 0;
  neighbours_.clear();
  neighbour_places_.clear();
  links_.clear();
}

}  // namespace offhook::io
