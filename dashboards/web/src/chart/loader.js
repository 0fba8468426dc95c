// Asks the server for what the charts are without: their newest ticks, their bars, and older bars when somebody goes back.
import { exact } from "../data/fields.js";
import { BARS_MAX, periodFor } from "./past.js";

const HISTORY_POINTS = 256;
/** Bars are asked for again this often: ticks that a chart drops in time are in them, and volumes. */
const BARS_EVERY_MS = 30_000;
/** The same while candles of a shorter period are shown. */
const CANDLES_EVERY_MS = 5_000;
/** After an answer that did not come. */
const RETRY_MS = 5_000;
/** Bars asked for beyond those that are missing: the open one, and the one that was open. */
const BARS_MORE = 2;
/** The error code of a command that the server does not know. */
const UNKNOWN_EVENT = 405;

export class Loader {
  /** Called with a command to send; false if it cannot be sent. */
  onAsk = () => false;
  /** Called with a query for bars of several topics; its promise is the server's answer, as text or parsed, or null. */
  onBars = async () => null;
  /** The periods of which the server keeps bars. */
  periods = [];

  /** What was asked for: id → trace. */
  #asked = new Map();
  #hasHistory = true;
  #barsDue = 0;
  #olderDue = 0;
  #isAsking = false;
  #ids = 1_000;

  /** Asks for the newest ticks of a trace. */
  ask(trace) {
    if (!this.#hasHistory) return;
    const id = (this.#ids += 1);
    this.#asked.set(id, trace);
    if (!this.onAsk("history", { id, topic: trace.topic.name, limit: HISTORY_POINTS })) this.#asked.delete(id);
  }

  /** The trace that asked for this answer. */
  answered(id) {
    const trace = this.#asked.get(id);
    this.#asked.delete(id);
    return trace;
  }

  /** Whether an error answers one of our own questions; a chart without history is no news. */
  owns({ id, code }) {
    const own = this.#asked.delete(id);
    // A server without history says so once; asking on would only use up its patience.
    if (own && code === UNKNOWN_EVENT) this.#hasHistory = false;
    return own;
  }

  /** The connection is gone: no answer comes. */
  forget() {
    this.#asked.clear();
  }

  /** Bars are asked for at the next opportunity. */
  hurry() {
    this.#barsDue = 0;
  }

  /** Asks for the bars that traces are without, if any are due. `onBars` of a trace is told by `changed`. */
  async keepUp(traces, view, now, hasCandles, changed) {
    const [from, to] = view.window;
    const period = periodFor(this.periods, (to - from) * 1000, (view.now - from) * 1000);
    if (!period || this.#isAsking || traces.length === 0) return;
    for (const trace of traces) trace.past.show(period.ms);
    this.#isAsking = true;
    try {
      if (now >= this.#barsDue) {
        const every = hasCandles ? Math.min(Math.max(period.ms, CANDLES_EVERY_MS), BARS_EVERY_MS) : BARS_EVERY_MS;
        this.#barsDue = now + every;
        await this.#newest(traces, view, period, changed);
      } else if (now >= this.#olderDue) await this.#older(traces, view, period, changed);
    } finally {
      this.#isAsking = false;
    }
  }

  async #newest(traces, view, period, changed) {
    const [from] = view.window;
    const serverNow = view.now * 1000;
    const whole = Math.min(Math.ceil((serverNow - from * 1000) / period.ms) + BARS_MORE, BARS_MAX);
    const groups = new Map();
    for (const trace of traces) {
      const bars = trace.past.of(period.ms);
      const missing = Math.ceil((serverNow - (bars?.newest ?? -Infinity)) / period.ms) + BARS_MORE;
      const limit = bars && Number.isFinite(missing) ? Math.min(missing, whole) : whole;
      groups.set(limit, [...(groups.get(limit) ?? []), trace]);
    }
    for (const [limit, group] of groups) await this.#take(group, period, limit, {}, changed);
  }

  /** The bars before those that there are, for all that are without them at once. */
  async #older(traces, view, period, changed) {
    const from = view.window[0] * 1000;
    const wanting = traces.filter((trace) => {
      const bars = trace.past.of(period.ms);
      return bars && !bars.isEmpty && !bars.isWhole && !bars.isFull && bars.oldest > from;
    });
    if (wanting.length === 0) return;
    const before = Math.max(...wanting.map((trace) => trace.past.of(period.ms).oldest));
    const limit = Math.min(Math.ceil((before - from) / period.ms) + BARS_MORE, BARS_MAX);
    await this.#take(wanting, period, limit, { before }, changed);
  }

  async #take(traces, period, limit, more, changed) {
    const names = [...new Set(traces.map(({ topic }) => topic.name))];
    const query = new URLSearchParams({ topics: names.join(), period: period.name, limit, ...more });
    const came = await this.onBars(query).catch(() => null);
    const answer = read(came);
    if (answer === null) {
      this.#barsDue = this.#olderDue = performance.now() + RETRY_MS; // as if there were no bars
      return;
    }
    const said = new Map(listOf(answer.topics).map((one) => [one.topic, one]));
    const failed = new Map(listOf(answer.failed).map((one) => [one.topic, one]));
    for (const trace of traces) {
      const { name } = trace.topic;
      if (said.has(name)) trace.takeBars(period.ms, said.get(name), limit);
      else if (more.before === undefined && failed.has(name)) trace.takeBars(period.ms, null, limit, String(failed.get(name).message ?? "no bars"));
      // An answer without older ones is the last: else it would be asked for again and again.
      const bars = trace.past.of(period.ms);
      if (bars?.oldest >= more.before) bars.isWhole = true;
      changed(trace);
    }
  }
}

/** An answer, or null where there is none or it is no object. Digits are kept where it comes as text. */
function read(came) {
  try {
    const answer = typeof came === "string" ? exact(came) : came;
    return answer !== null && typeof answer === "object" ? answer : null;
  } catch {
    return null;
  }
}

const listOf = (said) => (Array.isArray(said) ? said.filter((one) => one !== null && typeof one === "object") : []);

/** An answer to `history` as envelopes; with the text of the message its digits are kept. */
export function envelopes(data, text) {
  try {
    const values = text ? exact(text).data.values : data.values;
    return Array.isArray(values) ? values : [];
  } catch {
    return [];
  }
}

