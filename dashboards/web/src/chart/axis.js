// The labels of a chart's axes: as fine as the step from one to the next, so that each says where it stands.
import * as format from "../data/format.js";

const PLACES_MAX = 12;
/** A label may be off by this share of a step: steps of 1,024 have no short decimals. */
const TOLERANCE = 0.01;
/** From here on, digits after the point are beyond what a double holds. */
const HUGE = 1e15;

/** Steps as uPlot has them: 1, 2, 2.5 and 5 times each power of ten. Written as text, so that they are the same doubles. */
const DECIMAL = Array.from({ length: 28 }, (_, i) => [1, 2, 2.5, 5].map((n) => Number(`${n}e${i - 12}`))).flat();
const BINARY = Array.from({ length: 60 }, (_, i) => 2 ** i);
const monthFormat = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" });
const HOUR = 3_600;
const DAY = 24 * HOUR;
const MONTH = 28 * DAY;
const LENGTHS = [
  ...DECIMAL.filter((step) => step < 1),
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800],
  ...[1, 2, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 20_000].map((days) => days * DAY),
];

/** The steps that labels of a field's figures may have, ascending. */
export function steps(path) {
  if (format.BYTES.test(path)) return BINARY;
  return format.SECONDS.test(path) ? LENGTHS : DECIMAL;
}

/** Digits after the point that multiples of a step need. */
export function places(step) {
  for (let n = 0; n < PLACES_MAX; n += 1) {
    const scaled = step * 10 ** n;
    if (Math.abs(scaled - Math.round(scaled)) <= scaled * TOLERANCE) return n;
  }
  return PLACES_MAX;
}

const formats = Array.from({ length: PLACES_MAX + 1 }, () => null);

function fixed(n, places) {
  formats[places] ??= new Intl.NumberFormat("en", { minimumFractionDigits: places, maximumFractionDigits: places });
  return formats[places].format(n);
}

/** Labels of a field's figures at `ticks`, which are `step` apart: all with the same unit and as many digits. */
export function figures(path, ticks, step) {
  if (format.BYTES.test(path)) {
    const greatest = Math.max(1, ...ticks.map(Math.abs));
    const power = Math.min(Math.floor(Math.log2(greatest) / 10), format.BYTE_UNITS.length - 1);
    const unit = format.BYTE_UNITS[power] + (path.endsWith("_per_s") ? "/s" : "");
    const size = 1024 ** power;
    return ticks.map((tick) => `${fixed(tick / size, places(step / size))} ${unit}`);
  }
  if (format.SECONDS.test(path)) return ticks.map((tick) => length(tick, step));
  if (ticks.some((tick) => Math.abs(tick) >= HUGE)) return ticks.map((tick) => format.figure(path, tick));
  const unit = format.PERCENT.test(path) ? " %" : (format.measure(path) ?? "");
  return ticks.map((tick) => fixed(tick, places(step)) + unit);
}

/** A length of time: `3 d`, `26 h`, `0:04:05`, `0.25 s`. */
function length(seconds, step) {
  if (step < 1) return `${fixed(seconds, places(step))} s`;
  if (step % DAY === 0) return `${fixed(seconds / DAY, 0)} d`;
  if (step % HOUR === 0) return `${fixed(seconds / HOUR, 0)} h`;
  const size = Math.abs(seconds);
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  return `${seconds < 0 ? "-" : ""}${Math.floor(size / HOUR)}:${two((size % HOUR) / 60)}:${two(size % 60)}`;
}

/**
 * Labels of times, Unix seconds: without seconds where each stands on a whole minute. The first label of a day says which day
 * it is, unless all are of the day of `now`.
 */
export function times(ticks, step, now) {
  if (step >= MONTH) return ticks.map((tick) => monthFormat.format(tick * 1000));
  if (step >= DAY) return ticks.map((tick) => format.day(tick * 1000));
  const today = dayOf(now ?? ticks[0]);
  const isToday = ticks.every((tick) => dayOf(tick) === today);
  let before = isToday ? today : "";
  return ticks.map((tick) => {
    const time = (step % 60 === 0 ? format.minute : format.time)(tick * 1000);
    const date = dayOf(tick);
    const text = date === before ? time : `${time}\n${format.day(tick * 1000)}`;
    before = date;
    return text;
  });
}

const dayOf = (seconds) => new Date(seconds * 1000).toDateString();

/** A moment of which it matters which day it is of; in seconds. */
export const moment = (seconds, now) => format.moment(seconds * 1000, now * 1000);
