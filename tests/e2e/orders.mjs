// Orders in which a proxy passes the frames of one direction of one connection (docs/protocol.md).
// An order is made with (send, count): send(text) passes a frame on, count(n) tells of n candidates that overtook the
// description they belong to. take(frame, text) gives it a frame, stop() makes it forget what it holds.

/** Frames are held no longer than this when nothing follows that could overtake them. */
const patience_ms = 150;
/** So many candidates go ahead of their description; the server holds 100 of a party. */
const ahead_limit = 6;
/** A window of reversed frames; shorter than any wait for an acknowledgement. */
const window_ms = 60;

const isDescription = (frame) => frame.type === 'offer' || frame.type === 'answer';
const isCandidate = (frame) => frame.type === 'ice-candidate' && frame.candidate?.candidate !== '';

export function asTheyCome(send) {
  return { take: (_frame, text) => send(text), stop() {} };
}

/** Every numbered frame arrives twice. */
export function twice(send, count) {
  return {
    take(frame, text) {
      send(text);
      if (frame.seq === undefined) return;
      send(text);
      if (isCandidate(frame)) count(1);
    },
    stop() {},
  };
}

/** Numbered frames of a window arrive last to first, with their numbers: the receiver has to put them in order. */
export function reversed(send, count) {
  let held = [];
  let timer;
  const release = () => {
    const out = held.reverse();
    held = [];
    const description = out.findLastIndex((one) => isDescription(one.frame));
    count(out.slice(0, Math.max(description, 0)).filter((one) => isCandidate(one.frame)).length);
    for (const one of out) send(one.text);
  };
  return {
    take(frame, text) {
      if (frame.seq === undefined) return send(text);
      if (held.length === 0) timer = setTimeout(release, window_ms);
      held.push({ frame, text });
    },
    stop() {
      clearTimeout(timer);
      held = [];
    },
  };
}

/**
 * Candidates truly come before their description: it is held, those that follow it go ahead under the numbers that
 * it and they had, in ascending order. To the receiver this is a sender that sends in this order.
 */
export function candidatesFirst(send, count) {
  let held = null;
  let ahead = 0;
  let timer;
  const release = () => {
    clearTimeout(timer);
    if (!held) return;
    const frame = held;
    held = null;
    count(ahead);
    send(JSON.stringify(frame));
  };
  const hold = (frame) => {
    held = frame;
    ahead = 0;
    timer = setTimeout(release, patience_ms);
  };
  return {
    take(frame, text) {
      if (frame.seq === undefined) return send(text);
      if (held && isCandidate(frame)) {
        const number = held.seq;
        held.seq = frame.seq;
        send(JSON.stringify({ ...frame, seq: number }));
        ahead += 1;
        if (ahead === ahead_limit) release();
        return;
      }
      release();
      if (isDescription(frame)) hold(frame);
      else send(text);
    },
    stop() {
      clearTimeout(timer);
      held = null;
    },
  };
}
