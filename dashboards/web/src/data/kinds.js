// What a reader looks for in a value, by its kind: which fields come first, which are told elsewhere, what its change is.
import { UNMARKED } from "./contract.js";
import { decimal, minus, percentOf, rounded, written } from "./decimal.js";
import { at } from "./fields.js";
import * as format from "./format.js";

/** Fields that say what the row's topic, feed or badge says already. */
const IDENTITY = ["symbol", "source_symbol", "source", "topic", "simulated"];
/**
 * By kind: the fields that come `first`, those that are `told` elsewhere in the row, and whether more is better
 * (`directed`). A kind that is not here shows its fields as they come.
 */
const KINDS = {
  quote: {
    first: ["bid", "ask", "high", "low", "volume", "session", "delay_s", "open", "prev_close"],
    told: ["change", "change_pct"],
    directed: true,
  },
  trade: { first: ["size", "side", "currency"], told: ["id"], directed: true },
  weather: {
    first: [
      ...["condition", "feels_like_c", "humidity_pct", "wind_ms", "wind_gust_ms", "wind_deg", "pressure_hpa"],
      ...["cloud_pct", "precipitation_mm", "dew_point_c", "visibility_m"],
    ],
    told: ["place", "station", "latitude", "longitude", "stale"],
  },
};

/** Decimals of a change in percent, as markets write it. */
const PERCENT_PLACES = 2;

const rules = (kind) => (Object.hasOwn(KINDS, kind) ? KINDS[kind] : { first: [], told: [] });

/** Whether a field is told elsewhere in the row, or only says which thing it is. */
export const isTold = (kind, path, marks = UNMARKED) =>
  IDENTITY.includes(path) ||
  rules(kind).told.includes(path) ||
  (path !== "" && [marks.field("change"), marks.field("change_pct")].includes(path));

/** The leaves of a value to show beside the one at `main`, in order of interest. */
export function details(kind, leaves, main, marks = UNMARKED) {
  const { first } = rules(kind);
  const rank = ([path]) => (first.includes(path) ? first.indexOf(path) : first.length);
  return leaves.filter(([path]) => path !== main && !isTold(kind, path, marks)).sort((a, b) => rank(a) - rank(b));
}

/** Whether a value says that it is made up. */
export const isSimulated = (value) =>
  value !== null && typeof value === "object" && (value.simulated === true || value.source === "sim");

/** Whether a value says that its source has no newer one, though one was due. */
export const isOld = (value) => value !== null && typeof value === "object" && value.stale === true;

/** Whether a kind's figure is a price, of which more is better. */
const isPrice = (kind, path, marks) =>
  marks.role(path) !== undefined ? marks.isPrice(path) : rules(kind).directed === true && format.PRICE.test(path);

/** `up` or `down` where that is good or bad news, else "": a processor's load has no colour. */
function direction(kind, path, sign, marks) {
  if (!isPrice(kind, path, marks)) return "";
  return sign > 0 ? "up" : sign < 0 ? "down" : "";
}

const ARROWS = { up: "▲ ", down: "▼ ", "": "" };
const NOTHING = { text: "", direction: "", title: "" };

/** A step of the figure `leaf` at a path, as `{text, direction}`: sign and arrow, so that it does not hang on a colour. */
export function step(kind, path, leaf, delta, marks = UNMARKED) {
  if (!Number.isFinite(delta) || delta === 0) return { text: "", direction: "" };
  const way = direction(kind, path, delta, marks);
  const name = format.shown(marks, path);
  const places = marks.decimals(path) ?? format.decimals(name, leaf);
  return { text: ARROWS[way] + format.change(name, delta, places), direction: way };
}

const OF_DAY = "of the day, as its source tells it";
const SINCE_CLOSE = "since the previous close: the price less the close that the source tells";
const SINCE_OPEN = "since open: the price less the session's open that the source tells, which tells no change itself";

/**
 * The change of a price, computed exactly: `amount` and `percent` as decimals or null, what they are, and whether they are
 * derived from the session's open. Null where neither a change nor anything to derive it from is told.
 */
