// The connections of a page's elements: one client for each server and token, open while an element uses it.
import { connect } from "../index.js";

/** How long a client without elements stays open: a page that changes its view keeps it. */
const LINGER_MS = 2_000;
/** Time until the marks are read again, when a kind is not among them. */
const REREAD_MS = 30_000;
const NAMES_MAX = 500;
const HERE = new URL("../../", import.meta.url);

const links = [];

class Link {
  status = { state: "connecting" };
  /** State of each feed that is not up. */
  feeds = new Map();
  /** What was not granted, in the server's words. */
  failed = new Map();
  users = new Set();

  #marks = new Map();
  #readAt = -Infinity;

  constructor(server, token) {
    this.server = server;
    this.token = token;
    this.host = new URL(server || HERE).host;
  }

  open() {
    const options = { token: this.token ?? ((about) => this.#ask(about)) };
    this.client = this.server ? connect(this.server, options) : connect(options);
    this.status = this.client.status;
    const on = (event, take) => this.client.on(event, (data) => (take(data), this.#tell()));
    const keep = (map, key, value) => map.size < NAMES_MAX && map.set(key, value);
    on("status", (status) => {
      this.status = status;
      if (status.state !== "live") return;
      this.feeds.clear();
      for (const element of this.users) element.onLive();
    });
    on("feed", (feed) => (feed.state === "up" ? this.feeds.delete(feed.feed) : keep(this.feeds, feed.feed, feed)));
    on("failed", ({ topic, pattern, message }) => keep(this.failed, topic ?? pattern, message));
    on("stale", () => {});
    on("topics", ({ removed }) => this.users.forEach((element) => element.onRemoved(removed)));
  }

  #tell() {
    for (const element of this.users) element.invalidate();
  }

  /** Asks the page for a token. Without an answer it connects without one. */
  #ask(about) {
    let token = null;
    const detail = { ...about, server: this.server, answer: (given) => (token = given) };
    const [element] = this.users;
    element?.dispatchEvent(new CustomEvent("tickerd-token", { bubbles: true, composed: true, detail }));
    return token;
  }

  /** What a feed says of a kind; undefined until that was read. */
  marks(topic, kind) {
    const name = `${topic.split(".")[0]}.${kind}`;
    if (!this.#marks.has(name) && Date.now() - this.#readAt > REREAD_MS) this.#read();
    return this.#marks.get(name);
  }

  async #read() {
    this.#readAt = Date.now();
    try {
      const { marksOf } = await import("./marks.js");
      const document = await (await this.client.http("v1/asyncapi.json")).json();
      for (const name of Object.keys(document.components.schemas).slice(0, NAMES_MAX))
        this.#marks.set(name, marksOf(document, name));
      this.#tell();
    } catch {
      // Then fields are guessed by their names.
    }
  }

  leave(element) {
    this.users.delete(element);
    setTimeout(() => {
      if (this.users.size > 0 || !links.includes(this)) return;
      links.splice(links.indexOf(this), 1);
      this.client.close();
    }, LINGER_MS);
  }
}

/** The link that an element's server and token need. It throws if the server is no address. */
export function join(element) {
  const server = element.getAttribute("server") ?? "";
  let link = links.find((one) => one.server === server && one.token === element.token);
  if (!link) {
    link = new Link(server, element.token);
    link.users.add(element);
    link.open();
    links.push(link);
  }
  link.users.add(element);
  return link;
}
