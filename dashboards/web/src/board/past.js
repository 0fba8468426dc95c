// Fills the lines of tiles with the past that the server keeps, as bars.

const SPANS = { "15m": { ms: 900_000, words: "15 min" }, "1h": { ms: 3_600_000, words: "1 h" } };
/** Slots of a line: more than a tile has pixels are of no use. */
const SLOTS_MAX = 400;
const SLOTS_MIN = 30;
/** Where nothing is said about periods, a server has these, unless it is configured otherwise. */
const USUAL = [
  { name: "10s", ms: 10_000, keepMs: 3_600_000 },
  { name: "1m", ms: 60_000, keepMs: 86_400_000 },
];
/** Length of a slot where no bars fit. */
const ALONE_MS = 10_000;
/** What a line lost is asked for again at most this often; the past of a new tile sooner. */
const AGAIN_MS = 20_000;
const NEXT_MS = 500;
const RETRY_MS = 5_000;
const RETRY_MAX_MS = 60_000;

export class Past {
  /** The windows that one may choose. */
  static spans = SPANS;

  #bars;
  #periods;
  #span = "15m";
  #period = null;
  #slotMs = 0;
  #due = 0;
  #patchDue = 0;
  #retryMs = RETRY_MS;
  #isAsking = false;
  /** Window and period together: an answer about others is too late. */
  #key = "";

  /** @param periods says which periods the server keeps, or is undefined */
  constructor(bars, periods) {
    this.#bars = bars ?? (async () => null);
    this.#periods = periods ?? (() => USUAL);
    this.fits();
  }

  /** What a tile's line shows: length of a slot, how many, and the window in words. */
  get window() {
    const { ms, words } = SPANS[this.#span];
    return { ms: this.#slotMs, slots: Math.ceil(ms / this.#slotMs), words };
  }

  /** Another window; true if it is another. */
  choose(span) {
    this.#span = span;
    return this.fits();
  }

  /** Looks which period fits the window best: the shortest that is kept for so long. True if that is another than before. */
  fits() {
    const { ms } = SPANS[this.#span];
    const fit = this.#periods().filter((period) => ms / period.ms <= SLOTS_MAX && ms / period.ms >= SLOTS_MIN);
    const period = fit.find(({ keepMs }) => keepMs >= ms) ?? fit.at(-1) ?? null;
    const key = `${this.#span} ${period?.name}`;
    if (key === this.#key) return false;
    this.#key = key;
    this.#period = period;
    this.#slotMs = period?.ms ?? ALONE_MS;
    this.#due = 0;
    return true;
  }

  /** Asks for the bars that tiles are without, while they are seen. */
  async keepUp(tiles, topics, serverNow, now, isLive, isSeen = () => true) {
    if (!this.#period || this.#isAsking || now < this.#due) return;
    const isPatchDue = now >= this.#patchDue;
    const wanting = [...tiles.values()].filter(
      (tile) =>
        (!tile.isFilled || (isPatchDue && tile.spark.isPatchy)) && topics.get(tile.name)?.text && isLive(tile.name),
    );
    if (wanting.length === 0 || !isSeen()) return;
    if (isPatchDue) this.#patchDue = now + AGAIN_MS;
    this.#isAsking = true;
    const key = this.#key;
    const names = [...new Set(wanting.map(({ name }) => name))];
    const query = new URLSearchParams({ topics: names.join(), period: this.#period.name, limit: this.window.slots + 1 });
    const answer = await Promise.resolve(this.#bars(query)).catch(() => null);
    this.#isAsking = false;
    if (key !== this.#key) return; // the window is another by now
    const isAnswer = Array.isArray(answer?.topics);
    this.#retryMs = isAnswer ? RETRY_MS : Math.min(this.#retryMs * 2, RETRY_MAX_MS);
    this.#due = now + (isAnswer ? NEXT_MS : this.#retryMs);
    if (!isAnswer) return;
    const byName = new Map(answer.topics.map((one) => [one?.topic, one]));
    for (const tile of wanting) tile.fill(topics.get(tile.name), byName.get(tile.name), serverNow);
  }
}
