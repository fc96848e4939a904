#pragma once
// Ethernet frames written and summed byte by byte, as a reference for the kernel program, which only adjusts.

#include <array>
#include <cstdint>

#include "base/address.h"
#include "base/bytes.h"

namespace offhook::test {

using Mac = std::array<std::uint8_t, 6>;

enum class Checksum : std::uint8_t { full, absent, partial };  // partial: the pseudo-header's alone

// A UDP datagram in its frame.
struct Frame {
  Mac to{};
  Mac from{};
  Address source;
  Address destination;
  Buffer payload;
  std::uint8_t ttl = 64;
  std::uint8_t traffic_class = 0;
  bool dont_fragment = true;
  std::uint16_t identification = 0;
  Checksum checksum = Checksum::full;
};

inline std::uint32_t sum_words(Bytes bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8U : bytes[i];
  return sum;
}
inline std::uint16_t folded(std::uint32_t sum) {
  while (sum > 0xFFFF) sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

inline void write_ip_header(Writer& writer, const Frame& frame, std::size_t udp_bytes) {
  const std::size_t start = writer.size();
  if (frame.source.ip.is_v4()) {
    writer.u8(0x45);
    writer.u8(frame.traffic_class);
    writer.u16(static_cast<std::uint16_t>(20 + udp_bytes));
    writer.u16(frame.identification);
    writer.u16(frame.dont_fragment ? 0x4000 : 0);
    writer.u8(frame.ttl);
    writer.u8(17);
    writer.u16(0);
    writer.bytes(frame.source.ip.octets());
    writer.bytes(frame.destination.ip.octets());
    writer.patch_u16(start + 10,
                     static_cast<std::uint16_t>(~folded(sum_words(writer.written().subspan(start)))));
    return;
  }
  writer.u32(0x60000000U | std::uint32_t{frame.traffic_class} << 20U);
  writer.u16(static_cast<std::uint16_t>(udp_bytes));
  writer.u8(17);
  writer.u8(frame.ttl);
  writer.bytes(frame.source.ip.octets());
  writer.bytes(frame.destination.ip.octets());
}

inline std::uint16_t udp_checksum(const Frame& frame, Bytes udp) {
  std::uint32_t sum = sum_words(frame.source.ip.octets());
  sum = sum_words(frame.destination.ip.octets(), sum) + 17 + static_cast<std::uint32_t>(udp.size());
  if (frame.checksum == Checksum::partial) return folded(sum);
  const auto checksum = static_cast<std::uint16_t>(~folded(sum_words(udp, sum)));
  return checksum == 0 ? std::uint16_t{0xFFFF} : checksum;
}

inline Buffer bytes_of(const Frame& frame) {
  Buffer buffer(14 + 40 + 8 + frame.payload.size());
  Writer writer(buffer);
  writer.bytes(frame.to);
  writer.bytes(frame.from);
  writer.u16(frame.source.ip.is_v4() ? 0x0800 : 0x86DD);
  const std::size_t udp_bytes = 8 + frame.payload.size();
  write_ip_header(writer, frame, udp_bytes);
  const std::size_t udp = writer.size();
  writer.u16(frame.source.port);
  writer.u16(frame.destination.port);
  writer.u16(static_cast<std::uint16_t>(udp_bytes));
  writer.u16(0);
  writer.bytes(frame.payload);
  if (frame.checksum != Checksum::absent)
    writer.patch_u16(udp + 6, udp_checksum(frame, writer.written().subspan(udp)));
  buffer.resize(writer.size());
  return buffer;
}

inline Buffer channel_data(std::uint16_t number, const Buffer& payload) {
  Buffer message(4 + payload.size());
  Writer writer(message);
  writer.u16(number);
  writer.u16(static_cast<std::uint16_t>(payload.size()));
  writer.bytes(payload);
  return message;
}

inline Buffer patterned(std::size_t size, std::uint8_t seed = 7) {
  Buffer buffer(size);
  for (std::size_t i = 0; i < size; ++i) buffer[i] = static_cast<std::uint8_t>(seed + i * 31);
  return buffer;
}

}  // namespace offhook::test
