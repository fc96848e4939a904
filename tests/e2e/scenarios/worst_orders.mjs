// Signalling arrives in the worst order that a network or a careless client makes. Every call connects all the same.

import { connect, hangUp, repeatedly } from '../calls.mjs';
import { candidatesFirst, reversed, twice } from '../orders.mjs';

const orders = {
  'frames-reversed': { order: reversed, title: 'numbered frames arrive last to first, on every way' },
  'candidates-first': { order: candidatesFirst, title: 'candidates come before their description, on every way' },
  'frames-twice': { order: twice, title: 'every numbered frame arrives twice, on every way' },
};

export const worstOrders = Object.entries(orders).map(([name, { order, title }]) => ({
  name,
  title,
  repeat: 10,
  async run(stage, tools) {
    await stage.serve();
    const proxies = [await stage.proxy(), await stage.proxy()];
    for (const proxy of proxies) proxy.to_server = proxy.to_browser = order;
    const pair = await Promise.all(['alice', 'bob'].map((person, i) => stage.person(person, { through: proxies[i] })));
    await repeatedly(tools, stage, async (i) => {
      const [caller, callee] = i % 2 === 0 ? pair : [...pair].reverse();
      await connect(caller, callee);
      await hangUp(caller, callee);
    });
    const overtakings = proxies.map((proxy) => proxy.overtakings);
    tools.figure('candidates_out_of_order', overtakings);
    tools.note(`candidates out of order, to the server and to the browser: ${JSON.stringify(overtakings)}`);
    // A proxy that disturbs nothing proves nothing.
    const idle = overtakings.some(({ to_server, to_browser }) => to_server === 0 || to_browser === 0);
    if (idle) throw new Error(`the order was not disturbed on every way: ${JSON.stringify(overtakings)}`);
  },
}));
