// The rules of alerts: how they are written, and when they fire.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inWords, readRule, readRules, RULES_MAX, writeRule, writeRules } from "../../dashboards/web/src/board/rules.js";
import { HOLD_MS, Watches } from "../../dashboards/web/src/board/watch.js";
import { Marks } from "../../dashboards/web/src/data/contract.js";
import { Topic } from "../../dashboards/web/src/data/topics.js";
import { chance, seed } from "./chance.js";

const rule = (more) => ({ name: "sim.AAPL", path: null, stale: false, forMs: 0, ...more });

for (const [text, read, written = text] of [
  ["sim.AAPL > 200", rule({ operator: ">", number: "200" })],
  ["  sim.AAPL>200 ", rule({ operator: ">", number: "200" }), "sim.AAPL > 200"],
  ["sim.AAPL >= -0.50", rule({ operator: ">=", number: "-0.50" })],
  ["sim.AAPL != 1e3", rule({ operator: "!=", number: "1e3" })],
  ["host.cpu:busy_pct >= 90 for 10s", rule({ name: "host.cpu", path: "busy_pct", operator: ">=", number: "90", forMs: 10_000 })],
  ["sim.* stale", rule({ name: "sim.*", stale: true })],
  ["sim.** STALE for 5min", rule({ name: "sim.**", stale: true, forMs: 300_000 }), "sim.** stale for 5m"],
  ["a.b = 1 for 90s", rule({ name: "a.b", operator: "=", number: "1", forMs: 90_000 })],
  [
    "sim.AAPL > 200 until < 198",
    rule({ operator: ">", number: "200", until: { operator: "<", number: "198" } }),
  ],
  [
    "sim.AAPL<=5 until>=5.5 for 1h",
    rule({ operator: "<=", number: "5", forMs: 3_600_000, until: { operator: ">=", number: "5.5" } }),
    "sim.AAPL <= 5 for 1h until >= 5.5",
  ],
  ["a.b:x%20y%3B > 1", rule({ name: "a.b", path: "x y;", operator: ">", number: "1" })],
  ["users.auth0%7C5f7 < 3", rule({ name: "users.auth0%7C5f7", operator: "<", number: "3" })],
]) {
  test(`the rule "${text}" is read, and written as "${written}"`, () => {
    assert.deepEqual(readRule(text), read);
    assert.equal(writeRule(read), written);
  });
}

for (const [text, error] of [
  ["", /Write a rule, for example: sim\.AAPL > 200/],
  ["> 200", /A topic is missing/],
  ["sim.AAPL", /Say when/],
  ["sim.AAPL 200", /"200" is no comparison: write one of >= <= != > < =/],
  ["sim.AAPL >", /A number is missing behind >/],
  ["sim.AAPL => 3", /instead of =>/],
  ["sim.AAPL > 1,000.5", /without commas: 1000\.5/],
  ["sim.AAPL > 90%", /without its unit: 90/],
  ["sim.AAPL > high", /"high" is no number/],
  ["sim.AAPL > 1e999", /is no number/],
  ["sim.A* > 1", /\* stands for a whole part/],
  ["sim.**.x > 1", /\*\* stands at the end/],
  ["sim..x > 1", /a dot too many/],
  ["sim/x > 1", /letters, digits/],
  ["sim.AAPL: > 1", /field is missing/],
  ["sim.AAPL:a%zz > 1", /%25/],
  ["sim.AAPL:price stale", /A whole topic is stale/],
  ["sim.AAPL > 1 for", /time behind "for"/],
  ["sim.AAPL > 1 for 10", /time behind "for"/],
  ["sim.AAPL > 1 for 0s", /between 1ms and 24h/],
  ["sim.AAPL > 1 for 25h", /between 1ms and 24h/],
  ["sim.AAPL > 1 for 1s for 2s", /"for" once/],
  ["sim.AAPL > 1 and < 3", /two rules instead of "and"/],
  ["sim.AAPL > 1 loud", /"loud" is not understood/],
  ["sim.AAPL > 1; sim.B > 2", /one rule at a time/],
  ["sim.AAPL stale until > 3", /leave "until" out/],
  ["sim.AAPL = 1 until < 0", /leave it out behind =/],
  ["sim.AAPL > 200 until > 198", /write until < 198/],
  ["sim.AAPL > 200 until < 201", /a smaller number behind "until"/],
  ["sim.AAPL < 200 until > 199", /a greater number behind "until"/],
  ["sim.AAPL >= 200 until <= 200", /a smaller number/],
  [`sim.${"x".repeat(500)} > 1`, /at most 400 characters/],
]) {
  test(`the rule "${text.slice(0, 40)}" is refused in words`, () => {
    assert.throws(() => readRule(text), ({ message }) => (assert.match(message, error), true));
  });
}

