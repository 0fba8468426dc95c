// What a board is made of, without a browser: its layout, its lines, its choice, its file.
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstTiles } from "../../dashboards/web/src/board/choice.js";
import { cell, csv } from "../../dashboards/web/src/board/csv.js";
import { expand, keyOf, moved, readLayout, settled, TILES_MAX, writeLayout } from "../../dashboards/web/src/board/layout.js";
import { Past } from "../../dashboards/web/src/board/past.js";
import { Spark } from "../../dashboards/web/src/board/spark.js";
import { STRIP_MAX, stripTopics } from "../../dashboards/web/src/board/strip.js";
import { matcher } from "../../dashboards/web/src/board/target.js";
import { Topics } from "../../dashboards/web/src/data/topics.js";
import { chance, seed } from "./chance.js";

const item = (name, path = null, size = "M") => ({ name, path, size });

test("a layout is read", () => {
  const { items, flaws } = readLayout("sim.AAPL,host.cpu:busy_pct*L, sim.*,sim.**S,sim.***S,a.b:x%2Cy*S,sim.AAPL*L");
  assert.deepEqual(items, [
    item("sim.AAPL"),
    item("host.cpu", "busy_pct", "L"),
    item("sim.*"),
    item("sim.**", null, "S"),
    item("a.b", "x,y", "S"),
  ]);
  assert.deepEqual(flaws, []);
});

test("what a layout cannot mean is told, and the rest is shown", () => {
  const { items, flaws } = readLayout("sim.A*,sim.AAPL*X,,no/topic,host.cpu");
  assert.deepEqual(items, [item("host.cpu")]);
  assert.equal(flaws.length, 3);
  assert.match(flaws[0], /A tile of the address is left out: "sim\.A\*": \* stands for a whole part/);
});

test("a layout that is written is read the same", () => {
  const { below, of } = chance();
  const part = () => Array.from({ length: 1 + below(4) }, () => of([..."aLSM9_-"])).join("");
  const name = () => [part(), ...Array.from({ length: below(3) }, () => of([part(), "*"])), ...of([[], ["**"], ["*"]])].join(".");
  const path = () => Array.from({ length: 1 + below(5) }, () => of([..."aL*,:.% %é😀"])).join("");
  for (let i = 0; i < 3_000; i += 1) {
    const items = new Map();
    for (let n = below(6); n > 0; n -= 1) {
      const one = item(name(), below(2) ? null : path(), of(["S", "M", "L"]));
      items.set(keyOf(one), one);
    }
    const text = writeLayout([...items.values()]);
    assert.deepEqual(readLayout(text), { items: [...items.values()], flaws: [] }, `seed ${seed}: ${text}`);
  }
});

test("a pattern is one tile for each topic that it matches; a topic that is named keeps its own place", () => {
  const names = ["sim.B", "sim.A", "sim.x.y", "host.cpu"];
  const { items } = readLayout("sim.**S,sim.B*L,none.yet");
  // `sim.**S` is the pattern `sim.*`, small.
  assert.deepEqual(expand(items, names).tiles, [item("sim.A", null, "S"), item("sim.B", null, "L"), item("none.yet")]);
  assert.deepEqual(settled([...items, item("later.*")], names).at(-1), item("later.*"));
});

test("a board has an end, and says what has no room", () => {
  const names = Array.from({ length: TILES_MAX + 7 }, (_, i) => `many.T${i}`);
  const { tiles, left } = expand([item("many.*")], names);
  assert.equal(tiles.length, TILES_MAX);
  assert.equal(left, 7);
  const text = names.join();
  assert.equal(readLayout(text).items.length, TILES_MAX);
  assert.match(readLayout(text).flaws[0], /more than 100 tiles/);
});

test("a pattern means what it means to the server", () => {
  const means = (pattern, name) => matcher(pattern)(name);
  for (const [pattern, name, is] of [
    ["sim.*", "sim.AAPL", true],
    ["sim.*", "sim.trades.AAPL", false],
    ["sim.**", "sim.trades.AAPL", true],
    ["sim.**", "sim", false],
    ["*.AAPL", "sim.AAPL", true],
    ["**", "tickerd.x", false],
    ["tickerd.**", "tickerd.x", true],
    ["sim.AAPL", "sim.AAPL2", false],
  ]) {
    assert.equal(means(pattern, name), is, `${pattern} ${name}`);
  }
});

