/** Tells of tracks that nothing in the page can use any more. Browsers that cannot tell keep what is kept for them. */
const unused = globalThis.FinalizationRegistry && new FinalizationRegistry<() => void>((release) => release());

/**
 * Chromium tells a document's connections of a changed network up to two seconds late. A new document asks for itself. The
 * frame stays outside of the body, which apps rebuild. It goes when its connection, which could not live without it, is
 * closed, and no track of that is left: Chromium's page crashes when an element begins to play a track whose frame is gone.
 * Null where a page may have no such frames.
 */
export function connectionOfNewFrame(configuration: RTCConfiguration): RTCPeerConnection | null {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  document.documentElement.append(frame);
  const { RTCPeerConnection: Connection } = (frame.contentWindow ?? {}) as Partial<typeof globalThis>;
  if (!Connection) return frame.remove(), null;
  const connection = new Connection(configuration);
  const { keep, release } = holdersOf(frame);
  connection.addEventListener('track', ({ track }) => keep(track));
  const close = connection.close.bind(connection);
  connection.close = () => {
    connection.close = close;
    close();
    release();
  };
  return connection;
}

/** What needs `frame`: first its connection, then each of its tracks. Knows of none of them, or they would never be unused. */
function holdersOf(frame: HTMLIFrameElement): { keep: (track: MediaStreamTrack) => void; release: () => void } {
  let holders = 1;
  const release = (): void => {
    if (--holders === 0) frame.remove();
  };
  const keep = (track: MediaStreamTrack): void => {
    holders++;
    // The third one keeps the object by which the page knows the track from being made again, and forgotten in between.
    unused?.register(track, release, track);
  };
  return { keep, release };
}
