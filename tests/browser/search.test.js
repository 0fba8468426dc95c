// The search: what a line means, what is said of a wrong one, and that it does as a plain evaluator does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nameTest } from "../../dashboards/web/src/data/glob.js";
import { FORMS, parse } from "../../dashboards/web/src/data/search.js";
import { marksOf } from "../../dashboards/web/src/data/contract.js";
import { Topic } from "../../dashboards/web/src/data/topics.js";

function topicOf(name, kind, value, more = {}) {
  const topic = new Topic(name);
  const data = { topic: name, seq: 7, ts: 1, value };
  topic.take(kind, data, JSON.stringify({ event: kind, data }));
  return Object.assign(topic, more);
}

const AAPL = topicOf("sim.AAPL", "quote", { price: "201.50", session: "open", volume: 1200, simulated: true });
const TRADE = topicOf("sim.trades.AAPL", "trade", { price: 199, side: "buy", tags: ["block", "late"] });
const OSLO = topicOf("nws.oslo", "weather", { condition: "light rain", place: { city: "Oslo Ø" }, wet: true, note: null }, { staleSince: 5 });
const WORD = topicOf("x.word", "note", "calm");
const SILENT = new Topic("quiet.one");
const ALL = [AAPL, TRADE, OSLO, WORD, SILENT];
const found = (text, about) => {
  const query = parse(text);
  assert.equal(query.error, "", text);
  return ALL.filter((topic) => query.test(topic, about)).map(({ name }) => name);
};

test("names are found by words and patterns", () => {
  assert.deepEqual(found(""), ALL.map(({ name }) => name));
  assert.deepEqual(found("  AAPL  quote"), ["sim.AAPL"]);
  assert.deepEqual(found("sim.*"), ["sim.AAPL"]);
  assert.deepEqual(found("sim.**"), ["sim.AAPL", "sim.trades.AAPL"]);
  assert.deepEqual(found("**.aapl"), ["sim.AAPL", "sim.trades.AAPL"]);
  assert.deepEqual(found("tr*"), ["sim.trades.AAPL"]);
  assert.deepEqual(found("*"), ALL.map(({ name }) => name));
  assert.deepEqual(found("-sim.** -quiet"), ["nws.oslo", "x.word"]);
  for (const [pattern, name, is] of [
    ["a.**", "a", false],
    ["a.**.b", "a.b", false],
    ["a.**.b", "a.x.y.b", true],
    ["**.**", "a", false],
    ["**.**", "a.b", true],
    ["a.*.c", "a.b.c", true],
    ["a.b*c", "a.bc", true],
    [`${"a*".repeat(40)}.b`, `${"a".repeat(200)}.c`, false],
  ]) {
    assert.equal(nameTest(pattern)(name), is, `${pattern} of ${name}`);
  }
});

test("values are found by their fields", () => {
  assert.deepEqual(found("price>200"), ["sim.AAPL"]);
  assert.deepEqual(found("price <= 199"), ["sim.trades.AAPL"]);
  assert.deepEqual(found("price=199.0"), ["sim.trades.AAPL"]);
  assert.deepEqual(found("session=OPEN,closed"), ["sim.AAPL"]);
  assert.deepEqual(found("session=op*"), ["sim.AAPL"]);
  assert.deepEqual(found('session="op*"'), []);
  assert.deepEqual(found('condition~"ght ra"'), ["nws.oslo"]);
  assert.deepEqual(found("side!=sell"), ["sim.trades.AAPL"]);
  assert.deepEqual(found("place.city~oslo"), ["nws.oslo"]);
  assert.deepEqual(found("wet=yes note=null"), ["nws.oslo"]);
  assert.deepEqual(found("tags=late"), ["sim.trades.AAPL"]);
  assert.deepEqual(found("value>200"), ["sim.AAPL"]);
  assert.deepEqual(found("value=calm"), ["x.word"]);
  assert.deepEqual(found('"oslo ø"'), ["nws.oslo"]);
  assert.deepEqual(found("kind=quote,trade feed=sim seq>6"), ["sim.AAPL", "sim.trades.AAPL"]);
  assert.deepEqual(found("topic=*.word"), ["x.word"]);
  assert.deepEqual(found(".kind=quote"), []);
  assert.deepEqual(found("constructor=1"), []);
  const marks = marksOf({ properties: { last: { "x-tickerd-role": "price", "x-tickerd-main": true } } }, {});
  assert.ok(parse("price>5").test({ name: "a.b", kind: "odd", value: { last: 6 }, marks, figures: ["last"] }));
});

test("topics are found by how they are", () => {
  assert.deepEqual(found("stale"), ["nws.oslo"]);
  assert.deepEqual(found("simulated"), ["sim.AAPL"]);
  assert.deepEqual(found("favourites", { isFavourite: (name) => name === "x.word" }), ["x.word"]);
  assert.deepEqual(found("-stale -simulated -favourite"), ["sim.trades.AAPL", "x.word", "quiet.one"]);
});

test("it knows when a tick alone can change the outcome", () => {
  for (const text of ["price>1", '"x"', "stale", "simulated", "-session=open", "seq>1"]) assert.ok(parse(text).isLive, text);
  for (const text of ["", "aapl", "sim.*", "kind=quote", "-feed=sim", "favourite"]) assert.ok(!parse(text).isLive, text);
});