test("a tile moves to another place", () => assert.deepEqual(moved([1, 2, 3, 4], 3, 1), [1, 4, 2, 3]));

const SLOT = 10_000;
/** Numbers in a path, by its letters: where it begins, goes and ends. */
const drawn = (spark) => spark.path().replaceAll(/[\d.]+ ?[\d.]*/g, "");

test("a line is empty where nothing is known, and holds a figure where nothing came", () => {
  const spark = new Spark(SLOT, 10);
  assert.equal(spark.path(), "");
  spark.tick(100_000, 5);
  assert.equal(spark.path(), "M9.5 50h.01");
  spark.advance(125_000, true);
  assert.equal(spark.path(), "M7.5 50h.01H10");
  spark.advance(135_000, false);
  assert.equal(spark.path(), "M6.5 50h.01H9", "nothing is known of the newest slot");
  spark.tick(146_000, 7);
  assert.equal(spark.path(), "M5.5 100h.01H8M9.5 0h.01");
});

test("bars fill a line, in times of which the server knows", () => {
  const spark = new Spark(SLOT, 10);
  const bar = (start, close) => ({ start, open: "1", low: "1", high: "9", close });
  spark.tick(195_000, 4);
  const bars = [bar(110_000, "2"), bar(120_000, "3"), bar(150_000, "5"), bar(190_000, "1"), { start: "x" }, bar(-1, "1")];
  spark.take({ bars, since: 111_000, unknown: [{ from: 131_000, to: 139_000 }] }, 196_000);
  assert.deepEqual(spark.range(), [1, 9]);
  // 100 000 to 200 000: unknown, 2, 3, unknown, quiet, 5, quiet … and the tick, of which the bar knows less.
  assert.equal(drawn(spark), "MhLMhHL");
  assert.match(spark.path(), /L9\.5 63$/);
});

test("a line keeps its length whatever time says", () => {
  const spark = new Spark(SLOT, 10);
  for (const ms of [0, 1e15, 5, NaN, -1, Infinity, 1e15 + 1]) spark.tick(ms, 1);
  spark.take({ bars: null, since: null, unknown: 3 }, 1e15);
  assert.ok(spark.path().length < 100);
});

test("a line looks another only when a pixel of it does", () => {
  const spark = new Spark(SLOT, 10);
  spark.tick(100_000, 0);
  spark.tick(100_000, 1_000);
  spark.tick(100_000, 500);
  const look = spark.look();
  spark.tick(100_001, 501);
  assert.equal(spark.look(), look);
  spark.tick(100_002, 520);
  assert.notEqual(spark.look(), look);
});

const topicOf = (topics, name, kind, value, ts = 1_700_000_000_000) => {
  const text = `{"event":"${kind}","data":{"topic":"${name}","seq":1,"ts":${ts},"value":${value}}}`;
  topics.ensure(name).take(kind, JSON.parse(text).data, text);
};

test("a first board has quotes, the processor and the weather; it waits for them, but not long", () => {
  const topics = new Topics();
  for (let i = 0; i < 20; i += 1) topicOf(topics, `sim.Q${i}`, "quote", `{"price":${i}}`);
  assert.equal(firstTiles(topics.all(), 0), null);
  topicOf(topics, "host.cpu", "cpu", '{"busy_pct":3}');
  topicOf(topics, "host.note", "text", '"no figure"');
  const tiles = firstTiles(topics.all(), 5_000);
  assert.equal(tiles.length, 12);
  assert.deepEqual(tiles[0], item("sim.Q0", null, "L"));
  assert.ok(tiles.some(({ name }) => name === "host.cpu"));
  assert.equal(firstTiles(new Topics().all(), 60_000), null);
});

