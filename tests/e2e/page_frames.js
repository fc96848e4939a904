// Runs inside each page before its witness. The SDK may make a connection in a frame of its own; a witness that only
// watched the page's own RTCPeerConnection would not see it.

/** From now on `watched(RTCPeerConnection)` stands for RTCPeerConnection in this page and in the frames that it makes. */
window.__watchConnections = (watched) => {
  window.RTCPeerConnection = watched(window.RTCPeerConnection);
  const { get: windowOf, ...rest } = Object.getOwnPropertyDescriptor(HTMLIFrameElement.prototype, 'contentWindow');
  const seen = new WeakSet();
  Object.defineProperty(HTMLIFrameElement.prototype, 'contentWindow', {
    ...rest,
    get() {
      const inner = windowOf.call(this);
      if (inner && !seen.has(inner)) {
        seen.add(inner);
        inner.RTCPeerConnection = watched(inner.RTCPeerConnection);
      }
      return inner;
    },
  });
};
