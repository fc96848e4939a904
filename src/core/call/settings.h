#pragma once
// Limits and times of signalling. The defaults are those of docs/protocol.md.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "wire/sdp/candidate.h"

namespace offhook::call {

struct Settings {
  Duration ping_interval = std::chrono::seconds(10);
  // 2.5 intervals: one ping may be lost in a dying socket without the connection being given up.
  Duration silence_timeout = std::chrono::seconds(25);
  Duration session_grace = std::chrono::seconds(30);
  Duration ring_timeout = std::chrono::seconds(45);
  // Long enough for a page that reloads, or an app that a push woke, to attach.
  Duration unreachable_timeout = std::chrono::seconds(5);
  Duration ack_delay = std::chrono::milliseconds(50);
  std::size_t ack_after_messages = 16;
  // Half of the life of TURN credentials, which are an hour.
  Duration credentials_interval = std::chrono::minutes(30);

  std::size_t max_sessions = 100'000;
  std::size_t max_sessions_per_user = 16;
  // Calls that a session has dialled and that live; and, counted apart so that nobody can keep a user from
  // dialling by ringing, calls that a session was rung for and that live.
  std::size_t max_dialled_calls_per_session = 8;
  std::size_t max_incoming_calls_per_session = 8;
  // Calls from one user to one other that nobody has accepted: one, and one that crosses its end. With more a
  // single user could take all places in which the other's devices ring.
  std::size_t max_waiting_calls_per_pair = 2;
  // Of a user, over all devices; 0: no limit. A person dials a few times a minute at most, an app that makes
  // a call for each member of a group some more.
  std::uint32_t dials_per_minute = 60;
  // Rooms at once, and those that a user is a member of at once: one, and one that is about to be left. Each
  // has a few hundred bytes.
  std::size_t max_rooms = 10'000;
  std::size_t max_rooms_per_user = 2;
  // Users that one user has blocked, and blocks of all users together. A person blocks by hand, some dozens
  // in years; each block has some 200 bytes, and stays.
  std::size_t max_blocks_per_user = 1000;
  std::size_t max_blocks = 1'000'000;
  // Calls that are over and of which the backend can still ask, 2 KiB each.
  std::size_t max_records = 10'000;
  std::size_t max_candidates = 100;  // a party and generation
  // Of both sides together. Each may be a new peer connection at a device whose user has not been asked.
  std::size_t max_offers_before_accept = 64;

  // What may be shown of where somebody is before accept. Empty: nothing.
  sdp::IsOwnRelay is_own_relay;

  // Sent and not acknowledged, a session. Calls that it only rings for fill half of it at most: those who
  // ring are strangers, and the other half is for the calls that its user has chosen.
  std::size_t max_queued_messages = 512;
  std::size_t max_queued_bytes = std::size_t{1024} * 1024;
  // Received ahead of a gap, a session. A gap on one WebSocket is a fault of the client, so little is kept.
  std::size_t max_early_messages = 64;
  std::size_t max_early_bytes = std::size_t{512} * 1024;
};

}  // namespace offhook::call