test("a file has the values with their own digits, and no formulas", () => {
  const topics = new Topics();
  topicOf(topics, "sim.A", "quote", '{"price":"189.30","change":"-0.50","change_pct":-0.26,"attribution":"by \\"us\\", 2026"}');
  topicOf(topics, "sim.B", "note", '"=1+1"');
  topics.get("sim.B").staleSince = 1_700_000_000_000;
  const text = csv([item("sim.A"), item("sim.A", "change"), item("sim.B"), item("x.y")], topics, () => true, () => false);
  const [head, a, change, b, none, end] = text.split("\r\n");
  assert.equal(head, "topic,field,value,unit,change,change_pct,change_since,time,state,simulated,attribution");
  assert.equal(a, 'sim.A,price,189.30,,-0.50,-0.26,,2023-11-14T22:13:20.000Z,live,,"by ""us"", 2026"');
  assert.equal(change, 'sim.A,change,-0.50,,,,,2023-11-14T22:13:20.000Z,live,,"by ""us"", 2026"');
  assert.match(b, /^sim\.B,,'=1\+1,,,,,2023-11-14T22:13:20\.000Z,stale since /);
  assert.equal(none, "x.y,,,,,,,,no value yet,,");
  assert.equal(end, "");
  for (const [raw, safe] of [["-0.5", "-0.5"], ["-x", "'-x"], ["@a", "'@a"], ["+1e5", "+1e5"], ["\ta", "'\ta"]]) assert.equal(cell(raw), safe);
});

test("a strip has all quotes, or what the address says, or nothing", () => {
  const topics = new Topics();
  for (let i = 0; i < STRIP_MAX + 3; i += 1) topicOf(topics, `sim.Q${i}`, "quote", '{"price":1}');
  topicOf(topics, "host.cpu", "cpu", '{"busy_pct":3}');
  const strip = (text) => stripTopics(text, topics.all());
  assert.equal(strip(null).items.length, STRIP_MAX);
  assert.equal(strip(null).left, 3);
  assert.deepEqual(strip("none"), { items: [], left: 0 });
  assert.deepEqual(strip("host.*,sim.Q1:price,not yet,new.one").items, [
    { name: "host.cpu", path: null },
    { name: "sim.Q1", path: "price" },
    { name: "new.one", path: null },
  ]);
  assert.deepEqual(stripTopics(null, new Topics().all()).items, []);
});

test("the bars that fit a line are asked for once for all tiles, and again only when something is missing", async () => {
  const asked = [];
  let answer = null;
  const past = new Past(async (query) => (asked.push(String(query)), answer));
  assert.deepEqual(past.window, { ms: 10_000, slots: 90, words: "15 min" });
  const topics = new Topics();
  for (const name of ["sim.A", "sim.B"]) topicOf(topics, name, "quote", '{"price":1}');
  const filled = [];
  const tile = (name) => ({ name, isFilled: false, spark: { isPatchy: false }, fill(_, one) { this.isFilled = true; filled.push([name, one?.field]); } });
  const tiles = new Map(["sim.A", "sim.B", "no.value"].map((name) => [name, tile(name)]));
  const keepUp = (now) => past.keepUp(tiles, topics, 0, now, () => true);
  await keepUp(0);
  assert.deepEqual(asked, ["topics=sim.A%2Csim.B&period=10s&limit=91"]);
  await keepUp(1_000);
  assert.equal(asked.length, 1, "after a question without an answer it waits");
  answer = { topics: [{ topic: "sim.A", field: "price" }], failed: [{ topic: "sim.B" }] };
  await keepUp(60_000);
  assert.deepEqual(filled, [["sim.A", "price"], ["sim.B", undefined]]);
  await keepUp(70_000);
  assert.equal(asked.length, 2);
  tiles.get("sim.A").spark.isPatchy = true;
  await keepUp(80_000);
  assert.equal(asked.at(-1), "topics=sim.A&period=10s&limit=91");
  await keepUp(81_000);
  assert.equal(asked.length, 3);
  assert.equal(past.choose("1h"), true);
  assert.deepEqual(past.window, { ms: 10_000, slots: 360, words: "1 h" });
});
