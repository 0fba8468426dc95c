// The client: what programs call, and what the server's messages lead to. Fields that begin with _ are its rooms', not for programs.
import { Commands, TickerdError } from "./commands.js";
import { disposing, onAbort } from "./emitter.js";
import { lead } from "./life.js";
import { Link } from "./link.js";
import { Reader } from "./reader.js";
import { Subscription } from "./subscription.js";
import { Ticks } from "./ticks.js";
import { Wants } from "./wants.js";

export const PROTOCOL = "tickerd.v1.json";

const list = (value) => (Array.isArray(value) ? value : []);
const named = (value) => list(value).filter((one) => typeof one === "string");

export class Client extends Reader {
  server;
  /** Who one is; loaded when there is a token. */
  _identity;
  _link = new Link(this);
  _commands = new Commands(this);
  _wants = new Wants(this);
  _ticks = new Ticks(this);

  #skewMs = 0;
  #pinged = 0;
  #ended = new AbortController();

  constructor(url, options) {
    super((...lost) => this._ticks.lost(...lost));
    this._url = url;
    // Looked up here, as a worker or a test may bring it later than this file.
    const { WebSocket, EventSource, requestAnimationFrame } = globalThis;
    this._options = { WebSocket, EventSource, hiddenRate: "5s", flush: requestAnimationFrame ? "frame" : "now", ...options };
    lead(this, this.#ended.signal);
    onAbort(options.signal, () => this.close());
    // Handlers that are set right after `connect` miss nothing.
    queueMicrotask(() => this.isClosed || this._link.connect());
  }

  /** The user that the token names. */
  get user() {
    return this._identity?.user;
  }

  get status() {
    return this._link.status;
  }

  subscribe(topics, options) {
    this.#alive();
    const one = new Subscription(this, topics, options);
    if (!one.isClosed) this._wants.hold(one);
    return one;
  }

  latest(topic) {
    return this._ticks.latest(topic);
  }

  async topics(match) {
    return (await this.command("topics", { match })).topics;
  }

  async get(topics) {
    return this.#made(await this.command("get", { topics: [topics].flat() }));
  }

  async history(topic, options) {
    return this.#made(await this.bars(topic, options));
  }

  bars(topic, { signal = undefined, ...asked } = {}) {
    return this.command("history", { topic, ...asked }, { signal });
  }

  publish(topic, value, { to = undefined } = {}) {
    return this.command("publish", { topic, value, to });
  }

  presence(topic) {
    return this.command("presence", { topic });
  }

  async command(event, data = undefined, options = undefined) {
    this.#alive();
    const { state, why } = this.status;
    if (state === "stopped") throw new TickerdError(0, why);
    return this._commands.ask(event, data, options);
  }

  async http(path, init = {}) {
    const url = new URL(path, this._url);
    // A token is for its own server alone.
    if (!/^(ws|http)/.test(url.protocol) || url.host !== this._url.host) throw new TickerdError(400, `http asks ${this._url.host} alone: write a path such as v1/feeds`);
    url.protocol = this._url.protocol.replace("ws", "http");
    const headers = new Headers(init.headers);
    const token = await this._token();
    if (token) headers.set("Authorization", `Bearer ${token}`);
    return (this._options.fetch ?? fetch)(url, { ...init, headers });
  }

  now() {
    return Date.now() + this.#skewMs;
  }

  retry() {
    this._link.retry();
  }

  setIdentity(token) {
    this.#alive();
    this._options.token = token;
    this._identity?.set(token);
    // A token as text may be the next one of the same user, which interrupts nothing. Of another user the server says 409.
    // A shared connection has one token, so another one is another connection.
    const isNext = this.status.state === "live" && token && typeof token !== "function" && !this._options.tabs;
    if (isNext) this._token().then(() => this._identity.say());
    else this._restart();
  }

  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#ended.abort();
    this._identity?.set(null);
    this._link.rest({ state: "stopped", code: 1000, why: "the client was closed", todo: "connect again" });
    for (const one of this._wants.subscriptions) one.close();
    this._ticks.forget();
  }

