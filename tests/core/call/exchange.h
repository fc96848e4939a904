#pragma once
// A server with devices around it that follow docs/protocol.md as a client does: they number, acknowledge,
// keep what is not acknowledged, and resume. Time moves only by advance().

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/call/messages.h"
#include "core/call/server.h"
#include "core/call/timeline.h"
#include "wire/json/json.h"

namespace offhook::call {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(MutableBytes target) override {
    for (std::uint8_t& byte : target) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

// What a device has seen of one call, to hold the server to the causality rule in every test.
struct Seen {
  std::int64_t newest = -1;  // the generation of the newest description
  std::set<std::string> candidates;
  bool ended = false;
  bool said_accept = false;  // perhaps long before the server hears it
  bool is_guarded = false;   // nobody has accepted, and the call's warm path is not direct
};

struct Device {
  std::string user;
  WarmPath warm_path = WarmPath::direct;
  std::optional<Ip> seen_at;
  std::optional<ConnectionId> connection;
  std::string session;
  std::string resume_token;
  bool resumed = false;       // as the last welcome said
  std::uint64_t attempt = 0;  // of the next resume

  std::uint64_t sent = 0;
  std::deque<std::pair<std::uint64_t, std::string>> unacknowledged;  // number, members
  std::uint64_t received = 0;
  std::size_t repeated = 0;

  std::map<std::string, Seen> seen_by_call;
  std::vector<std::string> inbox;   // numbered messages in their order: "offer 0 sdp", "ended busy", ...
  std::vector<std::string> frames;  // everything that arrived, as it was
  std::vector<std::string> closes;  // "4409 replaced"
  std::size_t credentials = 0;      // how often they were due

  std::size_t frames_seen = 0;       // after welcome, both directions
  std::size_t cut_after = SIZE_MAX;  // the frame after so many is lost, and the connection with it
  bool was_cut = false;

  std::vector<std::string> take() { return std::exchange(inbox, {}); }
};

class Exchange {
 public:
  explicit Exchange(const Settings& settings = {}, std::uint64_t seed = 1)
      : settings_(with_relays(settings)), random_(seed), server(settings_, random_) {}

  Device& add(const std::string& user, WarmPath warm_path = WarmPath::direct) {
    devices.emplace_back();
    devices.back().user = user;
    devices.back().warm_path = warm_path;
    connect(devices.back());
    return devices.back();
  }

  void connect(Device& device) {
    device.connection = ConnectionId{++last_connection_};
    std::optional<signal::Resume> resume;
    if (!device.session.empty()) {
      resume = signal::Resume{device.session, Secret(device.resume_token), device.received, device.attempt};
    }
    Outbox outbox;
    server.handle_hello(*device.connection, {device.user, device.warm_path, device.seen_at}, resume, now,
                        outbox);
    carry_out(std::move(outbox));
  }

  // A numbered message, given by its members: R"("type":"bye")".
  void send(Device& device, const std::string& members) {
    device.sent += 1;
    unguard(device, members);
    device.unacknowledged.emplace_back(device.sent, members);
    if (device.connection) send_numbered(device, device.sent, members);
  }
  void raw(Device& device, const std::string& text) {
    if (!device.connection || !passes(device)) return;
    Outbox outbox;
    server.handle_frame(*device.connection, signal::parse_client_frame(text), now, outbox);
    carry_out(std::move(outbox));
  }
  void acknowledge(Device& device) {
    raw(device, R"({"type":"ack","ack":)" + std::to_string(device.received) + "}");
  }

  void cut(Device& device) {
    if (!device.connection) return;
    const ConnectionId gone = *std::exchange(device.connection, std::nullopt);
    Outbox outbox;
    server.handle_connection_closed(gone, now, outbox);
    carry_out(std::move(outbox));
  }

  void advance(Duration span) {
    const Instant target = now + span;
    while (server.next_deadline() <= target) {
      now = std::max(now, server.next_deadline());
      run_deadlines();
    }
    now = target;
  }
  void run_deadlines() {
    Outbox outbox;
    server.handle_deadlines(now, outbox);
    carry_out(std::move(outbox));
  }
  // All devices ping, so that time can pass without their connections being given up.
  void advance_alive(Duration span) {
    const Instant target = now + span;
    while (now < target) {
      for (Device& device : devices) raw(device, R"({"type":"ping"})");
      advance(std::min<Duration>(seconds(5), target - now));
    }
  }
  void waking(const std::string& name, Waking waking) {
    Outbox outbox;
    server.handle_waking(*signal::CallId::parse(call_id(name)), waking, now, outbox);
    carry_out(std::move(outbox));
  }
  void shutdown() {
    Outbox outbox;
    server.shutdown(now, outbox);
    carry_out(std::move(outbox));
  }