test("a mistake is told with what to write, and hides nothing", () => {
  for (const [text, message] of [
    ["price>abc", 'After price> a number is needed, such as price>200; "abc" is none.'],
    ["price>", "After price> a value is missing, such as price>200."],
    [">5", "Before > a field is missing, such as price>200."],
    ['"open', 'The quote " is not closed: add a " where the text ends.'],
    ['a="open', 'The quote " is not closed: add a " where the text ends.'],
    ["price==5", "There is no operator ==; the operators are = != > >= < <= ~."],
    ['"price">5', "A field is written without quotes, such as price>200."],
    ["sim -", "After the minus a term is missing, such as -stale."],
    ["a=,", "After a= a value is missing, such as a=open."],
    ["x".repeat(501), "The search is too long: it may have 500 characters."],
    ["x ".repeat(21), "The search has too many terms: it may have 20."],
  ]) {
    const query = parse(text);
    assert.equal(query.error, message);
    assert.ok(ALL.every((topic) => query.test(topic)));
  }
});

test("each form that the help lists is one", () => {
  for (const [form] of FORMS) assert.equal(parse(form).error, "", form);
});

/** A generator of whole numbers below `n`, the same each time. */
function dice(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

test("it agrees with a plain evaluator, whatever the line and the value", () => {
  const roll = dice(20_261_129);
  const pick = (list) => list[roll(list.length)];
  const NAMES = ["sim", "AAPL", "net", "lo", "trades", "a1"];
  const leaf = () => pick(["open", "closed", "Light Rain", "12", "12.50", -3, 0, 12, 200.5, true, false, null, ""]);
  const topics = Array.from({ length: 60 }, () => {
    const value = pick([() => leaf(), () => ({ price: leaf(), session: leaf(), deep: { n: leaf() } }), () => ({ session: leaf() })])();
    const name = Array.from({ length: 2 + roll(3) }, () => pick(NAMES)).join(".");
    return topicOf(name, pick(["quote", "trade"]), value, { staleSince: roll(2), simulated: roll(2) === 0 });
  });
  const fieldOf = ({ value }, path) => path.split(".").reduce((node, key) => (node !== null && typeof node === "object" ? node[key] : undefined), value);
  const isText = (leaf) => leaf === null || typeof leaf !== "object";
  const number = (leaf) => (typeof leaf === "number" ? leaf : typeof leaf === "string" && leaf !== "" && leaf.trim() === leaf ? Number(leaf) : NaN);
  const terms = {
    word: () => {
      const word = pick(["AAPL", "quo", "sim.a", "zzz"]);
      return [word, ({ name, kind }) => `${name} ${kind}`.toLowerCase().includes(word.toLowerCase())];
    },
    pattern: () => {
      const parts = Array.from({ length: 2 + roll(3) }, () => pick([...NAMES, "*", "**", "a*"]));
      if (!parts.some((part) => part.includes("*"))) parts[0] = "**";
      const source = parts.map((part) => (part === "**" ? "[^.]+(?:\\.[^.]+)*" : part === "*" ? "[^.]+" : part.replace("*", "[^.]*")));
      const pattern = new RegExp(`^${source.join("\\.")}$`, "i");
      return [parts.join("."), ({ name }) => pattern.test(name)];
    },
    order: () => {
      const [field, operator, figure] = [pick(["price", "session", "deep.n"]), pick([">", ">=", "<", "<="]), pick([-3, 0, 12, 12.5, 300])];
      const holds = { ">": (a) => a > figure, ">=": (a) => a >= figure, "<": (a) => a < figure, "<=": (a) => a <= figure }[operator];
      return [`${field}${operator}${figure}`, (topic) => holds(number(fieldOf(topic, field)))];
    },
    equal: () => {
      const [field, operator, word] = [pick(["price", "session", "deep.n"]), pick(["=", "!=", "~"]), pick(["open", "light rain", "clo"])];
      const holds = (leaf) => {
        if (leaf === undefined || !isText(leaf)) return false;
        const small = String(leaf).toLowerCase();
        return operator === "=" ? small === word : operator === "!=" ? small !== word : small.includes(word);
      };
      return [`${field}${operator}${word.includes(" ") || roll(2) ? `"${word}"` : word}`, (topic) => holds(fieldOf(topic, field))];
    },
    state: () => pick([["stale", ({ staleSince }) => staleSince > 0], ["simulated", ({ simulated }) => simulated]]),
    text: () => {
      const word = pick(["open", "rain", "12", "true", "null"]);
      const holds = (node) => (isText(node) ? String(node).toLowerCase().includes(word) : Object.values(node).some(holds));
      return [`"${word}"`, ({ value }) => holds(value)];
    },
  };
  let hits = 0;
  for (let round = 0; round < 2_000; round += 1) {
    const made = Array.from({ length: roll(4) }, () => {
      const [text, holds] = pick(Object.values(terms))();
      return roll(4) === 0 ? [`-${text}`, (topic) => !holds(topic)] : [text, holds];
    });
    const line = made.map(([text]) => text).join(pick([" ", "  "]));
    const query = parse(line);
    assert.equal(query.error, "", line);
    for (const topic of topics) {
      const wanted = made.every(([, holds]) => holds(topic));
      assert.equal(query.test(topic), wanted, `${line} of ${topic.name} ${JSON.stringify(topic.value)}`);
      if (wanted) hits += 1;
    }
  }
  assert.ok(hits > 1_000, `only ${hits} hits: the lines are too narrow to say anything`);
});

test("no line makes it fail", () => {
  const roll = dice(7);
  const parts = ['"', "\\", "=", "!", "<", ">", "~", "-", " ", "a", "*", "**", ".", ",", "%", "1", "é", "\u0000", "stale", "kind="];
  for (let round = 0; round < 5_000; round += 1) {
    const line = Array.from({ length: roll(12) }, () => parts[roll(parts.length)]).join("");
    const query = parse(line);
    for (const topic of ALL) assert.equal(typeof query.test(topic), "boolean", line);
  }
});
