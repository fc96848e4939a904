#include "service/signal/call_log.h"

#include <chrono>

#include "wire/json/json.h"

namespace offhook::service {
namespace {

std::string quoted(std::string_view name) { return json::Writer().string(name).take(); }

}  // namespace

std::string call_line(const call::CallEnded& ended) {
  const auto lasted_ms = std::chrono::duration_cast<std::chrono::milliseconds>(ended.lasted).count();
  const auto word = [](bool value) { return value ? "true" : "false"; };
  std::string line = "call ended call=" + ended.call.text();
  line += " caller=" + quoted(ended.caller) + " callee=" + quoted(ended.callee);
  line += " reason=" + std::string(signal::name(ended.reason));
  line += std::string(" accepted=") + word(ended.accepted) + " connected=" + word(ended.connected);
  if (ended.room) line += " room=" + ended.room->text();
  return line + " lasted_ms=" + std::to_string(lasted_ms);
}

}  // namespace offhook::service
