// The service worker of the call page: a call rings in this browser although no page is open (docs/waking.md). What
// comes by push is {type: 'ring', call, from, to, media, …} and {type: 'over', call, from, to, reason}.

/** How long an open page may take to say that the call is with it. */
const page_limit_ms = 1000;

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('push', (event) => event.waitUntil(handle(event.data?.json() ?? {})));
self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const { ring } = event.notification.data ?? {};
  if (ring) event.waitUntil(answer(ring));
});

async function handle(message) {
  if (message.type === 'ring') await ring(message);
  if (message.type === 'over') await over(message);
}

/** A page that shows the call already needs no notification beside it. */
async function ring(message) {
  if (await askPages({ type: 'rings-here', call: message.call, user: message.to })) return;
  await self.registration.showNotification(`${message.from} calls`, {
    body: message.media?.video ? 'Video call. Click to answer.' : 'Voice call. Click to answer.',
    tag: message.call,
    icon: './favicon.svg',
    requireInteraction: true,
    data: { ring: message },
  });
}

/** Takes the place of the notification that rang, which has the same tag. */
async function over(message) {
  const shown = await self.registration.getNotifications({ tag: message.call });
  const missed = message.reason === 'canceled' || message.reason === 'no_answer' || message.reason === 'unreachable';
  if (missed && shown.length > 0) {
    await self.registration.showNotification(`Missed call from ${message.from}`, { tag: message.call, icon: './favicon.svg', silent: true });
  } else {
    for (const notification of shown) notification.close();
  }
}

async function answer(message) {
  const page = await askPages({ type: 'answer', call: message.call, user: message.to });
  if (page) return page.focus();
  const query = new URLSearchParams({ name: message.to, answer: message.call });
  return self.clients.openWindow(`./?${query}`);
}

/** The first page that says yes; nothing if none does. */
async function askPages(question) {
  const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const answers = await Promise.all(pages.map(async (page) => ((await ask(page, question)) ? page : null)));
  return answers.find((page) => page !== null) ?? null;
}

function ask(page, question) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = (event) => resolve(event.data === true);
    setTimeout(() => resolve(false), page_limit_ms);
    page.postMessage(question, [port2]);
  });
}
