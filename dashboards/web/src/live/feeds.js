// The feeds' states: as the stream tells them, and as the list has them of feeds that have said nothing.

/** After a list that did not come, the time until it is asked for again. */
const RELIST_MS = 5_000;
/** The list is read again this often, while somebody looks at the feeds. */
const AGAIN_MS = 5_000;
/** Statuses that say that there is no list, or not for this reader. */
const NONE = [401, 403, 404];

export class Feeds {
  /** Called with a feed's news: `{feed, state, since, reason}`. */
  onFeed = () => {};
  /** Called with the whole list of `/v1/feeds`. */
  onList = () => {};
  /** Called with "up" when a connection begins and "unknown" when it ends: what was known is forgotten. */
  onForget = () => {};

  #client;
  #states = new Map();
  #turn = 0;
  #again = 0;

  constructor(client) {
    this.#client = client;
    client.on("feed", (notice) => this.#say(notice));
  }

  /** What is known: feed → state. */
  get states() {
    return this.#states;
  }

  /** The state of a feed, as far as it is known. */
  state(feed) {
    return this.#states.get(feed);
  }

  get troubled() {
    return [...this.#states.values()].filter((state) => state !== "up" && state !== "closed").length;
  }

  /** Every connection tells anew which feeds are in trouble; until one does, nothing is known. */
  forget(state) {
    this.#turn += 1;
    this.#states.clear();
    this.onForget(state);
  }

  /** Lists all configured feeds. What the stream told goes first: it is newer. */
  async list() {
    const turn = (this.#turn += 1);
    const isOver = () => turn !== this.#turn || this.#client.status.state !== "live";
    try {
      const answer = await this.#client.http("v1/feeds", { cache: "no-store" });
      if (NONE.includes(answer.status)) return;
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const { feeds } = await answer.json();
      if (isOver()) return;
      for (const feed of feeds) if (!this.#states.has(feed.feed)) this.#say(feed);
      this.onList(feeds);
    } catch {
      setTimeout(() => isOver() || this.list(), RELIST_MS);
    }
  }

  /** Reads the list again, if the last reading is long ago. Called a few times a second while feeds are looked at. */
  async keepUp(now) {
    if (now < this.#again || this.#client.status.state !== "live") return;
    this.#again = now + AGAIN_MS;
    const answer = await this.#client.http("v1/feeds", { cache: "no-store" }).catch(() => null);
    if (!answer?.ok) return;
    const { feeds } = await answer.json().catch(() => ({}));
    if (Array.isArray(feeds)) this.onList(feeds);
  }

  #say(notice) {
    this.#states.set(notice.feed, notice.state);
    this.onFeed(notice);
  }
}
