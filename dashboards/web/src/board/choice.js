// Which tiles a board has that its address does not name.

/** How long to wait for the feeds one hopes for before taking what there is. */
const PATIENCE_MS = 2_500;
const TILES = 12;
/** Kinds one hopes for, by the field that says them, and how many of each. */
const WISHES = [
  [({ kind }) => kind === "quote", 6],
  [({ name, kind }) => kind === "cpu" || /(^|[._-])cpu$/.test(name), 1],
  [({ name, kind }) => kind === "memory" || /(^|[._-])(memory|mem)$/.test(name), 1],
  [({ name, kind }) => kind === "load" || /(^|[._-])load$/.test(name), 1],
  [({ kind }) => kind === "weather" || kind === "observation", 3],
];

/**
 * The tiles of a first look, or null while it is too early to say: quotes, the processor, the memory, the weather. What is
 * missing is filled up with any other topics that have a figure.
 */
export function firstTiles(topics, waitedMs) {
  const drawable = [...topics]
    .filter((topic) => !Number.isNaN(topic.number))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const best = [];
  for (const [isWished, count] of WISHES) {
    best.push(...drawable.filter((topic) => isWished(topic) && !best.includes(topic)).slice(0, count));
  }
  if (best.length < TILES && waitedMs < PATIENCE_MS) return null;
  const others = drawable.filter((topic) => !best.includes(topic));
  const chosen = [...best, ...others].slice(0, TILES);
  return chosen.length > 0 ? chosen.map(({ name }, i) => ({ name, path: null, size: i === 0 ? "L" : "M" })) : null;
}
