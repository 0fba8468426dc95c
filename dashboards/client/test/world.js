// A client in a world of its own: a fake clock, fake sockets, and, where asked for, a page.
import { mock } from "node:test";
// The client loads these when it needs them; here that is to take no time.
import "../src/http.js";
import "../src/identity.js";
import "../src/life.js";
import "../src/missed.js";
import "../src/other.js";
import { connect } from "../src/index.js";

/** Lets everything run that waits for nothing but other promises. */
export async function settle() {
  for (let i = 0; i < 4; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeSocket {
  static made = [];
  readyState = 0;
  /** Messages of the client that no test has looked at yet. */
  sent = [];

  constructor(url, protocol) {
    this.url = url;
    this.protocol = protocol;
    FakeSocket.made.push(this);
  }

  static get last() {
    return FakeSocket.made.at(-1);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  /** The client closes it. */
  close() {
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
    this.onopen?.({});
  }

  say(event, data) {
    this.onmessage?.({ data: JSON.stringify({ event, data }) });
  }

  text(data) {
    this.onmessage?.({ data });
  }

  /** The server or the network closes it. */
  end(code, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** What the client sent, without pings. */
  take() {
    return this.sent.splice(0).filter(({ event }) => event !== "ping");
  }
}

export const HELLO = { v: 1, server: "tickerd/0", conn: "0-1", epoch: "e1", heartbeat_ms: 15_000, limits: { topics: 1_024, patterns: 32, message_bytes: 65_536 } };

/** Node 20 has none, later ones one that cannot be written to. */
const navigator = (value) => Object.defineProperty(globalThis, "navigator", { configurable: true, value });

const REAL = { now: performance.now };

export class World {
  /** Handlers of the page's events, by name. */
  #listeners = [];

  constructor() {
    FakeSocket.made.length = 0;
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_767_225_600_000 });
    performance.now = () => Date.now() - 1_767_225_600_000;
    mock.method(Math, "random", () => 0.5);
  }

  end() {
    this.client?.close();
    mock.timers.reset();
    mock.restoreAll();
    performance.now = REAL.now;
    for (const name of ["document", "addEventListener", "requestAnimationFrame"]) delete globalThis[name];
    navigator({});
  }

  /** A page around the client: call it before `client`. */
  page() {
    const listen = (target) => (event, handler, { signal } = {}) => {
      const one = { target, event, handler };
      this.#listeners.push(one);
      signal?.addEventListener("abort", () => this.#listeners.splice(this.#listeners.indexOf(one), 1));
    };
    globalThis.document = { hidden: false, addEventListener: listen("document") };
    globalThis.addEventListener = listen("window");
    this.frames = [];
    globalThis.requestAnimationFrame = (run) => this.frames.push(run);
  }

  get listeners() {
    return this.#listeners.length;
  }

  fire(event, data = {}) {
    for (const one of [...this.#listeners]) if (one.event === event) one.handler(data);
  }

  hide(isHidden) {
    globalThis.document.hidden = isHidden;
    this.fire("visibilitychange");
  }

  frame() {
    for (const run of this.frames.splice(0)) run();
  }

  online(isOnline) {
    navigator({ onLine: isOnline });
    this.fire(isOnline ? "online" : "offline");
  }

  make(options = {}) {
    this.client = connect("ws://server/ws", { WebSocket: FakeSocket, ...options });
    this.heard = [];
    for (const event of ["status", "gap", "lag", "failed", "error", "epoch", "stale", "feed", "topics", "expiring"]) {
      this.client.on(event, (data) => this.heard.push([event, data]));
    }
    return this.client;
  }

  /** What was told of one kind since the last look. */
  told(kind) {
    const found = this.heard.filter(([event]) => event === kind).map(([, data]) => data);
    this.heard = this.heard.filter(([event]) => event !== kind);
    return found;
  }

  async pass(ms) {
    mock.timers.tick(ms);
    await settle();
  }

  /** The newest connection comes up, as far as the server's first message. */
  async greet(hello = {}) {
    await settle();
    const socket = FakeSocket.last;
    socket.open();
    socket.say("connected", { ...HELLO, ...hello });
    await settle();
    return socket;
  }

  /** Answers the subscribe commands that were sent, granting all of them; and returns them. */
  async grant(socket, change = (info) => info) {
    await settle();
    const commands = socket.take();
    for (const { event, data } of commands) {
      if (event !== "subscribe") continue;
      const mode = data.mode ?? (data.since ? "all" : "latest");
      const topics = data.topics.filter((name) => !name.includes("*")).map((topic) => change({ topic, seq: 0, rate: data.rate ?? "250ms", mode }));
      const patterns = data.topics.filter((name) => name.includes("*")).map((pattern) => ({ pattern, count: 0, mode }));
      socket.say("subscribed", { id: data.id, topics, patterns, failed: [] });
    }
    await settle();
    return commands.map(({ event, data: { id, ...data } }) => ({ event, ...data }));
  }

  /** Connects and grants what is wanted. */
  async live(hello) {
    const socket = await this.greet(hello);
    this.asked = await this.grant(socket);
    return socket;
  }
}

export const tick = (socket, topic, seq, more = {}) => socket.say("quote", { topic, seq, ts: 1_000 + seq, value: seq, ...more });
