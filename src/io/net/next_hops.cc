#include "io/net/next_hops.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/net/netlink_message.h"
#include "io/net/socket_address.h"

namespace offhook::io {
namespace {

// Destinations that are remembered, a client's and its peer's for each of 64,000 allocations, then all are
// forgotten; each takes 28 bytes twice. And what there is room for at first.
constexpr std::size_t kPathsLimit = 128 * 1024;
constexpr std::size_t kPathsAtFirst = 512;
// Places that a search looks at; further on it is the kernel's, for it would take longer than a packet.
constexpr std::size_t kPlacesLimit = 64;
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
// Routes that change so often in a second are followed no more until it is over: to ask for all paths anew
// costs more than is gained.
constexpr std::size_t kForgettingsASecond = 8;
// Notifications taken at once, for packets wait meanwhile; a change of provider brings a million.
constexpr int kChangesARound = 256;
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
  // A tunnel; a gateway of the other family; one of several ways, among which the kernel chooses by more than
  // it is asked with here.
  bool is_special = false;
  for (const std::uint16_t type : {RTA_ENCAP, RTA_VIA, RTA_MULTIPATH, RTA_NH_ID})
    is_special |= find_attribute(attributes, type).has_value();
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

NextHops::Sender NextHops::find(const Ip& from, const Ip& to, Instant now, NextHop& hop) {
  if (is_unsettled(now)) return Sender::kernel_now;
  const auto place = local(from);
  if (!place) return Sender::kernel;
  Path* way = path(*place, to, now);
  if (way == nullptr) return Sender::kernel_now;
  if (way->neighbour == kNoNeighbour) return Sender::kernel;
  Neighbour& neighbour = neighbours_[way->neighbour];
  if (!neighbour.ethernet) return Sender::kernel_now;
  if (neighbour.kernel_turn_at <= now) {
    neighbour.kernel_turn_at = now + kKernelTurn;
    return Sender::kernel_now;
  }
  hop.interface = neighbour.interface;
  std::ranges::copy(*neighbour.ethernet, hop.ethernet.begin());
  std::ranges::copy(neighbour.source, hop.ethernet.begin() + 6);
  hop.ip_bytes_limit = way->ip_bytes_limit;
  hop.identification = way->identification++;
  return Sender::ours;
}

bool NextHops::is_unsettled(Instant now) {
  if (is_behind_) return true;
  if (forgotten_ == 0) return false;
  if (now - unsettled_since_ >= std::chrono::seconds(1)) {
    unsettled_since_ = now;
    forgotten_ = 0;
  }
  return forgotten_ > kForgettingsASecond;
}

std::optional<std::uint8_t> NextHops::local(const Ip& ip) {
  const auto known = std::ranges::find(locals_, ip);
  const auto place = static_cast<std::size_t>(known - locals_.begin());
  if (place >= kLocalsLimit) return std::nullopt;
  if (known == locals_.end()) locals_.push_back(ip);
  return static_cast<std::uint8_t>(place);
}

NextHops::Path* NextHops::place_of(std::uint8_t from, const Ip& to) {
  const std::size_t mask = paths_.size() - 1;
  std::size_t at = hash_value(to) & mask;
  for (std::size_t seen = 0; seen < kPlacesLimit; ++seen, at = (at + 1) & mask) {
    Path& path = paths_[at];
    if (!path.is_used || (path.from == from && path.to == to)) return &path;
  }
  return nullptr;
}

NextHops::Path* NextHops::path(std::uint8_t from, const Ip& to, Instant now) {
  if (paths_.empty()) paths_.resize(kPathsAtFirst);
  const auto now_s =
      static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
  Path* known = place_of(from, to);
  if (known == nullptr) return nullptr;
  if (known->is_used && now_s - known->asked_at_s < kPathAge.count()) return known;
  if (!may_ask(now)) return nullptr;
  if (!known->is_used) {
    make_room();
    known = place_of(from, to);
    if (known == nullptr) return nullptr;
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
    forget_paths();
    return paths_.resize(kPathsAtFirst);
  }
  std::vector<Path> before(paths_.size() * 2);
  before.swap(paths_);
  path_count_ = 0;
  for (const Path& each : before) {
    Path* place = each.is_used ? place_of(each.from, each.to) : nullptr;
    if (place == nullptr) continue;
    *place = each;
    path_count_ += 1;
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
  about.rtm_flags = RTM_F_FIB_MATCH;  // the route as it was made, with all its ways
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
  // Not by netlink, which waits for whoever changes links anywhere on the machine.
  ifreq about{};
  about.ifr_ifindex = interface;
  const auto ask_about = [&](unsigned long what) { return ioctl(questions_.get(), what, &about) == 0; };
  if (!ask_about(SIOCGIFNAME) || !ask_about(SIOCGIFFLAGS)) return link;
  const auto flags = static_cast<unsigned>(about.ifr_flags);
  if (!ask_about(SIOCGIFMTU)) return link;
  link.mtu = static_cast<std::size_t>(std::max(about.ifr_mtu, 0));
  if (!ask_about(SIOCGIFHWADDR)) return link;
  std::memcpy(link.ethernet.data(), about.ifr_hwaddr.sa_data, link.ethernet.size());
  link.is_ethernet =
      about.ifr_hwaddr.sa_family == ARPHRD_ETHER && (flags & IFF_UP) != 0 && (flags & kNotEthernet) == 0;
  return link;
}

// The kernel answers before send() returns.
std::optional<NetlinkMessage> NextHops::ask(NetlinkRequest& request, std::uint16_t reply_type) {
  const Bytes question = request.bytes(++sequence_);
  if (send(questions_.get(), question.data(), question.size(), 0) < 0) return std::nullopt;
  for (;;) {
    const ssize_t length = recv(questions_.get(), message_.data(), message_.size(), MSG_TRUNC);
    if (length <= 0 || static_cast<std::size_t>(length) > message_.size()) return std::nullopt;
    Bytes rest = Bytes(message_).first(static_cast<std::size_t>(length));
    const auto reply = take_element<nlmsghdr>(rest);
    if (!reply) return std::nullopt;
    if (reply->header.nlmsg_seq != sequence_) continue;  // to a question that was given up
    return reply->header.nlmsg_type == reply_type ? reply : std::nullopt;
  }
}

void NextHops::handle_changes() {
  for (int i = 0; i < kChangesARound; ++i) {
    const ssize_t length = recv(changes_.get(), message_.data(), message_.size(), MSG_TRUNC);
    const int error = length < 0 ? errno : 0;
    if (error == EAGAIN || error == EWOULDBLOCK) {
      is_behind_ = false;
      return;
    }
    if (length > 0 && static_cast<std::size_t>(length) <= message_.size()) {
      handle_change(Bytes(message_).first(static_cast<std::size_t>(length)));
    } else if (error != EINTR) {
      // Changes were lost, or are larger than they can be. After that the kernel drops what comes until all
      // is read.
      forget_all();
      is_behind_ = true;
    }
  }
  is_behind_ = true;
}

void NextHops::handle_change(Bytes messages) {
  while (const auto message = take_element<nlmsghdr>(messages)) {
    const auto type = message->header.nlmsg_type;
    if (type == RTM_NEWLINK || type == RTM_DELLINK) {
      forget_all();
    } else if (type == RTM_NEWNEIGH || type == RTM_DELNEIGH) {
      handle_neighbour(*message);
    } else {
      forget_paths();
    }
  }
}

void NextHops::handle_neighbour(const NetlinkMessage& message) {
  const NeighbourState state = read_neighbour(message);
  if (!state.ip) return;
  const auto known = neighbour_places_.find({state.interface, *state.ip});
  if (known != neighbour_places_.end()) neighbours_[known->second].ethernet = state.ethernet;
}

void NextHops::forget_paths() {
  if (path_count_ == 0) return;
  paths_.clear();
  path_count_ = 0;
  forgotten_ += 1;
}

void NextHops::forget_all() {
  forget_paths();
  neighbours_.clear();
  neighbour_places_.clear();
  links_.clear();
}

}  // namespace offhook::io
