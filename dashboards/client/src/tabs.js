// One connection for all tabs of a site. The tab that holds a Web Lock runs it; a BroadcastChannel carries the rest.

/** The socket of one tab: what it sends goes to the tab with the connection, which answers as the server would. */
class TabSocket {
  readyState = 0;
  onopen;
  onmessage;
  onclose;

  #channel;
  #tab = crypto.randomUUID();
  #release;

  constructor(name) {
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#took(data);
    // Held for as long as this tab lives, so that the other one notices its end. It asks for the same lock, so this one is first.
    navigator.locks.request(this.#tab, () => {
      if (this.readyState === 3) return undefined;
      this.#post({ hello: true });
      return new Promise((resolve) => (this.#release = resolve));
    });
  }

  send(text) {
    const { event, data } = JSON.parse(text);
    // Who shares this connection has the same token, so it is not told to all of them.
    this.#post({ text: event === "auth" ? JSON.stringify({ event, data: { id: data.id } }) : text });
  }

  close() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#post({ bye: true });
    this.#channel.close();
    this.#release?.();
  }

  #post(message) {
    this.#channel.postMessage({ ...message, tab: this.#tab });
  }

  #took({ to, text, up, down, why }) {
    if (to !== this.#tab && to !== "*") return;
    // The tab with the connection crashed, if this one was connected to it: another has it now.
    const end = up && this.readyState === 1 ? 4200 : down;
    if (end) {
      this.close();
      this.onclose?.({ code: end, reason: why ?? "another tab has the connection now" });
    } else if (up) {
      if (this.#release) this.#post({ hello: true });
    } else if (text && (to === this.#tab || this.readyState === 1)) {
      if (this.readyState === 0) {
        this.readyState = 1;
        this.onopen?.({});
      }
      this.onmessage?.({ data: text });
    }
  }
}

/** Serves all tabs over one client. */
function serve(name, client) {
  const channel = new BroadcastChannel(name);
  const tabs = new Map();
  const say = (to, event, data) => channel.postMessage({ to, text: JSON.stringify({ event, data }) });
  const up = () => client.status.state === "live" && channel.postMessage({ to: "*", up: true });
  client.on("status", ({ state, code, why }) => {
    if (state === "live") up();
    else if (state !== "connecting") {
      for (const tab of tabs.keys()) leave(tab);
      channel.postMessage({ to: "*", down: state === "stopped" ? code : 4200, why });
    }
  });
  client.on("message", ({ out, event, data, text }) => {
    const isTick = typeof data.topic === "string" && "value" in data;
    if (!out && (isTick || event === "notice" || (event === "presence" && data.id === undefined))) channel.postMessage({ to: "*", text });
  });
  const newest = (one) => (one ? client._ticks.newest(one) : []);
  const leave = (tab) => {
    for (const one of tabs.get(tab)?.values() ?? []) one.close();
    tabs.delete(tab);
  };
  const subscribe = async (tab, { id, topics, mode, rate, since }) => {
    const all = { topics: [], patterns: [], failed: [] };
    for (const topic of topics) {
      const before = tabs.get(tab).get(topic);
      const one = client.subscribe(topic, { mode, rate });
      before?.close();
      tabs.get(tab).set(topic, one);
      const said = await one.ready.catch(({ code, message }) => ({ failed: [{ topic, code, message }] }));
      for (const kind of Object.keys(all)) all[kind].push(...(said[kind] ?? []));
    }
    // Positions are one tab's; this connection did not see what that tab missed.
    for (const one of all.topics) if (since && Object.hasOwn(since.seq, one.topic)) one.recovered = false;
    say(tab, "subscribed", { id, ...all });
    for (const topic of topics) for (const { text } of newest(tabs.get(tab)?.get(topic))) channel.postMessage({ to: tab, text });
  };
  channel.onmessage = async ({ data: { tab, hello, bye, text } }) => {
    if (bye) leave(tab);
    if (hello && client.status.state === "live" && !tabs.has(tab)) {
      tabs.set(tab, new Map());
      say(tab, "connected", client.server);
      navigator.locks.request(tab, () => leave(tab));
    }
    if (!text || !tabs.has(tab)) return;
    const { event, data } = JSON.parse(text);
    const { id, ...rest } = data;
    if (event === "subscribe") await subscribe(tab, data);
    else if (event === "unsubscribe") {
      for (const topic of data.topics) {
        tabs.get(tab).get(topic)?.close();
        tabs.get(tab).delete(topic);
      }
      say(tab, "unsubscribed", { id });
    } else if (event === "auth") say(tab, "authenticated", { id, user: client.user });
    else {
      await client.command(event, rest).then(
        (answer) => say(tab, event === "ping" ? "pong" : "answer", { ...answer, id }),
        ({ code, message, temporary }) => say(tab, "error", { id, code, message, temporary }),
      );
    }
  };
  up();
  return () => {
    channel.postMessage({ to: "*", down: 4200, why: "the tab with the connection has left" });
    channel.close();
    client.close();
  };
}

/** Name → the clients of this page that use it, and what ends its lead, or its wait for it. */
const leads = new Map();

/** One client of this page wants it no longer. */
function leave(client, name) {
  const lead = leads.get(name);
  if (lead?.clients.delete(client) && lead.clients.size === 0) lead.end();
}

function begin(name, make) {
  const control = new AbortController();
  const lead = { clients: new Set(), end: () => control.abort() };
  leads.set(name, lead);
  const options = { signal: control.signal };
  const led = navigator.locks.request(name, options, () => {
    const end = serve(name, make());
    return new Promise((resolve) => {
      lead.end = () => {
        removeEventListener("pagehide", lead.end);
        leads.delete(name);
        end();
        resolve(undefined);
      };
      addEventListener("pagehide", lead.end);
    });
  });
  led.catch(() => leads.get(name) === lead && leads.delete(name));
  return lead;
}

/**
 * A socket to whichever tab has the connection; this one, if no other has. `make` makes its client. A client that has another
 * name now, as it is of another user, or that has stopped, leaves the one before.
 */
export function share(client, name, make) {
  for (const one of leads.keys()) if (one !== name) leave(client, one);
  const lead = leads.get(name) ?? begin(name, make);
  if (!lead.clients.has(client)) {
    lead.clients.add(client);
    const off = client.on("status", ({ state }) => {
      if (state !== "stopped" && lead.clients.has(client)) return;
      off();
      leave(client, name);
    });
  }
  return new TabSocket(name);
}
