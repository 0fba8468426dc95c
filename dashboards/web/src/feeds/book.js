// What is known of every feed: the list that the server gave, what its notices said since, and how fast its figures grow.

export const STATES = ["up", "degraded", "stale", "down", "closed", "unknown"];
/** Feeds that are kept; a server has some dozens at most. */
const FEEDS_MAX = 1_000;
/** Changes of state that are kept of one feed. */
export const CHANGES_MAX = 50;
/** Codes of refusal that are kept of one feed. */
const CODES_MAX = 32;
const REASON_MAX = 2_000;
/** Two lists that are closer together give no rate: it would jump. */
const RATE_MS = 900;
/** A notice is newer than a list that comes so soon after it: the list was on its way. */
const NEWER_MS = 1_000;

const count = (value) => (Number.isFinite(value) && value > 0 ? value : 0);
const words = (value) => (typeof value === "string" ? value.slice(0, REASON_MAX) : "");

export class Feed {
  state = "unknown";
  since = 0;
  reason = "";
  topics = 0;
  stale = 0;
  /** Accepted since the server started. */
  samples = 0;
  refused = 0;
  /** Refused by code, as `[code, count]`, the most frequent first; empty where the server does not say. */
  refusals = [];
  /** Accepted per second between the last two lists; NaN until there are two. */
  rate = NaN;
  /** Changes of state, newest first, as `{state, since, reason}`. */
  changes = [];
  /** The server has listed it: its figures are known. */
  isListed = false;

  #toldAt = -Infinity;
  #counted = { at: NaN, samples: 0 };

  constructor(name) {
    this.name = name;
  }

  /** None of the values that came was usable. */
  get isAllRefused() {
    return this.samples === 0 && this.refused > 0;
  }

  take(listed, now) {
    this.isListed = true;
    for (const figure of ["topics", "stale", "refused"]) this[figure] = count(listed[figure]);
    this.#count(count(listed.samples), now);
    const { refusals, changes } = listed;
    const codes = refusals !== null && typeof refusals === "object" ? Object.entries(refusals) : [];
    this.refusals = codes
      .map(([code, n]) => [code, count(n)])
      .filter(([, n]) => n > 0)
      .sort((a, b) => b[1] - a[1])
      .slice(0, CODES_MAX);
    for (const change of Array.isArray(changes) ? changes.slice(0, CHANGES_MAX) : []) this.#add(change);
    if (now - this.#toldAt >= NEWER_MS || !(count(listed.since) < this.since)) this.#become(listed);
  }

  told(notice, now) {
    this.#toldAt = now;
    this.#become(notice);
  }

  #become({ state, since, reason }) {
    this.state = STATES.includes(state) ? state : "unknown";
    this.since = count(since);
    this.reason = words(reason);
    this.#add(this);
  }

  #count(samples, now) {
    const { at, samples: before } = this.#counted;
    this.samples = samples;
    if (now - at < RATE_MS) return;
    // Fewer than before: the server started again, and counts anew.
    this.rate = samples >= before && !Number.isNaN(at) ? ((samples - before) * 1000) / (now - at) : NaN;
    this.#counted = { at: now, samples };
  }

  #add(change) {
    if (change === null || typeof change !== "object" || !STATES.includes(change.state) || change.state === "unknown")
      return;
    const { state } = change;
    const [since, reason] = [count(change.since), words(change.reason)];
    if (
      since === 0 ||
      this.changes.some((known) => known.since === since && known.state === state && known.reason === reason)
    )
      return;
    const place = this.changes.findIndex((known) => known.since <= since);
    this.changes.splice(place < 0 ? this.changes.length : place, 0, { state, since, reason });
    if (this.changes.length > CHANGES_MAX) this.changes.length = CHANGES_MAX;
  }
}

export class Book {
  /** Another number whenever something is another. */
  version = 0;
  /** The server has given a list. */
  isListed = false;

  #feeds = new Map();

  get(name) {
    return this.#feeds.get(name);
  }

  get all() {
    return [...this.#feeds.values()];
  }

  /** Takes the server's list. A feed that is not in it is there no longer. */
  take(feeds, now = performance.now()) {
    if (!Array.isArray(feeds)) return;
    this.isListed = true;
    this.version += 1;
    const names = new Set();
    for (const listed of feeds.slice(0, FEEDS_MAX)) {
      if (typeof listed?.feed !== "string" || listed.feed === "") continue;
      names.add(listed.feed);
      this.#ensure(listed.feed)?.take(listed, now);
    }
    for (const name of this.#feeds.keys()) if (!names.has(name)) this.#feeds.delete(name);
  }

  /** Takes a notice of a feed. */
  told(notice, now = performance.now()) {
    if (typeof notice?.feed !== "string" || notice.feed === "") return;
    this.version += 1;
    this.#ensure(notice.feed)?.told(notice, now);
  }

  /** There is no connection: nothing is known of how the feeds are. */
  lose() {
    this.version += 1;
    for (const feed of this.#feeds.values()) Object.assign(feed, { state: "unknown", since: 0, reason: "", rate: NaN });
  }

  #ensure(name) {
    let feed = this.#feeds.get(name);
    if (!feed && this.#feeds.size < FEEDS_MAX) this.#feeds.set(name, (feed = new Feed(name)));
    return feed;
  }
}
