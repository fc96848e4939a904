#include "wire/turn/channel_data.h"

#include <cassert>

namespace offhook::turn {

std::optional<ChannelData> parse_channel_data(Bytes datagram) {
  Reader reader(datagram);
  const std::uint16_t channel_number = reader.u16();
  const Bytes payload = reader.take(reader.u16());
  if (!reader.ok() || !is_channel_number(channel_number)) return std::nullopt;
  return ChannelData{channel_number, payload};
}

void write_channel_data_header(MutableBytes header, std::uint16_t channel_number,
                               std::uint16_t payload_bytes) {
  assert(header.size() >= kChannelDataHeaderBytes);
  assert(is_channel_number(channel_number));
  Writer writer(header);
  writer.u16(channel_number);
  writer.u16(payload_bytes);
}

}  // namespace offhook::turn
