// Which columns a kind's rows have: what a reader of quotes, trades, the weather or a machine's gauges looks for.
import { at, numeric } from "./fields.js";
import * as format from "./format.js";
import * as kinds from "./kinds.js";

/**
 * @typedef {object} Column
 * @property {string} key its name in the address, and the cells' class
 * @property {string} head what its head says
 * @property {string} [title] the field in full
 * @property {string} [path] the field that it shows
 * @property {(topic: object, value: any) => string} text
 * @property {(topic: object) => number | string} sort
 * @property {number} rank where there is no room for all, the greatest go first
 * @property {number} chars the least width, in digits
 * @property {number} [most] the greatest width, in digits
 * @property {boolean} [isText] begins at the left
 * @property {boolean} [isSecond] is also on a phone, in the second line
 * @property {boolean} [isBar] a percentage: the cell has a bar
 */

/** Figures of a machine or the like that have columns of their own; the others are told under "More". */
const FIGURES_MAX = 8;
/** Where the value is a text, so much of it has room. */
const WORDS_MAX = 60;
/** A value of more leaves is no row of figures. */
const LEAVES_MAX = 16;
/** The kinds whose columns are named here; a kind that is called otherwise is known by its fields. */
const QUOTE = ["quote"];
const TRADE = ["trade"];
const WEATHER = ["weather", "observation"];

/** The columns that are hidden until a reader asks for them. */
export const OFF_AT_FIRST = ["kind", "seq"];

/**
 * The layout of a kind: its name and its columns, between the topic's and the last ones, which all kinds have.
 * @param {string} kind
 * @param {import("./contract.js").Marks} marks
 * @param {Map<string, boolean>} paths the fields that were seen, and whether each is a figure; the main one is `main`
 * @param {{main?: string, isText?: boolean, hasSourceTime?: boolean}} seen `isText` where it has no figure
 * @returns {{name: string, columns: Column[]}}
 */
export function layoutOf(kind, marks, paths, { main, isText = false, hasSourceTime = false } = {}) {
  const named = (role, ...names) => marks.field(role) ?? names.find((name) => paths.has(name));
  const name = nameOf(kind, marks, paths, isText ? undefined : main);
  const columns = MAKERS[name]({ kind, marks, paths, main, isText, named });
  const time = marks.field("time");
  if (hasSourceTime) columns.push(sourceTime());
  else if (time !== undefined && paths.has(time)) columns.push({ ...field(marks, time, { head: "Source time", rank: 8, chars: 9 }), text: (_, value) => clock(at(value, time)) });
  return { name, columns: distinct(columns.filter(Boolean)) };
}

/** Two heads are not called the same: what they count in tells them apart. */
function distinct(columns) {
  const count = (head) => columns.filter((column) => column.head === head).length;
  const twice = columns.filter(({ head }) => count(head) > 1);
  for (const column of twice) {
    const path = column.path ?? "";
    column.head = format.PERCENT.test(path) ? `${column.head} %` : format.BYTES.test(path) ? `${column.head} bytes` : path || column.head;
  }
  return columns;
}

function nameOf(kind, marks, paths, main) {
  if (TRADE.includes(kind) || marks.field("side") !== undefined) return "trade";
  if (QUOTE.includes(kind) || (main !== undefined && marks.isPrice(main))) return "quote";
  if (WEATHER.includes(kind) || (paths.has("temperature_c") && (paths.has("humidity_pct") || paths.has("wind_ms")))) return "weather";
  const isFlat = [...paths.keys()].every((path) => !path.includes("."));
  return main !== undefined && isFlat && paths.size <= LEAVES_MAX ? "figures" : "tree";
}

const MAKERS = {
  quote: ({ marks, paths, main, named }) => [
    value(marks, main, "Price"),
    changeColumn(),
    shareColumn(),
    currency(paths),
    ...fields(marks, paths, [
      [named("bid", "bid"), { key: "bid", head: "Bid", rank: 3 }],
      [named("ask", "ask"), { key: "ask", head: "Ask", rank: 3.1 }],
      [named("high", "high"), { key: "high", head: "High", rank: 5 }],
      [named("low", "low"), { key: "low", head: "Low", rank: 5.1 }],
      [named("volume", "volume"), { key: "volume", head: "Volume", rank: 4 }],
      ["session", { key: "session", head: "Session", rank: 6, chars: 7, isText: true }],
    ]),
  ],
  trade: ({ marks, paths, main, named }) => [
    value(marks, main, "Price"),
    currency(paths),
    ...fields(marks, paths, [
      [named("size", "size", "quantity", "amount"), { key: "size", head: "Size", rank: 3, isSecond: true }],
      [named("side", "side"), { key: "side", head: "Side", rank: 3.1, chars: 5, isText: true, isSecond: true }],
    ]),
  ],
  weather: ({ marks, paths, main }) => [
    value(marks, main, main === undefined || /^temp/.test(main) ? "Temperature" : head(marks, main)),
    ...fields(marks, paths, [
      ["condition", { key: "condition", head: "Condition", rank: 3, chars: 14, isText: true, isSecond: true }],
      ["feels_like_c", { key: "felt", head: "Felt", rank: 4 }],
    ]),
    paths.has("wind_ms") && wind(marks),
    ...fields(marks, paths, [
      ["humidity_pct", { key: "humidity", head: "Humidity", rank: 5 }],
      ["pressure_hpa", { key: "pressure", head: "Pressure", rank: 6, chars: 10 }],
    ]),
  ],
  figures: ({ kind, marks, paths, main }) => {
    const first = value(marks, main, head(marks, main));
    first.isBar = format.PERCENT.test(format.shown(marks, main));
    const others = [...paths]
      .filter(([path, isFigure]) => isFigure && path !== main && !kinds.isTold(kind, path, marks))
      .slice(0, FIGURES_MAX)
      .map(([path], i) => field(marks, path, { rank: 3 + i, isSecond: i < 2 }));
    return [first, ...others];
  },
  tree: ({ marks, main, isText }) => [
    { ...value(marks, main, main === undefined ? "Value" : head(marks, main)), isText, most: isText ? WORDS_MAX : undefined },
  ],
};