function ofDay({ kind, marks, figures: [path] }, value) {
  const told = (role, name) => {
    const field = marks.isNone ? (kind === "quote" ? name : undefined) : marks.field(role);
    return field === undefined ? null : decimal(at(value, field));
  };
  const price = decimal(at(value, path));
  let amount = told("change", "change");
  let percent = told("change_pct", "change_pct");
  const close = told("previous_close", "prev_close");
  const open = told("open", "open");
  const isTold = amount !== null || percent !== null;
  const from = isTold ? close : (close ?? open);
  if (!isTold && (price === null || from === null)) return null;
  if (!isTold) amount = minus(price, from);
  // What the change is in percent of: a close that is not told is the price less the change.
  const before = from ?? (price && amount ? minus(price, amount) : null);
  if (percent === null && before) percent = percentOf(amount, before, PERCENT_PLACES);
  const isSinceOpen = !isTold && close === null;
  return { amount, percent, isSinceOpen, title: isTold ? OF_DAY : isSinceOpen ? SINCE_OPEN : SINCE_CLOSE };
}

/**
 * A topic's change as `{text, direction, title, since}`, for a price also its parts, `amount` and `percent`. Of a price it is the day's, as its source tells it, or derived from the
 * previous close or the session's open, and nothing where these are not told. Of other figures it is the step since the
 * tick before. `since` is `open` where it is derived from the session's open, which is to be shown beside it. `value` is the topic's with its digits, as `exact` gives it.
 */
export function change(topic, value) {
  const { kind, marks } = topic;
  const [path] = topic.figures;
  if (path === undefined) return NOTHING;
  const main = at(value, path);
  if (!isPrice(kind, path, marks)) {
    const since = step(kind, path, main, topic.delta, marks);
    return { ...since, title: since.text && "since the tick before" };
  }
  const day = ofDay(topic, value);
  if (!day) return NOTHING;
  const { amount, percent, isSinceOpen, title } = day;
  const way = direction(kind, path, Number((amount ?? percent).digits), marks);
  const share = percent && `${signed(rounded(percent, PERCENT_PLACES))} %`;
  const size = amount && signed(amount);
  const text = size && share ? `${size} (${share})` : (size ?? share);
  const parts = { amount: size ? ARROWS[way] + size : "", percent: share ? (size ? "" : ARROWS[way]) + share : "" };
  return { text: ARROWS[way] + text, ...parts, direction: way, title, since: isSinceOpen ? "open" : undefined };
}

/** A price's change as a number, to put topics in order; where none is told, less than any. */
export function amount(topic) {
  if (topic.figures.length === 0 || !isPrice(topic.kind, topic.figures[0], topic.marks)) return -Infinity;
  const { amount } = ofDay(topic, topic.value) ?? {};
  return amount ? Number(written(amount)) : -Infinity;
}

/** A decimal with its sign: `+0.04`, `−1.20`. */
const signed = ({ digits, scale }) =>
  (digits < 0n ? "−" : digits > 0n ? "+" : "") + written({ digits: digits < 0n ? -digits : digits, scale });

/** Shares of topics, by their newest tick: a table in order asks for each many times. */
const shares = new WeakMap();

/** A topic's change as a share of its figure, so that figures of different sizes can be put in order. */
export function share(topic) {
  const known = shares.get(topic);
  if (known?.text === topic.text && known.marks === topic.marks) return known.share;
  const share = shareOf(topic);
  shares.set(topic, { text: topic.text, marks: topic.marks, share });
  return share;
}

function shareOf(topic) {
  if (topic.figures.length === 0) return 0;
  if (isPrice(topic.kind, topic.figures[0], topic.marks)) {
    const { percent, amount } = ofDay(topic, topic.value) ?? {};
    return percent ? Number(written(percent)) : amount ? Math.sign(Number(amount.digits)) : 0;
  }
  const relative = (topic.delta / Math.abs(topic.number - topic.delta)) * 100;
  return Number.isFinite(relative) ? relative : Math.sign(topic.delta);
}
