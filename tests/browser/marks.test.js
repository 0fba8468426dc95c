// What the contract says of fields, and how the page shows it; where it says nothing, the page guesses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Contract, marksOf, UNMARKED } from "../../dashboards/web/src/data/contract.js";
import { exact, figures } from "../../dashboards/web/src/data/fields.js";
import * as format from "../../dashboards/web/src/data/format.js";
import * as kinds from "../../dashboards/web/src/data/kinds.js";
import { Topics } from "../../dashboards/web/src/data/topics.js";

const mark = (marks) => Object.fromEntries(Object.entries(marks).map(([name, value]) => [`x-tickerd-${name}`, value]));

/** A document in which the feed `f` says what its kinds look like. */
function documentOf(kinds, schemas = {}) {
  const messages = Object.entries(kinds).map(([kind, value]) => {
    const properties = { event: { const: kind }, data: { properties: { value } } };
    return [`tick.f.${kind}`, { payload: { properties } }];
  });
  return { components: { messages: Object.fromEntries(messages), schemas }, "x-bars": [{ period: "10s", keep_ms: 3_600_000 }] };
}

const QUOTE = {
  properties: {
    value: mark({ role: "price", unit: "EUR", decimals: 2 }),
    last: mark({ main: true, role: "price", unit: "EUR", decimals: 3 }),
    day_move: mark({ role: "change" }),
    first: mark({ role: "open" }),
    before: mark({ role: "previous_close" }),
    number: mark({ role: "identity" }),
  },
};

/** The change of a topic of `f` after these values, and the topic. */
function after(document, kind, ...values) {
  const contract = new Contract();
  contract.take(document);
  const topic = new Topics(contract).ensure("f.a");
  values.forEach((value, i) => {
    const data = { topic: "f.a", seq: i + 1, ts: i + 1, value };
    topic.take(kind, data, JSON.stringify({ event: kind, data }));
  });
  return { topic, change: kinds.change(topic, exact(topic.text).data.value) };
}

test("the main figure is the marked one, and identities are no figures", () => {
  const document = documentOf({ odd: QUOTE });
  const value = { value: "1", last: "2.5", number: 7 };
  assert.deepEqual(figures(value), ["last", "value", "number"], "a guess");
  const marks = marksOf(QUOTE, document);
  assert.deepEqual(figures({ ...value, price: 3 }, marks), ["last", "value", "price"]);
  for (const lacks of [{ value: "1" }, { value: "1", last: null }]) {
    assert.deepEqual(figures(lacks, marks), ["last", "value"], "it is the main one also where it is missing");
  }
  assert.deepEqual(figures({ value: "1", last: "low" }, marks), ["value"], "where it is a text, a guess");
  assert.equal(marksOf(mark({ main: true }), document).main, "");
  assert.equal(marksOf({ properties: { price: { type: "string" } } }, document).isNone, true);
});

test("marks are found behind references and in allOf, and a circle of references ends", () => {
  const schemas = {
    Level: { allOf: [{ $ref: "#/components/schemas/Base~1x" }, { properties: { level: { $ref: "#/components/schemas/Metres" } } }] },
    "Base/x": mark({ simulated: true }),
    Metres: mark({ main: true, unit: "m", decimals: 1 }),
    Circle: { $ref: "#/components/schemas/Circle" },
  };
  const document = documentOf({}, schemas);
  const marks = marksOf({ $ref: "#/components/schemas/Level" }, document);
  assert.deepEqual([marks.main, marks.unit("level"), marks.decimals("level"), marks.isSimulated], ["level", "m", 1, true]);
  for (const schema of [{ $ref: "#/components/schemas/Circle" }, { $ref: "#/no" }, { $ref: "other" }, null, true, undefined]) {
    assert.ok(marksOf(schema, document).isNone);
  }
});

test("a mark that makes no sense is none", () => {
  const odd = { a: mark({ main: "yes", role: 7, unit: "", decimals: 2.5 }), b: mark({ decimals: 99 }), c: mark({ decimals: "2", unit: 1 }) };
  assert.ok(marksOf({ properties: odd }, {}).isNone);
  const two = marksOf({ properties: { x: mark({ main: true }), y: mark({ main: true, simulated: true }) } }, {});
  assert.deepEqual([two.main, two.isSimulated], ["x", false]);
  assert.ok(marksOf({ properties: { x: mark({ main: true, simulated: true }) } }, {}).isSimulated);
});

