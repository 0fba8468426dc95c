// An event stream that looks like a WebSocket, for networks that let none through. Commands go over HTTP.
import { rateMs } from "./names.js";

/** Subscriptions that follow each other this closely are one new stream. */
const GATHER_MS = 30;
/** A comment of the server's is not seen here, so the server is asked this often. */
const ALIVE_MS = 20_000;
const ENDED = "the event stream ended";
/** Statuses of a stream that was refused, as the close codes of a WebSocket that was. */
const REFUSALS = { 400: 4000, 401: 4001, 403: 4003, 413: 4000, 414: 4000, 431: 4000 };
/** Letters of names in the address: many proxies take one of 8 KiB, with the rest of its line. */
const NAMES_MAX = 7_000;
/** A stream has to name a topic, also while nobody wants one. This one never comes. */
const NOTHING = "tickerd.none";

/** Whether the same would not work later either. */
const isForGood = (code) => /^4(?!29)/.test(code);
const nameOf = ({ topic, pattern }) => topic ?? pattern;

export class Stream {
  readyState = 0;
  onopen;
  onmessage;
  onclose;

  #url;
  #options;
  #source = null;
  #wanted = new Map();
  /** Subscribe commands that wait for their answer: id → what they say, and the turn before the one that answers. */
  #asked = new Map();
  /** The `auth` that has no answer yet, with the user before; and whose the stream is, once it has said so. */
  #auth = null;
  #who = null;
  /** Of the tick that came last: on this stream, or for who returns, on the one before. */
  #lastId;
  #turn = 0;
  #closing = false;
  #timer;
  #alive;

  constructor(url, options) {
    this.#url = url;
    this.#options = options;
    this.#open();
    this.#alive = setInterval(() => this.#ping({}), ALIVE_MS);
  }

