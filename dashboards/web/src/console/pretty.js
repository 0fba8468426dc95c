// JSON text with line breaks and indents. Digits and escapes stay as they came: the text is not parsed.

const STRING = /"(?:[^"\\]|\\.)*"?/y;
const PLAIN = /[^"{}[\],:\s]+/y;
const DEPTH_MAX = 64;

/** What is no JSON comes back with its pieces in the same order. */
export function pretty(text) {
  let out = "";
  let depth = 0;
  let at = 0;
  const line = () => `\n${"  ".repeat(Math.min(depth, DEPTH_MAX))}`;
  while (at < text.length) {
    const sign = text[at];
    const piece = sign === '"' ? STRING : PLAIN;
    piece.lastIndex = at;
    const found = piece.exec(text)?.[0];
    if (found) {
      out += found;
      at += found.length;
      continue;
    }
    at += 1;
    if (sign === "{" || sign === "[") {
      const [empty] = /^\s*[}\]]/.exec(text.slice(at, at + 64)) ?? [];
      if (empty) {
        out += sign + empty.trim();
        at += empty.length;
      } else {
        depth += 1;
        out += sign + line();
      }
    } else if (sign === "}" || sign === "]") {
      depth = Math.max(0, depth - 1);
      out += line() + sign;
    } else if (sign === ",") out += sign + line();
    else if (sign === ":") out += ": ";
  }
  return out;
}
