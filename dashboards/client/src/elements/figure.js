// The figure of a value: which field it is, its digits, its unit and its change. By the feed's marks, else by names.

/** Names of fields that are usually the figure, best first. */
// prettier-ignore
const MAIN = [
  "price", "last", "value", "close", "mid", "rate", "busy_pct", "used_pct", "percent", "pct",
  "temperature_c", "temperature", "load_1m", "uptime_s", "count",
];
const NO_FIGURE = /(^|[._])(ts|time|date|id|seq|latitude|longitude|delay_s)$|_(at|id|seq|unix_ms)$/;
const PRICE = /(^|\.)(price|bid|ask|last|open|high|low|close|mid)$/;
const UNIT = /(?:_|\b)(pct|percent|bytes|bytes_per_s|c|deg|hpa|mm|uptime_s|wind_ms|gust_ms)$/;
/** By a field's last word, or a code of the protocol. */
// prettier-ignore
const UNITS = {
  pct: "%", percent: "%", bytes: "By", bytes_per_s: "By/s", c: "°C", deg: "°", hpa: "hPa", uptime_s: "s",
  wind_ms: "m/s", gust_ms: "m/s", Cel: "°C", Fah: "°F",
};
const LEAVES_MAX = 32;
const DEPTH_MAX = 4;

/** A message's value with each number as the text that it was written as: `189.30` keeps its zero. */
export const exact = (text) => JSON.parse(text, digits).data.value;

/** @param {...any} leaf its key, its value, and in newer engines how it was written */
function digits(...[, value, context]) {
  return (typeof value === "number" && context?.source) || value;
}

/** The number in a leaf, or NaN. */
export const numeric = (leaf) =>
  ["number", "string"].includes(typeof leaf) && /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(leaf) ? Number(leaf) : NaN;

const isNumber = (leaf) => !Number.isNaN(numeric(leaf));
const isObject = (value) => value !== null && typeof value === "object";
const member = (value, key) => (isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined);

/** The leaf at a path of keys joined by dots. */
export const at = (value, path) =>
  path === "" ? value : (member(value, path) ?? path.split(".").reduce(member, value));

/** The paths of a value's numbers. */
function paths(value, path, depth, found) {
  if (!isObject(value) && isNumber(value) && !NO_FIGURE.test(path)) found.push(path);
  if (!isObject(value) || depth > DEPTH_MAX) return found;
  for (const key of Object.keys(value).slice(0, LEAVES_MAX)) {
    if (found.length < LEAVES_MAX) paths(value[key], (path && `${path}.${key}`) || key, depth + 1, found);
  }
  return found;
}

const rank = (path) => MAIN.indexOf(path.split(".").at(-1)) + 1 || LEAVES_MAX;
const mainOf = (value) => paths(value, "", 0, []).sort((a, b) => rank(a) - rank(b))[0];

const formats = new Map();

/** A number, or the text of one, with so many decimals. */
export function fixed(digits, places, useGrouping = true) {
  const key = `${places} ${useGrouping}`;
  if (!formats.has(key))
    formats.set(
      key,
      new Intl.NumberFormat("en", { minimumFractionDigits: places, maximumFractionDigits: places, useGrouping }),
    );
  return formats.get(key).format(digits);
}

const placesOf = (text) => (/\.(\d+)$/.exec(text)?.[1] ?? "").length;

/** A figure as people read it: `[text, unit]`. */
function written(leaf, unit, places, isPrice) {
  const number = numeric(leaf);
  if (/^By/.test(unit)) {
    const power = Math.min(5, Math.max(0, Math.floor(Math.log2(Math.abs(number) || 1) / 10)));
    return [fixed(number / 1024 ** power, power && 1), ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][power] + unit.slice(2)];
  }
  if (unit === "s" && number >= 3_600)
    return [`${Math.floor(number / 86_400)} d ${Math.floor(number / 3_600) % 24} h`, ""];
  return /e/i.test(leaf)
    ? [String(number), unit]
    : [fixed(leaf, places ?? Math.min(placesOf(leaf), isPrice ? 12 : 4), !isPrice), unit];
}

/** The day's change, where the value tells it or the close before: `{text, way}`. */
function change(value, price, { roles = {} }, places) {
  const told = (role, name = role) => at(value, roles[role] ?? name);
  const close = numeric(told("previous_close", "prev_close"));
  let size = told("change");
  let share = told("change_pct");
  if (!isNumber(size)) size = close && !Number.isNaN(price) ? (price - close).toFixed(places) : "";
  if (!isNumber(share)) share = close && size ? ((size / close) * 100).toFixed(2) : "";
  const sign = Math.sign(size || share);
  const [amount, percent] = [size, share].map((part) =>
    String(part)
      .replace("-", "−")
      .replace(/^(?=.*[1-9])(?=\d)/, "+"),
  );
  const text = `${amount} ${percent && (amount ? `(${percent} %)` : `${percent} %`)}`.trim();
  return { text: text && ["▼ ", "", "▲ "][sign + 1] + text, way: ["down", "", "up"][sign + 1] };
}

/** What is shown of a value. `field` is the path of the figure, where it is chosen. */
export function read(value, marks = {}, field = undefined) {
  const main = marks.main ?? mainOf(value);
  const path = field ?? main ?? "";
  const leaf = at(value, path);
  const { role, unit: code, decimals } = marks.fields?.[path] ?? {};
  const isPrice = role ? /^(price|bid|ask|open|high|low|previous_close)$/.test(role) : PRICE.test(path);
  const [, word] = UNIT.exec(path) ?? [];
  const told = code ?? (isPrice ? "{field:currency}" : (word ?? ""));
  const other = /^\{field:(.+)\}$/.exec(told)?.[1];
  const unit = String(other ? (at(value, other) ?? "") : Object.hasOwn(UNITS, told) ? UNITS[told] : told)
    .replace(/[{}]/g, "")
    .slice(0, 16);
  const number = numeric(leaf);
  const delay = numeric(member(value, "delay_s"));
  const badge = [
    (marks.isSimulated || member(value, "simulated") === true) && "simulated",
    delay >= 60 && `delayed ${Math.round(delay / 60)} min`,
  ]
    .filter(Boolean)
    .join(", ");
  const plain = isObject(leaf) ? "–" : String(leaf ?? "–").slice(0, 80);
  const [text, shownUnit] = isNumber(leaf) ? written(leaf, unit, decimals, isPrice) : [plain, ""];
  const day = isPrice && path === main ? change(value, number, marks, placesOf(text)) : { text: "", way: "" };
  return { number, text, unit: shownUnit, badge, change: day.text, way: day.way };
}
