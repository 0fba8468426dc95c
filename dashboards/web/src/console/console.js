// The console: sends a command of the protocol, shows the frames in both directions, and writes the command for elsewhere.
import * as format from "../data/format.js";
import { make, say } from "../feeds/make.js";
import { Copies } from "./copies.js";
import { Form } from "./form.js";
import { Frames } from "./frames.js";
import { Log } from "./log.js";
import { Held } from "./held.js";

/** A command without an answer is given up after this long. */
const ANSWER_MS = 20_000;
/** Commands that may wait for their answers at once. */
const WAITING_MAX = 20;
const TOPICS_MAX = 2_000;
/** The list of topics to suggest is good for so long. */
const TOPICS_MS = 30_000;
/** A message that is longer is not written into the address. */
const ADDRESS_MAX = 1_000;

export class Console {
  #client;
  #address;
  #frames = new Frames();
  #form;
  #copies;
  #log;
  #held;
  #shown = false;
  #unheard;
  #waiting = 0;
  #listedAt = -Infinity;
  #said = make("p", { className: "console-said", role: "status" });
  #wrong = make("p", { className: "console-wrong", role: "alert" });

  /** @param options `client` of `@tickerd/client`, `address` of the page */
  constructor(element, { client, address, base = new URL(".", location.href.split("#")[0].split("?")[0]).href }) {
    this.#client = client;
    this.#address = address;
    element.classList.add("console");
    const write = make("div", { className: "console-write" });
    const read = make("div", { className: "console-read" });
    element.append(write, read);
    this.#form = new Form(write);
    write.append(this.#said, this.#wrong);
    this.#held = new Held(write, client);
    this.#copies = new Copies(
      write.appendChild(make("section", { className: "copies", "aria-label": "The command for elsewhere" })),
      base,
    );
    this.#log = new Log(read, this.#frames);
    this.#form.onInput = () => this.#edited();
    this.#form.onChange = () => this.#keep();
    this.#form.onSend = () => this.#send();
    this.#form.onWant = () => this.#list();
    this.#held.onNote = (event, text) => this.#frames.note(event, text, Date.now());
    this.#hear("control");
    address.onChange(() => this.#restore());
    this.#restore();
  }

  get shown() {
    return this.#shown;
  }

  /** Whether the page shows the console. While it does not, ticks are not looked at. */
  set shown(yes) {
    if (yes === this.#shown) return;
    this.#shown = yes;
    this.#hear(yes ? "message" : "control");
    if (!yes) return;
    this.#list();
    this.#edited();
  }

  paint(now) {
    if (this.#shown) this.#log.paint(now);
  }

  /** Takes the messages of either direction that this event of the client tells. */
  #hear(event) {
    this.#unheard?.();
    this.#unheard = this.#client.on(event, (frame) => this.#frames.take(frame, Date.now()));
  }

  #edited() {
    this.#copies.show(this.#form.whole, this.#client.user !== undefined);
  }

  /** Puts the command into the address, so that a link has it. It is not sent from there. */
  #keep() {
    const message = this.#form.draft;
    const data = message ? JSON.stringify(message.data) : "";
    if (!message || data.length > ADDRESS_MAX) return;
    this.#address.set("command", this.#form.name);
    this.#address.set("data", data === "{}" ? null : data);
  }

  #restore() {
    const name = this.#address.get("command");
    if (name === null) return;
    try {
      const data = JSON.parse(this.#address.get("data") ?? "{}");
      if (data === null || typeof data !== "object" || Array.isArray(data)) return;
      this.#form.write({ event: name === "bars" ? "history" : name, data }, name);
    } catch {
      return; // an address that somebody cut; the form stays as it is
    }
    this.#edited();
  }

  async #send() {
    say(this.#wrong, "");
    let message;
    try {
      message = this.#form.read();
    } catch (error) {
      say(this.#said, "");
      say(this.#wrong, error.message);
      error.field?.focus();
      return;
    }
    if (this.#waiting >= WAITING_MAX) {
      say(this.#wrong, `${WAITING_MAX} commands have no answer yet. Wait for them, or load the page again.`);
      return;
    }
    const { event, data } = message;
    const name = this.#form.name;
    const { state, why } = this.#client.status;
    say(
      this.#said,
      state === "live"
        ? `${name}: waiting for the answer.`
        : `There is no connection${why ? ` (${why})` : ""}. The command waits for one.`,
    );
    const started = performance.now();
    this.#waiting += 1;
    try {
      const words = await this.#ask(event, data);
      say(this.#said, words ?? `${name}: answered in ${format.count(Math.max(1, performance.now() - started))} ms.`);
    } catch (error) {
      say(this.#said, "");
      say(this.#wrong, complaint(name, error));
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Subscriptions go the way of the page's own, so that none of these is changed or ended from here. */
  #ask(event, data) {
    if (event === "subscribe") return this.#held.subscribe(data);
    if (event === "unsubscribe") return this.#held.unsubscribe(data);
    return this.#client.command(event, data, { signal: AbortSignal.timeout(ANSWER_MS) }).then(() => undefined);
  }

  /** Asks which topics and periods there are, to suggest them. Without an answer nothing is suggested. */
  async #list() {
    const now = performance.now();
    if (now - this.#listedAt < TOPICS_MS || this.#client.status.state !== "live") return;
    this.#listedAt = now;
    const [topics, contract] = await Promise.all([
      this.#client.topics().catch(() => []),
      this.#client
        .http("v1/asyncapi.json")
        .then((answer) => (answer.ok ? answer.json() : null))
        .catch(() => null),
    ]);
    const listed = Array.isArray(topics) ? topics.slice(0, TOPICS_MAX) : [];
    const names = listed
      .map((one) => one?.topic)
      .filter((name) => typeof name === "string")
      .sort();
    const feeds = [...new Set(names.map((name) => name.split(".", 1)[0]))];
    this.#form.suggestions = ["**", ...feeds.map((feed) => `${feed}.**`), ...names];
    const bars = contract?.["x-bars"];
    this.#form.periods = (Array.isArray(bars) ? bars : [])
      .map((one) => one?.period)
      .filter((name) => typeof name === "string");
  }
}

/** What went wrong, with the server's words where it has said something. */
function complaint(name, error) {
  if (error?.name === "TimeoutError")
    return `${name}: no answer came within ${ANSWER_MS / 1000} s. Look whether the page is connected.`;
  const code = error?.code >= 400 ? ` ${error.code}` : "";
  const later =
    error?.retryAfterMs > 0 ? ` It may work in ${format.count(Math.ceil(error.retryAfterMs / 1000))} s.` : "";
  const text = `${name}:${code} ${error?.message ?? error}`;
  return `${text}${/[.!?…]$/.test(text) ? "" : "."}${later}`;
}
