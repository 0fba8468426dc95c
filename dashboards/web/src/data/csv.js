// The table as CSV (RFC 4180): a line per topic, a column per field, the digits as their sources wrote them.
import { Digits, exact } from "./fields.js";
import { flat, isBranch } from "./json.js";

/** Columns at most; a table of more is told to be cut off. */
const COLUMNS_MAX = 500;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
/** What a spreadsheet takes for the begin of a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/** One cell. A text that a spreadsheet would run as a formula gets an apostrophe before it; a number does not. */
export function cell(text) {
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function written(leaf) {
  if (leaf instanceof Digits) return leaf.source;
  if (typeof leaf === "string") return leaf;
  return isBranch(leaf) ? JSON.stringify(leaf) : String(leaf);
}

const time = (ms) => (ms > 0 && ms < 8.64e15 ? new Date(ms).toISOString() : "");

/**
 * Topics as CSV. The columns are `topic`, `kind`, `time` and then each field under its path, `value` for a bare value;
 * a field that a topic does not have is empty. `cut` says how many fields had no column.
 * @param {Iterable<{name: string, kind: string, ts: number, text: string}>} topics
 */
export function csv(topics) {
  const paths = new Map();
  const cut = new Set();
  const lines = [];
  for (const { name, kind, ts, text } of topics) {
    const line = [name, kind, time(ts)];
    for (const [path, leaf] of text === "" ? [] : flat(exact(text).data?.value)) {
      const key = path === "" ? "value" : path;
      if (!paths.has(key)) {
        if (paths.size >= COLUMNS_MAX) {
          if (cut.size < COLUMNS_MAX) cut.add(key);
          continue;
        }
        paths.set(key, paths.size + 3);
      }
      line[paths.get(key)] = written(leaf);
    }
    lines.push(line);
  }
  const width = paths.size + 3;
  const all = [["topic", "kind", "time", ...paths.keys()], ...lines];
  return { text: all.map((line) => Array.from({ length: width }, (_, i) => cell(line[i] ?? "")).join(",")).join("\r\n") + "\r\n", cut: cut.size };
}
