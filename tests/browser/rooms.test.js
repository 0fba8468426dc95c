// The page's pure rooms, as plain functions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstChoice } from "../../dashboards/web/src/chart/choice.js";
import { findCause } from "../../dashboards/web/src/head/cause.js";
import { at, credit, figures, leaves, numeric } from "../../dashboards/web/src/data/fields.js";
import * as format from "../../dashboards/web/src/data/format.js";
import { Series } from "../../dashboards/web/src/chart/series.js";
import { Topic } from "../../dashboards/web/src/data/topics.js";

test("the cause of a connection that does not open is no setting while the server does not answer itself", async () => {
  const cause = (http) => findCause({ http });
  globalThis.location = { origin: "https://host" };
  for (const status of [502, 503, 504]) assert.match(await cause(async () => ({ status })), new RegExp(`^The answer is ${status}: the server is down`));
  assert.match(await cause(async () => ({ status: 200 })), /Add "https:\/\/host" to origins/);
  assert.match(await cause(() => Promise.reject(new TypeError())), /does not answer at all/);
  delete globalThis.location;
});

test("figures are found in any shape, the main one first", () => {
  assert.deepEqual(figures({ volume: 3, ts: 1767225600123, price: "189.30", symbol: "AAPL" }), [
    "price",
    "volume",
  ]);
  assert.deepEqual(
    figures({ current: { temperature_2m: 19.1, interval: 900 } })[0],
    "current.temperature_2m",
  );
  assert.deepEqual(figures(42), [""]);
  assert.deepEqual(figures("189.30"), [""]);
  assert.deepEqual(figures({ note: "1 apple", ok: true, none: null }), []);
  assert.deepEqual(figures([5, 6]), ["0", "1"]);
});

test("a path leads back to its leaf, through keys that hold dots too", () => {
  const value = { a: { b: [1, 2] }, "x.y": 3 };
  for (const [path, leaf] of leaves(value)) assert.equal(at(value, path), leaf);
  assert.equal(at(value, "a.c.d"), undefined);
  assert.equal(at(null, "a"), undefined);
  assert.equal(at({}, "constructor"), undefined);
});

test("strings count as numbers only when they are", () => {
  assert.equal(numeric("189.30"), 189.3);
  assert.equal(numeric("-1e3"), -1000);
  for (const other of ["", " ", "0x10", "1,5", "12 %", "Infinity", null, true, {}, []])
    assert.ok(Number.isNaN(numeric(other)));
});

test("ages are as fine as a person cares for", () => {
  for (const [ms, text] of [
    [0, "0.0 s"],
    [-80, "0.0 s"],
    [312, "0.3 s"],
    [9_949, "9.9 s"],
    [12_900, "12 s"],
    [61_000, "1 min"],
    [7_200_000, "2 h"],
    [4e8, "4 d"],
  ]) {
    assert.equal(format.age(ms), text);
  }
});

test("a time has its day, unless that is today", () => {
  const noon = new Date(2026, 10, 29, 12, 3, 11).getTime();
  assert.equal(format.moment(noon, noon + 3_600_000), format.time(noon));
  for (const days of [1, 2, 400]) assert.equal(format.moment(noon, noon + days * 86_400_000), `${format.day(noon)} ${format.time(noon)}`);
  assert.deepEqual([format.brief(noon, noon), format.brief(noon, noon + 86_400_000)], [format.time(noon), format.day(noon)]);
  const late = new Date(2026, 10, 28, 23, 59, 0).getTime();
  assert.equal(format.moment(late, late + 120_000), `${format.day(late)} ${format.time(late)}`, "two minutes ago, and yesterday");
});

test("figures read with their unit", () => {
  assert.equal(format.figure("used_bytes", 3_006_477_107), "2.8 GiB");
  assert.equal(format.figure("net.rx_bytes_per_s", 2048), "2.0 KiB/s");
  assert.equal(format.figure("cpu.used_percent", 24.518), "24.5 %");
  assert.equal(format.figure("n", 1234567.891234), "1,234,567.8912");
  assert.equal(format.figure("n", NaN), "–");
  assert.equal(format.figure("uptime_s", 4830.53), "1 h 20 min");
  assert.deepEqual([59.9, 1.5, 0.031, 0, -3, -90].map((n) => format.figure("delay_s", n)), ["59.9 s", "1.5 s", "0.031 s", "0 s", "-3 s", "-1 min 30 s"]);
  const marks = { isPrice: () => false, unit: () => "s", decimals: () => 3 };
  assert.deepEqual([0.03149, 61.5].map((n) => format.marked(marks, "elapsed_s", n)), ["0.031 s", "1 min 1 s"]);
  assert.equal(format.figure("temperature_c", -3.25), "-3.25 °C");
  assert.equal(format.label("net.rx_bytes_per_s"), "net.rx");
  assert.equal(format.leaf("change_pct", "0.30"), "0.30 %");
  assert.equal(format.change("uptime_s", 1, 2), "+1 s");
  assert.equal(format.label("load_1m"), "load 1m");
  assert.equal(format.label(""), "value");
  assert.equal(format.change("price", -0.045, 2), "−0.04");
  assert.equal(format.change("price", 0.25, 2), "+0.25");
});

