// Which topics a text means, and which of their fields: `sim.AAPL`, `host.cpu:busy_pct`, `sim.*`, `weather.**:humidity_pct`.

const SEGMENT = /^(?:[A-Za-z0-9_-]|%[0-9A-F]{2}){1,64}$/;
/** Names of bars are the longest. */
const SEGMENTS_MAX = 11;
const NAME_MAX = 180;
const PATH_MAX = 200;
/** What may stand in a field's path as it is; other bytes are written as `%XX`. */
const PLAIN = /^[A-Za-z0-9_.\-/]$/;

export const isPattern = (name) => name.includes("*");

/** Why a text is neither a topic nor a pattern, or "". */
export function flaw(name) {
  if (name === "") return "a topic is missing";
  const segments = name.split(".");
  const wrong = segments.find((one, i) => !(one === "*" || SEGMENT.test(one) || (one === "**" && i === segments.length - 1)));
  if (wrong === undefined && segments.length <= SEGMENTS_MAX && name.length <= NAME_MAX) return "";
  if (wrong === "") return `"${name}" has a dot too many`;
  if (wrong === "**") return `"${name}": ** stands at the end, as in sim.**`;
  if (wrong?.includes("*")) return `"${name}": * stands for a whole part between dots, as in sim.*`;
  if (wrong !== undefined) return `"${name}": a topic has letters, digits, _ and -, in parts joined by dots`;
  return `"${name.slice(0, 40)}…" is too long for a topic`;
}

/** A function that says whether a topic's name is meant by a topic or a pattern. */
export function matcher(name) {
  if (!isPattern(name)) return (other) => other === name;
  const parts = name.split(".").map((part) => (part === "**" ? ".+" : part === "*" ? "[^.]+" : part));
  const whole = new RegExp(`^${parts.join("\\.")}$`);
  // A wildcard in front means no topic of the server's own.
  const isOpen = name.startsWith("*");
  return (other) => whole.test(other) && !(isOpen && other.startsWith("tickerd."));
}

/** Reads `NAME` or `NAME:FIELD` as `{name, path}`; the path is null where none is named. Throws an Error that says what to change. */
export function readTarget(text) {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  const problem = flaw(name);
  if (problem) throw new Error(problem);
  if (colon < 0) return { name, path: null };
  const written = text.slice(colon + 1);
  if (written === "") throw new Error(`a field is missing behind the colon of "${text}"`);
  if (written.length > 3 * PATH_MAX) throw new Error(`the field of "${name}" has too long a name`);
  try {
    return { name, path: decodeURIComponent(written) };
  } catch {
    throw new Error(`"${text}": write a % in a field's name as %25`);
  }
}

/** The text that `readTarget` reads. */
export const writeTarget = ({ name, path }) => (path === null || path === "" ? name : `${name}:${escaped(path)}`);

/** Of a path that is too long, what is kept names no field; it is written all the same, as it came. */
function escaped(path) {
  let text = "";
  for (const character of path) {
    if (PLAIN.test(character)) text += character;
    else for (const byte of new TextEncoder().encode(character)) text += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
