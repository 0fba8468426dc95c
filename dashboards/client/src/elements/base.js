// What all elements share: their subscription, their styles, and at most one drawing per animation frame.
import { join } from "./link.js";
import { style } from "./sheet.js";
import { make } from "./view.js";

/** Where there is no page, as on a server that renders one, importing this does nothing. */
const Parent = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

export class Base extends Parent {
  static observedAttributes = [
    "server",
    "topic",
    "topics",
    "rate",
    "field",
    "label",
    "period",
    "range",
    "type",
    "speed",
  ];

  link;
  sub;
  /** Likely names of topics that the server does not know. */
  hints = new Map();
  /** Why nothing can be shown. */
  mistake = "";

  #token;
  #key = "";
  #isPlanned = false;
  #frame = 0;

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    this.box = make("div", "box", this.shadowRoot);
  }

  // What each element does in its own way.
  names() {
    return [];
  }

  start() {}
  stop() {}
  draw() {}
  onLive() {}
  onTick(_tick) {}
  onRemoved(_topics) {}

  /** An attribute, or undefined. */
  get(name) {
    return this.getAttribute(name) ?? undefined;
  }

  /** The names in an attribute. */
  words(name) {
    return (this.get(name) ?? "").split(/[\s,]+/).filter(Boolean);
  }

  /** A token, or a function that gets one. Without it the event `tickerd-token` asks for one. */
  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token ?? undefined;
    this.#plan();
  }

  connectedCallback() {
    style(this.shadowRoot);
    // A token that was set before the element was defined hides the property.
    const { token } = this;
    delete this.token;
    this.token = token;
  }

  disconnectedCallback() {
    this.#plan();
  }

  /** An element that is moved stays connected. */
  connectedMoveCallback() {}

  attributeChangedCallback() {
    this.#plan();
  }

  /** Changes and moves of one moment are taken together. */
  #plan() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      this.#update();
    });
  }

  #update() {
    const { link, sub, isConnected } = this;
    const names = isConnected ? this.names() : [];
    this.link = this.sub = undefined;
    this.mistake = "no topic is named";
    try {
      if (names.length > 0) this.link = join(this);
    } catch {
      this.mistake = `server="${this.get("server")}" is no address; write wss://host/ws`;
    }
    const key = `${names} ${this.get("rate")}`;
    if (this.link) this.mistake = "";
    if (this.link && this.link === link && key === this.#key) this.sub = sub;
    else {
      // The new one first: what both have stays subscribed.
      if (this.link) this.#subscribe(names);
      sub?.close();
    }
    this.#key = key;
    if (link && link !== this.link) link.leave(this);
    if (!isConnected) return this.stop();
    this.start();
    return this.invalidate();
  }

  #subscribe(names) {
    const sub = (this.sub = this.link.client.subscribe(names, { rate: this.get("rate") }));
    this.hints = new Map();
    sub.on("tick", (tick) => {
      this.mistake = "";
      this.onTick(tick);
      this.invalidate();
    });
    const { hints } = this;
    const told = ({ topics }) => {
      for (const { topic, known, hint = "" } of topics) if (known === false) hints.set(topic, `not known: ${hint}`);
      this.invalidate();
    };
    sub.ready.then(told, (error) => {
      if (this.sub === sub) this.mistake = error.message;
      this.invalidate();
    });
  }

  /** Has it drawn in the next frame. */
  invalidate() {
    if (this.#frame || !this.isConnected) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.isConnected) this.draw();
    });
  }
}
