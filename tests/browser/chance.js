// Chance that can be had again: numbers from a seed, for tests of properties.

/** The seed of this run; SEED in the environment repeats another. */
export const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

/** A source of chance: `next()` is in [0, 1), `below(n)` a whole number, `of(list)` one of a list. */
export function chance(start = seed) {
  let state = start >>> 0;
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return { next, below, of: (list) => list[below(list.length)] };
}
