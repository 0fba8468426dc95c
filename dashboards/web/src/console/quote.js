// Writes values as text of other languages, so that any topic and any value may stand in copied code.

/** Keys of a terminal: pasted as they are, they would end the quotes, or the line. */
const KEYS = /[\x01-\x09\x0b-\x1f\x7f]/g;
const octal = (key) => key.charCodeAt(0).toString(8).padStart(3, "0");

/** As one word of a POSIX shell. */
export const shell = (text) =>
  `'${text.replaceAll("'", `'\\''`).replace(KEYS, (key) => `'"$(printf '\\${octal(key)}')"'`)}'`;

/** As a part of an address. What no address can hold (half of a character) becomes U+FFFD. */
export const inAddress = (text) => encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, "\ufffd"));

/** As one JSON text without line breaks. */
export const json = (value) => JSON.stringify(value);

const PLAIN_KEY = /^[A-Za-z_$][\w$]*$/;

/** As an expression of JavaScript, which may also stand in a `<script>` of a page. */
export function javascript(value) {
  if (Array.isArray(value)) return `[${value.map(javascript).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.entries(value).map(([key, member]) => `${keyOf(key)}: ${javascript(member)}`);
    return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
  }
  return typeof value === "string" ? text(value) : JSON.stringify(value);
}

/** A member of that name would set what the object inherits from; in brackets it is a member like any other. */
const keyOf = (key) => (key === "__proto__" ? '["__proto__"]' : PLAIN_KEY.test(key) ? key : text(key));

const text = (value) => JSON.stringify(value).replaceAll("</", "<\\/").replaceAll("<!--", "<\\!--");

/** As an expression of Python. */
export function python(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value)
      .map(([key, member]) => `${python(key)}: ${python(member)}`)
      .join(", ")}}`;
  }
  return JSON.stringify(value); // its escapes are Python's as well
}
