// What a chart shows: the topic's line of text, its bars drawn, and the bar at the pointer in words.
import { at, exact, numeric } from "./figure.js";
import { Past, barsIn, milliseconds } from "./past.js";
import { plot } from "./plot.js";
import { time } from "./scale.js";
import { View, linkWords, make, say } from "./view.js";

const BARS = 90;
const BEAT_MS = 1_000;
const SUMMARY_MS = 10_000;
const RETRY_MS = 5_000;
const DAY_MS = 86_400_000;

export class Panel {
  #chart;
  #view;
  #canvas;
  #readout;
  #past = new Past(NaN);
  /** What the bars are of. */
  #name = "";
  #asked = "";
  /** The field that the bars are of. */
  #field;
  /** Why there are no bars. */
  #why = "";
  /** Start of the bar that is looked at. */
  #cursor;
  #toTime = (_place) => NaN;
  #summaryAt = -Infinity;
  #beat;
  #retry;
  #sizes;
  #sight;
  #isSeen = false;

  constructor(chart) {
    this.#chart = chart;
    this.#view = new View(chart.box);
    this.#view.parts.state.setAttribute("role", "status");
    this.#canvas = make("canvas", "plot", chart.box, { role: "img", tabindex: "0" });
    this.#readout = make("div", "readout", chart.box, { role: "status" });
    this.#sizes = new ResizeObserver(() => chart.invalidate());
    this.#sight = new IntersectionObserver(([{ isIntersecting }]) => {
      this.#isSeen = isIntersecting;
      chart.invalidate();
    });
    this.#canvas.onpointermove = ({ offsetX }) => {
      const ms = this.#toTime(offsetX);
      this.#point(this.#past.bars.find(({ start }) => start + this.#past.period > ms));
    };
    this.#canvas.onpointerleave = this.#canvas.onblur = () => this.#point();
    this.#canvas.onkeydown = (event) => this.#step(event);
  }

  start() {
    clearInterval(this.#beat);
    this.#sizes.observe(this.#canvas);
    this.#sight.observe(this.#canvas);
    // The window moves on, also when nothing comes.
    this.#beat = setInterval(() => this.#chart.invalidate(), BEAT_MS);
    if (this.#chart.link?.status.state === "live") this.load();
    this.#chart.invalidate();
  }

  stop() {
    clearInterval(this.#beat);
    clearTimeout(this.#retry);
    this.#sizes.disconnect();
    this.#sight.disconnect();
    // Bars that come while the chart is out of the page are missed: the past is asked for anew.
    this.#asked = "";
  }

  take({ topic, event, value }) {
    if (event === "bar" && topic.startsWith("tickerd.bar")) this.#past.add(value);
  }

  /** Asks for the past, once for each topic, period and range, and `again` on a new connection. */
  async load(again = false) {
    const { about: topic, each: period, link } = this.#chart;
    const name = `${topic} ${period}`;
    const asked = `${name} ${this.#chart.get("range")}`;
    if (!topic || (asked === this.#asked && !again)) return;
    this.#asked = asked;
    clearTimeout(this.#retry);
    if (name !== this.#name) {
      this.#past = new Past(milliseconds(period));
      this.#field = this.#cursor = undefined;
      this.#name = name;
      this.#summaryAt = -Infinity;
    }
    try {
      const answer = await link.client.bars(topic, { period, limit: barsIn(this.#span, this.#past.period) });
      if (this.#asked !== asked) return;
      this.#past.take(answer);
      this.#field = answer.field;
      this.#why = "";
    } catch (error) {
      if (this.#asked !== asked) return;
      this.#why = error.message;
      // 404: the topic has not spoken yet.
      if (error.temporary || error.code === 404)
        this.#retry = setTimeout(() => this.load(true), error.retryAfterMs ?? RETRY_MS);
    }
    this.#chart.invalidate();
  }

  draw() {
    const { about: topic, mistake, link, sub } = this.#chart;
    this.#view.topic = topic;
    if (mistake) return say(this.#view.parts.state, mistake);
    const tick = sub.latest(topic);
    const { text } = this.#view.show(
      this.#chart,
      tick,
      this.#chart.get("label") ?? topic,
      this.#field,
      linkWords(link) || this.#why,
    );
    // Before the first answer, and with a period that is none, there is no time to draw.
    if (!(this.#span > 0 && this.#past.period > 0)) return undefined;
    const isCandles = this.#chart.get("type") === "candles";
    const now = Math.max(link.client.now(), tick?.ts ?? 0);
    // A candle is drawn whole.
    const to = isCandles ? Math.ceil(now / this.#past.period) * this.#past.period : now;
    const from = to - this.#span;
    const number = tick?.text && this.#field !== undefined ? numeric(at(exact(tick.text), this.#field)) : NaN;
    const last = Number.isNaN(number) ? undefined : [tick.ts, number];
    const bar = this.#past.bars.find(({ start }) => start === this.#cursor);
    if (this.#isSeen)
      this.#toTime = plot(this.#canvas, { past: this.#past, from, to, last, isCandles, cursor: this.#cursor });
    const when = bar && time(bar.start, this.#span > DAY_MS);
    const [open, high, low, close] = bar?.texts ?? [];
    say(
      this.#readout,
      bar ? (isCandles ? `${when} open ${open}, high ${high}, low ${low}, close ${close}` : `${when} ${close}`) : "",
    );
    this.#summarize(from, to, text);
    return undefined;
  }

  get #span() {
    return milliseconds(this.#chart.get("range")) || BARS * this.#past.period;
  }

  /** Tells the chart in words, now and then: a reader of the screen is not to be told each tick. */
  #summarize(from, to, text) {
    if (Date.now() - this.#summaryAt < SUMMARY_MS) return;
    const bars = this.#past.within(from, to);
    const [most, least] = [Math.max(...bars.map(({ high }) => high)), Math.min(...bars.map(({ low }) => low))];
    if (bars.length > 0) this.#summaryAt = Date.now();
    const words =
      bars.length > 0 ? `from ${bars[0].texts[0]} to ${text}, lowest ${least}, highest ${most}` : "no values";
    this.#canvas.setAttribute(
      "aria-label",
      `Chart of ${this.#chart.about}, since ${time(from, this.#span > DAY_MS)}: ${words}`,
    );
  }

  #point(bar) {
    this.#cursor = bar?.start;
    this.#chart.invalidate();
  }

  #step(event) {
    const { bars } = this.#past;
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity, Escape: 0 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const i = bars.findIndex(({ start }) => start === this.#cursor);
    this.#point(step && bars[Math.min(bars.length - 1, Math.max(0, (i < 0 ? bars.length : i) + step))]);
  }
}
