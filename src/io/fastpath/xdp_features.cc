#include "io/fastpath/xdp_features.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/bytes.h"
#include "io/loop/fd.h"

namespace offhook::io {
namespace {

// linux/netdev.h, which is younger than the headers that we build with.
constexpr const char* kFamily = "netdev";
constexpr std::uint8_t kDeviceGet = 1;
constexpr std::uint16_t kAttributeInterface = 1;
constexpr std::uint16_t kAttributeXdpFeatures = 3;
// The kernel's macros for these are signed.
constexpr std::size_t kAttributeHead = sizeof(nlattr);
constexpr std::size_t kMessageHead = sizeof(nlmsghdr) + sizeof(genlmsghdr);
constexpr std::size_t padded(std::size_t size) { return (size + 3) / 4 * 4; }
constexpr std::uint64_t kBasic = 1;
constexpr std::uint64_t kTransmit = 4;

// A request of generic netlink with one attribute.
class Request {
 public:
  Request(std::uint16_t family, std::uint8_t command, std::uint8_t version) {
    header_.nlmsg_type = family;
    header_.nlmsg_flags = NLM_F_REQUEST;
    command_.cmd = command;
    command_.version = version;
  }
  Bytes with(std::uint16_t attribute, Bytes value) {
    const nlattr head{static_cast<std::uint16_t>(kAttributeHead + value.size()), attribute};
    header_.nlmsg_len = static_cast<std::uint32_t>(kMessageHead + padded(head.nla_len));
    bytes_.fill(0);
    std::memcpy(bytes_.data(), &header_, sizeof header_);
    std::memcpy(bytes_.data() + sizeof header_, &command_, sizeof command_);
    std::memcpy(bytes_.data() + kMessageHead, &head, sizeof head);
    std::memcpy(bytes_.data() + kMessageHead + kAttributeHead, value.data(), value.size());
    return Bytes(bytes_).first(header_.nlmsg_len);
  }

 private:
  nlmsghdr header_{};
  genlmsghdr command_{};
  std::array<std::uint8_t, 64> bytes_{};
};

// The value of one attribute of the answer.
template <typename Value>
std::optional<Value> ask(const Fd& socket, Bytes request, std::uint16_t attribute) {
  if (send(socket.get(), request.data(), request.size(), 0) < 0) return std::nullopt;
  alignas(NLMSG_ALIGNTO) std::array<std::uint8_t, 8192> answer{};
  const ssize_t count = recv(socket.get(), answer.data(), answer.size(), 0);
  if (count < static_cast<ssize_t>(kMessageHead)) return std::nullopt;
  nlmsghdr header{};
  std::memcpy(&header, answer.data(), sizeof header);
  if (header.nlmsg_type == NLMSG_ERROR) return std::nullopt;
  Bytes rest = Bytes(answer).first(static_cast<std::size_t>(count)).subspan(kMessageHead);
  while (rest.size() >= kAttributeHead) {
    nlattr head{};
    std::memcpy(&head, rest.data(), sizeof head);
    if (head.nla_len < kAttributeHead || head.nla_len > rest.size()) return std::nullopt;
    if ((head.nla_type & NLA_TYPE_MASK) == attribute && head.nla_len >= kAttributeHead + sizeof(Value)) {
      Value value{};
      std::memcpy(&value, rest.data() + kAttributeHead, sizeof value);
      return value;
    }
    const std::size_t step = padded(head.nla_len);
    if (step >= rest.size()) break;
    rest = rest.subspan(step);
  }
  return std::nullopt;
}

}  // namespace

std::optional<XdpFeatures> xdp_features(std::uint32_t interface_index) {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
  if (!socket) return std::nullopt;
  const Bytes name(reinterpret_cast<const std::uint8_t*>(kFamily), std::strlen(kFamily) + 1);
  Request of_family(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
  const auto family =
      ask<std::uint16_t>(socket, of_family.with(CTRL_ATTR_FAMILY_NAME, name), CTRL_ATTR_FAMILY_ID);
  if (!family) return std::nullopt;
  Request of_device(*family, kDeviceGet, 1);
  const Bytes index(reinterpret_cast<const std::uint8_t*>(&interface_index), sizeof interface_index);
  const auto features =
      ask<std::uint64_t>(socket, of_device.with(kAttributeInterface, index), kAttributeXdpFeatures);
  if (!features) return std::nullopt;
  return XdpFeatures{(*features & kBasic) != 0, (*features & kTransmit) != 0};
}

}  // namespace offhook::io
