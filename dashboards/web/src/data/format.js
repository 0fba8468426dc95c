// How figures, times and ages read. A price's digits are its source's and are never touched.
import { decimal, rounded, written } from "./decimal.js";
import { Digits, numeric } from "./fields.js";

// The page speaks English, so its figures do too: a price's own point and our grouping then agree.
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 4 });
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const coarse = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const scientific = new Intl.NumberFormat("en", { notation: "scientific", maximumSignificantDigits: 4 });
const minutes = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const clock = new Intl.DateTimeFormat(undefined, { ...minutes, second: "2-digit" });
const days = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const coarseClock = new Intl.DateTimeFormat(undefined, minutes);

export const PRICE = /(^|[._])(price|bid|ask|last|open|high|low|close|mid|vwap)$/;
export const BYTES = /(^|[._])bytes(_per_s)?$/;
export const PERCENT = /(^|[._])(percent|pct)$/;
export const SECONDS = /(^|[._])(uptime|elapsed|duration|age|delay)_s$/;
/** Units of the weather, by the names that carry them; other names' `_ms` are milliseconds. */
// prettier-ignore
const MEASURES = [
  [/(^|[._])(temperature|temp|dew_point|feels_like)_c$/, " °C"],
  [/(^|[._])(wind|gust|wind_gust)_ms$/, " m/s"],
  [/(^|[._])wind_deg$/, "°"],
  [/(^|[._])pressure_hpa$/, " hPa"],
  [/(^|[._])precipitation_mm$/, " mm"],
  [/(^|[._])visibility_m$/, " m"],
];
/** What a shown unit already says in a field's name. */
// prettier-ignore
const UNIT = new RegExp([
  "_(bytes|bytes_per_s|percent|pct)$", "(?<=uptime|elapsed|duration|age|delay)_s$",
  "(?<=temperature|temp|dew_point|feels_like)_c$", "(?<=wind|gust)_ms$", "(?<=pressure)_hpa$",
  "(?<=precipitation)_mm$", "(?<=visibility)_m$",
].join("|"));
/** Without its unit it would be called as the wind's speed is. */
const DIRECTION = /(^|[._])wind_deg$/;
export const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
// prettier-ignore
const UNITS_OF_TIME = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
/** In seconds. */
const MINUTE = 60;
/** Digits after the point beyond which a number that is not a price is noise. */
const DECIMALS_MAX = 4;

/** Units of the contract that the page writes in its own way: as the names that carry them. */
const NAMES = { "%": "pct", By: "bytes", "By/s": "bytes_per_s" };
const WORDS = { Cel: "°C", Fah: "°F", deg: "°" };
/** A name that says its unit itself: `level [kg]`. */
const NAMED_UNIT = / \[(.*)\]$/;

/** The unit that follows a measure's number, or undefined. */
export function measure(name) {
  const [, unit] = NAMED_UNIT.exec(name) ?? [];
  if (unit !== undefined) return unit === "°" ? unit : ` ${unit}`;
  return MEASURES.find(([names]) => names.test(name))?.[1];
}

/** The name by which a field's figures are written: its own, or where its unit is marked, one that says it. */
export function shown(marks, path) {
  if (marks.isPrice(path)) return "price";
  const unit = marks.unit(path);
  if (unit === undefined || unit.startsWith("{field:")) return path;
  if (Object.hasOwn(NAMES, unit)) return NAMES[unit];
  if (unit === "s" && SECONDS.test(path)) return path;
  return `${path} [${(Object.hasOwn(WORDS, unit) && WORDS[unit]) || unit.replaceAll(/[{}]/g, "")}]`;
}

/** A leaf of a value, or a number of its field, as the marks say: with their unit, and as many decimals. */
export function marked(marks, path, value) {
  const name = shown(marks, path);
  const places = marks.decimals(path);
  const isTime = SECONDS.test(name);
  const isOwn = BYTES.test(name) || (isTime && !(Math.abs(numeric(value)) < MINUTE));
  const number = places === undefined || isOwn ? null : decimal(value);
  if (number === null) return leaf(name, value);
  const text = written(rounded(number, places));
  const unit = PERCENT.test(name) ? " %" : isTime ? " s" : (measure(name) ?? "");
  return (name === "price" ? text : grouped(text)) + unit;
}

