// The client: what programs call, and what the server's messages lead to. Fields that begin with _ are its rooms', not for programs.
import { Commands, TickerdError } from "./commands.js";
import { onAbort } from "./emitter.js";
import { Link } from "./link.js";
import { list } from "./names.js";
import { Reader } from "./reader.js";
import { Subscription } from "./subscription.js";
import { Ticks } from "./ticks.js";
import { Wants } from "./wants.js";

const PROTOCOL = "tickerd.v1.json";

export class Client extends Reader {
  /** Who one is; loaded when there is a token. */
  _identity;
  _link = new Link(this);
  _commands = new Commands(this);
  _wants = new Wants(this);
  _ticks = new Ticks(this);

  _skewMs = 0;

  constructor(url, options) {
    super();
    this._url = url;
    // Looked up here, as a worker or a test may bring it later than this file.
    const { WebSocket, requestAnimationFrame } = globalThis;
    if (options.name) url.searchParams.set("name", options.name);
    this._options = { WebSocket, flush: requestAnimationFrame ? "frame" : "now", ...options };
    onAbort(options.signal, () => this.close());
    // Handlers that are set right after `connect` miss nothing.
    queueMicrotask(() => this._link.connect());
  }

  /** The user that the token names. */
  get user() {
    return this._identity?.user;
  }

  get status() {
    return this._link.status;
  }

  subscribe(topics, options) {
    if (this.isClosed) throw new TickerdError(0, this.status.why);
    return new Subscription(this, topics, options);
  }

  async topics(match) {
    return (await this.command("topics", { match })).topics;
  }

  async get(topics) {
    const answer = await this.command("get", { topics: [topics].flat() });
    const [info] = list(answer.failed);
    if (info && !answer.values[0]) throw new TickerdError(info.code, info.message, info);
    return this.#made(answer);
  }

  async history(topic, options) {
    return this.#made(await this.bars(topic, options));
  }

  /** @param {any} [options] */
  bars(topic, options) {
    return this.command("history", { topic, ...options, signal: undefined }, options);
  }

  publish(topic, value, options) {
    return this.command("publish", { topic, value, ...options });
  }

  presence(topic) {
    return this.command("presence", { topic });
  }

  command(event, data, options) {
    return this._commands.ask(event, data, options);
  }

  async http(path, init) {
    return (await import("./http.js")).http(this, path, init);
  }

  now() {
    return Date.now() + this._skewMs;
  }

  retry() {
    this._link.retry();
  }

  setIdentity(token) {
    this._options.token = token;
    // A token as text may be the next one of the same user, which interrupts nothing. Of another user the server says 409.
    if (!this._identity?.set(token)) this._restart();
  }

  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this._identity?.set(null);
    this._wants.close();
    this._link.lost(1000, "closed");
    super.close();
  }

  async _socket() {
    // Before the first message, as it takes some of them. Where it does not come, the next connection asks for it again.
    await import("./life.js").then((life) => life.lead(this)).catch(() => {});
    const { WebSocket, transport, tabs, token } = this._options;
    const plain = { socket: () => new WebSocket(this._url.href, PROTOCOL) };
    // Two tries that did not even open, then one of another kind, as the server may be back.
    if (WebSocket && !token && !tabs && transport !== "sse" && this._link.unopened % 3 < 2) return plain.socket();
    const other = await import("./other.js").catch((error) => {
      // A server that is down has no module either, and some browsers never ask for it again.
      if (token) throw error;
      return plain;
    });
    return other.socket(this, plain);
  }

  /** Another user: what is here was the one before's. */
  _restart() {
    this._ticks.forget();
    this._wants.forget();
    this._link.connect();
  }

  /** Who one is has been settled. */
  _known() {
    if (this.status.state === "live") this._wants.again();
    else this._link.become({ state: "live" });
  }

  _received(event, data, text) {
    this._show("message", event, data, text);
    if (typeof data.topic === "string" && "value" in data) return this._ticks.take(event, data, text);
    this._show("control", event, data, text);
    if (event === "connected") {
      this.server = data;
      this._ticks.begin(data.epoch);
      if (!this._identity?.say()) this._known();
    } else if (!this._identity?.take(event, data)) {
      if (event === "notice") this.#notice(data);
      if (this._commands.take(event, data)) return;
      if (event === "error") this.emit(event, new TickerdError(data.code, data.message, data));
      else if (event === "presence") this.emit(event, data);
      else if (event === "subscribed") this._wants.granting(data);
    }
  }

  /** A copy, as the data of a tick becomes the tick. */
  _show(name, event, data, text, out = false) {
    if (this.has(name)) this.emit(name, { out, event, data: { ...data }, text });
  }

  #notice(data) {
    const { type, since } = data;
    const names = list(data.topics);
    if (type === "feed") this.emit(type, data);
    else if (type === "reset") this._ticks.gap(names, false, type);
    else if (type === "stale" || type === "fresh") this._ticks.stale(names, since);
  }

  #made({ values }) {
    return list(values).map(({ event, data }) => this._ticks.made(event, data, "", this.latest(data.topic)?.stale));
  }
}
