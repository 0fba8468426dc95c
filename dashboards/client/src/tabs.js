// One connection for all tabs of a site. The tab that holds a Web Lock runs it; a BroadcastChannel carries the rest.

/** A tab that does not come back within this time has no more use for the connection. It waits less long between two tries. */
const IDLE_MS = 30_000;
const LEFT = "the tab with the connection has left";

/** The socket of one tab: what it sends goes to the tab with the connection, which answers as the server would. */
class TabSocket {
  readyState = 0;
  onopen;
  onmessage;
  onclose;

  #channel;
  #tab = crypto.randomUUID();
  #release;
  #left;

  /** Calls `left` when it is closed. */
  constructor(name, left) {
    this.#left = left;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#took(data);
    // Held for as long as this tab lives, so that the other one notices its end: it hears of this tab only then.
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
    this.#left();
  }

  #post(message) {
    this.#channel.postMessage({ ...message, tab: this.#tab });
  }

  #took({ to, text, up, down, why, first }) {
    if (to !== this.#tab && to !== "*") return;
    if (up) {
      if (this.readyState === 0 && this.#release) this.#post({ hello: true });
    } else if (down && !(first && this.readyState === 0)) {
      this.close();
      this.onclose?.({ code: down, reason: why });
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
  /** Feeds that are not up → what the server said of them, which it says to this connection once. */
  const feeds = new Map();
  client.on("status", ({ state, code, why }) => {
    feeds.clear();
    if (state === "live") up();
    else if (state !== "connecting") {
      for (const tab of tabs.keys()) leave(tab);
      channel.postMessage({ to: "*", down: state === "stopped" ? code : 4200, why });
    }
  });
  client.on("message", ({ out, event, data, text }) => {
    if (out) return;
    const isTick = typeof data.topic === "string" && "value" in data;
    if (data.type === "feed") feeds.set(data.feed, data);
    // What is for one tab is a sign of life for the others.
    if (isTick || event === "notice" || (event === "presence" && data.id === undefined)) channel.postMessage({ to: "*", text });
    else say("*", "heartbeat", {});
  });
  const newest = (one) => (one ? client._ticks.newest(one) : []);
  const leave = (tab) => {
    for (const one of tabs.get(tab)?.values() ?? []) one.close();
    tabs.delete(tab);
  };
  const subscribe = async (tab, { id, topics, mode, rate, since }) => {
    const own = tabs.get(tab);
    // Of a feed of which nobody has a topic nothing was said since.
    const held = new Set([...tabs.values()].flatMap((one) => [...one.keys()].map((topic) => topic.split(".")[0])));
    for (const feed of feeds.keys()) if (![feed, "*", "**"].some((first) => held.has(first))) feeds.delete(feed);
    const answers = topics.map((topic) => {
      const before = own.get(topic);
      const one = client.subscribe(topic, { mode, rate });
      before?.close();
      own.set(topic, one);
      // What is closed meanwhile is another command's.
      return one.ready.catch(({ code, message }) => (one.isClosed ? {} : { failed: [{ topic, code, message }] }));
    });
    const said = await Promise.all(answers);
    if (tabs.get(tab) !== own) return;
    const of = (kind) => said.flatMap((one) => one[kind] ?? []);
    // Positions are one tab's; this connection did not see what that tab missed.
    const granted = of("topics").map((one) => (since?.seq[one.topic] >= 0 ? { ...one, recovered: false } : one));
    say(tab, "subscribed", { id, topics: granted, patterns: of("patterns"), failed: of("failed") });
    for (const data of feeds.values()) if (data.state !== "up") say(tab, "notice", data);
    for (const topic of topics) {
      for (const { topic: name, stale, text } of newest(own.get(topic))) {
        if (stale) say(tab, "notice", { type: "stale", topics: [name], since: stale });
        channel.postMessage({ to: tab, text });
      }
    }
  };
  channel.onmessage = async ({ data: { tab, hello, bye, text } }) => {
    if (bye) leave(tab);
    // Whoever comes after the end wants another try; where that fails too, all are told.
    if (hello && client.status.state === "stopped") client.retry();
    if (hello && !tabs.has(tab) && client.status.state === "live") {
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
  // The tab before may have had no time to say so.
  channel.postMessage({ to: "*", down: 4200, why: LEFT, first: true });
  up();
  return () => {
    channel.postMessage({ to: "*", down: 4200, why: LEFT });
    channel.close();
    client.close();
  };
}

/** The connections that this tab uses, by name. */
const rooms = new Map();

/** Waits to be the tab that has the connection, for as long as this tab uses it. */
function join(name, make) {
  const control = new AbortController();
  let end = () => {};
  const lead = () => {
    const stop = serve(name, make());
    return new Promise((resolve) => {
      end = () => {
        stop();
        resolve(undefined);
      };
    });
  };
  navigator.locks.request(name, { signal: control.signal }, lead).catch(() => {}); // it has left before its turn
  const room = { users: 0, timer: 0, leave };
  function leave() {
    clearTimeout(room.timer);
    rooms.delete(name);
    control.abort();
    end();
  }
  addEventListener("pagehide", leave, { signal: control.signal });
  return room;
}

/** A socket to whichever tab has the connection; this one, if no other has. `make` makes its client. */
export function share(name, make) {
  if (!rooms.has(name)) rooms.set(name, join(name, make));
  const room = rooms.get(name);
  room.users += 1;
  clearTimeout(room.timer);
  // Another user: nothing is done in the name of the one before.
  for (const other of [...rooms.values()]) if (other.users === 0) other.leave();
  return new TabSocket(name, () => {
    room.users -= 1;
    if (room.users === 0) room.timer = setTimeout(room.leave, IDLE_MS);
  });
}
