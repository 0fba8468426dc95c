// What a chart shows of its traces in a window: the data as uPlot wants them, the empty parts, and how to read one moment.
import { stepFor, summed } from "./bars.js";
import { thin } from "./thin.js";

/** CSS pixels of a candle with the gap beside it, at least: a narrower body could not be hollow. */
const CANDLE_PX = 7;
const UNKNOWN = "unknown";
const STALE = "stale";
const LOADING = "loading";

/**
 * The picture of one trace, or of two in percent of their first shown figures.
 * @returns {import("./plot.js").Picture}
 */
export function pictureOf({ traces, isCandles, view, isLive, columns }) {
  const { window, now } = view;
  const [main] = traces;
  const common = { window, now, shown: main.shown, parts: partsOf(traces, window, now), mark: markOf(traces) };
  if (traces.length > 1) return { ...common, ...compared(traces, window, now, isLive, columns), kind: "compare", shown: "pct" };
  if (isCandles && main.hasBars) return { ...common, ...candles(main, view, columns), kind: "candles" };
  return { ...common, kind: "line", data: padded(held(thin(main.line(window), window, columns), window, now, isLive(main)), window) };
}

function candles(trace, view, columns) {
  const { window, span } = view;
  const { bars } = trace.past;
  const ms = stepFor(span * 1000, bars.ms, Math.max(8, columns / devicePixelRatio / CANDLE_PX));
  const shown = summed(bars.within(window), ms);
  const half = ms / 2;
  const data = [shown.map(({ start }) => (start + half) / 1000)];
  for (const name of ["open", "high", "low", "close"]) data.push(shown.map((bar) => bar[name]));
  data.push(shown.map(({ volume }) => (Number.isFinite(volume) ? volume : null)));
  // The open candle is drawn whole: its period ends later than now.
  const end = view.isFollowing ? Math.max(window[1], ((shown.at(-1)?.start ?? 0) + ms) / 1000) : window[1];
  const drawn = [window[0], Math.min(end, window[1] + span / 2)];
  const candle = { seconds: ms / 1000, isPrice: trace.isPrice, hasVolume: bars.hasVolume };
  return { data: padded(data, drawn), window: drawn, candle, bars: shown };
}

/** Both lines in percent of their first figure in the window. */
function compared(traces, window, now, isLive, columns) {
  const bases = [];
  const lines = traces.map((trace, n) => {
    const [times, numbers] = held(thin(trace.line(window), window, columns), window, now, isLive(trace));
    const first = numbers.findIndex((number, i) => number !== null && times[i] >= window[0]);
    bases[n] = first < 0 ? null : numbers[first];
    const base = bases[n];
    if (!(base > 0)) return [[], []];
    return [times, numbers.map((number) => (number === null ? null : (number / base - 1) * 100))];
  });
  return { data: padded(merged(lines), window), bases };
}

/** A topic that is quiet has kept its value; a line that stops short would say that it is unknown. */
function held([times, numbers], window, now, isLive) {
  const end = Math.min(window[1], now);
  if (!isLive || times.length === 0 || numbers.at(-1) === null || times.at(-1) >= end) return [times, numbers];
  return [[...times, end], [...numbers, numbers.at(-1)]];
}

/** Without data uPlot draws no axes: then there are two moments without a figure. */
function padded(data, window) {
  if (data[0].length > 0) return data;
  return [[...window], ...Array.from({ length: Math.max(1, data.length - 1) }, () => [null, null])];
}

/** Lines over the same times; undefined is where only the other line has a point. */
export function merged(lines) {
  const places = lines.map(() => 0);
  const data = [[], ...lines.map(() => [])];
  for (;;) {
    const next = Math.min(...lines.map(([times], n) => times[places[n]] ?? Infinity));
    if (next === Infinity) return data;
    data[0].push(next);
    lines.forEach(([times, numbers], n) => {
      const isHere = times[places[n]] === next;
      data[n + 1].push(isHere ? numbers[places[n]] : undefined);
      if (isHere) places[n] += 1;
    });
  }
}

/** The figure of a series at a moment, or the one before it; null in a gap. */
export function valueAt(series, i) {
  for (let at = i; at >= 0; at -= 1) if (series[at] !== undefined) return series[at];
  return null;
}

function partsOf(traces, window, now) {
  const parts = [];
  for (const trace of traces) {
    for (const [from, to] of trace.empty(window, now)) parts.push({ from, to, word: UNKNOWN, isOld: false });
    if (trace.loadedFrom > window[0]) parts.push({ from: window[0], to: Math.min(trace.loadedFrom, window[1]), word: LOADING, isOld: false });
    const stale = trace.topic.staleSince / 1000;
    const to = Math.min(now, window[1]);
    if (stale > 0 && stale < to) parts.push({ from: Math.max(stale, window[0]), to, word: STALE, isOld: true });
  }
  return parts;
}

const markOf = (traces) => (traces.some(({ topic }) => topic.simulated) ? "simulated" : "");

export const isUnknown = ({ word }) => word === UNKNOWN;
export const isLoading = ({ word }) => word === LOADING;
export const isStale = ({ word }) => word === STALE;
