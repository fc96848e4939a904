#pragma once
// Messages of netlink(7) and their attributes, read within their bounds and written into a fixed space.

#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <optional>

#include "base/bytes.h"

namespace offhook::io {

// Netlink is made of these: a header that tells the length of itself and its body, and the body.
template <typename Header>
struct NetlinkElement {
  Header header;
  Bytes body;
};
using NetlinkMessage = NetlinkElement<nlmsghdr>;

inline std::size_t length_of(const nlmsghdr& header) { return header.nlmsg_len; }
inline std::size_t length_of(const nlattr& header) { return header.nla_len; }

// Takes the first element off `rest`. Nothing, and `rest` as it was, where no whole one is.
template <typename Header>
std::optional<NetlinkElement<Header>> take_element(Bytes& rest) {
  NetlinkElement<Header> element{};
  if (rest.size() < sizeof element.header) return std::nullopt;
  std::memcpy(&element.header, rest.data(), sizeof element.header);
  const std::size_t length = length_of(element.header);
  if (length < sizeof element.header || length > rest.size()) return std::nullopt;
  element.body = rest.first(length).subspan(sizeof element.header);
  // The padding behind the last one may be missing.
  rest = rest.subspan(std::min<std::size_t>(NLMSG_ALIGN(length), rest.size()));
  return element;
}

// The body of the first attribute of this type.
inline std::optional<Bytes> find_attribute(Bytes attributes, std::uint16_t type) {
  while (const auto attribute = take_element<nlattr>(attributes))
    if ((attribute->header.nla_type & NLA_TYPE_MASK) == type) return attribute->body;
  return std::nullopt;
}

// What a message or an attribute begins with. Nothing if it is shorter.
template <typename Start>
std::optional<Start> start_of(Bytes body) {
  Start start{};
  if (body.size() < sizeof start) return std::nullopt;
  std::memcpy(&start, body.data(), sizeof start);
  return start;
}
// What follows a start of this size.
template <typename Start>
Bytes attributes_behind(Bytes body) {
  return body.subspan(std::min<std::size_t>(NLMSG_ALIGN(sizeof(Start)), body.size()));
}

// One question, with room for a few addresses.
class NetlinkRequest {
 public:
  template <typename Start>
  NetlinkRequest(std::uint16_t type, const Start& start, std::uint16_t flags = 0) {
    header_.nlmsg_type = type;
    header_.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    used_ = sizeof header_;
    append(&start, sizeof start);
  }
  void put(std::uint16_t type, Bytes value) {
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
    append(&header, sizeof header);
    append(value.data(), value.size());
  }
  // The whole message.
  Bytes bytes(std::uint32_t sequence = 0) {
    header_.nlmsg_seq = sequence;
    header_.nlmsg_len = static_cast<std::uint32_t>(used_);
    std::memcpy(space_.data(), &header_, sizeof header_);
    return Bytes(space_).first(used_);
  }

 private:
  void append(const void* from, std::size_t size) {
    assert(used_ + NLMSG_ALIGN(size) <= space_.size());
    std::memcpy(space_.data() + used_, from, size);
    used_ += NLMSG_ALIGN(size);
  }

  nlmsghdr header_{};
  std::array<std::uint8_t, 128> space_{};
  std::size_t used_ = 0;
};

}  // namespace offhook::io
