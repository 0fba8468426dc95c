// The client: joins the connection, who one is, what is wanted, and where ticks go.
import { Commands, TickerdError } from "./commands.js";
import { Emitter, disposing, onAbort } from "./emitter.js";
import { Life } from "./life.js";
import { Link } from "./link.js";
import { Subscription } from "./subscription.js";
import { Ticks } from "./ticks.js";
import { Wants } from "./wants.js";

const SUBPROTOCOL = "tickerd.v1.json";
/** Upgrades in a row that failed, after which an event stream is taken. */
const UPGRADES = 2;
/** A page hidden for less is not slowed down. */
const HIDDEN_MS = 5_000;

/** What is not told; looked up when a client is made, as a test or a worker may bring it later than this file. */
const defaults = () => ({
  WebSocket: globalThis.WebSocket,
  EventSource: globalThis.EventSource,
  fetch: (url, init) => globalThis.fetch(url, init),
  transport: "auto",
  hiddenRate: "5s",
  flush: globalThis.requestAnimationFrame ? "frame" : "now",
});

/** Tells texts apart, and tells nothing of them. */
const digest = (text) => [...text].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 16_777_619), 2_166_136_261) >>> 0;

const list = (value) => (Array.isArray(value) ? value : []);

export class Client extends Emitter {
  server;

  #url;
  #options;
  #link;
  #commands;
  #wants;
  #ticks;
  /** Who one is; loaded when there is a token. */
  #identity = null;
  #skewMs = 0;
  #pinged = 0;
  #hiddenTimer;
  #ended = new AbortController();

