// The current values of a board as a file that a spreadsheet opens.
import { at, exact, leaves } from "../data/fields.js";
import { dayChange, stateOf } from "./tile.js";

const COLUMNS = ["topic", "field", "value", "unit", "change", "change_pct", "change_since", "time", "state", "simulated", "attribution"];
const NUMBER = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/;
/** A change as it is written: an amount, its share, or both. */
const CHANGE = /^([+-]?[\d.]+)?(?: ?\(?([+-]?[\d.]+) %\)?)?$/;

/** A cell. A text that a spreadsheet would take for a formula begins with an apostrophe. */
export function cell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @param tiles `[{name, path}]` @param isLive, isDown say of a topic's name what its tile says */
export function csv(tiles, topics, isLive, isDown) {
  const rows = tiles.map(({ name, path }) => {
    const topic = topics.get(name);
    const state = stateOf(topic, isLive(name), isDown(name)) || "live";
    if (!topic || topic.text === "") return [name, path ?? "", "", "", "", "", "", "", state, "", ""];
    const value = exact(topic.text).data.value;
    const field = path ?? topic.figures[0] ?? leaves(value)[0]?.[0] ?? "";
    const leaf = at(value, field);
    const moved = field === topic.figures[0] ? dayChange(topic, value) : { text: "" };
    const [, change = "", share = ""] = CHANGE.exec(moved.text.replace(/^[▲▼] /, "").replaceAll("−", "-")) ?? [];
    const time = Number.isFinite(topic.ts) && Math.abs(topic.ts) < 8.64e15 ? new Date(topic.ts).toISOString() : "";
    const simulated = topic.simulated ? "simulated" : "";
    return [name, field, digits(leaf), topic.marks.unit(field) ?? "", change, share, moved.since ?? "", time, state, simulated, topic.credit];
  });
  return [COLUMNS, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** A leaf with its own digits. */
function digits(leaf) {
  if (leaf === undefined || leaf === null) return "";
  if (typeof leaf === "object") return leaf.source ?? JSON.stringify(leaf);
  return String(leaf);
}

/** Hands a text to the reader as a file. */
export function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\uFEFF", text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
