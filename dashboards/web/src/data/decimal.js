// Decimals computed exactly, as a source writes them: their digits as one whole number, and how many stand after the point.
import { Digits } from "./fields.js";

const TEXT = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,2}))?$/;
/** Digits of the longest decimal that is read; one that is longer is not computed with. */
const DIGITS_MAX = 60;

const power = (n) => 10n ** BigInt(n);

/** @typedef {{digits: bigint, scale: number}} Decimal its value is `digits / 10 ** scale` */

/** The decimal in a leaf, or null: a text of digits, a number, or one with the digits it was written in. */
export function decimal(leaf) {
  const text = leaf instanceof Digits ? leaf.source : typeof leaf === "number" ? String(leaf) : leaf;
  const found = typeof text === "string" && text.length <= DIGITS_MAX ? TEXT.exec(text) : null;
  if (!found) return null;
  const [, sign, whole, fraction = "", exponent = "0"] = found;
  const digits = BigInt(`${sign === "-" ? "-" : ""}${whole}${fraction}`);
  const scale = fraction.length - Number(exponent);
  return scale < 0 ? { digits: digits * power(-scale), scale: 0 } : { digits, scale };
}

/** `a − b`, exactly: with as many decimals as the longer one has. */
export function minus(a, b) {
  const scale = Math.max(a.scale, b.scale);
  return { digits: a.digits * power(scale - a.scale) - b.digits * power(scale - b.scale), scale };
}

/** `part` in percent of `whole`, rounded to `places`; null where the whole is not above zero. */
export function percentOf(part, whole, places) {
  if (whole.digits <= 0n) return null;
  const above = part.digits * power(whole.scale + places + 2);
  return { digits: divided(above, whole.digits * power(part.scale)), scale: places };
}

/** With so many decimals: zeros are added, digits that are too many rounded away. */
export function rounded({ digits, scale }, places) {
  if (places >= scale) return { digits: digits * power(places - scale), scale: places };
  return { digits: divided(digits, power(scale - places)), scale: places };
}

/** To the nearest whole number, halves away from zero. */
function divided(above, below) {
  const half = above < 0n ? -below / 2n : below / 2n;
  return (above + half) / below;
}

/** As text: `189.30`, `-0.05`. */
export function written({ digits, scale }) {
  const sign = digits < 0n ? "-" : "";
  const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, "0");
  return scale === 0 ? sign + text : `${sign}${text.slice(0, -scale)}.${text.slice(-scale)}`;
}
