#pragma once
// Answers of the REST interface as JSON. Their schemas are in openapi_document.cc.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/call/record.h"

namespace offhook::service {

// "2026-01-31T12:00:00Z" (RFC 3339)
std::string rfc3339(UnixTime time);

// Whose view of a call: the backend's, which is told both ends' verdicts, or that of one of the two users.
enum class View : std::uint8_t { backend, caller, callee };

// With its timeline.
std::string call_json(const call::CallRecord& record, UnixTime dialled_at, View view);

// A page is made call by call, because each has a time of its own.
class CallsJson {
 public:
  CallsJson();
  void add(const call::CallRecord& record, UnixTime dialled_at);
  std::string finish(std::optional<std::uint64_t> next_before);

 private:
  std::string text_;
};

std::string placed_json(const call::Placed& placed);
std::string presence_json(std::string_view user, const call::Presence& presence);
std::string blocks_json(std::string_view user, const call::BlockPage& page);
std::string block_json(std::string_view user, std::string_view peer, bool is_blocked);
std::string revocation_json(std::string_view user, UnixTime at, bool survives_restart,
                            const call::Revoked& revoked);

// The cursor of a page, as text. It means something to this server alone.
std::string cursor_text(std::uint64_t next_before);
std::optional<std::uint64_t> parse_cursor(std::string_view text);

}  // namespace offhook::service
