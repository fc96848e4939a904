// The server made wrong on purpose: each is an edit of one file of the core, whose text stands there exactly once.
// tools/sim --mutants builds the simulation with each, and looks how many seeds pass until a rule is broken.

const sessions = 'src/core/call/sessions.cc';
const server = 'src/core/call/server.cc';
const calls = 'src/core/call/calls.cc';
const ring = 'src/core/call/calls_ring.cc';
const relay = 'src/core/call/calls_relay.cc';
const description = 'src/core/call/calls_description.cc';
const end = 'src/core/call/calls_end.cc';
const causality = 'src/core/call/causality.cc';
const transitions = 'src/core/call/transitions.cc';
const restore = 'src/core/call/calls_restore.cc';
const talk = 'src/core/call/calls_talk.cc';

export const mutants = [
  // Numbers and acknowledgements
  {
    name: 'no-ack',
    what: 'the acknowledgement that is due alone is not sent',
    file: sessions,
    edits: [['  step.outbox.push_back(SendFrame{*session.connection, signal::ack_frame(session.processed)});\n', '  (void)step;\n']],
  },
  {
    name: 'ack-too-soon',
    what: 'welcome acknowledges one message more than has come',
    file: sessions,
    edits: [['welcome.ack = session.processed;', 'welcome.ack = session.processed + 1;']],
  },
  {
    name: 'queue-drops-one',
    what: 'an acknowledgement also drops the message after it',
    file: sessions,
    edits: [['session.queue.front().seq <= ack)', 'session.queue.front().seq <= ack + 1)']],
  },
  {
    name: 'no-replay',
    what: 'a resumed session gets nothing again',
    file: sessions,
    edits: [['  for (const Queued& queued : session.queue) send_queued(session, queued, step);\n', '  (void)session;\n  (void)step;\n']],
  },
  {
    name: 'replay-leaves-out-the-first',
    what: 'the first message that was not acknowledged is not sent again',
    file: sessions,
    edits: [
      [
        '  for (const Queued& queued : session.queue) send_queued(session, queued, step);\n',
        '  for (const Queued& queued : session.queue) {\n    if (&queued != &session.queue.front()) send_queued(session, queued, step);\n  }\n',
      ],
    ],
  },
  {
    name: 'processed-twice',
    what: 'a message that comes again is processed again',
    file: sessions,
    edits: [
      ['  if (numbered.seq <= session.processed) {\n', '  if (numbered.seq < session.processed) {\n'],
      [
        '  if (numbered.seq == session.processed + 1) {\n    session.processed += 1;\n',
        '  if (numbered.seq == session.processed || numbered.seq == session.processed + 1) {\n    session.processed = numbered.seq;\n',
      ],
    ],
  },
  {
    name: 'lost-while-detached',
    what: 'what comes for a session without a connection is not kept',
    file: sessions,
    edits: [['  session.last_sent += 1;\n', '  if (!session.connection) return;\n  session.last_sent += 1;\n']],
  },
  // Sessions
  {
    name: 'attempts-not-compared',
    what: 'a late hello takes the session over although its client counts',
    file: sessions,
    edits: [['resume.attempt != 0 && resume.attempt <= session.attempt;', 'resume.attempt != 0 && resume.attempt < 1;']],
  },
  {
    name: 'old-acks-not-compared',
    what: 'a hello that knows less than was acknowledged resumes',
    file: sessions,
    edits: [['  return outrun || resume.ack < acknowledged;', '  (void)acknowledged;\n  return outrun;']],
  },
  {
    name: 'short-grace',
    what: 'a session without a connection lives for half the time',
    file: sessions,
    edits: [
      [
        '  // the welcome of the next connection acknowledges\n  deadlines_.set(deadline(Timer::grace, session), now + settings_.session_grace);',
        '  // the welcome of the next connection acknowledges\n  deadlines_.set(deadline(Timer::grace, session), now + settings_.session_grace / 2);',
      ],
    ],
  },
  {
    name: 'long-grace',
    what: 'a session without a connection lives for twice the time',
    file: sessions,
    edits: [
      [
        '  // the welcome of the next connection acknowledges\n  deadlines_.set(deadline(Timer::grace, session), now + settings_.session_grace);',
        '  // the welcome of the next connection acknowledges\n  deadlines_.set(deadline(Timer::grace, session), now + settings_.session_grace * 2);',
      ],
    ],
  },
  {
    name: 'old-connection-stays',
    what: 'a connection whose session another has resumed is not closed',
    file: sessions,
    edits: [['    step.outbox.push_back(CloseConnection{*session.connection, kCloseReplaced, "replaced"});\n', '']],
  },
  {
    name: 'bye-ignored',
    what: 'a bye does not end its session',
    file: server,
    edits: [['end_session(key, kCloseNormal, "bye", step); }', '(void)key; }']],
  },
  {
    name: 'late-device-does-not-ring',
    what: 'a device that attaches hears nothing of what rings',
    file: server,
    edits: [['      calls_.handle_attached(opened, step);\n', '']],
  },
  // Calls
  {
    name: 'rings-for-twice-as-long',
    what: 'no_answer comes after twice the time',
    file: calls,
    edits: [['began + settings_.ring_timeout);', 'began + 2 * settings_.ring_timeout);']],
  },
  {
    name: 'withheld-for-ever',
    what: 'what was withheld is not released at the accept',
    file: calls,
    edits: [['  if (!fresh) release_withheld(call, step);\n', '']],
  },
  {
    name: 'fresh-not-told',
    what: 'a caller does not learn that another device than the warm one has won',
    file: calls,
    edits: [['signal::accepted(call.id, message.media, fresh)', 'signal::accepted(call.id, message.media, false)']],
  },
  {
    name: 'losers-not-told',
    what: 'devices that did not win hear nothing',
    file: calls,
    edits: [['      end_for(call, leg.session, EndReason::answered_elsewhere, Side::callee, Cause::other_end, step);\n', '']],
  },
  {
    name: 'callee-hears-another-reason',
    what: 'the callee is always told that the other side hung up',
    file: calls,
    edits: [['end_call(call, {message.reason, message.reason, from.key, message.reason}, step);', 'end_call(call, {message.reason, EndReason::hangup, from.key, EndReason::hangup}, step);']],
  },
  {
    name: 'declined-is-busy',
    what: 'a caller who is declined is told that the other is busy',
    file: calls,
    edits: [['end_call(call, {reason, EndReason::declined_elsewhere, from.key, reason}, step);', 'end_call(call, {EndReason::busy, EndReason::declined_elsewhere, from.key, reason}, step);']],
  },
  {
    name: 'no-limit-of-waiting-calls',
    what: 'one user may dial another once more often than they may',
    file: calls,
    edits: [['waiting_calls(from.user, dial.to) >= settings_.max_waiting_calls_per_pair)', 'waiting_calls(from.user, dial.to) > settings_.max_waiting_calls_per_pair)']],
  },
  {
    name: 'connected-by-one',
    what: 'a call counts as connected when one end says so',
    file: transitions,
    edits: [['{Event::connected_first,     {{kWrong,    kWrong,    kAccepted,', '{Event::connected_first,     {{kWrong,    kWrong,    kConnect, ']],
  },
  {
    name: 'late-offer-missing',
    what: 'a device that attaches late rings without the offer',
    file: ring,
    edits: [['  if (call.newest_offer && !call.warm.answer_passed) {', '  if (call.newest_offer && !call.warm.answer_passed && call.state() == State::dialing) {']],
  },
  {
    name: 'unreachable-at-once',
    what: 'a user without a device is given no time to come',
    file: ring,
    edits: [[': settings_.unreachable_timeout;', ': settings_.unreachable_timeout / 5;']],
  },
  {
    name: 'end-is-forgotten',
    what: 'a message that crosses the end of its call is refused',
    file: end,
    edits: [['  session.recently_ended.push_back(id);\n', '  if (session.recently_ended.size() > 1000) session.recently_ended.push_back(id);\n']],
  },
  {
    name: 'record-of-the-callee',
    what: 'the record has the reason that the callee was told',
    file: end,
    edits: [['call.callee_user, ending.caller, false,', 'call.callee_user, ending.callees, false,']],
  },
  {
    name: 'winner-may-go',
    what: 'an accepted call ends as canceled when a party loses its session',
    file: end,
    edits: [['{EndReason::signaling_lost, EndReason::signaling_lost, session.key, EndReason::signaling_lost}', '{EndReason::canceled, EndReason::canceled, session.key, EndReason::canceled}']],
  },
  // Descriptions, candidates, secrets
  {
    name: 'stale-offers-pass',
    what: 'an offer of an older generation passes',
    file: description,
    edits: [['  if (message.generation != due) return refuse(kStale);\n', '  if (message.generation > due) return refuse(kStale);\n']],
  },
  {
    name: 'candidates-not-held',
    what: 'a candidate passes before its description',
    file: causality,
    edits: [['return out ? Ruling::pass : Ruling::hold;', 'return Ruling::pass;']],
  },
  {
    name: 'candidates-twice',
    what: 'a candidate that comes twice passes twice',
    file: causality,
    edits: [['  if (holds(candidates, kept.candidate)) return Ruling::drop;\n', '']],
  },
  {
    name: 'ufrag-not-looked-at',
    what: 'candidates of an offer that lost pass with the answer',
    file: causality,
    edits: [['  if (!names_ufrag(candidate) || ufrags_.empty()) return true;\n', '  if (!names_ufrag(candidate) || !ufrags_.empty()) return true;\n']],
  },
  {
    name: 'end-of-a-lost-offer',
    what: 'the end of candidates of an offer that was refused goes out with the answer',
    file: causality,
    edits: [['  if (!out && was_refused(generation) && is_nameless_end(kept.candidate)) return Ruling::drop;\n', '']],
  },
  {
    name: 'one-refused-offer',
    what: 'of several offers that were refused the last alone is remembered',
    file: causality,
    edits: [
      ['  refused_->lowest = std::min(refused_->lowest, generation);\n', '  refused_->lowest = generation;\n'],
      ['  refused_->highest = std::max(refused_->highest, generation);\n', '  refused_->highest = generation;\n'],
    ],
  },
  {
    name: 'candidates-show-addresses',
    what: 'candidates pass before the accept as they came',
    file: relay,
    edits: [['  if (passage == Passage::guarded) {\n    if (!kept.guarded) return;', '  if (passage == Passage::guarded && kept.guarded) {\n    if (!kept.guarded) return;']],
  },
  {
    name: 'descriptions-show-addresses',
    what: 'descriptions pass before the accept as they came',
    file: relay,
    edits: [['      return std::string(description.guarded_sdp);', '      return std::string(description.sdp);']],
  },
  {
    name: 'shown-again',
    what: 'what passed before the accept passes again after it',
    file: relay,
    edits: [['    if (kept.guarded) continue;  // it has passed\n', '']],
  },
  {
    name: 'nobody-introduced',
    what: 'the relay hears of no candidate',
    file: relay,
    edits: [['    step.outbox.push_back(PeerIntroduced{', '    if (call.timeline.size() > 1000) step.outbox.push_back(PeerIntroduced{']],
  },
  {
    name: 'introduced-again',
    what: 'an address is introduced each time that it comes',
    file: relay,
    edits: [['    if (std::find(known.begin(), known.end(), address.ip) != known.end()) continue;\n', '']],
  },
  // A server that is killed
  {
    name: 'journal-forgets-nothing',
    what: 'a call that was accepted or is over stays in the journal',
    file: calls,
    edits: [['if (std::erase(waiting->second, call.key) > 0 && !call.room)', 'if (std::erase(waiting->second, call.key) > 1 && !call.room)']],
  },
  {
    name: 'journal-rings-anew',
    what: 'a call from the journal is as if it were dialled now',
    file: restore,
    edits: [['  const Instant began = step.now - waiting.age;\n', '  const Instant began = step.now;\n']],
  },
  {
    name: 'told-rings-anew',
    what: 'a call that its caller tells of is as if it were dialled now',
    file: restore,
    edits: [['from.warm_path, step.now - age, step);', 'from.warm_path, step.now - age / 2, step);']],
  },
  {
    name: 'caller-shut-out',
    what: 'a caller who is back does not get the place that was held',
    file: restore,
    edits: [['told.is_caller && !was_elsewhere(told) && take_over(from, told.call, step);', 'false;']],
  },
  {
    name: 'missed-is-lost',
    what: 'a caller who is back does not hear what was missed',
    file: restore,
    edits: [['  for (const Queued& queued : stand_in.queue) sessions_.send(from.key, queued.body, queued.began, step);\n', '']],
  },
  {
    name: 'told-in-vain',
    what: 'a call that both sides tell of does not go on',
    file: restore,
    edits: [['  if (!pair) return;\n', '  if (!pair || !claims_.find(pair->first)->snapshot.room) return;\n']],
  },
  {
    name: 'told-for-half-the-time',
    what: 'the server waits for the other side for half the time',
    file: 'src/core/call/claims.cc',
    edits: [['now + settings_.session_grace);', 'now + settings_.session_grace / 2);']],
  },
  {
    name: 'accept-before-the-caller',
    what: 'an accept does not count as long as the caller is not back',
    file: calls,
    edits: [['  if (claim != nullptr && claim->rings() && !part_of', '  if (claim != nullptr && !claim->rings() && !part_of']],
  },
  {
    name: 'loser-ends-it',
    what: 'a device that lost the race ends the call for the one that won',
    file: restore,
    edits: [['  if (was_elsewhere(ended)) return std::nullopt;\n', '']],
  },
  {
    name: 'first-back-speaks-for-all',
    what: 'the first device that is back and takes itself out ends the call',
    file: calls,
    edits: [['step.now < call.others_until)', 'step.now < call.others_until - settings_.session_grace)']],
  },
  {
    name: 'stop-leaves-claims',
    what: 'a server that stops keeps what was told of other calls',
    file: end,
    edits: [['  claims_.clear();\n', '']],
  },
  // A talk
  {
    name: 'state-not-passed',
    what: 'what a caller sends now is not passed on',
    file: talk,
    edits: [['  if (winner == nullptr) return {};  // told at accept\n', '  if (winner == nullptr || role == Role::caller) return {};\n']],
  },
  {
    name: 'state-forgotten-at-accept',
    what: 'what a caller sends at the accept is not told',
    file: calls,
    edits: [['  if (call.caller_state != signal::MediaState{call.media}) {\n', '  if (call.caller_state != signal::MediaState{call.media} && call.waits_longer) {\n']],
  },
  {
    name: 'taken-with-the-wrong-state',
    what: 'a device that takes a call is told what its own side sends',
    file: talk,
    edits: [['as_caller ? call.callee_state : call.caller_state};', 'as_caller ? call.caller_state : call.callee_state};']],
  },
  {
    name: 'taken-by-the-caller-untold',
    what: 'the other side does not hear what the device sends that has taken the call',
    file: talk,
    edits: [['  if (as_caller) {\n    sessions_.send(call.winner()->session, signal::state(', '  if (as_caller) {\n    if (call.timeline.size() > 1000) sessions_.send(call.winner()->session, signal::state(']],
  },
  {
    name: 'old-offers-after-a-take',
    what: 'what belongs to the old connection passes to a device that has taken the call',
    file: talk,
    edits: [['  call.warm.awaits_fresh_offer = true;\n', '']],
  },
  {
    name: 'late-for-the-one-before',
    what: 'a device that takes a call as its caller gets candidates whose description went to the one before',
    file: talk,
    edits: [['    winner.outflow = Outflow();\n', '']],
  },
  // The app's backend
  {
    name: 'app-hangs-up-a-ring',
    what: 'a call that the app ends before its accept ends as hangup',
    file: 'src/core/call/calls_backend.cc',
    edits: [['call->winner() == nullptr ? EndReason::canceled : EndReason::hangup;', 'EndReason::hangup;']],
  },
  {
    name: 'asked-in-vain',
    what: 'devices that were asked for a call do not hear that another one has made it',
    file: calls,
    edits: [['  settle_placement(message.call, from, step);\n', '']],
  },
  {
    name: 'revoked-sessions-stay',
    what: 'a revocation ends the calls of a user alone',
    file: server,
    edits: [['    for (const SessionKey device : devices) end_session(device, kCloseToken, "token_revoked", step);\n', '']],
  },
  {
    name: 'woken-in-vain',
    what: 'a call does not wait for a device that is being woken',
    file: ring,
    edits: [['  call->being_woken = under_way;\n', '']],
  },
  // The relay
  {
    name: 'introductions-stay',
    what: 'the end of a call takes no permission away',
    file: 'src/core/turn/introduce.cc',
    edits: [['      permission.expires_at = std::max(permission.asked_until, now);\n', '      permission.expires_at = std::max(permission.asked_until, now + std::chrono::seconds(60));\n']],
  },
  {
    name: 'later-allocations-not-permitted',
    what: 'an allocation made after an introduction does not know of it',
    file: 'src/core/turn/introduce.cc',
    edits: [['[&](const AllowedIp& ip) { (void)permit(shard.settings, allocation, ip); });', '[&](const AllowedIp&) { (void)allocation; });']],
  },
];
