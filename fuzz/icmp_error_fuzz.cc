// What quotes a datagram must quote all of it that is told: with any of those bytes gone, nothing is.
//
// Input: one byte whose lowest bit says which family, the message.

#include <cstdlib>

#include "wire/icmp/icmp_error.h"

namespace {

using namespace offhook;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Reader reader(Bytes(bytes, size));
  const Family family = reader.u8() % 2 == 0 ? Family::ipv4 : Family::ipv6;
  const Bytes message = reader.take_rest();
  const auto error = icmp::parse_datagram_error(message, family);
  if (!error) return 0;
  require(error->from.family() == family && error->to.family() == family);
  require(error->mtu == 0 || error->type == (family == Family::ipv4 ? 3 : 2));
  // 8 of ICMP, the quoted IP header, the ports; of IPv4 the outer header, too.
  const std::size_t least = family == Family::ipv4 ? 20 + 8 + 20 + 4 : 8 + 40 + 4;
  require(message.size() >= least);
  require(!icmp::parse_datagram_error(message.first(least - 1), family));
  return 0;
}
