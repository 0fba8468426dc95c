// Rules that say when a topic asks for attention: `sim.AAPL > 200`, `host.cpu:busy_pct >= 90 for 10s`, `sim.* stale`. Pure.
import { readTarget, writeTarget } from "./target.js";

export const RULES_MAX = 50;
const RULE_CHARS = 400;
const SEPARATOR = ";";
const OPERATORS = [">=", "<=", "!=", ">", "<", "="];
const NUMBER = /^[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?$/;
const DURATION = /^(\d{1,6})(ms|s|min|m|h)$/;
const LENGTHS = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 };
/** Nobody waits longer, and timers count no further. */
const FOR_MAX_MS = 86_400_000;
const EXAMPLE = "for example: sim.AAPL > 200";

/**
 * @typedef {{name: string, path: string | null, stale: boolean, operator?: string, number?: string, forMs: number, until?: {operator: string, number: string}}} Rule
 * `forMs` is how long it must hold before it fires, and `until` what ends it. Numbers keep their own digits.
 */

const WORDS = { ">": "above", ">=": "at or above", "<": "below", "<=": "at or below", "=": "equal to", "!=": "not" };
const HOLDS = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  "=": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

/** Whether a test holds for a number. */
export const holds = ({ operator, number }, value) => HOLDS[operator](value, Number(number));

/** A rule's test in words: `above 200`, `stale`. */
export const inWords = ({ stale, operator, number }) => (stale ? "stale" : `${WORDS[operator]} ${number}`);

/** The words of a rule; operators need no spaces around them. */
const wordsOf = (text) => text.replaceAll(/(>=|<=|!=|[<>=])/g, " $1 ").trim().split(/\s+/);

/** Reads one rule. Throws an Error that says what to change. */
export function readRule(text) {
  if (text.trim() === "") throw new Error(`Write a rule, ${EXAMPLE}`);
  if (text.length > RULE_CHARS) throw new Error(`A rule has at most ${RULE_CHARS} characters`);
  if (text.includes(SEPARATOR)) throw new Error(`Write one rule at a time, without "${SEPARATOR}"`);
  const words = wordsOf(text);
  if (OPERATORS.includes(words[0])) throw new Error(`A topic is missing in front of ${words[0]}, ${EXAMPLE}`);
  let target;
  try {
    target = readTarget(words.shift());
  } catch ({ message }) {
    throw new Error(message[0].toUpperCase() + message.slice(1));
  }
  const rule = { ...target, stale: false, forMs: 0 };
  const first = words.shift();
  if (first === undefined) throw new Error(`Say when: add a comparison or the word stale behind ${text.trim()}, ${EXAMPLE}`);
  if (first.toLowerCase() === "stale") {
    if (rule.path !== null) throw new Error(`A whole topic is stale, not a field: write ${rule.name} stale`);
    rule.stale = true;
  } else Object.assign(rule, readTest(first, words));
  while (words.length > 0) {
    const word = words.shift().toLowerCase();
    if (word === "for" && rule.forMs === 0) rule.forMs = readDuration(words.shift());
    else if (word === "until" && !rule.until) rule.until = readUntil(rule, words);
    else if (word === "for" || word === "until") throw new Error(`Write "${word}" once`);
    else if (word === "and" || word === "or") throw new Error(`Write two rules instead of "${word}"`);
    else throw new Error(`"${word}" is not understood there: what may follow is "for 10s" or "until < 198"`);
  }
  return rule;
}

function readTest(operator, words) {
  if (!OPERATORS.includes(operator)) {
    throw new Error(`"${operator}" is no comparison: write one of ${OPERATORS.join(" ")}, or the word stale`);
  }
  if (OPERATORS.includes(words[0])) throw new Error(`Write one of ${OPERATORS.join(" ")} instead of ${operator}${words[0]}`);
  const number = words.shift();
  if (number === undefined) throw new Error(`A number is missing behind ${operator}, ${EXAMPLE}`);
  if (/^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(number)) {
    throw new Error(`Write the number without commas: ${number.replaceAll(",", "")}`);
  }
  if (/^[+-]?[\d.]+[^\d.]+$/.test(number)) throw new Error(`Write the number without its unit: ${parseFloat(number)}`);
  if (!NUMBER.test(number) || !Number.isFinite(Number(number))) throw new Error(`"${number}" is no number: write it as 200 or 0.5`);
  return { operator, number };
}

function readDuration(word) {
  const [, n, unit] = DURATION.exec(word ?? "") ?? [];
  const ms = Number(n) * LENGTHS[unit];
  if (n === undefined) throw new Error(`Write a time behind "for": 500ms, 10s, 5m or 1h`);
  if (ms === 0 || ms > FOR_MAX_MS) throw new Error(`The time behind "for" is between 1ms and 24h`);
  return ms;
}

/** What ends an alert lies on the other side of what begins it, or it would end at once, or never. */
function readUntil(rule, words) {
  if (rule.stale) throw new Error(`A stale topic is over with its next value: leave "until" out`);
  if (words.length === 0) throw new Error(`A comparison is missing behind "until", for example: sim.AAPL > 200 until < 198`);
  const until = readTest(words.shift(), words);
  const [begins, ends] = [rule, until].map(({ operator }) => operator[0]);
  const opposite = { ">": "<", "<": ">" }[begins];
  if (opposite === undefined) throw new Error(`"until" goes with > >= < <= only: leave it out behind ${rule.operator}`);
  if (ends !== opposite) throw new Error(`"until" looks the other way: write until ${opposite} ${until.number}`);
  const distance = (Number(rule.number) - Number(until.number)) * (begins === ">" ? 1 : -1);
  const areBoth = rule.operator.endsWith("=") && until.operator.endsWith("=");
  if (distance < 0 || (distance === 0 && areBoth)) {
    const wanted = begins === ">" ? "smaller" : "greater";
    throw new Error(`"until ${until.operator} ${until.number}" holds together with ${rule.operator} ${rule.number}: write a ${wanted} number behind "until"`);
  }
  return until;
}

/** The text that `readRule` reads. */
export function writeRule(rule) {
  const { stale, operator, number, forMs, until } = rule;
  const unit = forMs % 3_600_000 === 0 ? "h" : forMs % 60_000 === 0 ? "m" : forMs % 1_000 === 0 ? "s" : "ms";
  return [
    writeTarget(rule),
    stale ? "stale" : `${operator} ${number}`,
    ...(forMs > 0 ? [`for ${forMs / LENGTHS[unit]}${unit}`] : []),
    ...(until ? [`until ${until.operator} ${until.number}`] : []),
  ].join(" ");
}

/** Reads all rules of an address; `flaws` says in sentences what could not be read. */
export function readRules(text) {
  const rules = [];
  const flaws = [];
  const seen = new Set();
  for (const part of text.split(SEPARATOR)) {
    if (part.trim() === "") continue;
    try {
      const rule = readRule(part);
      const key = writeRule(rule);
      if (seen.has(key)) continue;
      if (rules.length === RULES_MAX) {
        flaws.push(`${RULES_MAX} rules are the most; the others of the address are left out.`);
        break;
      }
      seen.add(key);
      rules.push(rule);
    } catch ({ message }) {
      flaws.push(`The rule “${part.trim().slice(0, 80)}” of the address is left out. ${message}.`);
    }
  }
  return { rules, flaws };
}

export const writeRules = (rules) => rules.map(writeRule).join(SEPARATOR);
