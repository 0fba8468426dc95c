// A value as JSON text and as flat fields, with the digits that its source wrote.
import { Digits } from "./fields.js";

/** Fields taken of one value; a value that nests deeper, or has more, is cut off there. */
const FIELDS_MAX = 1_000;
const DEPTH_MAX = 32;

export const isBranch = (node) => node !== null && typeof node === "object" && !(node instanceof Digits);

/** One leaf as JSON: `"open"`, `189.30`, `null`. */
export const leafText = (leaf) => (leaf instanceof Digits ? leaf.source : (JSON.stringify(leaf) ?? "null"));

/** A value as `exact` gives it, as JSON with two spaces a level. */
export function pretty(value) {
  // A private mark stands for each number while the rest is written.
  const sources = [];
  const mark = `\u0000${Math.random()}\u0000`;
  const text = JSON.stringify(value, (_key, node) => (node instanceof Digits ? mark + (sources.push(node.source) - 1) : node), 2);
  const quoted = JSON.stringify(mark).slice(1, -1);
  return (text ?? "null").split(`"${quoted}`).map((part, i) => (i === 0 ? part : sources[parseInt(part, 10)] + part.slice(part.indexOf('"') + 1))).join("");
}

/** All leaves of a value as `[path, leaf]`, in its own order; an empty list or object is a leaf. */
export function* flat(value) {
  let count = 0;
  function* walk(node, path, depth) {
    const entries = isBranch(node) && depth < DEPTH_MAX ? Object.entries(node) : [];
    if (entries.length === 0) {
      if ((count += 1) <= FIELDS_MAX) yield [path, node];
      return;
    }
    for (const [key, child] of entries) {
      if (count >= FIELDS_MAX) return;
      yield* walk(child, path === "" ? key : `${path}.${key}`, depth + 1);
    }
  }
  yield* walk(value, "", 0);
}
