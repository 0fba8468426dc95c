// What a chart says in words: the window, the empty parts, and one moment under the pointer.
import * as axis from "./axis.js";
import { isLoading, isStale, isUnknown, valueAt } from "./picture.js";
import * as format from "../data/format.js";

/** Empty parts that are told one by one. */
const PARTS_MAX = 2;
/** So many of a unit are still easy to read; of more, the next one is told with a decimal. */
const COUNT_MAX = 600;
// prettier-ignore
const UNITS = [["day", 86_400, 172_800], ["hour", 3_600], ["minute", 60], ["second", 1]];

/** A length of time in words: `1 minute`, `24 hours`, `90 seconds`. */
export function lengthOf(seconds) {
  const [unit, size] = UNITS.find(([, size, least = size]) => seconds >= least && seconds % size === 0 && seconds < size * COUNT_MAX) ?? UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
  const n = Math.round((seconds / size) * 10) / 10;
  return `${n} ${unit}${n === 1 ? "" : "s"}`;
}

/** A part of time: `12:00:00 to 12:30:00`, with its days where these matter. */
export const spanOf = ([from, to], now) => `${axis.moment(from, now)} to ${axis.moment(to, now)}`;

const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** A part of time for who was not there: with its day, its year and the time zone. */
export function zoned(window) {
  const days = window.map((seconds) => dayFormat.format(seconds * 1000));
  const [from, to] = window.map((seconds) => format.time(seconds * 1000));
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${days[0]}, ${from} to ${days[0] === days[1] ? "" : `${days[1]}, `}${to} (${zone})`;
}

/** The sentences below a chart: what the hatching means, and what candles are. */
export function note({ kind, parts, window, now, candle, bases }, traces) {
  const sentences = [];
  const unknown = parts.filter(isUnknown);
  if (unknown.length > 0) {
    const told = unknown.slice(-PARTS_MAX).map(({ from, to }) => {
      if (from <= window[0]) return to >= Math.min(now, window[1]) ? "this time" : `the time before ${axis.moment(to, now)}`;
      return to >= now ? `the time since ${axis.moment(from, now)}` : `the time from ${spanOf([from, to], now)}`;
    });
    const more = unknown.length > PARTS_MAX ? `, and of ${unknown.length - PARTS_MAX} more` : "";
    sentences.push(`Hatched: nothing is known of ${[...new Set(told)].join(" and ")}${more}.`);
  }
  const old = parts.find(isStale);
  if (old) sentences.push(`Hatched the other way: stale, no news since ${axis.moment(old.from, now)}.`);
  for (const { topic } of traces) if (topic.endedAt > 0) sentences.push(`${topic.name} ended at ${axis.moment(topic.endedAt / 1000, now)}.`);
  if (parts.some(isLoading)) sentences.push("Older bars are on their way.");
  if (kind === "candles") {
    const volume = candle.hasVolume ? " Below: volume." : "";
    sentences.push(`Candles of ${lengthOf(candle.seconds)}; hollow: closed higher, filled: closed lower.${volume}`);
  }
  if (kind === "compare") {
    traces.forEach(({ topic }, n) => {
      if (bases[n] === null) sentences.push(`${topic.name} has no value in this time.`);
      else if (!(bases[n] > 0)) sentences.push(`${topic.name} cannot be shown in percent: its first value here is not above 0.`);
    });
    sentences.push("Change in percent since the first value shown.");
  }
  return sentences.join(" ");
}

export const percent = (n) => (n === null || n === undefined ? "–" : `${n < 0 ? "−" : n > 0 ? "+" : ""}${Math.abs(n).toFixed(2)} %`);

/** What stands at a place of the data: the time and its figures. */
export function reading({ kind, data, bars, now }, traces, i) {
  const [main] = traces;
  const seconds = data[0][i];
  if (kind === "candles") {
    const bar = bars?.[i];
    if (!bar) return "";
    const { open, high, low, close, volume } = bar.texts;
    const parts = [axis.moment(bar.start / 1000, now), ...Object.entries({ O: open, H: high, L: low, C: close }).map(([sign, text]) => `${sign} ${text}`)];
    if (volume !== undefined || Number.isFinite(bar.volume)) parts.push(`V ${volume ?? format.count(bar.volume)}`);
    return parts.join("  ");
  }
  const figures = data.slice(1).map((series) => valueAt(series, i));
  if (figures.every((figure) => figure === null)) return "";
  const time = axis.moment(seconds, now);
  if (kind === "compare") return [time, ...traces.map(({ topic }, n) => `${topic.name} ${percent(figures[n])}`)].join("  ");
  return `${time}  ${main.marked(figures[0])}`;
}

/** Lowest and highest figure that is drawn, or null. */
export function extentOf({ data, kind, window: [from, to] }) {
  let [low, high] = [Infinity, -Infinity];
  for (const series of kind === "candles" ? data.slice(2, 4) : data.slice(1)) {
    series.forEach((figure, i) => {
      if (!Number.isFinite(figure) || data[0][i] < from || data[0][i] > to) return;
      low = Math.min(low, figure);
      high = Math.max(high, figure);
    });
  }
  return low <= high ? [low, high] : null;
}