test("a rule that is written is read the same", () => {
  const { below, of, next } = chance();
  const part = () => Array.from({ length: 1 + below(5) }, () => of([..."abcXYZ019_-"])).join("") + of(["", "", "%7C"]);
  const name = () => [part(), ...Array.from({ length: below(3) }, () => of([part, () => "*"])()), ...of([[], [], ["**"]])].join(".");
  const path = () => Array.from({ length: 1 + below(6) }, () => of([..."ab.;:,*%<>= \t\"é漢😀/-"])).join("");
  const number = () => of([String(below(1_000)), (next() * 100 - 50).toFixed(below(5)), `${below(9)}e-${below(9)}`]);
  for (let i = 0; i < 3_000; i += 1) {
    const stale = below(4) === 0;
    const one = { name: name(), path: stale || below(2) ? null : path(), stale, forMs: of([0, 1, 250, 1_000, 90_000, 3_600_000]) };
    if (!stale) Object.assign(one, { operator: of([">", ">=", "<", "<=", "=", "!="]), number: number() });
    if (!stale && one.operator[0] === ">" && below(2)) {
      one.until = { operator: "<", number: String(Number(one.number) - below(3)) };
      if (/e/.test(one.until.number)) delete one.until;
    }
    const text = writeRule(one);
    assert.deepEqual(readRule(text), one, `seed ${seed}: ${text}`);
    assert.deepEqual(readRules(`${text};;${text}; ${text}`).rules, [one], `seed ${seed}: ${text}`);
  }
});

test("whatever an address says, rules are read without a crash, and what is left out is told", () => {
  const { below, of } = chance();
  for (let i = 0; i < 3_000; i += 1) {
    const text = Array.from({ length: below(12) }, () => of(["sim", ".", "*", ">", "<", "=", "until", "for", "10s", " ", ";", "1", ":", "%", "stale", "\0"])).join("");
    const { rules, flaws } = readRules(text);
    const parts = text.split(";").filter((part) => part.trim() !== "");
    assert.ok(rules.length + flaws.length <= parts.length, `seed ${seed}: ${text}`);
    if (parts.length > 0) assert.ok(rules.length + flaws.length > 0, `seed ${seed}: ${text}`);
    assert.deepEqual(readRules(writeRules(rules)).rules, rules, `seed ${seed}: ${text}`);
  }
});

test("too many rules are told", () => {
  const { rules, flaws } = readRules(Array.from({ length: 60 }, (_, i) => `a.b > ${i}`).join(";"));
  assert.equal(rules.length, RULES_MAX);
  assert.deepEqual(flaws, [`${RULES_MAX} rules are the most; the others of the address are left out.`]);
});

test("a rule reads in words", () => {
  assert.equal(inWords(readRule("a.b >= 5")), "at or above 5");
  assert.equal(inWords(readRule("a.b stale")), "stale");
});

