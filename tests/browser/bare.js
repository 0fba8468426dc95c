// A page of the daemon's own origin and policy with nothing in it, and the client in it.
import { openPage } from "./browser.js";

/** Opens one. What came is in the page's `seen`, and the client is its `client`. */
export async function openBare(context, url, { topics = [], mode = "all", ...options } = {}) {
  const page = await openEmpty(context, url);
  await begin(page, "/client.js", { topics, mode, options });
  return page;
}

/** The page alone. `frames` are the messages of its sockets, `sockets` how many it has opened. */
export async function openEmpty(context, url) {
  const frames = [];
  const page = await openPage(context, `${url}healthz`);
  const account = Object.assign(page, { frames, sockets: 0 });
  page.on("websocket", (socket) => {
    account.sockets += 1;
    for (const [name, out] of [["framesent", true], ["framereceived", false]]) {
      socket.on(name, ({ payload }) => frames.push({ out, ...JSON.parse(payload) }));
    }
  });
  return account;
}

/** Makes a client in the page from the module at that address. A function for tokens is `globalThis.token`. */
export const begin = (page, module, given) =>
  page.evaluate(
    async ([module, { topics, mode, url, options }]) => {
      const { connect } = await import(module);
      const seen = { statuses: [], gaps: [], lags: [], failed: [], errors: [], epochs: [], ticks: 0, newest: {}, stale: 0 };
      globalThis.seen = seen;
      const token = globalThis.token ?? options.token;
      const all = { ...options, ...(token && { token }) };
      const client = url ? connect(url, all) : connect(all);
      globalThis.client = client;
      const keep = (event, list) => client.on(event, (one) => list.push(one));
      keep("status", seen.statuses);
      keep("gap", seen.gaps);
      keep("lag", seen.lags);
      keep("failed", seen.failed);
      keep("epoch", seen.epochs);
      client.on("error", ({ code, message }) => seen.errors.push({ code, message }));
      client.on("tick", (tick) => {
        seen.ticks += 1;
        seen.newest[tick.topic] = tick;
      });
      if (topics.length > 0) globalThis.subscription = client.subscribe(topics, { mode });
    },
    [module, given],
  );

/** Waits until the client's state is that, and gives its status. */
export async function stateIs(page, state) {
  await page.waitForFunction((state) => client.status.state === state, state);
  return page.evaluate(() => client.status);
}

/** Waits for another tick than those that have come. */
export async function ticksGoOn(page, count = 1) {
  const before = await page.evaluate(() => seen.ticks);
  await page.waitForFunction((ticks) => seen.ticks >= ticks, before + count);
}

/** Waits until it holds, looking again and again; the deadline tells what did not come. */
export async function until(what, holds) {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`this did not come within a minute: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until a connection lags, and then until that topic has had so many more values that some must have been skipped. */
export async function fallsBehind(daemon, topic) {
  await until("a connection that lags", async () => (await daemon.metric("tickerd_connections_lagging")) > 0);
  const seq = async () => (await (await fetch(`${daemon.url}v1/topics/${topic}`)).json()).data.seq;
  const before = await seq();
  await until(`values of ${topic}`, async () => (await seq()) > before + 10);
}