  bool end_by_app(const std::string& name) {
    Outbox outbox;
    const bool ended = server.handle_end(*signal::CallId::parse(call_id(name)), now, outbox);
    carry_out(std::move(outbox));
    return ended;
  }
  Placed place(const std::string& caller, const std::string& callee) {
    Outbox outbox;
    const Placed placed = server.handle_place(caller, callee, {true, false}, now, outbox);
    carry_out(std::move(outbox));
    return placed;
  }
  bool block(const std::string& by, const std::string& of) {
    Outbox outbox;
    const bool done = server.handle_block(by, of, now, outbox);
    carry_out(std::move(outbox));
    return done;
  }
  void unblock(const std::string& by, const std::string& of) {
    Outbox outbox;
    server.handle_unblock(by, of, now, outbox);
    carry_out(std::move(outbox));
  }
  Revoked revoke(const std::string& user) {
    Outbox outbox;
    const Revoked revoked = server.handle_revoke(user, now, outbox);
    carry_out(std::move(outbox));
    return revoked;
  }

  // The process is killed and another one started: nothing is left but what was journalled.
  void crash(bool with_journal = true) {
    for (Device& device : devices) device.connection.reset();
    std::destroy_at(&server);
    std::construct_at(&server, settings_, random_);
    std::vector<WaitingCall> waiting;
    for (const auto& [id, entry] : journal) {
      waiting.push_back(entry.call);
      waiting.back().age += now - entry.at;
    }
    if (!with_journal) {
      journal.clear();
      journalled_blocks.clear();
    }
    server.restore_blocks({journalled_blocks.begin(), journalled_blocks.end()});
    Outbox outbox;
    if (with_journal) server.restore(waiting, now, outbox);
    carry_out(std::move(outbox));
  }

  void check() {
    const auto broken = server.broken_invariant();
    ASSERT_FALSE(broken) << *broken;
  }

  // Relays of all tests are of these networks, unless a test has its own.
  static Settings with_relays(Settings settings) {
    static const Prefix kRelays4 = *Prefix::parse("203.0.113.0/24");
    static const Prefix kRelays6 = *Prefix::parse("2001:2::/48");
    if (!settings.is_own_relay) {
      settings.is_own_relay = [](const Address& address) {
        return kRelays4.contains(address.ip) || kRelays6.contains(address.ip);
      };
    }
    return settings;
  }

 private:
  const Settings settings_;
  SeededRandom random_;

 public:
  Server server;
  Instant now{std::chrono::hours(1)};
  std::deque<Device> devices;
  std::vector<CallEnded> records;
  std::vector<std::string> introductions;  // "bob 192.0.2.1:1"
  std::vector<std::string> for_wakers;     // "dialled c_… alice bob", "answered c_…"
  struct Journalled {
    WaitingCall call;
    Instant at;
  };
  std::map<std::string, Journalled> journal;  // by call id
  std::set<UserBlock> journalled_blocks;
  bool resume_at_once =
      false;  // a device whose connection was cut by cut_after comes back in the same moment

 private:
  void send_numbered(Device& device, std::uint64_t seq, const std::string& members) {
    raw(device, "{\"seq\":" + std::to_string(seq) + ",\"ack\":" + std::to_string(device.received) + "," +
                    members + "}");
  }

  bool passes(Device& device) {
    device.frames_seen += 1;
    if (device.frames_seen <= device.cut_after) return true;
    device.cut_after = SIZE_MAX;
    device.was_cut = true;
    cut(device);
    return false;
  }

