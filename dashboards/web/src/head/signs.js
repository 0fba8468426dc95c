// What limits what is shown, as words in the header: ticks skipped, stale topics, simulated feeds, a pause, a slow rate.
import * as format from "../data/format.js";

/** A lag is told for this long after the last skipped tick. */
const LAG_MS = 60_000;
/** Simulated feeds are looked for this often. */
const SIMULATED_MS = 1_000;
/** Names of simulated feeds that are told; of more, their number. */
const NAMES_MAX = 3;

export class Signs {
  #list;
  #signs = new Map();
  #skipped = 0;
  #laggedAt = -Infinity;
  #lookedAt = -Infinity;

  constructor(list) {
    this.#list = list;
  }

  /** Ticks were skipped. */
  lag(skipped, now) {
    if (now - this.#laggedAt > LAG_MS) this.#skipped = 0;
    this.#skipped += Number.isFinite(skipped) ? skipped : 0;
    this.#laggedAt = now;
    this.#lag(now);
  }

  /** Called a few times a second. */
  paint(now, topics) {
    this.#lag(now);
    if (now - this.#lookedAt < SIMULATED_MS) return;
    this.#lookedAt = now;
    let stale = 0;
    const simulated = new Set();
    for (const topic of topics) {
      if (topic.staleSince > 0) stale += 1;
      if (topic.simulated) simulated.add(topic.feed);
    }
    this.put("stale", stale > 0 ? `⏱ ${format.count(stale)} stale ${stale === 1 ? "topic" : "topics"}` : "");
    const names = simulated.size > NAMES_MAX ? `${simulated.size} feeds` : [...simulated].sort().join(", ");
    this.put("simulated", names && `≈ Simulated: ${names}`);
  }

  /** Shows a sign under a key; "" takes it away. */
  put(key, text, why = "") {
    let sign = this.#signs.get(key);
    if (text === "") {
      sign?.remove();
      this.#signs.delete(key);
      return;
    }
    if (!sign) {
      sign = document.createElement("li");
      sign.dataset.sign = key;
      this.#signs.set(key, sign);
      this.#list.append(sign);
    }
    if (sign.textContent !== text) sign.textContent = text;
    if (sign.title !== why) sign.title = why;
  }

  #lag(now) {
    const lagging = now - this.#laggedAt <= LAG_MS;
    const ticks = `${format.count(this.#skipped)} ${this.#skipped === 1 ? "tick" : "ticks"}`;
    this.put("lag", lagging ? `⚠ Lagging: ${ticks} skipped` : "", "This page or its line is slower than the server. The newest values still come.");
  }
}