/** One rule over one topic, with a clock in the test's hand. */
function watched(text) {
  const watches = new Watches();
  watches.take([readRule(text)]);
  const [watch] = watches.of("sim.AAPL");
  const topic = { figures: ["price"], number: NaN, value: {}, staleSince: 0, isOld: false };
  let now = 0;
  return {
    watch,
    topic,
    /** So many ms later the figure is this; whether it fires. */
    at(ms, number, { isKnown = true, isDown = false } = {}) {
      now += ms;
      if (number !== undefined) Object.assign(topic, { number, value: { price: number, bid: number - 1 } });
      return watch.look(topic, now, 1_000 + now, isKnown, isDown);
    },
  };
}

test("a threshold fires once, not on each tick, and is over when it has not held for a while", () => {
  const { watch, at } = watched("sim.AAPL > 200");
  assert.equal(at(0, 199), false);
  assert.equal(at(10, 200), false);
  assert.equal(at(10, 201), true);
  assert.equal(watch.state, "firing");
  // It trembles about the threshold.
  for (let i = 0; i < 50; i += 1) assert.equal(at(100, 199 + (i % 2) * 2), false);
  assert.equal(watch.state, "firing");
  at(0, 199);
  at(HOLD_MS - 1);
  assert.equal(watch.state, "firing");
  at(1);
  assert.equal(watch.state, "over");
  assert.equal(at(10, 201), true, "it fires again");
});

test("with until it is over at once, and not before", () => {
  const { watch, at } = watched("sim.AAPL > 200 until < 198");
  assert.equal(at(0, 201), true);
  at(60_000, 199);
  at(60_000, 198);
  assert.equal(watch.state, "firing");
  at(10, 197.9);
  assert.equal(watch.state, "over");
  assert.equal(at(10, 199), false);
  assert.equal(at(10, 200.1), true);
});

test("with for it must hold for that long, without a break", () => {
  const { watch, at } = watched("sim.AAPL:bid >= 89 for 10s");
  assert.equal(at(0, 91), false);
  assert.equal(watch.state, "pending");
  assert.equal(at(9_999), false);
  assert.equal(at(0, 80), false);
  assert.equal(watch.state, "quiet");
  assert.equal(at(0, 91), false);
  assert.equal(at(10_000), true);
});

test("while nothing is known, nothing begins and nothing ends", () => {
  const { watch, at } = watched("sim.AAPL > 200 for 10s");
  at(0, 201);
  at(5_000, undefined, { isKnown: false });
  assert.equal(watch.state, "quiet");
  assert.equal(at(6_000), false, "it waits anew");
  assert.equal(at(10_000), true);
  at(10, 199, { isKnown: false });
  at(60_000, 199, { isKnown: false });
  assert.equal(watch.state, "firing");
});

test("a stale topic, one that is old at its source, and one of a feed that is down fire, and end with news", () => {
  const { watch, topic, at } = watched("sim.AAPL stale");
  assert.equal(at(0, 1), false);
  topic.staleSince = 5;
  assert.equal(at(0, undefined, { isKnown: false }), true);
  watch.acknowledge();
  topic.staleSince = 0;
  at(0);
  at(HOLD_MS);
  assert.equal(watch.state, "quiet", "who has acknowledged it need not be told that it is over");
  topic.isOld = true;
  assert.equal(at(0), true);
  topic.isOld = false;
  at(0);
  at(HOLD_MS);
  assert.equal(watch.state, "over");
  watch.acknowledge();
  assert.equal(watch.state, "quiet");
  assert.equal(at(0, undefined, { isKnown: false, isDown: true }), true);
});

test("a field that a value lacks neither begins nor ends anything", () => {
  const { watch, at } = watched("sim.AAPL:nothing < 5");
  assert.equal(at(0, 1), false);
  assert.equal(watch.state, "quiet");
});

