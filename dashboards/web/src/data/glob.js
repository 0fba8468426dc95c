// Patterns of names: `sim.*`, `**.AAPL`, `sim.A*`. Matched without going back more than once, so that none is slow.

/** Whether `text` is as `pattern` says, in which `*` stands for any characters, or none. */
export const glob = (pattern, text) => isLike([...pattern], [...text], (p) => p === "*", (p, t) => p === t);

const ANY = Symbol("any number of segments");
const segments = (pattern) => pattern.split(".").flatMap((part) => (part === "**" ? ["*", ANY] : [part]));
const fits = (part, segment) => (part === "*" ? segment !== "" : glob(part, segment));

/**
 * A test for topics' names: `*` is one segment or a part of one, `**` one segment or more. A pattern without a dot is
 * looked for among the segments. Letters count as they are, capital or small alike.
 */
export function nameTest(pattern) {
  const small = pattern.toLowerCase();
  if (!small.includes(".") && small !== "**") return (name) => name.toLowerCase().split(".").some((part) => fits(small, part));
  const wanted = segments(small);
  return (name) => isLike(wanted, name.toLowerCase().split("."), (part) => part === ANY, fits);
}

/** Goes along both at once; where they differ, the last star takes one more. */
function isLike(pattern, items, isStar, isSame) {
  let p = 0;
  let i = 0;
  let star = -1;
  let from = 0;
  while (i < items.length) {
    if (p < pattern.length && isStar(pattern[p])) {
      star = p++;
      from = i;
    } else if (p < pattern.length && isSame(pattern[p], items[i])) {
      p += 1;
      i += 1;
    } else if (star >= 0) {
      p = star + 1;
      i = from += 1;
    } else return false;
  }
  while (p < pattern.length && isStar(pattern[p])) p += 1;
  return p === pattern.length;
}