test("figures have the marked unit and as many decimals", () => {
  const schema = {
    properties: {
      a: mark({ unit: "kg", decimals: 1 }),
      b: mark({ unit: "%", decimals: 2 }),
      c: mark({ unit: "By/s", decimals: 1 }),
      d: mark({ unit: "Cel" }),
      e: mark({ unit: "{packets}/s" }),
      f: mark({ role: "price", unit: "{field:currency}", decimals: 2 }),
      g: mark({ unit: "deg" }),
      h: mark({ decimals: 0 }),
      uptime_s: mark({ unit: "s" }),
    },
  };
  const marks = marksOf(schema, {});
  const { data } = exact('{"data":{"a":1234.56,"b":12.345,"c":2048,"d":-3.5,"e":12,"f":"1234567.5","g":180,"h":0.5,"uptime_s":62}}');
  const shown = Object.entries(data).map(([path, leaf]) => format.marked(marks, path, leaf));
  const wanted = ["1,234.6 kg", "12.35 %", "2.0 KiB/s", "-3.5 °C", "12 packets/s", "1234567.50", "180°", "1", "1 min 2 s"];
  assert.deepEqual(shown, wanted);
  assert.equal(format.marked(marks, "a", "heavy"), "heavy");
  assert.equal(format.marked(UNMARKED, "used_pct", 50), "50.0 %", "by its name");
});

test("a change is read from the fields with its roles, whatever their names and the kind's", () => {
  const document = documentOf({ odd: QUOTE, quote: QUOTE });
  const change = (...values) => after(document, "odd", ...values).change.text;
  assert.equal(change({ last: "10.0", day_move: "-0.5" }), "▼ −0.5 (−4.76 %)");
  assert.equal(change({ last: "10.00", before: "8.00", first: "9.00" }), "▲ +2.00 (+25.00 %)");
  assert.equal(change({ last: "10.00", first: "9.00" }), "▲ +1.00 (+11.11 %)");
  assert.equal(change({ last: "10.00" }, { last: "11.00" }), "");
  // Where a kind is marked, a field that is only called so is none.
  assert.equal(after(document, "quote", { last: "10.00", change: "1.00", open: "9.00" }).change.text, "");
});

test("marks that come after the ticks are put to work, and an unknown kind has them read once more", () => {
  const contract = new Contract();
  const wanted = [];
  contract.onWant = (ms) => wanted.push(ms);
  const topic = new Topics(contract).ensure("f.a");
  const take = (kind) => topic.take(kind, { topic: "f.a", seq: 1, ts: 1, value: { value: "1.5", last: "2.5" } }, "{}");
  take("odd");
  assert.deepEqual(wanted, [], "it is being read already");
  contract.take(documentOf({ other: {} }));
  assert.equal(topic.remark(), false);
  assert.equal(wanted.length, 1);
  contract.take(documentOf({ odd: QUOTE }));
  assert.equal(topic.remark(), true);
  assert.deepEqual([topic.figures[0], topic.number], ["last", 2.5]);
  take("stranger");
  take("odd");
  take("stranger");
  assert.equal(wanted.length, 2);
  assert.deepEqual(contract.periods, [{ name: "10s", ms: 10_000, keepMs: 3_600_000 }]);
  for (const nonsense of [null, {}, { "x-bars": [{ period: "soon" }] }, { components: { messages: { "tick.f.x": null } } }]) {
    contract.take(nonsense);
    assert.deepEqual(contract.periods, []);
  }
});

test("bars and references of an odd shape are left out, and the rest is taken", () => {
  const good = { period: "10s", keep_ms: 3_600_000 };
  const document = (bars) => ({ ...documentOf({ a: QUOTE, b: { $ref: "#/%" } }), "x-bars": bars });
  const contract = new Contract();
  for (const odd of [null, 7, "10s", { period: "10s" }, { ...good, period: 10 }, { ...good, keep_ms: "long" }]) {
    contract.take(document([odd, good]));
    assert.deepEqual(contract.periods, [{ name: "10s", ms: 10_000, keepMs: 3_600_000 }], JSON.stringify(odd));
    contract.take(document(odd));
    assert.deepEqual(contract.periods, []);
  }
  assert.equal(contract.of("f", "a").main, "last");
  assert.equal(contract.of("f", "b").isNone, true);
});