  async [disposing]() {
    this.close();
  }

  async _token() {
    if (!this._identity && this._options.token) {
      const { Identity } = await import("./identity.js");
      this._identity ??= new Identity(this);
    }
    return this._identity?.ready();
  }

  /** A socket, or a promise of one. */
  _socket() {
    const { WebSocket, transport, tabs, token, name } = this._options;
    const url = new URL(this._url);
    if (name) url.searchParams.set("name", name);
    const isPlain = WebSocket && !token && !tabs && transport !== "sse" && (transport === "ws" || !this._link.isBarred);
    const plain = () => new WebSocket(url.href, PROTOCOL);
    if (isPlain) return plain();
    return import("./other.js").then(
      ({ socket }) => socket(this, url),
      (error) => {
        // A server that is down has no module either, and some browsers never ask for it again.
        if (token || !WebSocket) throw error;
        return plain();
      },
    );
  }

  /** Another user: what is here was the one before's. */
  _restart() {
    if (this._identity) this._identity.user = undefined;
    this._ticks.forget();
    this._wants.forget();
    this._link.connect();
  }

  /** Who one is has been settled. */
  _known() {
    if (this.status.state === "live") this._wants.again();
    else this._link.become({ state: "live" });
  }

  _changed(status) {
    const isLive = status.state === "live";
    for (const room of [this._commands, this._wants]) {
      if (isLive) room.open();
      else room.shut(status);
    }
    this.emit("status", status);
  }

  _received(event, data, text) {
    this._tell(false, event, data, text);
    if (typeof data.topic === "string" && "value" in data) this._ticks.take(event, data, text);
    else if (event === "connected") {
      this.server = data;
      this._ticks.begin(data.epoch);
      this.#pinged = Date.now();
      this._link.send("ping", { t: this.#pinged });
      if (!this._identity?.say()) this._known();
    } else if (!this._identity?.take(event, data)) {
      if (event === "notice") this.#notice(data);
      if (data.t === this.#pinged && data.ts > 0) this.#skewMs = data.ts - (data.t + Date.now()) / 2;
      if (this._commands.take(event, data)) return;
      if (event === "error") this.emit(event, new TickerdError(data.code, data.message, data));
      else if (event === "presence") this.emit(event, data);
      else if (event === "subscribed") this._wants.granting(data);
    }
  }

  _tell(out, event, data, text) {
    if (this.has("message")) this.emit("message", { out, event, data, text });
  }

  #notice(data) {
    const { type } = data;
    const names = named(data.topics);
    if (type === "feed") this.emit(type, data);
    else if (type === "lag") this.emit(type, { by: "server", skipped: data.skipped ?? 0 });
    else if (type === "reset") this._ticks.gap(names, false, type);
    else if (type === "stale") this._ticks.stale(names, data.since || this.now());
    else if (type === "fresh") this._ticks.stale(names, 0);
    else if (type === "auth_expiring") this.emit("expiring", data);
    else if (type === "topics") {
      const removed = named(list(data.removed).map((one) => one?.topic ?? one));
      for (const topic of removed) this._ticks.remove(topic);
      this.emit(type, { added: list(data.added), removed, missed: data.missed === true });
    } else if (type === "revoked") {
      const failed = [...names.map((topic) => ({ topic })), ...named(data.patterns).map((pattern) => ({ pattern }))];
      this._wants.granting({ failed: failed.map((one) => ({ ...one, code: 403, message: "the new token does not grant this" })) });
    }
  }

  #alive() {
    if (this.isClosed) throw new TickerdError(0, "the client was closed");
  }

  #made({ values }) {
    return list(values).filter((one) => one?.data?.topic).map(({ event, data }) => this._ticks.made(event, data, ""));
  }
}