for (const isMarked of [true, false]) {
  test(`a tick without the ${isMarked ? "marked" : "known"} main figure is no other figure's tick`, () => {
    const marks = new Marks();
    if (isMarked) marks.mark("price", { main: true, role: "price" });
    const topic = new Topic("sim.AAPL", { of: () => marks });
    const watches = new Watches();
    watches.take([readRule("sim.AAPL > 200 until < 190")]);
    const [watch] = watches.of("sim.AAPL");
    let seq = 0;
    const after = (value) => {
      seq += 1;
      topic.take("quote", { seq, ts: seq, value }, `${seq}`);
      watch.look(topic, seq, seq, true);
      return [watch.state, topic.number, topic.delta];
    };
    if (isMarked) assert.deepEqual(after({ price: null, volume: 900_000 }), ["quiet", NaN, 0]);
    assert.deepEqual(after({ price: "101.5", volume: 900_000 }), ["quiet", 101.5, 0]);
    for (const price of [null, undefined, "n/a"]) assert.deepEqual(after({ price, volume: 900_001 }), ["quiet", NaN, 0]);
    assert.deepEqual(after({ price: "201", volume: 9 }), ["firing", 201, 0]);
    assert.deepEqual(after({ price: null, volume: 9 }), ["firing", NaN, 0]);
    assert.deepEqual(after({ price: "200.5", volume: 9 }), ["firing", 200.5, 0]);
    assert.equal(topic.figures[0], "price");
  });
}

test("of a topic that is not known nothing ends, and of one that is no more nothing begins", () => {
  const watches = new Watches();
  watches.take(["sim.A > 1", "sim.A stale"].map(readRule));
  const [above, stale] = watches.of("sim.A");
  const topic = { figures: ["v"], number: 2, staleSince: 0 };
  const states = () => [above.state, stale.state];
  const look = (topic, now, isDown) => [above.look(topic, now, now, true, isDown), stale.look(topic, now, now, true, isDown)];
  assert.deepEqual(look(topic, 0, true), [true, true]);
  for (let now = 0; now <= 2 * HOLD_MS; now += HOLD_MS) assert.deepEqual(look(undefined, now, true), [false, false]);
  assert.deepEqual(states(), ["firing", "firing"]);
  for (const watch of [above, stale]) watch.lose(1);
  assert.deepEqual(look(undefined, 2, true), [false, false]);
  assert.deepEqual(states(), ["over", "over"]);
  assert.deepEqual(look(topic, 3, true), [true, true], "it is back");
});

test("an alert of a topic that is no more is over, and is forgotten once it was seen", () => {
  const watches = new Watches();
  watches.take([readRule("host.proc.* > 90")]);
  const topic = { figures: ["v"], number: 95, staleSince: 0 };
  const ended = (name, isSeen) => {
    const [watch] = watches.of(name);
    assert.equal(watch.look(topic, 0, 1, true), true);
    if (isSeen) watch.acknowledge();
    watch.lose(2);
    return watch;
  };
  ended("host.proc.p0", true);
  const unseen = ended("host.proc.p1", false);
  assert.deepEqual([unseen.state, unseen.since], ["over", 2]);
  unseen.lose(3);
  watches.prune(() => false);
  assert.deepEqual([...watches.all()], [unseen]);
  unseen.acknowledge();
  watches.prune(() => false);
  assert.deepEqual([...watches.all()], []);
});

test("a tick looks at its own topic's rules only, and what fires goes on when rules are added", () => {
  const watches = new Watches();
  watches.take(["sim.* > 1", "sim.AAPL stale", "host.** > 1"].map(readRule));
  assert.equal(watches.of("sim.AAPL").length, 2);
  assert.equal(watches.of("host.cpu.0").length, 1);
  assert.equal(watches.of("other.x").length, 0);
  const [watch] = watches.of("sim.AAPL");
  watch.look({ figures: [""], number: 2, value: 2 }, 0, 0, true);
  watches.take(["sim.* > 1", "x.y > 3"].map(readRule));
  assert.equal(watches.of("sim.AAPL")[0], watch);
  assert.equal(watch.state, "firing");
  assert.equal(watches.count(readRule("sim.* > 1")), 1);
  watches.prune(() => false);
  assert.equal([...watches.all()].length, 1, "what fires is kept");
});
