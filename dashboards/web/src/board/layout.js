// Which tiles a board has, in order, as text: `sim.AAPL,host.cpu:busy_pct*L,weather.*`. Pure: no document, no address.
import { isPattern, matcher, readTarget, writeTarget } from "./target.js";

/** More than these are no board but a table. */
export const TILES_MAX = 100;
/** Small, medium, large. Medium is not written. */
export const SIZES = ["S", "M", "L"];
const ITEM = /^(.*?)(?:\*([SML]))?$/s;

/** @typedef {{name: string, path: string | null, size: string}} Item a topic or a pattern, its field, the size of its tiles */

/** What makes two tiles the same. */
export const keyOf = ({ name, path }) => writeTarget({ name, path });

/** Reads a layout; `flaws` says in sentences what could not be read. */
export function readLayout(text) {
  const items = [];
  const flaws = [];
  const seen = new Set();
  for (const part of text.split(",")) {
    if (part.trim() === "") continue;
    const [, target, size = "M"] = ITEM.exec(part.trim());
    try {
      const item = { ...readTarget(target), size };
      if (seen.has(keyOf(item))) continue;
      if (items.length === TILES_MAX) {
        flaws.push(`The address names more than ${TILES_MAX} tiles, which is the most.`);
        break;
      }
      seen.add(keyOf(item));
      items.push(item);
    } catch ({ message }) {
      flaws.push(`A tile of the address is left out: ${message}.`);
    }
  }
  return { items, flaws };
}

/** The text that `readLayout` reads. */
export const writeLayout = (items) =>
  items.map((item) => writeTarget(item) + (item.size === "M" ? "" : `*${item.size}`)).join(",");

/**
 * The tiles of a layout: topics as they are, each pattern as the known topics that it matches, in order of their names.
 * `left` counts those for which there is no room.
 */
export function expand(items, names) {
  const tiles = new Map();
  let left = 0;
  const add = (item) => {
    const key = keyOf(item);
    if (tiles.has(key)) return;
    if (tiles.size < TILES_MAX) tiles.set(key, item);
    else left += 1;
  };
  // A topic that is named keeps its own place and size, also where a pattern before it matches it.
  const named = new Set(items.filter(({ name }) => !isPattern(name)).map(keyOf));
  let sorted = null;
  for (const item of items) {
    if (!isPattern(item.name)) add(item);
    else {
      sorted ??= [...names].sort();
      const matches = matcher(item.name);
      for (const name of sorted) if (matches(name) && !named.has(keyOf({ ...item, name }))) add({ ...item, name });
    }
  }
  return { tiles: [...tiles.values()], left };
}

/** The layout with its patterns replaced by the tiles that they have, so that single ones can be moved; a pattern without any stays. */
export function settled(items, names) {
  const { tiles } = expand(items, names);
  const known = [...names];
  const empty = items.filter(({ name }) => isPattern(name) && !known.some(matcher(name)));
  return [...tiles, ...empty];
}

/** The list with one item in another place. */
export function moved(items, from, to) {
  const list = [...items];
  const [item] = list.splice(from, 1);
  list.splice(to, 0, item);
  return list;
}