  constructor(url, options) {
    super();
    this.#url = url;
    this.#options = { ...defaults(), ...options };
    this.#link = new Link({
      open: () => this.#open(),
      judge: (code) => this.#identity?.judge(code) ?? code,
      onStatus: (status) => this.#changed(status),
      onMessage: (event, data, text) => this.#received(event, data, text),
      onOut: (event, data, text) => this.#tell(true, event, data, text),
    });
    this.#commands = new Commands((event, data) => this.#link.send(event, data));
    const emit = (event, data) => this.emit(event, data);
    this.#wants = new Wants(this.#commands, options.rate, {
      position: (name) => this.#ticks.position(name),
      epoch: () => this.#ticks.epoch,
      onGranted: (answer) => this.#ticks.granted(answer),
      onFailed: (one) => emit("failed", one),
    });
    const list = (match) => this.topics(match);
    this.#ticks = new Ticks({ wants: this.#wants, emit, list, has: (event) => this.has(event) }, this.#options.flush === "frame");
    new Life(this.#ended.signal, {
      wake: () => this.#link.wake(),
      rest: () => this.#link.rest({ state: "waiting", until: Infinity, code: 1000, why: "the page was put aside", unopened: 0 }),
      seen: (isSeen) => this.#seen(isSeen),
    });
    onAbort(options.signal, () => this.close());
    // Handlers that are set right after `connect` miss nothing.
    queueMicrotask(() => this.#isClosed || this.#link.connect());
  }

  /** The user that the token names. */
  get user() {
    return this.#identity?.user;
  }

  get status() {
    return this.#link.status;
  }

  subscribe(topics, options) {
    this.#alive();
    const hooks = {
      latest: (topic) => this.latest(topic),
      newest: (one) => this.newest(one),
      lost: (skipped, lost) => this.#ticks.lost(skipped, lost),
      release: (one) => {
        this.#wants.release(one);
        this.#ticks.release(one);
      },
    };
    const one = new Subscription(hooks, topics, options);
    if (one.isClosed) return one;
    this.#wants.hold(one);
    this.#ticks.rerouted();
    return one;
  }

  newest(one) {
    return one ? this.#ticks.newest(one) : [];
  }

  latest(topic) {
    return this.#ticks.latest.get(topic);
  }

  async topics(match) {
    return (await this.command("topics", { match })).topics;
  }

  async get(topics) {
    return this.#made((await this.command("get", { topics: [topics].flat() })).values);
  }

  async history(topic, { limit = undefined, signal = undefined } = {}) {
    return this.#made((await this.command("history", { topic, limit }, { signal })).values);
  }

  bars(topic, { signal = undefined, ...asked }) {
    return this.command("history", { topic, ...asked }, { signal });
  }

  publish(topic, value, { to = undefined } = {}) {
    return this.command("publish", { topic, value, to });
  }

  presence(topic) {
    return this.command("presence", { topic });
  }

  async command(event, data = {}, options = {}) {
    this.#alive();
    const { state, why } = this.status;
    if (state === "stopped") throw new TickerdError(0, why);
    return this.#commands.ask(event, data, options);
  }

  async http(path, init = {}) {
    const url = new URL(path, this.#url);
    url.protocol = url.protocol.replace("ws", "http");
    const headers = new Headers(init.headers);
    await this.#loading();
    const token = await this.#identity?.ready();
    if (token) headers.set("Authorization", `Bearer ${token}`);
    return this.#options.fetch(url, { ...init, headers });
  }

  now() {
    return Date.now() + this.#skewMs;
  }

  retry() {
    this.#link.retry();
  }

  setIdentity(token) {
    this.#alive();
    this.#options.token = token;
    this.#identity?.set(token);
    // A token as text may be the next one of the same user, which interrupts nothing. Of another user the server says 409.
    if (this.status.state !== "live" || !token || typeof token === "function") return this.#restart();
    Promise.resolve(this.#loading()).then(() => this.#identity.say());
    return undefined;
  }

  close() {
    if (this.#isClosed) return;
    this.#ended.abort();
    clearTimeout(this.#hiddenTimer);
    this.#identity?.set(null);
    this.#link.rest({ state: "stopped", code: 1000, why: "the client was closed", todo: "connect again" });
    for (const one of this.#wants.subscriptions) one.close();
    this.#ticks.forget();
  }

  async [disposing]() {
    this.close();
  }

  get #isClosed() {
    return this.#ended.signal.aborted;
  }

  #alive() {
    if (this.#isClosed) throw new TickerdError(0, "the client was closed");
  }

  #made(messages) {
    return list(messages).map(({ event, data }) => this.#ticks.made(event, data, ""));
  }

  /** Another user: what is here was the one before's. */
  #restart() {
    if (this.#identity) this.#identity.user = undefined;
    this.#ticks.forget();
    this.#wants.forget();
    this.#link.connect();
  }

  /** Loads what is needed for tokens, if there are any; undefined if nothing has to be waited for. */
  #loading() {
    if (this.#identity || !this.#options.token) return undefined;
    return import("./identity.js").then(({ Identity }) => {
      this.#identity ??= new Identity(
        {
          turn: () => this.#link.turn,
          send: (event, data) => this.#link.send(event, data),
          known: () => (this.status.state === "live" ? this.#wants.again() : this.#link.live()),
          restart: () => this.#restart(),
          lost: (code, why) => this.#link.lost(this.#identity.judge(code), why),
        },
        this.#options.token,
      );
    });
  }

  /** A socket, or a promise of one where something has to be got first. */
  #open() {
    const loading = this.#loading() ?? this.#identity?.ready();
    return typeof loading?.then === "function" ? loading.then(() => this.#identity.ready()).then(() => this.#socket()) : this.#socket();
  }

  #socket() {
    const { WebSocket, EventSource, transport, tabs, name: who } = this.#options;
    const url = new URL(this.#url);
    if (who) url.searchParams.set("name", who);
    const direct = () => {
      const isStream = transport === "sse" || (transport === "auto" && EventSource && (!WebSocket || this.#link.unopened >= UPGRADES));
      if (isStream) {
        const http = (path, init) => this.http(path, init);
        return import("./sse.js").then(({ Stream }) => new Stream(url, { EventSource, http, token: this.#identity?.token }));
      }
      if (WebSocket) return new WebSocket(url.href, SUBPROTOCOL);
      throw Object.assign(new Error("there is no WebSocket here: give one, as in connect(url, { WebSocket })"), { close: 4000 });
    };
    if (!tabs || !globalThis.navigator?.locks) return direct();
    // Tabs of one user share; the name does not tell the token.
    const name = `${url.href} ${digest(this.#identity?.token ?? "")}`;
    return import("./tabs.js").then(({ share }) => share(name, () => new Client(this.#url, { ...this.#options, tabs: false, flush: "now", signal: undefined })));
  }

  #changed(status) {
    if (status.state === "live") {
      this.#commands.open();
      this.#wants.open();
    } else {
      this.#commands.shut();
      this.#wants.shut();
      if (status.state === "stopped") this.#commands.fail(status.why);
    }
    this.emit("status", status);
  }

  #received(event, data, text) {
    this.#tell(false, event, data, text);
    if (typeof data.topic === "string" && "value" in data) return this.#ticks.take(event, data, text);
    if (event === "connected") return this.#hello(data);
    if (this.#identity?.take(event, data)) return undefined;
    if (event === "notice") return this.#notice(data);
    if (event === "pong" && data.t === this.#pinged && Number.isFinite(data.ts)) this.#skewMs = data.ts - (this.#pinged + Date.now()) / 2;
    if (this.#commands.take(event, data)) return undefined;
    if (event === "error") this.emit("error", new TickerdError(data.code, data.message, data));
    else if (event === "presence") this.emit("presence", data);
    else if (event === "subscribed") this.#wants.granting(data);
    return undefined;
  }

  #hello(data) {
    this.server = data;
    this.#ticks.begin(data.epoch);
    this.#pinged = Date.now();
    this.#link.send("ping", { t: this.#pinged });
    if (!this.#identity?.say()) this.#link.live();
  }

  #notice(data) {
    const { type } = data;
    const names = list(data.topics);
    if (type === "feed") this.emit("feed", data);
    else if (type === "lag") this.emit("lag", { by: "server", skipped: data.skipped ?? 0 });
    else if (type === "reset") this.#ticks.gap(names, false, "reset");
    else if (type === "stale") this.#ticks.stale(names, data.since || this.now());
    else if (type === "fresh") this.#ticks.stale(names, 0);
    else if (type === "topics") {
      const removed = list(data.removed).map((one) => one?.topic ?? one);
      for (const topic of removed) this.#ticks.remove(topic);
      this.emit(type, { added: list(data.added), removed, missed: data.missed === true });
    } else if (type === "auth_expiring") this.emit("expiring", data);
    else if (type === "revoked") {
      const no = { code: 403, message: "the new token does not grant this" };
      this.#wants.granting({ failed: [...names.map((topic) => ({ topic, ...no })), ...list(data.patterns).map((pattern) => ({ pattern, ...no }))] });
    }
  }

  #seen(isSeen) {
    const { hiddenRate } = this.#options;
    clearTimeout(this.#hiddenTimer);
    this.#ticks.flush();
    if (isSeen) this.#wants.slow(undefined);
    else if (hiddenRate) this.#hiddenTimer = setTimeout(() => this.#wants.slow(hiddenRate), HIDDEN_MS);
  }

  #tell(out, event, data, text) {
    if (!this.has("message")) return;
    // A token is shown to nobody.
    if (event === "auth") [data, text] = [{ ...data, token: "…" }, '{"event":"auth","data":{"token":"…"}}'];
    this.emit("message", { out, event, data, text });
  }
}
