#include "service/api/api_json.h"

#include <fmt/chrono.h>

#include <charconv>
#include <chrono>

#include "wire/json/json.h"

namespace offhook::service {
namespace {

std::int64_t milliseconds(Duration span) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

void write_told(json::Writer& out, const call::EndTold& told) {
  out.begin_object().field("reason", signal::name(told.reason)).field("sentence", told.verdict.sentence);
  out.field("retryable", told.verdict.retryable).end_object();
}

void write_verdict(json::Writer& out, const call::CallRecord& record, View view) {
  out.key("verdict");
  if (!record.to_caller || !record.to_callee) {
    out.null();
    return;
  }
  out.begin_object();
  if (view != View::callee) write_told(out.key("caller"), *record.to_caller);
  if (view != View::caller) write_told(out.key("callee"), *record.to_callee);
  out.end_object();
}

// Its members; the caller opens and closes the object.
void write_call(json::Writer& out, const call::CallRecord& record, UnixTime dialled_at, View view) {
  out.field("call", record.call.text()).field("caller", record.caller).field("callee", record.callee);
  out.key("media").begin_object();
  out.field("audio", record.media.audio).field("video", record.media.video).end_object();
  out.field("state", call::name(record.state)).field("accepted", record.accepted);
  out.field("connected", record.connected).field("dialled_at", rfc3339(dialled_at));
  out.field("lasted_ms", milliseconds(record.lasted));
  if (record.room) out.field("room", record.room->text());
  write_verdict(out, record, view);
}

}  // namespace

std::string rfc3339(UnixTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(time.seconds)));
}

std::string call_json(const call::CallRecord& record, UnixTime dialled_at, View view) {
  json::Writer out;
  write_call(out.begin_object(), record, dialled_at, view);
  out.key("timeline").begin_array();
  for (const call::TimelineEntry& entry : record.timeline) {
    out.begin_object().field("offset_ms", static_cast<std::int64_t>(entry.offset_ms));
    out.field("event", entry.event).end_object();
  }
  return out.end_array().end_object().take();
}

CallsJson::CallsJson() : text_(R"({"calls":[)") {}

void CallsJson::add(const call::CallRecord& record, UnixTime dialled_at) {
  if (!text_.ends_with('[')) text_ += ',';
  json::Writer out;
  write_call(out.begin_object(), record, dialled_at, View::backend);
  text_ += out.end_object().take();
}

std::string CallsJson::finish(std::optional<std::uint64_t> next_before) {
  const std::string cursor = next_before ? '"' + cursor_text(*next_before) + '"' : "null";
  return text_ + R"(],"next_cursor":)" + cursor + '}';
}

std::string placed_json(const call::Placed& placed) {
  json::Writer out;
  out.begin_object().field("call", placed.call.text());
  return out.field("devices", static_cast<std::int64_t>(placed.devices)).end_object().take();
}

std::string presence_json(std::string_view user, const call::Presence& presence) {
  bool online = false;
  for (const auto& device : presence.devices) online = online || device.connected;
  json::Writer out;
  out.begin_object().field("user", user).field("online", online).field("in_call", presence.in_call);
  out.key("sessions").begin_array();
  for (const auto& device : presence.devices) {
    out.begin_object().field("session", device.session).field("connected", device.connected);
    out.key("calls").begin_array();
    for (const signal::CallId& call : device.calls) out.string(call.text());
    out.end_array().end_object();
  }
  return out.end_array().end_object().take();
}

// The cursor of the next page is the last name of this one.
std::string blocks_json(std::string_view user, const call::BlockPage& page) {
  json::Writer out;
  out.begin_object().field("user", user).key("blocks").begin_array();
  for (const std::string& blocked : page.users) out.string(blocked);
  out.end_array().key("next_cursor");
  if (page.has_more) {
    out.string(page.users.back());
  } else {
    out.null();
  }
  return out.end_object().take();
}

std::string block_json(std::string_view user, std::string_view peer, bool is_blocked) {
  json::Writer out;
  out.begin_object().field("user", user).field("peer", peer).field("blocked", is_blocked);
  return out.end_object().take();
}

std::string revocation_json(std::string_view user, UnixTime at, bool survives_restart,
                            const call::Revoked& revoked) {
  json::Writer out;
  out.begin_object().field("user", user).field("revoked_at", rfc3339(at));
  out.field("survives_restart", survives_restart);
  out.field("sessions_closed", static_cast<std::int64_t>(revoked.sessions));
  return out.field("calls_ended", static_cast<std::int64_t>(revoked.calls)).end_object().take();
}

std::string cursor_text(std::uint64_t next_before) { return std::to_string(next_before); }

std::optional<std::uint64_t> parse_cursor(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

}  // namespace offhook::service
