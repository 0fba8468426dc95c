// What a reader looks for in a value, by its kind: which fields come first, which are told elsewhere, what its change is.
import { at, numeric } from "./fields.js";
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

const rules = (kind) => (Object.hasOwn(KINDS, kind) ? KINDS[kind] : { first: [], told: [] });

/** The leaves of a value to show beside the one at `main`, in order of interest. */
export function details(kind, leaves, main) {
  const { first, told } = rules(kind);
  const rank = ([path]) => (first.includes(path) ? first.indexOf(path) : first.length);
  return leaves
    .filter(([path]) => path !== main && !IDENTITY.includes(path) && !told.includes(path))
    .sort((a, b) => rank(a) - rank(b));
}

/** Whether a value says that it is made up. */
export const isSimulated = (value) =>
  value !== null && typeof value === "object" && (value.simulated === true || value.source === "sim");

/** Whether a value says that its source has no newer one, though one was due. */
export const isOld = (value) => value !== null && typeof value === "object" && value.stale === true;

/** `up` or `down` where that is good or bad news, else "": a processor's load has no colour. */
function direction(kind, path, delta) {
  if (!rules(kind).directed || !format.PRICE.test(path)) return "";
  return delta > 0 ? "up" : delta < 0 ? "down" : "";
}

const ARROWS = { up: "▲ ", down: "▼ ", "": "" };

/** A step of the figure `leaf` at a path, as `{text, direction}`: sign and arrow, so that it does not hang on a colour. */
export function step(kind, path, leaf, delta) {
  if (!Number.isFinite(delta) || delta === 0) return { text: "", direction: "" };
  const way = direction(kind, path, delta);
  return { text: ARROWS[way] + format.change(path, delta, format.decimals(path, leaf)), direction: way };
}

/** A quote's change of the day: `amount` and `percent`, NaN where unknown; null when the quote does not tell it. */
function ofDay({ kind, value, figures: [path], number }) {
  if (kind !== "quote" || path === undefined || !format.PRICE.test(path)) return null;
  const close = numeric(at(value, "prev_close"));
  let amount = numeric(at(value, "change"));
  let percent = numeric(at(value, "change_pct"));
  if (Number.isNaN(amount) && Number.isNaN(percent)) amount = number - close;
  const before = Number.isNaN(close) ? number - amount : close;
  if (Number.isNaN(percent) && before > 0) percent = (amount / before) * 100;
  return Number.isNaN(amount) && Number.isNaN(percent) ? null : { amount, percent };
}

/**
 * A topic's change as `{text, direction, title}`: of the day where its value tells that, else since the tick before.
 * `value` is the topic's with its digits, as `exact` gives it.
 */
export function change(topic, value) {
  const [path] = topic.figures;
  if (path === undefined) return { text: "", direction: "", title: "" };
  const main = at(value, path);
  const day = ofDay(topic);
  if (!day) {
    const since = step(topic.kind, path, main, topic.delta);
    return { ...since, title: since.text && "since the tick before" };
  }
  const { amount, percent } = day;
  const way = direction(topic.kind, path, Number.isNaN(amount) ? percent : amount);
  const told = at(value, "change");
  const places = Number.isNaN(numeric(told))
    ? Math.max(format.decimals(path, main), format.decimals("prev_close", at(value, "prev_close")))
    : format.decimals("price", told);
  const share = Number.isNaN(percent) ? "" : format.percent(percent);
  const size = Number.isNaN(amount) ? "" : format.change(path, amount, places);
  const text = size && share ? `${size} (${share})` : size + share;
  return { text: ARROWS[way] + text, direction: way, title: "of the day, as its source tells it" };
}

/** A topic's change as a share of its figure, so that figures of different sizes can be put in order. */
export function share(topic) {
  const percent = ofDay(topic)?.percent ?? NaN;
  if (!Number.isNaN(percent)) return percent;
  const relative = (topic.delta / Math.abs(topic.number - topic.delta)) * 100;
  return Number.isFinite(relative) ? relative : Math.sign(topic.delta);
}
