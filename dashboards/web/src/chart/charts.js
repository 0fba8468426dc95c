// The chosen topics and their charts. The choice lives in the address, so that a view can be shared as a link.
import { Chart } from "./chart.js";
import { BARS_MAX, periodFor } from "./past.js";

/** More than these and each is too small to read. */
const CHARTS_MAX = 8;
const HISTORY_POINTS = 256;
/** Bars are asked for again this often: ticks that a chart drops in time are in them. */
const BARS_EVERY_MS = 30_000;
/** Bars asked for beyond those that are missing: the open one, and the one that was open. */
const BARS_MORE = 2;
/** The error code of a command that the server does not know. */
const UNKNOWN_EVENT = 405;

export class Charts {
  /** Called with the names when the choice has changed. */
  onChange = () => {};
  /** Called with a sentence when not all that was asked for can be drawn. */
  onFull = () => {};
  /** Called with a command to send. */
  onAsk = () => {};
  /** Called with a query for bars of several topics; its promise is the server's answer, or null without one. */
  onBars = async () => null;
  /** The periods of which the server keeps bars. */
  periods = [];

  #element;
  #topics;
  #uPlot;
  #charts = new Map();
  #asked = new Map();
  #hasHistory = true;
  #barsDue = 0;
  #isAsking = false;
  #ids = 1_000;
  /** As long as the server keeps the past unless it is configured otherwise: a first look finds its window filled. */
  #span = 60;

  constructor(element, topics, uPlot) {
    this.#element = element;
    this.#topics = topics;
    this.#uPlot = uPlot;
  }

  set spanSeconds(seconds) {
    this.#span = seconds;
    this.#barsDue = 0;
  }

  get names() {
    return [...this.#charts.keys()];
  }

  /** Opens what the address asks for; false when it asks for nothing. */
  restore() {
    const wanted = new URLSearchParams(location.hash.slice(1)).get("topics");
    if (wanted === null) return false;
    const items = wanted.split(",").filter(Boolean);
    if (items.length > CHARTS_MAX) {
      this.onFull(`The address names ${items.length} topics; the first ${CHARTS_MAX} are drawn, which is the most.`);
    }
    for (const item of items.slice(0, CHARTS_MAX)) {
      const [name, path = null] = item.split(":");
      if (!this.#charts.has(name)) this.#open(name, path);
    }
    this.#changed();
    return true;
  }

  open(names) {
    for (const name of names) if (!this.#charts.has(name)) this.#open(name, null);
    this.#changed();
  }

  toggle(name) {
    if (this.#charts.has(name)) this.#close(name);
    else {
      if (this.#charts.size >= CHARTS_MAX) {
        const [first] = this.names;
        this.#close(first);
        this.onFull(`${CHARTS_MAX} charts are the most: that of ${first} was closed for ${name}.`);
      }
      this.#reveal(this.#open(name, null).element);
    }
    this.#changed();
  }

  tick(name) {
    this.#charts.get(name)?.tick();
  }

  /** The connection is back: what happened meanwhile may be in the server's ring. */
  refill() {
    for (const name of this.#charts.keys()) this.#ask(name);
    this.#barsDue = 0;
  }

  /** The contract says something new of fields or periods. */
  remark(periods) {
    this.periods = periods;
    for (const [name, chart] of this.#charts) if (chart.remark()) this.#ask(name);
    this.#barsDue = 0;
  }

  /** Asks for the bars that charts are without, if any are due. */
  async keepUp(serverNow, now) {
    const period = periodFor(this.periods, this.#span * 1000);
    if (!period || this.#isAsking || now < this.#barsDue || this.#charts.size === 0) return;
    this.#barsDue = now + BARS_EVERY_MS;
    this.#isAsking = true;
    await this.#load(serverNow, period).catch(() => {}); // an answer that is none: as if there were no bars
    this.#isAsking = false;
  }

  async #load(serverNow, period) {
    const whole = Math.min(Math.ceil((this.#span * 1000) / period.ms) + BARS_MORE, BARS_MAX);
    const groups = new Map();
    for (const [name, chart] of this.#charts) {
      const missing = Math.ceil((serverNow - chart.past.newest) / period.ms) + BARS_MORE;
      const limit = chart.past.ms === period.ms && chart.past.asked >= whole ? Math.min(missing, whole) : whole;
      groups.set(limit, [...(groups.get(limit) ?? []), name]);
    }
    for (const [limit, names] of groups) {
      const query = new URLSearchParams({ topics: names.join(), period: period.name, limit });
      const answer = await this.onBars(query);
      for (const one of answer?.topics ?? []) this.#charts.get(one.topic)?.takeBars(period.ms, one, limit);
      for (const { topic } of answer?.failed ?? []) this.#charts.get(topic)?.takeBars(period.ms, null);
    }
  }

  /** The connection is gone: what follows is not known. */
  gap() {
    for (const chart of this.#charts.values()) chart.series.gap();
    this.#asked.clear();
  }

  /** A feed is gone, and its topics with it. */
  gapOf(feed) {
    for (const [name, chart] of this.#charts) if (name.split(".", 1)[0] === feed) chart.series.gap();
  }

  history({ id, topic, values }) {
    const name = this.#asked.get(id) ?? topic;
    this.#asked.delete(id);
    if (Array.isArray(values)) this.#charts.get(name)?.seed(values);
  }

  /** Whether an error answers one of our own questions; a chart without history is no news. */
  owns({ id, code }) {
    const own = this.#asked.delete(id);
    // A server without history says so once; asking on would only use up its patience.
    if (own && code === UNKNOWN_EVENT) this.#hasHistory = false;
    return own;
  }

  paint(serverNow, now, isLive) {
    for (const [name, chart] of this.#charts) chart.paint(serverNow, now, this.#span, isLive(name));
  }

  redraw() {
    for (const chart of this.#charts.values()) chart.redraw();
  }

  #open(name, path) {
    const chart = new Chart(this.#topics.ensure(name), path, this.#uPlot, {
      onClose: () => {
        this.#close(name);
        this.#changed();
      },
      onField: () => {
        this.#ask(name);
        this.#changed();
      },
    });
    this.#charts.set(name, chart);
    this.#element.append(chart.element);
    this.#ask(name);
    this.#barsDue = 0;
    return chart;
  }

  /** Scrolls the charts, never the page: the reader's place in the table stays. */
  #reveal(chart) {
    const column = this.#element.parentElement;
    column.scrollTo({ top: column.scrollHeight });
    this.#element.scrollTo({ left: chart.offsetLeft });
  }

  #close(name) {
    this.#charts.get(name)?.remove();
    this.#charts.delete(name);
  }

  #ask(name) {
    if (!this.#hasHistory) return;
    const id = (this.#ids += 1);
    this.#asked.set(id, name);
    if (!this.onAsk("history", { id, topic: name, limit: HISTORY_POINTS })) this.#asked.delete(id);
  }

  #changed() {
    const items = [...this.#charts].map(([name, { path }]) => (path ? `${name}:${path}` : name));
    history.replaceState(null, "", `#topics=${items.join(",")}`);
    this.onChange(this.names);
  }
}