  send(text) {
    const { event, data } = JSON.parse(text);
    const { id, topics = [], topic, ...rest } = data;
    if (event === "subscribe") {
      let room = NAMES_MAX - encodeURIComponent([...this.#wanted.keys()].join()).length;
      const over = topics.filter((name) => !this.#wanted.has(name) && (room -= encodeURIComponent(name).length + 3) < 0);
      for (const name of topics) if (!over.includes(name)) this.#wanted.set(name, rest);
      this.#asked.set(id, { names: topics, over, since: rest.since, turn: this.#turn });
      if (rest.since) this.#lastId ??= this.#options.kept.lastId;
      this.#again();
    } else if (event === "unsubscribe") {
      for (const name of topics) this.#wanted.delete(name);
      this.#say("unsubscribed", { id, topics, patterns: [] });
      this.#again();
    } else if (event === "auth") {
      this.#auth = { id, user: (this.#who ?? this.#auth)?.user };
      if (this.#options.token !== data.token) {
        // The stream that is here is the former token's.
        this.#options.token = data.token;
        this.#source?.close();
        this.#source = this.#who = null;
        this.#turn += 1;
        this.#again();
      }
      this.#admit();
    } else if (event === "ping") this.#ping(data);
    else if (event === "get") this.#ask("values", id, "v1/values", { topics: topics.join() });
    else if (event === "topics") this.#ask("topics", id, "v1/topics", rest);
    // All letters of a topic may be in a path, and its %XX are compared as they stand.
    else if (event === "history") this.#ask("history", id, `v1/topics/${topic}/history`, rest);
    else if (event === "publish") this.#ask("published", id, `v1/topics/${topic}`, { to: rest.to, name: this.#url.searchParams.get("name") }, { method: "POST", body: JSON.stringify(rest.value) });
    else this.#say("error", { id, code: 405, message: `${event} needs a WebSocket` });
  }

  close() {
    this.readyState = 3;
    clearTimeout(this.#timer);
    clearInterval(this.#alive);
    this.#source?.close();
  }

  #again() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), GATHER_MS);
  }

  async #open() {
    this.#source?.close();
    const turn = (this.#turn += 1);
    const url = new URL("v1/sse", this.#url);
    url.protocol = url.protocol.replace("ws", "http");
    const set = (name, value) => value && url.searchParams.set(name, value);
    const all = [...this.#wanted.values()];
    set("topics", [...this.#wanted.keys()].join() || NOTHING);
    set("rate", all.map(({ rate = "" }) => rate).sort((a, b) => rateMs(a) - rateMs(b))[0]);
    set("mode", all.some(({ mode, since }) => mode === "all" || since) && "all");
    set("name", this.#url.searchParams.get("name"));
    set("lastEventId", this.#lastId);
    try {
      if (this.#options.token) set("ticket", (await this.#fetch("v1/ticket", { method: "POST" })).ticket);
    } catch ({ code, message }) {
      // A server without [auth] has none, and asks for none.
      if (code !== 404) return this.#end(code === 401 ? 4001 : 1006, message);
    }
    if (this.readyState === 3 || turn !== this.#turn) return undefined;
    const source = new this.#options.EventSource(url.href);
    this.#source = source;
    let isHeard = false;
    source.onmessage = ({ data, lastEventId }) => {
      isHeard = true;
      if (source === this.#source) this.#took(data, lastEventId);
    };
    // It would come back by itself, and faster than the server asks; a ticket is good once, too.
    source.onerror = () => {
      if (source !== this.#source) return;
      source.close();
      if (isHeard) this.#end(this.#closing ? 1012 : 1006, ENDED);
      else this.#explain(url);
    };
    return undefined;
  }

  /** An EventSource does not tell why it did not open. */
  async #explain(url) {
    let close = 1006;
    let why = ENDED;
    const control = new AbortController();
    url.searchParams.delete("ticket");
    try {
      const answer = await this.#options.http(url.href, { signal: control.signal });
      close = REFUSALS[answer.status] ?? close;
      if (!answer.ok) why = (await answer.json()).detail ?? why;
    } catch {
      // The server is not there.
    }
    control.abort();
    this.#end(close, why);
  }

  #took(text, id) {
    if (id) this.#lastId = this.#options.kept.lastId = id;
    const { event, data } = JSON.parse(text);
    if (event === "connected") {
      if (this.readyState) return;
      this.readyState = 1;
      this.onopen?.({});
      this.#say(event, { ...data, heartbeat_ms: 2 * ALIVE_MS });
    } else if (event === "authenticated") {
      this.#who = data;
      this.#admit();
    } else if (event === "subscribed") {
      this.#who ??= {}; // this server asks nobody who they are
      this.#admit();
      this.#granted(data);
    } else {
      this.#closing ||= event === "closing";
      this.onmessage?.({ data: text });
    }
  }

  /** Answers `auth` as over a WebSocket: of another user the client connects anew. */
  #admit() {
    if (!this.#who || !this.#auth) return;
    const { id, user: before } = this.#auth;
    const { user } = this.#who;
    this.#auth = null;
    if (before && before !== user) this.#say("error", { id, code: 409 });
    else this.#say("authenticated", { id, user });
  }

  /** One answer for the whole address, told to each command that it holds. It may leave open whether somebody missed something. */
  #granted({ topics, patterns, failed }) {
    const asked = [...this.#asked].filter(([, { turn }]) => turn !== this.#turn);
    for (const [id, { names, over, since }] of asked) {
      this.#asked.delete(id);
      const of = (list) => list.filter((one) => names.includes(nameOf(one)));
      const recovered = (one) => since && (one.recovered ?? one.seq === since.seq[one.topic]);
      const full = over.map((topic) => ({ topic, code: 413, message: "the event stream is full: use patterns" }));
      this.#say("subscribed", { id, topics: of(topics).map((one) => ({ ...one, recovered: recovered(one) })), patterns: of(patterns), failed: [...of(failed), ...full] });
    }
    // What is refused for good is asked for no more; what was granted before is told as over.
    for (const one of failed) {
      const isOf = ([, { names }]) => names.includes(nameOf(one));
      if ([...this.#asked].some(isOf) || !this.#wanted.has(nameOf(one))) continue;
      if (isForGood(one.code)) this.#wanted.delete(nameOf(one));
      if (!asked.some(isOf)) this.#say("subscribed", { failed: [one] });
    }
  }

  /** @param {any} data */
  async #ping({ t }) {
    try {
      await this.#options.http("client.js", { method: "HEAD", cache: "no-store" });
      this.#say("pong", { t });
    } catch (error) {
      this.#end(1006, error.message);
    }
  }

  async #ask(event, id, path, query, init) {
    const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
    try {
      this.#say(event, { ...(await this.#fetch(`${path}?${new URLSearchParams(asked)}`, init)), id });
    } catch ({ code = 0, message }) {
      this.#say("error", { id, code, message, temporary: !isForGood(code) });
    }
  }

  async #fetch(path, init) {
    const answer = await this.#options.http(path, init);
    const said = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(said.detail ?? said.title), { code: answer.status });
    return said;
  }

  #say(event, data) {
    // Later, as from a socket: an answer before `send` has returned would have nobody who waits for it.
    queueMicrotask(() => this.readyState !== 3 && this.onmessage?.({ data: JSON.stringify({ event, data }) }));
  }

  #end(code, reason) {
    if (this.readyState === 3) return;
    this.close();
    this.onclose?.({ code, reason });
  }
}
