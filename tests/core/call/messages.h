#pragma once
// What devices say, by the members of their messages: what Exchange::send() takes.

#include <string>

namespace offhook::call {

inline std::string call_id(const std::string& name) { return "c_" + name + std::string(22, 'x'); }

// Members of messages about the call of this name.
inline std::string about(const std::string& type, const std::string& name, const std::string& more = "") {
  return R"("type":")" + type + R"(","call":")" + call_id(name) + "\"" + more;
}
inline std::string dial(const std::string& name, const std::string& to) {
  return about("dial", name, R"(,"to":")" + to + R"(","media":{"audio":true,"video":true})");
}
inline std::string ringing(const std::string& name) { return about("ringing", name); }
inline std::string accept(const std::string& name) {
  return about("accept", name, R"(,"media":{"audio":true,"video":false})");
}
inline std::string reject(const std::string& name, const std::string& reason) {
  return about("reject", name, R"(,"reason":")" + reason + "\"");
}
inline std::string hangup(const std::string& name, const std::string& reason = "hangup") {
  return about("hangup", name, R"(,"reason":")" + reason + "\"");
}
inline std::string offer(const std::string& name, int generation, const std::string& sdp) {
  return about("offer", name, R"(,"generation":)" + std::to_string(generation) + R"(,"sdp":")" + sdp + "\"");
}
inline std::string fresh_offer(const std::string& name, int generation, const std::string& sdp) {
  return offer(name, generation, sdp) + R"(,"fresh":true)";
}
inline std::string answer(const std::string& name, int generation, const std::string& sdp) {
  return about("answer", name, R"(,"generation":)" + std::to_string(generation) + R"(,"sdp":")" + sdp + "\"");
}
inline std::string candidate(const std::string& name, int generation, const std::string& line,
                             const std::string& ufrag = "") {
  return about("ice-candidate", name,
               R"(,"generation":)" + std::to_string(generation) + R"(,"candidate":{"candidate":")" + line +
                   R"(","sdpMid":"0","sdpMLineIndex":0)" +
                   (ufrag.empty() ? "" : R"(,"usernameFragment":")" + ufrag + "\"") + "}");
}
// What a device tells of a call after a restart; `more` is the rest of it.
inline std::string snapshot(const std::string& name, const std::string& peer, const std::string& role,
                            const std::string& state, const std::string& more = "") {
  const std::string media = state == "ended" ? "" : R"(,"media":{"audio":true,"video":false})";
  return about(
      "snapshot", name,
      R"(,"peer":")" + peer + R"(","role":")" + role + R"(","state":")" + state + "\"" + media + more);
}
inline std::string over(const std::string& name, const std::string& peer, const std::string& role,
                        const std::string& reason, bool accepted = false) {
  return snapshot(name, peer, role, "ended",
                  R"(,"reason":")" + reason + R"(","accepted":)" + (accepted ? "true" : "false"));
}
inline std::string state(const std::string& name, const std::string& hold,
                         const std::string& media = R"({"audio":true,"video":true,"screen":false})") {
  return about("state", name, R"(,"media":)" + media + R"(,"hold":)" + hold);
}
inline std::string take(const std::string& name) {
  return about("take", name, R"(,"media":{"audio":true,"video":false})");
}
inline std::string connected(const std::string& name) { return about("connected", name); }

inline std::string join(const std::string& room) { return R"("type":"join","room":")" + room + "\""; }
inline std::string leave(const std::string& room) { return R"("type":"leave","room":")" + room + "\""; }
inline std::string block(const std::string& user) { return R"("type":"block","user":")" + user + "\""; }
inline std::string unblock(const std::string& user) { return R"("type":"unblock","user":")" + user + "\""; }
inline std::string in_room(const std::string& message, const std::string& room) {
  return message + R"(,"room":")" + room + "\"";
}

}  // namespace offhook::call