export const count = (n) => whole.format(n);
export const time = (ms) => clock.format(ms);
export const minute = (ms) => coarseClock.format(ms);
/** A day: `29 Nov`. */
export const day = (ms) => days.format(ms);
/** A time, with its day unless that is the day of `now`: `12:03:11`, `29 Nov 12:03:11`. */
export const moment = (ms, now = Date.now()) => (isSameDay(ms, now) ? time(ms) : `${day(ms)} ${time(ms)}`);
/** The same where there is little room: the time, or the day alone. */
export const brief = (ms, now = Date.now()) => (isSameDay(ms, now) ? time : day)(ms);
const isSameDay = (ms, now) => new Date(ms).toDateString() === new Date(now).toDateString();

export function bytes(n) {
  let unit = 0;
  let size = n;
  while (Math.abs(size) >= 1024 && unit < BYTE_UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? whole.format(size) : tenth.format(size)} ${BYTE_UNITS[unit]}`;
}

/** A number under a field's name, when its own digits are not kept. */
export function figure(path, n) {
  if (!Number.isFinite(n)) return "–";
  if (BYTES.test(path)) return path.endsWith("_per_s") ? `${bytes(n)}/s` : bytes(n);
  if (PERCENT.test(path)) return `${tenth.format(n)} %`;
  if (SECONDS.test(path)) return span(n);
  const unit = measure(path);
  if (unit !== undefined) return fine.format(n) + unit;
  const size = Math.abs(n);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return scientific.format(n);
  return fine.format(n);
}

/** Digits with a comma for each thousand. */
function grouped(text) {
  const [, sign, integer, fraction = ""] = /^(-?)(\d+)(\.\d+)?$/.exec(text);
  return sign + whole.format(BigInt(integer)) + fraction;
}

/** A leaf of a value as a person reads it. */
export function leaf(path, value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string")
    return PERCENT.test(path) && !Number.isNaN(numeric(value)) ? `${value} %` : value;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return figure(path, value);
  if (!(value instanceof Digits)) return JSON.stringify(value);
  const { source, number } = value;
  if (PRICE.test(path)) return source;
  const hasUnit = measure(path) !== undefined || [BYTES, PERCENT, SECONDS].some((unit) => unit.test(path));
  if (hasUnit || /[eE]/.test(source)) return figure(path, number);
  const [, fraction = ""] = source.split(".");
  return fraction.length > DECIMALS_MAX ? figure(path, number) : grouped(source);
}

/** Digits after the point in a leaf, for a change to be shown as finely as its figure. */
export function decimals(path, value) {
  const source = value instanceof Digits ? value.source : String(value ?? "");
  const point = source.indexOf(".");
  if (point < 0 || /[eE]/.test(source)) return 0;
  const kept = typeof value === "string" || PRICE.test(path);
  return Math.min(source.length - point - 1, kept ? 8 : DECIMALS_MAX);
}

const signOf = (n) => (n < 0 ? "−" : n > 0 ? "+" : "");

/** A change with its sign: `+0.04`, `−1.2 MiB`. */
export function change(path, delta, places) {
  const sign = signOf(delta);
  const size = Math.abs(delta);
  if (BYTES.test(path)) return sign + bytes(size);
  if (SECONDS.test(path)) return sign + span(size);
  if (PERCENT.test(path)) return sign + tenth.format(size);
  if (size >= 1e9) return sign + coarse.format(size);
  return sign + (places > 0 && places <= 8 ? size.toFixed(places) : fine.format(size));
}

/** An age: tenths while it is young, then only as fine as a person cares for. */
export function age(ms) {
  if (!(ms >= 0)) return "0.0 s";
  if (ms < 9_950) return `${tenth.format(ms / 1000)} s`;
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

/** A length of time: below a minute with its digits, else in its two greatest units. */
function span(seconds) {
  const size = Math.abs(seconds);
  if (size < MINUTE) return `${coarse.format(seconds)} s`;
  const parts = [];
  let rest = Math.floor(size);
  for (const [unit, size] of UNITS_OF_TIME) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0 || parts.length > 0 || unit === "s") parts.push(`${n} ${unit}`);
  }
  return (seconds < 0 ? "-" : "") + parts.slice(0, 2).join(" ");
}

/** A path as a person calls it: without the unit that the figure shows, and words for underscores. */
export const label = (path) =>
  path.replace(DIRECTION, "$1wind_from").replace(UNIT, "").replaceAll("_", " ") || "value";

/** A path in full, where one is chosen among many. */
export const name = (path) => path || "value";
