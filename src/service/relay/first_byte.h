#pragma once
// What a connection speaks, told by its first byte (after RFC 7983): all of it may come in at one port, and
// once more inside TLS.

#include <cstdint>

namespace offhook::relay {

enum class Protocol : std::uint8_t {
  tls,   // a handshake record
  http,  // the method of a request line
  turn,  // all else; the framer ends what is neither STUN nor ChannelData
};

// Letters could begin ChannelData as well, but a connection begins with STUN: before an allocation no channel
// means anything.
constexpr Protocol protocol_of(std::uint8_t first_byte) {
  constexpr std::uint8_t kHandshakeRecord = 22;  // RFC 8446 section 5.1
  if (first_byte == kHandshakeRecord) return Protocol::tls;
  const bool is_capital = first_byte >= 'A' && first_byte <= 'Z';
  return is_capital ? Protocol::http : Protocol::turn;
}

}  // namespace offhook::relay
