#pragma once
// The words of docs/protocol.md that both directions use, and their limits.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace offhook::signal {

inline constexpr int kVersion = 1;

// Limits of what a client may send, in bytes. A frame of 64 KiB has room for a description of 60 KiB; a
// browser's is about 6 KiB, and a candidate line about 200 bytes.
inline constexpr std::size_t kMaxFrame = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxSdp = std::size_t{60} * 1024;
inline constexpr std::size_t kMaxCandidate = 2048;
inline constexpr std::size_t kMaxMid = 64;     // RFC 8843 names them "0", "audio", ...
inline constexpr std::size_t kMaxUfrag = 256;  // RFC 8839 section 5.4
inline constexpr std::size_t kMaxUser = 128;
inline constexpr std::size_t kMaxToken = 8192;
inline constexpr std::size_t kMaxSessionId = 64;
inline constexpr std::size_t kMinCallId = 24;  // "c_" and 128 bits in base64url
inline constexpr std::size_t kMaxCallId = 64;
inline constexpr std::size_t kMaxRoom = 64;
inline constexpr std::uint32_t kMaxGeneration = 1'000'000;
inline constexpr std::uint64_t kMaxSeq = (1ULL << 53U) - 1;  // what a browser's numbers hold exactly

// A user is 1 to kMaxUser bytes of UTF-8 without control characters.
bool is_user(std::string_view text);

// "c_" and 22 letters of base64url or more. Chosen by the caller's device.
class CallId {
 public:
  static std::optional<CallId> parse(std::string_view text);
  const std::string& text() const { return text_; }
  auto operator<=>(const CallId&) const = default;

 private:
  explicit CallId(std::string_view text) : text_(text) {}
  std::string text_;
};

// 1 to kMaxRoom letters, digits, '-', '_' and '.', so that a name fits into an address as it is. Who knows it
// may join, so an app that wants a room to itself takes one that nobody guesses.
class RoomName {
 public:
  static std::optional<RoomName> parse(std::string_view text);
  const std::string& text() const { return text_; }
  auto operator<=>(const RoomName&) const = default;

 private:
  explicit RoomName(std::string_view text) : text_(text) {}
  std::string text_;
};

struct Media {
  bool audio = false;
  bool video = false;
  auto operator<=>(const Media&) const = default;
};

// What a side sends now, by its switches.
struct MediaState {
  Media media;
  bool screen = false;  // in the place of the camera
  bool hold = false;    // nothing is sent nor played, whatever the switches say
  auto operator<=>(const MediaState&) const = default;
};

// RTCIceCandidateInit. An empty candidate is the end of candidates of its generation.
struct Candidate {
  std::string candidate;
  std::optional<std::string> sdp_mid;
  std::optional<std::uint16_t> sdp_m_line_index;
  std::optional<std::string> username_fragment;
  auto operator<=>(const Candidate&) const = default;
};

enum class EndReason : std::uint8_t {
  hangup,
  canceled,
  declined,
  answered_elsewhere,
  declined_elsewhere,
  busy,
  no_answer,
  unreachable,
  media_denied,
  ice_failed,
  ice_lost,
  signaling_lost,
  credentials,
  blocked,
  server_shutdown,
  error,
};
inline constexpr std::size_t kEndReasons = static_cast<std::size_t>(EndReason::error) + 1;
std::string_view name(EndReason reason);

enum class ErrorCode : std::uint8_t {
  bad_message,
  unknown_type,
  unknown_call,
  not_in_call,
  wrong_state,
  stale_generation,
  too_many_candidates,
  too_many_calls,
  too_many_dials,
  bad_call_id,
  self_call,
  room_full,
  too_many_rooms,
  not_in_room,
  too_many_blocks,
};
std::string_view name(ErrorCode code);

}  // namespace offhook::signal