  void carry_out(Outbox outbox) {
    for (Effect& effect : outbox) pending_.push_back(std::move(effect));
    if (carrying_out_) return;
    carrying_out_ = true;
    while (!pending_.empty()) {
      const Effect effect = std::move(pending_.front());
      pending_.pop_front();
      if (const auto* frame = std::get_if<SendFrame>(&effect)) deliver(*frame);
      if (const auto* close = std::get_if<CloseConnection>(&effect)) closed(*close);
      if (const auto* record = std::get_if<CallEnded>(&effect)) records.push_back(*record);
      if (const auto* due = std::get_if<CredentialsDue>(&effect)) credentials_due(*due);
      if (const auto* peer = std::get_if<PeerIntroduced>(&effect)) introduced(*peer);
      if (const auto* one = std::get_if<CallDialled>(&effect)) {
        for_wakers.push_back("dialled " + one->call.text() + " " + one->caller + " " + one->callee);
      }
      if (const auto* one = std::get_if<CallAnswered>(&effect))
        for_wakers.push_back("answered " + one->call.text());
      if (const auto* waits = std::get_if<JournalCall>(&effect))
        journal.insert_or_assign(waits->call.call.text(), Journalled{waits->call, now});
      if (const auto* over = std::get_if<ForgetCall>(&effect)) journal.erase(over->call.text());
      if (const auto* set = std::get_if<JournalBlock>(&effect)) journalled_blocks.insert(set->block);
      if (const auto* gone = std::get_if<ForgetBlock>(&effect)) journalled_blocks.erase(gone->block);
    }
    carrying_out_ = false;
    for (Device& device : devices) {
      if (resume_at_once && device.was_cut && !device.connection) {
        device.was_cut = false;
        connect(device);
      }
    }
  }

  void credentials_due(const CredentialsDue& due) {
    Device* device = find(due.connection);
    if (device == nullptr) return;  // lost with its connection
    EXPECT_EQ(due.user, device->user);
    device->credentials += 1;
  }
  void introduced(const PeerIntroduced& peer) {
    introductions.push_back(peer.user + " " + peer.peer_address.text());
  }

  Device* find(ConnectionId connection) {
    for (Device& device : devices) {
      if (device.connection == connection) return &device;
    }
    return nullptr;
  }

  void closed(const CloseConnection& close) {
    Device* device = find(close.connection);
    last_close = std::to_string(close.code) + " " + close.reason;
    if (device == nullptr) return;
    device->closes.push_back(last_close);
    device->connection.reset();
  }

  void deliver(const SendFrame& frame) {
    Device* device = find(frame.connection);
    if (device == nullptr) return;  // lost with its connection
    const auto document = json::parse(frame.text, {.max_bytes = 1U << 20U});
    ASSERT_TRUE(document) << frame.text;
    json::Fields fields(document->root());
    const std::string type(fields.string("type", {.max = 64}));
    if (type != "welcome" && !passes(*device)) return;
    device->frames.push_back(frame.text);
    if (const auto ack = fields.optional_integer("ack", 0, INT64_MAX)) {
      while (!device->unacknowledged.empty() &&
             device->unacknowledged.front().first <= static_cast<std::uint64_t>(*ack)) {
        device->unacknowledged.pop_front();
      }
    }
    if (type == "welcome") {
      welcomed(*device, fields);
    } else if (type != "ack" && type != "pong") {
      numbered(*device, type, fields, frame.text);
    }
    ASSERT_TRUE(fields.ok()) << fields.problem().text() << " in " << frame.text;
  }

  void welcomed(Device& device, json::Fields& fields) {
    device.session = fields.string("session", {.max = 64});
    device.resume_token = fields.string("resume_token", {.max = 64});
    device.resumed = fields.boolean("resumed");
    if (!device.resumed) {
      device.sent = 0;
      device.received = 0;
      device.seen_by_call.clear();
      device.unacknowledged.clear();
      return;
    }
    const auto again = device.unacknowledged;
    for (const auto& [seq, members] : again) {
      if (device.connection) send_numbered(device, seq, members);
    }
  }

  void numbered(Device& device, const std::string& type, json::Fields& fields, const std::string& text) {
    const auto seq = static_cast<std::uint64_t>(fields.integer("seq", 1, INT64_MAX));
    if (seq <= device.received) {
      device.repeated += 1;
      return;
    }
    ASSERT_EQ(seq, device.received + 1) << "a gap before " << text;
    device.received = seq;
    const std::string shown = summary(type, fields);
    device.inbox.push_back(shown);
    static const std::set<std::string> kOthers = {"error",  "place",         "elsewhere",
                                                  "joined", "member_joined", "member_left",
                                                  "left",   "blocked",       "unblocked"};
    const bool is_of_a_call = !kOthers.contains(type);
    if (is_of_a_call) observe(device, type, shown, fields, text);
  }

  // A device that accepts, or offers to call, may learn where the other is.
  static void unguard(Device& device, const std::string& members) {
    const std::size_t at = members.find(R"("call":")");
    if (at == std::string::npos) return;
    const std::string call = members.substr(at + 8, members.find('"', at + 8) - at - 8);
    const bool tells_of_accept = members.find(R"("state":"accepted")") != std::string::npos ||
                                 members.find(R"("state":"connected")") != std::string::npos;
    if (tells_of_accept || members.find(R"("type":"accept")") != std::string::npos) {
      device.seen_by_call[call].said_accept = true;
      device.seen_by_call[call].is_guarded = false;
    }
    if (members.find(R"("type":"dial")") != std::string::npos && !device.seen_by_call.contains(call))
      device.seen_by_call[call].is_guarded = device.warm_path != WarmPath::direct;
  }

