// What a reader looks for among the topics, as one line: `sim.* price>200 -stale`. Every term must hold.
import { at, numeric } from "./fields.js";
import { glob, nameTest } from "./glob.js";

/** The forms of a term, as the help lists them. */
export const FORMS = [
  ["apple", "the name or the kind contains this word"],
  ["sim.*", "the name matches; * is one segment or a part of one"],
  ["**.AAPL", "the name matches; ** is one segment or more"],
  ["price>200", "a field of the value; the operators are = != > >= < <="],
  ["session=open,closed", "a field is one of these texts; open* is one that begins so"],
  ['condition~"light rain"', "a field contains this text"],
  ["kind=quote", "also feed=, topic= and seq>; .kind= is a field of the value that is called so"],
  ["value>5", "the main figure, whatever its field is called"],
  ['"Oslo"', "this text stands anywhere in the value"],
  ["stale", "also simulated and favourite: the topic is so"],
  ["-stale", "a minus before any term: it must not hold"],
];

const LENGTH_MAX = 500;
const TERMS_MAX = 20;
/** Parts of a value that a text is looked for in. */
const NODES_MAX = 10_000;
const OPERATORS = "= != > >= < <= ~";
const OPERATOR = /\s*(!=|>=|<=|=|>|<|~)\s*/y;
const BARE = /(?:[^\s"=<>~!]|!(?!=))+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$/;
/** The words that tell how a topic is. */
const STATES = {
  stale: (topic) => topic.staleSince > 0 || topic.isOld,
  simulated: (topic) => topic.simulated,
  favourite: (topic, { isFavourite }) => isFavourite(topic.name),
};
/** Fields that are the topic's own and not its value's. */
const OWN = { kind: "kind", feed: "feed", topic: "name", seq: "seq" };

class Mistake extends Error {}

/**
 * Reads a line. `error` is a sentence for who typed it, or ""; then `test` lets every topic pass. `isLive` tells whether
 * a tick alone can change the outcome.
 * @returns {{error: string, isEmpty: boolean, isLive: boolean, test: (topic: object, about?: object) => boolean}}
 */
export function parse(text) {
  try {
    if (text.length > LENGTH_MAX) throw new Mistake(`The search is too long: it may have ${LENGTH_MAX} characters.`);
    const terms = [...read(text)];
    return {
      error: "",
      isEmpty: terms.length === 0,
      isLive: terms.some((term) => term.isLive),
      test: (topic, about = NOBODY) => terms.every((term) => term.test(topic, about) !== term.isNegated),
    };
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    return { error: error.message, isEmpty: true, isLive: false, test: () => true };
  }
}

const NOBODY = { isFavourite: () => false };

/** The terms of a line. */
function* read(text) {
  let place = 0;
  let count = 0;
  const take = (pattern) => {
    pattern.lastIndex = place;
    const found = pattern.exec(text);
    if (found) place = pattern.lastIndex;
    return found;
  };
  for (;;) {
    take(/\s*/y);
    if (place >= text.length) return;
    if ((count += 1) > TERMS_MAX) throw new Mistake(`The search has too many terms: it may have ${TERMS_MAX}.`);
    const isNegated = take(/[-!](?!=)/y) !== null;
    if (isNegated && /^(\s|$)/.test(text.slice(place))) throw new Mistake("After the minus a term is missing, such as -stale.");
    yield { isNegated, ...term(take, text, () => place) };
  }
}

function term(take, text, place) {
  const quoted = take(QUOTED);
  if (quoted) {
    if (OPERATOR_NEXT.test(text.slice(place()))) throw new Mistake(`A field is written without quotes, such as price>200.`);
    return anywhere(plain(quoted[1]));
  }
  if (text[place()] === '"') throw new Mistake(`The quote " is not closed: add a " where the text ends.`);
  const word = take(BARE)?.[0];
  const operator = take(OPERATOR)?.[1];
  if (operator === undefined) return named(word);
  if (word === undefined) throw new Mistake(`Before ${operator} a field is missing, such as price${operator}200.`);
  const literal = take(QUOTED);
  if (literal) return comparison(word, operator, { text: plain(literal[1]), isQuoted: true });
  if (text[place()] === '"') throw new Mistake(`The quote " is not closed: add a " where the text ends.`);
  if (/[=<>~!]/.test(text[place()] ?? "")) {
    throw new Mistake(`There is no operator ${operator}${text[place()]}; the operators are ${OPERATORS}.`);
  }
  const bare = take(BARE)?.[0];
  if (bare === undefined) throw new Mistake(`After ${word}${operator} a value is missing, such as ${word}${operator}${operator === "~" ? "rain" : 200}.`);
  return comparison(word, operator, { text: bare, isQuoted: false });
}

const OPERATOR_NEXT = /^\s*(!=|>=|<=|=|>|<|~)/;
const plain = (quoted) => quoted.replaceAll(/\\(.)/g, "$1");

/** A term without an operator: a state, a pattern, or a word of the name or the kind. */
function named(word) {
  const state = word === "favourites" ? "favourite" : word;
  if (Object.hasOwn(STATES, state)) return { isLive: state !== "favourite", test: STATES[state] };
  if (word.includes("*")) {
    const passes = nameTest(word);
    return { isLive: false, test: ({ name }) => passes(name) };
  }
  const small = word.toLowerCase();
  return { isLive: false, test: ({ name, kind }) => `${name} ${kind}`.toLowerCase().includes(small) };
}

function anywhere(wanted) {
  const small = wanted.toLowerCase();
  return { isLive: true, test: ({ value }) => contains(value, small) };
}

/** Whether a text stands in one of a value's leaves. */
function contains(value, small) {
  const waiting = [value];
  for (let n = 0; waiting.length > 0 && n < NODES_MAX; n += 1) {
    const node = waiting.pop();
    if (node !== null && typeof node === "object") {
      for (const child of Object.values(node)) {
        if (waiting.length >= NODES_MAX) break;
        waiting.push(child);
      }
    } else if (node !== undefined && String(node).toLowerCase().includes(small)) return true;
  }
  return false;
}

const TESTS = {
  "=": (leaf, wanted) => wanted.some((one) => isEqual(leaf, one)),
  "!=": (leaf, wanted) => !wanted.some((one) => isEqual(leaf, one)),
  "~": (leaf, [{ small }]) => String(leaf).toLowerCase().includes(small),
  ">": (leaf, [{ number }]) => numeric(leaf) > number,
  ">=": (leaf, [{ number }]) => numeric(leaf) >= number,
  "<": (leaf, [{ number }]) => numeric(leaf) < number,
  "<=": (leaf, [{ number }]) => numeric(leaf) <= number,
};

function comparison(field, operator, { text, isQuoted }) {
  const isOrder = operator.startsWith(">") || operator.startsWith("<");
  const parts = !isQuoted && (operator === "=" || operator === "!=") ? text.split(",").filter(Boolean) : [text];
  const wanted = parts.map((part) => ({
    small: part.toLowerCase(),
    number: NUMBER.test(part.replace(/%$/, "")) ? Number(part.replace(/%$/, "")) : NaN,
    isQuoted,
  }));
  if (wanted.length === 0) throw new Mistake(`After ${field}${operator} a value is missing, such as ${field}${operator}open.`);
  if (isOrder && Number.isNaN(wanted[0].number)) {
    throw new Mistake(`After ${field}${operator} a number is needed, such as ${field}${operator}200; "${text}" is none.`);
  }
  const test = TESTS[operator];
  const find = finder(field);
  return {
    isLive: !["kind", "feed", "topic"].includes(field),
    test(topic) {
      const leaf = find(topic);
      if (leaf === undefined) return false;
      return Array.isArray(leaf) ? leaf.some((one) => isLeaf(one) && test(one, wanted)) : isLeaf(leaf) && test(leaf, wanted);
    },
  };
}

const isLeaf = (node) => node === null || typeof node !== "object";

/** Where a field's value is: the topic's own, the value's at that path, or the one that is marked with that role. */
function finder(field) {
  if (Object.hasOwn(OWN, field)) return (topic) => topic[OWN[field]];
  const path = field.startsWith(".") ? field.slice(1) : field;
  return ({ value, marks, figures }) => {
    if (value === undefined) return undefined;
    const leaf = path === "" ? value : value !== null && typeof value === "object" ? at(value, path) : undefined;
    if (leaf !== undefined) return leaf;
    const other = path === "value" ? (figures[0] ?? (isLeaf(value) ? "" : undefined)) : marks?.field(path);
    return other === undefined ? undefined : at(value, other);
  };
}

function isEqual(leaf, { small, number, isQuoted }) {
  if (!isQuoted) {
    if (typeof leaf === "boolean") return small === String(leaf) || small === (leaf ? "yes" : "no");
    if (!Number.isNaN(number)) return numeric(leaf) === number;
    if (small.includes("*")) return glob(small, String(leaf).toLowerCase());
  }
  return String(leaf).toLowerCase() === small;
}
