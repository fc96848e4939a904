// Several calls at a time: most of a call is waiting. Calls that use the same network, or want the server otherwise, follow each other.

/** What no two calls may use at the same time. */
function placesOf({ caller, callee }) {
  return [`caller ${caller.kind}`, `callee ${callee.kind}`];
}

/** Calls of one kind of server may be played beside each other; what is filtered at the server is so for all. */
function serverOf({ id, product, server_flags, filters }) {
  return JSON.stringify(filters ? [server_flags, id] : [product === 'offhook' ? server_flags : []]);
}

/**
 * Plays each of `tasks`, {cell, ...}, with at most `lanes` at a time, in their order as far as they do not need the same.
 * @param {() => boolean} stopped asked before each is begun: true ends it, after those that are being played
 */
export async function playInLanes(tasks, lanes, play, stopped) {
  const waiting = [...tasks];
  const playing = new Map();
  const taken = new Set();
  let server = null;
  let alone = false;
  const fits = ({ cell }) => {
    if (playing.size === 0) return true;
    return !alone && !cell.alone && serverOf(cell) === server && !placesOf(cell).some((place) => taken.has(place));
  };

  const begin = (task) => {
    server = serverOf(task.cell);
    alone = task.cell.alone;
    for (const place of placesOf(task.cell)) taken.add(place);
    const played = play(task).finally(() => {
      playing.delete(task);
      for (const place of placesOf(task.cell)) taken.delete(place);
    });
    playing.set(task, played);
  };

  while (waiting.length > 0 && !stopped()) {
    const next = playing.size < lanes ? waiting.findIndex(fits) : -1;
    if (next >= 0) begin(...waiting.splice(next, 1));
    else await Promise.race(playing.values());
  }
  await Promise.all(playing.values());
}