  // Host and server reflexive addresses of all tests are of this network.
  static constexpr const char* kHiddenNetwork = "192.0.2.";

  static void observe(Device& device, const std::string& type, const std::string& shown, json::Fields& fields,
                      const std::string& text) {
    Seen& seen = device.seen_by_call[std::string(fields.string("call", {.max = 64}))];
    if (type == "taken") seen = Seen{};
    EXPECT_FALSE(seen.ended) << shown << " after the end";
    if (type == "ended") seen.ended = true;
    if (type == "accepted" || type == "restored") seen.is_guarded = false;
    if (seen.is_guarded) {
      EXPECT_EQ(text.find(kHiddenNetwork), std::string::npos) << text;
    }
    if (type == "incoming") {
      seen.is_guarded = !seen.said_accept && fields.string("warm_path", {.max = 64}) != "direct";
      EXPECT_EQ(seen.newest, -1) << "incoming comes first";
    }
    if (type != "offer" && type != "answer" && type != "ice-candidate") return;
    const std::int64_t generation = fields.integer("generation", 0, INT64_MAX);
    if (type == "ice-candidate") {
      EXPECT_EQ(generation, seen.newest) << shown << " does not belong to the newest description";
      // One of another sdpMid or usernameFragment is another one.
      const std::string identity = text.substr(text.find(R"("generation")"));
      EXPECT_TRUE(seen.candidates.insert(identity).second) << shown << " came twice";
    } else {
      EXPECT_GT(generation, seen.newest) << shown;
      seen.newest = generation;
    }
  }

  // "audio video screen hold", those that are on.
  static std::string switches(json::Fields& fields) {
    json::Fields media(fields.object("media"));
    std::string text;
    for (const char* kind : {"audio", "video", "screen"})
      text += media.boolean(kind) ? std::string(kind) + " " : "";
    return text + (fields.boolean("hold") ? "hold" : "live");
  }

  // The users of an array of members, in their order.
  static std::string names(const json::Value& members) {
    std::string text = "[";
    for (std::size_t i = 0; i < members.size(); ++i) {
      json::Fields member(members.at(i));
      text += (i > 0 ? " " : "") + std::string(member.string("user", {.max = 200}));
    }
    return text + "]";
  }

  static std::string summary(const std::string& type, json::Fields& fields) {
    if (type == "incoming") return type + " " + std::string(fields.string("from", {.max = 200}));
    if (type == "place") return type + " " + std::string(fields.string("to", {.max = 200}));
    if (type == "offer" || type == "answer") {
      const bool fresh = fields.optional_boolean("fresh").value_or(false);
      return std::string(fresh ? "fresh " : "") + type + " " +
             std::to_string(fields.integer("generation", 0, INT64_MAX)) + " " +
             std::string(fields.string("sdp", {.max = 100'000}));
    }
    if (type == "ice-candidate") {
      json::Fields inner(fields.object("candidate"));
      return "candidate " + std::to_string(fields.integer("generation", 0, INT64_MAX)) + " " +
             std::string(inner.string("candidate", {.min = 0, .max = 10'000}));
    }
    if (type == "state" || type == "taken") return type + " " + switches(fields);
    if (type == "elsewhere") return type + " " + std::to_string(fields.array("calls").size());
    if (type == "accepted" && fields.optional_boolean("fresh").value_or(false)) return "accepted fresh";
    if (type == "restored") return type + " " + std::to_string(fields.integer("generation", 0, INT64_MAX));
    if (type == "joined") return type + " " + names(fields.array("members"));
    if (type == "member_joined" || type == "blocked" || type == "unblocked")
      return type + " " + std::string(fields.string("user", {.max = 200}));
    if (type == "member_left") {
      return type + " " + std::string(fields.string("user", {.max = 200})) + " " +
             std::string(fields.string("reason", {.max = 64}));
    }
    if (type == "ended" || type == "left")
      return type + " " + std::string(fields.string("reason", {.max = 64}));
    if (type == "error") return type + " " + std::string(fields.string("code", {.max = 64}));
    return type;
  }

  std::deque<Effect> pending_;
  bool carrying_out_ = false;
  std::uint64_t last_connection_ = 0;

 public:
  std::string last_close;
};

using Inbox = std::vector<std::string>;

}  // namespace offhook::call
