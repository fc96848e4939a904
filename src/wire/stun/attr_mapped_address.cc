#include "wire/stun/attr_mapped_address.h"

#include <algorithm>
#include <array>

namespace offhook::stun {
namespace {

template <std::size_t size>
std::array<std::uint8_t, size> copied(Bytes octets) {
  std::array<std::uint8_t, size> result{};
  std::copy_n(octets.begin(), size, result.begin());
  return result;
}

void add_address(MessageBuilder& builder, AttributeType type, const Address& address) {
  std::array<std::uint8_t, 4 + 16> value{};
  Writer writer(value);
  writer.u8(0);
  writer.u8(static_cast<std::uint8_t>(address.family()));
  writer.u16(address.port);
  writer.bytes(address.ip.octets());
  builder.add(type, writer.written());
}

}  // namespace

std::optional<Address> parse_mapped_address(Bytes value) {
  Reader reader(value);
  reader.skip(1);  // ignored by receivers
  const std::uint8_t family = reader.u8();
  const std::uint16_t port = reader.u16();
  const Bytes octets = reader.take_rest();
  if (!reader.ok()) return std::nullopt;
  if (family == static_cast<std::uint8_t>(Family::ipv4) && octets.size() == 4) {
    return Address{Ip::v4(copied<4>(octets)), port};
  }
  if (family == static_cast<std::uint8_t>(Family::ipv6) && octets.size() == 16) {
    return Address{Ip::v6(copied<16>(octets)), port};
  }
  return std::nullopt;
}

void add_mapped_address(MessageBuilder& builder, const Address& address) {
  add_address(builder, AttributeType::mapped_address, address);
}

void add_alternate_server(MessageBuilder& builder, const Address& address) {
  add_address(builder, AttributeType::alternate_server, address);
}

}  // namespace offhook::stun