function fields(marks, paths, wanted) {
  return wanted.filter(([path]) => path !== undefined && paths.has(path)).map(([path, more]) => field(marks, path, more));
}

function field(marks, path, more) {
  return {
    key: path,
    head: head(marks, path),
    title: path,
    path,
    chars: 7,
    text: (_topic, value) => {
      const leaf = at(value, path);
      return leaf === undefined ? "" : format.marked(marks, path, leaf);
    },
    sort: more.isText ? ({ value }) => String(inside(value, path) ?? "") : ({ value }) => figure(numeric(inside(value, path))),
    ...more,
  };
}

const inside = (value, path) => (value !== null && typeof value === "object" ? at(value, path) : undefined);
const figure = (number) => (Number.isNaN(number) ? -Infinity : number);

/** The main figure; its row says what it shows when it is another field than the head says. */
function value(_marks, main, words) {
  return { key: "value", head: words, title: main || "value", path: main, rank: 0, chars: 8, text: () => "", sort: ({ number }) => figure(number) };
}

const changeColumn = () => ({
  key: "change",
  head: "Change",
  title: "of the day, or since the open where it says so",
  rank: 1,
  chars: 9,
  isSecond: true,
  text: () => "",
  sort: kinds.amount,
});
const shareColumn = () => ({
  key: "change_pct",
  head: "Change %",
  title: "the change in percent",
  rank: 2,
  chars: 9,
  isSecond: true,
  text: () => "",
  sort: kinds.share,
});
const currency = (paths) =>
  paths.has("currency") && {
    key: "currency",
    head: "Currency",
    path: "currency",
    rank: 2.5,
    chars: 8,
    isText: true,
    text: (_topic, value) => String(at(value, "currency") ?? ""),
    sort: ({ value }) => String(inside(value, "currency") ?? ""),
  };
const sourceTime = () => ({
  key: "source_time",
  head: "Source time",
  title: "when its source had it",
  rank: 8,
  chars: 11,
  text: ({ sourceTs }) => clock(sourceTs),
  sort: ({ sourceTs }) => sourceTs,
});

/** A time, from a number of milliseconds or a text that is a time; else as it is. */
function clock(time) {
  const ms = Number.isNaN(numeric(time)) ? Date.parse(time) : numeric(time);
  if (!(ms > 0 && ms < 8.64e15)) return typeof time === "string" ? time.slice(0, 40) : "";
  return format.moment(ms < 1e11 ? ms * 1_000 : ms);
}

const WINDS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];
/** Where the wind blows to, by where it comes from. */
const ARROWS = ["↓", "↙", "←", "↖", "↑", "↗", "→", "↘"];

const wind = (marks) => ({
  ...field(marks, "wind_ms", { key: "wind", head: "Wind from", rank: 3.5, chars: 12, isSecond: true }),
  text: (_topic, value) => {
    const speed = at(value, "wind_ms");
    const degrees = numeric(at(value, "wind_deg"));
    if (speed === undefined) return "";
    return [format.marked(marks, "wind_ms", speed), windFrom(degrees)].filter(Boolean).join(" ");
  },
});

/** Where a wind comes from, as an arrow along it and a word: `↙ NE`. */
export function windFrom(degrees) {
  if (!Number.isFinite(degrees)) return "";
  const eighth = ((Math.round(degrees / 45) % 8) + 8) % 8;
  return `${ARROWS[eighth]} ${WINDS[eighth]}`;
}

/** A field as a head says it: without the unit that its figures show. */
function head(marks, path) {
  const words = format
    .label(path.endsWith("_per_s") && (marks.unit(path) ?? "").endsWith("/s") ? path.replace(/(_bytes)?_per_s$/, "") : path)
    .replace(/^rx(?![a-z])/, "received")
    .replace(/^tx(?![a-z])/, "sent");
  return words[0].toUpperCase() + words.slice(1);
}