test("the weather reads with its units, and where it is is no figure", () => {
  for (const [path, number, text] of [
    ["wind_ms", 4.63, "4.63 m/s"],
    ["wind_gust_ms", 8.5, "8.5 m/s"],
    ["wind_deg", 241, "241°"],
    ["pressure_hpa", 1013, "1,013 hPa"],
    ["visibility_m", 16093.44, "16,093.44 m"],
    ["precipitation_mm", 0.1, "0.1 mm"],
    ["latency_ms", 12, "12"],
    ["length_m", 12, "12"],
  ]) {
    assert.equal(format.figure(path, number), text);
  }
  const labels = ["wind_ms", "wind_gust_ms", "wind_deg", "pressure_hpa", "visibility_m", "latency_ms"];
  assert.deepEqual(labels.map(format.label), [
    "wind",
    "wind gust",
    "wind from",
    "pressure",
    "visibility",
    "latency ms",
  ]);
  assert.deepEqual(figures({ latitude: 59.91, wind_ms: 3, temperature_c: -2, longitude: 10.75 }), [
    "temperature_c",
    "wind_ms",
  ]);
});

test("a credit is no field, and only text is one", () => {
  const value = {
    temperature_c: 3,
    attribution: "Data by Example (CC BY 4.0)",
    nested: { attribution: "kept" },
  };
  assert.equal(credit(value), "Data by Example (CC BY 4.0)");
  assert.deepEqual(
    leaves(value).map(([path]) => path),
    ["temperature_c", "nested.attribution"],
  );
  for (const none of [null, 7, "attribution", [], {}, { attribution: 5 }, { attribution: null }]) {
    assert.equal(credit(none), "");
  }
  assert.equal(credit({ attribution: "x".repeat(5_000) }).length, 200);
});

test("a topic knows its step, and a tick sent again is none", () => {
  const topic = new Topic("sim.AAPL");
  const take = (seq, price) => topic.take("quote", { seq, ts: seq, value: { price } }, `${seq}`);
  assert.equal(take(1, "10.00"), true);
  assert.equal(topic.delta, 0);
  assert.equal(take(2, "10.50"), true);
  assert.equal(topic.delta, 0.5);
  assert.equal(take(2, "10.50"), false);
  assert.equal(topic.delta, 0.5);
  topic.take("quote", { seq: 3, ts: 3, value: { last: 7 } }, "3");
  assert.deepEqual([topic.figures, topic.number, topic.delta], [["last"], 7, 0]);
});

test("a series stays in order, bounded, and its gaps are closed by history alone", () => {
  const series = new Series();
  series.push(10, 1);
  series.gap();
  series.push(20, 2);
  series.push(15, 9);
  assert.deepEqual([...series.times], [10, 10.001, 20]);
  series.seed([
    [12, 5],
    [8, 4],
    [10, 1],
  ]);
  assert.deepEqual(
    [[...series.times], [...series.numbers]],
    [
      [8, 10, 12, 20],
      [4, 1, 5, 2],
    ],
  );
  for (let i = 0; i < 30_000; i += 1) series.push(100 + i, i);
  assert.ok(series.times.length < 10_000 && series.times.length === series.numbers.length);
  assert.deepEqual(series.extent(30_095), [29_994, 29_999]);
});

test("a first visit shows two quotes and the processor, or what there is", () => {
  const topic = (name, kind, number) => Object.assign(new Topic(name), { kind, number });
  const some = [topic("host.cpu", "cpu", 3), topic("host.load", "load", 1)];
  assert.equal(firstChoice(some, 0), null);
  assert.deepEqual(firstChoice(some, 60_000), ["host.cpu", "host.load"]);
  const all = [
    ...some,
    topic("sim.B", "quote", 1),
    topic("sim.A", "quote", 2),
    topic("sim.C", "quote", 2),
    topic("sim.note", "note", NaN),
  ];
  assert.deepEqual(firstChoice(all, 0), ["sim.A", "sim.B", "host.cpu"]);
  assert.equal(firstChoice([], 60_000), null);
});
