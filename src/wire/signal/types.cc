#include "wire/signal/types.h"

namespace offhook::signal {
namespace {

bool is_base64url(char letter) {
  return (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') ||
         (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
}

}  // namespace

bool is_user(std::string_view text) {
  if (text.empty() || text.size() > kMaxUser) return false;
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (code < 0x20 || code == 0x7F) return false;
  }
  return true;
}

std::optional<CallId> CallId::parse(std::string_view text) {
  if (text.size() < kMinCallId || text.size() > kMaxCallId || text.substr(0, 2) != "c_") return std::nullopt;
  for (const char letter : text.substr(2)) {
    if (!is_base64url(letter)) return std::nullopt;
  }
  return CallId(text);
}

std::optional<RoomName> RoomName::parse(std::string_view text) {
  if (text.empty() || text.size() > kMaxRoom) return std::nullopt;
  for (const char letter : text) {
    if (!is_base64url(letter) && letter != '.') return std::nullopt;
  }
  return RoomName(text);
}

std::string_view name(EndReason reason) {
  switch (reason) {
    case EndReason::hangup:
      return "hangup";
    case EndReason::canceled:
      return "canceled";
    case EndReason::declined:
      return "declined";
    case EndReason::answered_elsewhere:
      return "answered_elsewhere";
    case EndReason::declined_elsewhere:
      return "declined_elsewhere";
    case EndReason::busy:
      return "busy";
    case EndReason::no_answer:
      return "no_answer";
    case EndReason::unreachable:
      return "unreachable";
    case EndReason::media_denied:
      return "media_denied";
    case EndReason::ice_failed:
      return "ice_failed";
    case EndReason::ice_lost:
      return "ice_lost";
    case EndReason::signaling_lost:
      return "signaling_lost";
    case EndReason::credentials:
      return "credentials";
    case EndReason::blocked:
      return "blocked";
    case EndReason::server_shutdown:
      return "server_shutdown";
    case EndReason::error:
      return "error";
  }
  return {};
}

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_message:
      return "bad_message";
    case ErrorCode::unknown_type:
      return "unknown_type";
    case ErrorCode::unknown_call:
      return "unknown_call";
    case ErrorCode::not_in_call:
      return "not_in_call";
    case ErrorCode::wrong_state:
      return "wrong_state";
    case ErrorCode::stale_generation:
      return "stale_generation";
    case ErrorCode::too_many_candidates:
      return "too_many_candidates";
    case ErrorCode::too_many_calls:
      return "too_many_calls";
    case ErrorCode::too_many_dials:
      return "too_many_dials";
    case ErrorCode::bad_call_id:
      return "bad_call_id";
    case ErrorCode::self_call:
      return "self_call";
    case ErrorCode::room_full:
      return "room_full";
    case ErrorCode::too_many_rooms:
      return "too_many_rooms";
    case ErrorCode::not_in_room:
      return "not_in_room";
    case ErrorCode::too_many_blocks:
      return "too_many_blocks";
  }
  return {};
}

}  // namespace offhook::signal
