// The chosen topics and their charts. The choice lives in the address, so that a view can be shared as a link.
import { Chart } from "./chart.js";
import { read, write } from "./item.js";
import { envelopes, Loader } from "./loader.js";
import { View } from "./view.js";
import { lengthOf, spanOf } from "./words.js";

/** More than these and nobody reads them all. */
const CHARTS_MAX = 16;
/** As long as the server keeps the past unless it is configured otherwise: a first look finds its window filled. */
const SPAN_S = 60;

export class Charts {
  /** Called with the names when the choice has changed. */
  onChange = () => {};
  /** Called with a sentence when not all that was asked for can be drawn. */
  onFull = () => {};
  /** Called when something is to be drawn before the next tick. */
  onDraw = () => {};

  #element;
  #topics;
  #uPlot;
  #address;
  #charts = new Map();
  #loader = new Loader();
  #view = new View(SPAN_S);
  #window;
  #words;
  #seen;
  #written = null;

  constructor(element, topics, uPlot, address) {
    this.#element = element;
    this.#topics = topics;
    this.#uPlot = uPlot;
    this.#address = address;
    this.#window = this.#bar();
    this.#view.onChange = () => this.#moved();
    this.#seen = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const chart = this.#charts.get(target.dataset.topic);
          if (!chart || chart.isSeen === isIntersecting) continue;
          chart.isSeen = isIntersecting;
          chart.urge();
          this.onDraw();
        }
      },
      { rootMargin: "100px" },
    );
    address.onChange(() => {
      if ((address.get("topics") ?? "") !== (this.#written ?? "")) this.restore();
    });
  }

  /** Called with a command to send; false if it cannot be sent. */
  set onAsk(send) {
    this.#loader.onAsk = send;
  }

  /** Called with a query for bars of several topics; its promise is the answer's text, or the answer parsed, or null. */
  set onBars(ask) {
    this.#loader.onBars = ask;
  }

  set spanSeconds(seconds) {
    this.#view.choose(seconds);
  }

  get names() {
    return [...this.#charts.keys()];
  }

  /** Whether a topic is drawn, in a chart of its own or compared with another. */
  draws(name) {
    return this.#traces.some(({ topic }) => topic.name === name);
  }

  /** Opens what the address asks for; false when it asks for nothing. */
  restore() {
    const wanted = this.#address.get("topics");
    if (wanted === null) return false;
    const items = read(wanted);
    if (items.length > CHARTS_MAX) {
      this.onFull(`The address names ${items.length} topics; the first ${CHARTS_MAX} are drawn, which is the most.`);
    }
    for (const name of this.names) this.#close(name);
    for (const item of items.slice(0, CHARTS_MAX)) if (!this.#charts.has(item.name)) this.#open(item.name, item);
    this.#changed();
    return true;
  }

  open(names) {
    for (const name of names) if (!this.#charts.has(name) && this.#charts.size < CHARTS_MAX) this.#open(name);
    this.#changed();
  }

  toggle(name) {
    if (this.#charts.has(name)) this.#close(name);
    else if (this.#charts.size >= CHARTS_MAX) {
      this.onFull(`${CHARTS_MAX} charts are the most. Close one to draw ${name}.`);
      return;
    } else this.#reveal(this.#open(name).element);
    this.#changed();
  }

  tick(name) {
    for (const chart of this.#charts.values()) if (chart.traces.some(({ topic }) => topic.name === name)) chart.tick(name);
  }

  /** The connection is back: what happened meanwhile may be in the server's ring. */
  refill() {
    for (const trace of this.#traces) this.#loader.ask(trace);
    this.#loader.hurry();
  }

  /** The contract says something new of fields or periods. */
  remark(periods) {
    this.#loader.periods = periods;
    for (const chart of this.#charts.values()) chart.remark();
    this.#loader.hurry();
  }

  /** Asks for the bars that charts are without, if any are due. */
  async keepUp(serverNow, now) {
    this.#view.now = serverNow / 1000;
    const charts = [...this.#charts.values()];
    const changed = (trace) => charts.find(({ traces }) => traces.includes(trace))?.urge();
    await this.#loader.keepUp(this.#traces, this.#view, now, charts.some(({ hasCandles }) => hasCandles), changed);
    this.onDraw();
  }

  /** The connection is gone: what follows is not known. */
  gap() {
    for (const trace of this.#traces) trace.series.gap();
    this.#loader.forget();
  }

  /** A feed is gone, and its topics with it. */
  gapOf(feed) {
    for (const trace of this.#traces) if (trace.topic.feed === feed) trace.series.gap();
  }

  /** A topic was retired by its feed. */
  end(name, serverNow) {
    for (const trace of this.#traces) {
      if (trace.topic.name !== name) continue;
      if (trace.topic.text !== "") trace.topic.endedAt ||= serverNow;
      trace.series.gap();
      this.redraw();
    }
  }

  /** An answer to `history`; its text, where there is one, keeps the digits. */
  history(data, text) {
    const trace = this.#loader.answered(data.id);
    const found = this.#traces.includes(trace) ? [trace] : this.#traces.filter(({ topic }) => topic.name === data.topic);
    const values = found.length > 0 ? envelopes(data, text) : [];
    for (const one of found) one.seed(values);
    for (const chart of this.#charts.values()) if (chart.traces.some((one) => found.includes(one))) chart.urge();
  }

  owns(error) {
    return this.#loader.owns(error);
  }

  paint(serverNow, now, isLive) {
    this.#view.now = serverNow / 1000;
    for (const chart of this.#charts.values()) chart.paint(now, isLive);
  }

  redraw() {
    for (const chart of this.#charts.values()) chart.redraw();
  }

  get #traces() {
    return [...this.#charts.values()].flatMap(({ traces }) => traces);
  }

  #open(name, item = {}) {
    const chart = new Chart(this.#topics.ensure(name), item, this.#uPlot, this.#view, {
      close: () => {
        this.#close(name);
        this.#changed();
      },
      change: () => this.#changed(),
      trace: (trace) => {
        this.#loader.ask(trace);
        this.#loader.hurry();
      },
      compare: (other) => this.#compare(chart, other),
      full: () => this.#fill(chart),
      moved: () => this.#ordered(name),
      say: (sentence) => this.#say(sentence),
      names: () => [...this.#topics.all()].filter(({ figures }) => figures.length > 0).map(({ name }) => name),
    });
    this.#charts.set(name, chart);
    this.#element.append(chart.element);
    this.#seen.observe(chart.element);
    for (const trace of chart.traces) this.#loader.ask(trace);
    if (item.compare) chart.compare(this.#topics.ensure(item.compare.name), item.compare.path);
    if (item.isFull) this.#fill(chart, true);
    this.#loader.hurry();
    return chart;
  }

  /** Compares a chart with another topic; says what is wrong, or "". */
  #compare(chart, name) {
    const [{ topic }] = chart.traces;
    if (name === topic.name) return "Choose another topic than the one that is drawn.";
    const other = this.#topics.get(name);
    if (!other) return `There is no topic "${name}". Choose one from the list.`;
    if (other.figures.length === 0) return `${name} has no figure to draw.`;
    chart.compare(other);
    this.#changed();
    return "";
  }

  /** One chart fills the page, or none. */
  #fill(chart, is = !chart.isFull) {
    for (const one of this.#charts.values()) one.isFull = is && one === chart;
    this.#changed();
  }

  #ordered(name) {
    const names = [...this.#element.querySelectorAll(":scope > .chart")].map(({ dataset }) => dataset.topic);
    this.#charts = new Map(names.map((one) => [one, this.#charts.get(one)]));
    this.#say(`${name} is chart ${names.indexOf(name) + 1} of ${names.length}.`);
    this.#changed();
  }

  /** Scrolls the charts, never the page: the reader's place in the table stays. */
  #reveal(chart) {
    const column = this.#element.parentElement;
    column.scrollTo({ top: column.scrollHeight });
    this.#element.scrollTo({ left: chart.offsetLeft });
  }

  #close(name) {
    const chart = this.#charts.get(name);
    if (!chart) return;
    this.#seen.unobserve(chart.element);
    chart.remove();
    this.#charts.delete(name);
  }

  #changed() {
    this.#written = write([...this.#charts.values()].map(({ item }) => item));
    this.#address.set("topics", this.#written);
    this.onChange(this.names);
    this.onDraw();
  }

  /** Another part of time is shown. */
  #moved() {
    for (const chart of this.#charts.values()) chart.urge(true);
    const { isPlain, isFollowing, window, span, now } = this.#view;
    this.#window.hidden = isPlain;
    if (!isPlain) {
      const text = isFollowing ? `Shown: the last ${lengthOf(Math.round(span))}.` : `Shown: ${spanOf(window, now)}.`;
      this.#words.textContent = text;
    }
    this.onDraw();
  }

  #say(sentence) {
    this.#spoken.textContent = sentence;
  }

  #spoken;

  /** What is shown while the window is not the chosen one, with a button back; and a place for words that are only heard. */
  #bar() {
    const bar = document.createElement("p");
    bar.className = "timebar";
    bar.hidden = true;
    this.#words = bar.appendChild(document.createElement("span"));
    this.#words.setAttribute("role", "status");
    const back = bar.appendChild(document.createElement("button"));
    back.type = "button";
    back.textContent = "Back to now";
    back.addEventListener("click", () => this.#view.reset());
    this.#spoken = document.createElement("p");
    this.#spoken.className = "unseen";
    this.#spoken.setAttribute("role", "status");
    this.#element.before(bar, this.#spoken);
    return bar;
  }
}
