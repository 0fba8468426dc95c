// Finds the figures in a feed's value, whatever its shape: a bare number, a string of digits, an object of either.

const DECIMAL = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/;
/** Leaves looked at in one value; a value with more is shown by its first ones. */
const LEAVES_MAX = 32;
const DEPTH_MAX = 4;
/** Names under which feeds commonly put the one figure that matters, best first. */
// prettier-ignore
const MAIN = [
  "price", "last", "value", "close", "mid", "rate",
  "busy_pct", "used_pct", "busy_percent", "used_percent", "percent", "pct", "usage",
  "temperature_c", "temperature_2m", "temperature", "temp", "load_1m", "load1", "uptime_s", "count", "n",
];
/** Names that hold times, identities and places: numbers, but not figures. */
const NOT_FIGURES =
  /(^|[._])(ts|time|timestamp|date|id|seq|sequence|epoch|pid|latitude|longitude)$|_(at|unix_ms|id|seq)$/;
/** The field in which a source says what must be shown beside its values, and how much of it is taken. */
const CREDIT = "attribution";
const CREDIT_MAX = 200;

/** A JSON number together with the digits it was written in: `189.30` is not shown as 189.3. */
export class Digits {
  constructor(number, source) {
    this.number = number;
    this.source = source;
  }
}

/** Parses an envelope keeping the digits of its numbers; browsers without `context.source` give plain numbers. */
export function exact(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === "number" && context?.source !== undefined ? new Digits(value, context.source) : value,
  );
}

/** The number in a leaf, or NaN. A string of digits counts: feeds write prices so, to keep their digits. */
export function numeric(leaf) {
  if (typeof leaf === "number") return leaf;
  if (leaf instanceof Digits) return leaf.number;
  return typeof leaf === "string" && DECIMAL.test(leaf) ? Number(leaf) : NaN;
}

/** What must be shown beside a value, or "". */
export function credit(value) {
  const said = value !== null && typeof value === "object" ? value[CREDIT] : undefined;
  return typeof said === "string" ? said.slice(0, CREDIT_MAX) : "";
}

/**
 * All leaves of a value as `[path, leaf]`, the path being the keys joined by dots ("" for a bare value). Its credit is
 * shown elsewhere.
 */
export function leaves(value) {
  const found = [];
  const walk = (node, path, depth) => {
    if (found.length >= LEAVES_MAX) return;
    if (node === null || typeof node !== "object" || node instanceof Digits) found.push([path, node]);
    else if (depth < DEPTH_MAX) {
      for (const [key, child] of Object.entries(node)) {
        if (path !== "" || key !== CREDIT) walk(child, path ? `${path}.${key}` : key, depth + 1);
      }
    }
  };
  walk(value, "", 0);
  return found;
}

/** The leaf at a path that `leaves` gave, or undefined. */
export function at(value, path) {
  if (path === "") return value;
  if (value !== null && typeof value === "object" && Object.hasOwn(value, path)) return value[path];
  let node = value;
  for (const key of path.split(".")) {
    if (node === null || typeof node !== "object" || !Object.hasOwn(node, key)) return undefined;
    node = node[key];
  }
  return node;
}

/** The paths of a value's figures, the main one first: the one that is marked so, also where it is missing, else a guess. */
export function figures(value, marks) {
  const marked = marks?.main ?? null;
  const isFigure = (path) => (marks?.role(path) ? marks.isFigure(path) : !NOT_FIGURES.test(path));
  const paths = leaves(value)
    .filter(([path, leaf]) => Number.isFinite(numeric(leaf)) && isFigure(path))
    .map(([path]) => path);
  if (marked !== null && (at(value, marked) ?? null) === null && isFigure(marked)) paths.push(marked);
  const rank = (path) => {
    if (path === marked) return -1;
    const name = path.slice(path.lastIndexOf(".") + 1);
    const place = MAIN.indexOf(name);
    return place < 0 ? MAIN.length : place;
  };
  const main = paths.reduce(
    (best, path) => (best === undefined || rank(path) < rank(best) ? path : best),
    undefined,
  );
  return main === undefined ? [] : [main, ...paths.filter((path) => path !== main)];
}
