#include "wire/stun/attr_xor_address.h"

namespace offhook::stun {
namespace {

constexpr std::uint16_t kPortMask = kMagicCookie >> 16U;

// The magic cookie and, after it, the transaction ID. XOR with it both hides and shows an address.
std::array<std::uint8_t, 16> address_mask(const TransactionId& transaction_id) {
  std::array<std::uint8_t, 16> mask{};
  Writer writer(mask);
  writer.u32(kMagicCookie);
  writer.bytes(transaction_id);
  return mask;
}

template <std::size_t size>
std::array<std::uint8_t, size> masked(Bytes octets, const TransactionId& transaction_id) {
  const auto mask = address_mask(transaction_id);
  std::array<std::uint8_t, size> result{};
  for (std::size_t i = 0; i < size; ++i) result[i] = octets[i] ^ mask[i];
  return result;
}

}  // namespace

std::optional<Address> parse_xor_address(Bytes value, const TransactionId& transaction_id) {
  Reader reader(value);
  reader.skip(1);  // ignored by receivers
  const std::uint8_t family = reader.u8();
  const auto port = static_cast<std::uint16_t>(reader.u16() ^ kPortMask);
  const Bytes octets = reader.take_rest();
  if (!reader.ok()) return std::nullopt;
  if (family == static_cast<std::uint8_t>(Family::ipv4) && octets.size() == 4) {
    return Address{Ip::v4(masked<4>(octets, transaction_id)), port};
  }
  if (family == static_cast<std::uint8_t>(Family::ipv6) && octets.size() == 16) {
    return Address{Ip::v6(masked<16>(octets, transaction_id)), port};
  }
  return std::nullopt;
}

void add_xor_address(MessageBuilder& builder, AttributeType type, const Address& address) {
  std::array<std::uint8_t, 4 + 16> value{};
  Writer writer(value);
  writer.u8(0);
  writer.u8(static_cast<std::uint8_t>(address.family()));
  writer.u16(address.port ^ kPortMask);
  if (address.ip.is_v4()) {
    writer.bytes(masked<4>(address.ip.octets(), builder.transaction_id()));
  } else {
    writer.bytes(masked<16>(address.ip.octets(), builder.transaction_id()));
  }
  builder.add(type, writer.written());
}

}  // namespace offhook::stun
