// Names of topics, patterns, and rates.

export const isPattern = (name) => name.includes("*");

/** Whether a topic is one of a pattern's: `*` is one segment, `**`, as the last, one or more. */
export function matches(pattern, topic) {
  const wanted = pattern.split(".");
  const has = topic.split(".");
  // A wildcard in the first place means no topic of the server's own, nor does the first behind a bar's period.
  if (has[0] === "tickerd") {
    if (wanted[0] !== "tickerd") return false;
    if (has[1]?.startsWith("bar") && has[3] === "tickerd" && wanted[3]?.startsWith("*")) return false;
  }
  const isRest = wanted.at(-1) === "**";
  if (isRest ? has.length < wanted.length : has.length !== wanted.length) return false;
  return wanted.every((segment, i) => segment[0] === "*" || segment === has[i]);
}

/** What is a list of things, whatever a server says. */
export const list = (value) => (Array.isArray(value) ? value.filter(Boolean) : []);

/** A number within bounds; `otherwise` where it is none. */
export const clamp = (value, otherwise, least, most) => Math.min(Math.max(Number.isFinite(value) ? value : otherwise, least), most);

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Whether a topic is one of these names'. */
export const covers = (names, topic) => names.some((name) => name === topic || (isPattern(name) && matches(name, topic)));

/** A rate such as `"250ms"` in milliseconds; 0 for none, which is the fastest. */
export const rateMs = (rate) => parseInt(rate) * UNITS[`${rate}`.replace(/\d+/, "")] || 0;
