#include "io/net/packet_filter.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>

#include "io/loop/fd.h"
#include "io/net/interfaces.h"
#include "io/net/netlink_dump.h"
#include "io/net/system_error.h"

namespace offhook::io {
namespace {

// The name of the process's cgroup in the hierarchy of version 2 follows, which has the number 0 and no
// controllers of its own (cgroups(7)).
constexpr std::string_view kCgroupPrefix = "0::";

// Where distributions mount that hierarchy: alone, and beside those of version 1.
constexpr std::array kCgroupRoots = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

// Of /proc/net/ip_vs: the version, and two lines that name the columns.
constexpr std::ptrdiff_t kIpvsHeaderLines = 3;

std::string unknown(const std::string& what, int error) {
  return "unknown: " + system_error(what, error).text();
}

// Asked for a part that it lacks, the kernel runs modprobe, each time and for milliseconds. Nothing tells
// whether a part is built in. So it is asked once, and from then on only if a module has come.
bool may_be_there(const char* module_directory, bool was_missing) {
  return !was_missing || access(module_directory, F_OK) == 0 || access("/sys/module", F_OK) != 0;
}

// The kernel lacks the protocol, or nfnetlink the subsystem.
bool is_missing(const Result<std::string, int>& dump) {
  return !dump && (dump.error() == EPROTONOSUPPORT || dump.error() == EINVAL);
}

template <typename Body>
Result<std::string, int> ask(int protocol, int type, std::string (*describe)(const NetlinkMessage&),
                             std::uint16_t flags = NLM_F_ACK) {
  NetlinkRequest request(static_cast<std::uint16_t>(type), Body{}, flags);
  return first_in_dump(protocol, request.bytes(), describe);
}

template <typename Body>
Result<std::string, int> dump(int protocol, int type, std::string (*describe)(const NetlinkMessage&)) {
  return ask<Body>(protocol, type, describe, NLM_F_DUMP);
}

// Families whose chains a packet socket goes past. Those of a device and of a bridge still see its packets.
const char* ip_family_name(std::uint8_t family) {
  if (family == NFPROTO_IPV4) return "ip";
  if (family == NFPROTO_IPV6) return "ip6";
  return family == NFPROTO_INET ? "inet" : nullptr;
}

std::string text_of(Bytes attribute) {
  std::string text = to_string(attribute);
  text.resize(std::min(text.size(), text.find('\0')));
  return text;
}

std::string name_table(const char* family, Bytes chain_attributes) {
  const Bytes table = find_attribute(chain_attributes, NFTA_CHAIN_TABLE).value_or(Bytes{});
  return std::string("nftables (table ") + family + " " + text_of(table) + ")";
}

// The number of the hook that a chain hangs on. Nothing without one: it runs if another chain jumps there.
std::optional<std::uint32_t> hook_of(Bytes chain_attributes) {
  const auto hook = find_attribute(chain_attributes, NFTA_CHAIN_HOOK);
  if (!hook) return std::nullopt;
  const auto number = find_attribute(*hook, NFTA_HOOK_HOOKNUM);
  return number ? Reader(*number).u32() : 0;
}

// Chains of any hook count, and so does one of the input: where connections are tracked, an answer to a
// packet that was not tracked is a stranger's.
std::string describe_chain(const NetlinkMessage& message) {
  const auto start = start_of<nfgenmsg>(message.body);
  const char* family = start ? ip_family_name(start->nfgen_family) : nullptr;
  const Bytes attributes = attributes_behind<nfgenmsg>(message.body);
  const auto hook = hook_of(attributes);
  if (family == nullptr || !hook || *hook >= NF_INET_NUMHOOKS)
    return "";  // inet too has an ingress of a device
  return name_table(family, attributes);
}

std::string describe_egress_chain(const NetlinkMessage& message) {
  const auto start = start_of<nfgenmsg>(message.body);
  const Bytes attributes = attributes_behind<nfgenmsg>(message.body);
  const bool is_one =
      start && start->nfgen_family == NFPROTO_NETDEV && hook_of(attributes) == NF_NETDEV_EGRESS;
  return is_one ? name_table("netdev", attributes) : "";
}

std::string nftables(std::string (*describe)(const NetlinkMessage&)) {
  thread_local bool was_missing = false;
  if (!may_be_there("/sys/module/nf_tables", was_missing)) return "";
  constexpr int kGetChains = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
  const auto found = dump<nfgenmsg>(NETLINK_NETFILTER, kGetChains, describe);
  was_missing = is_missing(found);
  if (was_missing) return "";
  return found ? *found : unknown("reading nftables", found.error());
}

std::string chains_of_ip() { return nftables(describe_chain); }
std::string chains_of_interfaces() { return nftables(describe_egress_chain); }

// A policy of one socket has a direction above these.
std::string describe_policy(const NetlinkMessage& message) {
  const auto policy = start_of<xfrm_userpolicy_info>(message.body);
  return policy && policy->dir == XFRM_POLICY_OUT ? "IPsec policies" : "";
}

std::string describe_default(const NetlinkMessage& message) {
  const auto policies = start_of<xfrm_userpolicy_default>(message.body);
  return policies && policies->out == XFRM_USERPOLICY_BLOCK ? "IPsec policies" : "";
}

std::string ipsec_policies() {
  thread_local bool was_missing = false;
  if (!may_be_there("/sys/module/xfrm_user", was_missing)) return "";
  const auto found = dump<xfrm_userpolicy_id>(NETLINK_XFRM, XFRM_MSG_GETPOLICY, describe_policy);
  was_missing = is_missing(found);
  if (was_missing) return "";
  if (!found) return unknown("reading IPsec policies", found.error());
  if (!found->empty()) return *found;
  // Kernels from before 5.15 have no other default than to let pass.
  const auto otherwise = ask<xfrm_userpolicy_default>(NETLINK_XFRM, XFRM_MSG_GETDEFAULT, describe_default);
  if (otherwise || is_missing(otherwise)) return otherwise.value_or("");
  return unknown("reading the default of IPsec policies", otherwise.error());
}

// "" if there is no such file. Fails with an errno.
Result<std::string, int> read_if_there(int directory, const char* name) {
  const Fd file(openat(directory, name, O_RDONLY | O_CLOEXEC));
  if (!file) return errno == ENOENT ? Result<std::string, int>() : fail(errno);
  std::string text;
  std::array<char, 4096> part{};
  for (;;) {
    const ssize_t length = read(file.get(), part.data(), part.size());
    if (length < 0) return fail(errno);
    if (length == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(length));
  }
}

std::string tables(int proc_net, const char* file, const char* name) {
  const auto lines = read_if_there(proc_net, file);
  if (!lines) return unknown(std::string("reading /proc/net/") + file, lines.error());
  std::string listed;
  for (const char each : *lines) listed += each == '\n' ? ", " : std::string(1, each);
  if (listed.empty()) return "";
  listed.resize(listed.size() - std::string_view(", ").size());
  return std::string(name) + " (" + listed + ")";
}

std::string virtual_servers(int proc_net) {
  const auto lines = read_if_there(proc_net, "ip_vs");
  if (!lines) return unknown("reading /proc/net/ip_vs", lines.error());
  return std::ranges::count(*lines, '\n') > kIpvsHeaderLines ? "IPVS" : "";
}

// Tables are those of iptables-legacy: iptables-nft keeps its own as nftables.
std::string legacy_tables_and_virtual_servers() {
  // /proc/net is of the process's first thread.
  const Fd proc_net(open("/proc/thread-self/net", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!proc_net) return unknown("opening /proc/thread-self/net", errno);
  std::string found = tables(proc_net.get(), "ip_tables_names", "iptables");
  if (found.empty()) found = tables(proc_net.get(), "ip6_tables_names", "ip6tables");
  return found.empty() ? virtual_servers(proc_net.get()) : found;
}

// The name in "0::/system.slice/offhook.service". Nothing without that hierarchy.
std::optional<std::string> cgroup_name(std::string_view cgroups) {
  while (!cgroups.empty() && !cgroups.starts_with(kCgroupPrefix))
    cgroups.remove_prefix(std::min(cgroups.find('\n'), cgroups.size() - 1) + 1);
  if (cgroups.empty()) return std::nullopt;
  return std::string(cgroups.substr(kCgroupPrefix.size(), cgroups.find('\n') - kCgroupPrefix.size()));
}

// Where the hierarchy is mounted.
std::optional<std::string> cgroup_root() {
  for (const char* root : kCgroupRoots) {
    struct statfs mounted {};
    if (statfs(root, &mounted) == 0 && mounted.f_type == CGROUP2_SUPER_MAGIC) return root;
  }
  return std::nullopt;
}

// `target`: the descriptor of a cgroup, or an interface. None where the kernel does not know such programs.
// Fails with an errno.
Result<std::uint32_t, int> count_programs(int target, std::uint32_t type, std::uint32_t flags) {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.query.target_fd = static_cast<std::uint32_t>(target);
  attributes.query.attach_type = type;
  attributes.query.query_flags = flags;
  if (syscall(SYS_bpf, BPF_PROG_QUERY, &attributes, sizeof attributes) == 0) return attributes.query.prog_cnt;
  if (errno == EINVAL || errno == ENOSYS) return 0U;
  return fail(errno);
}

std::string cgroup_programs() {
  const auto cgroups = read_if_there(AT_FDCWD, "/proc/self/cgroup");
  if (!cgroups) return unknown("reading /proc/self/cgroup", cgroups.error());
  const auto name = cgroup_name(*cgroups);
  if (!name) return "";
  const auto root = cgroup_root();
  // Outside of the process's own view of the hierarchy ("/..") nothing can be looked at either.
  if (!root || name->find("/..") != std::string::npos)
    return "unknown: the process's cgroup " + *name + " is not to be seen below /sys/fs/cgroup";
  const Fd directory(open((*root + *name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return unknown("opening " + *root + *name, errno);
  // Also those of the cgroups above.
  const auto count = count_programs(directory.get(), BPF_CGROUP_INET_EGRESS, BPF_F_QUERY_EFFECTIVE);
  if (!count) return unknown("asking for the programs of cgroup " + *name, count.error());
  return *count > 0 ? "a cgroup program" : "";
}

// Those of loopback and of virtual interfaces by default let pass what comes.
std::string describe_discipline(const NetlinkMessage& message) {
  const auto start = start_of<tcmsg>(message.body);
  if (!start) return "";
  const Bytes kind = find_attribute(attributes_behind<tcmsg>(message.body), TCA_KIND).value_or(Bytes{});
  if (text_of(kind) == "noqueue") return "";
  return "tc (" + text_of(kind) + " on " + interface_name(start->tcm_ifindex) + ")";
}

std::string disciplines() {
  const auto found = dump<tcmsg>(NETLINK_ROUTE, RTM_GETQDISC, describe_discipline);
  return found ? *found : unknown("reading the queueing disciplines", found.error());
}

// Programs of what leaves that hang on no discipline (Linux 6.6; Debian 12's header is older).
constexpr std::uint32_t kTcxEgress = 47;

std::string interface_programs() {
  const std::unique_ptr<struct if_nameindex, decltype(&if_freenameindex)> all(if_nameindex(),
                                                                              &if_freenameindex);
  if (!all) return unknown("listing the interfaces", errno);
  for (const struct if_nameindex* each = all.get(); each->if_index != 0; ++each) {
    const auto count = count_programs(static_cast<int>(each->if_index), kTcxEgress, 0);
    if (!count && count.error() == ENODEV) continue;  // gone meanwhile
    if (!count) return unknown(std::string("asking for the programs of ") + each->if_name, count.error());
    if (*count > 0) return std::string("a tcx program on ") + each->if_name;
  }
  return "";
}

std::string first_found(std::initializer_list<std::string (*)()> looks) {
  for (const auto look : looks) {
    std::string found = look();
    if (!found.empty()) return found;
  }
  return "";
}

}  // namespace

std::string packet_filter_in_the_way() {
  return first_found({chains_of_ip, legacy_tables_and_virtual_servers, ipsec_policies, cgroup_programs});
}

std::string interface_queue_in_the_way() {
  return first_found({disciplines, chains_of_interfaces, interface_programs});
}

}  // namespace offhook::io
