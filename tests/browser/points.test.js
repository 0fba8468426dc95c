// The charts' data without a browser: windows, fewer points, sums of bars, the address, CSV.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as axis from "../../dashboards/web/src/chart/axis.js";
import { Bars, stepFor, summed } from "../../dashboards/web/src/chart/bars.js";
import * as item from "../../dashboards/web/src/chart/item.js";
import { merged, valueAt } from "../../dashboards/web/src/chart/picture.js";
import { csvOf } from "../../dashboards/web/src/chart/save.js";
import { Series } from "../../dashboards/web/src/chart/series.js";
import { thin } from "../../dashboards/web/src/chart/thin.js";
import { Trace } from "../../dashboards/web/src/chart/trace.js";
import { View } from "../../dashboards/web/src/chart/view.js";
import { lengthOf, percent } from "../../dashboards/web/src/chart/words.js";
import { exact } from "../../dashboards/web/src/data/fields.js";
import { Topic } from "../../dashboards/web/src/data/topics.js";

const bar = (start, open, high, low, close, volume) => ({ start, open, high, low, close, count: 2, merged: 0, ...(volume === undefined ? {} : { volume }) });

/** A topic that has had a quote of that price. */
function topicOf(name, price, ts, seq = 1) {
  const topic = new Topic(name);
  take(topic, price, ts, seq);
  return topic;
}

function take(topic, price, ts, seq) {
  const text = `{"event":"quote","data":{"topic":"${topic.name}","seq":${seq},"ts":${ts},"value":{"price":${price}}}}`;
  topic.take("quote", JSON.parse(text).data, text);
}

test("the address of a chart says topic, field, style and comparison, and reads back", () => {
  for (const text of [
    "sim.AAPL,host.cpu:used_percent",
    "sim.AAPL~candles",
    "sim.AAPL+sim.MSFT",
    "host.net.lo:rx_bytes+host.net.eth0:rx_bytes~full",
    "sim.AAPL~candles~full,sim.MSFT",
    "a.b:odd%2C%7E%2B%3A name",
  ]) {
    assert.equal(item.write(item.read(text)), text);
  }
  const [odd] = item.read("a.b:odd%2C%7E%2B%3A name");
  assert.equal(odd.path, "odd,~+: name");
  assert.deepEqual(item.read("t.a~blue,,~candles"), [{ name: "t.a", path: null, compare: null, isCandles: false, isFull: false }]);
  assert.equal(item.read("t.a:50%")[0].path, "50%");
});

test("a view follows the clock until it is moved, and again when it reaches now", () => {
  const view = new View(60);
  view.now = 1_000;
  assert.deepEqual(view.window, [940, 1_000]);
  view.zoom(0.5);
  assert.deepEqual([view.window, view.isFollowing, view.isPlain], [[970, 1_000], true, false]);
  view.pan(-1);
  assert.deepEqual([view.window, view.isFollowing], [[940, 970], false]);
  view.now = 1_100;
  assert.deepEqual(view.window, [940, 970]);
  view.zoom(2, 940);
  assert.deepEqual(view.window, [940, 1_000]);
  view.pan(5);
  assert.ok(view.isFollowing && view.isPlain);
  view.show(10, 10);
  assert.deepEqual(view.window, [9, 11], "no shorter than two seconds");
  view.zoom(1e12);
  assert.ok(view.span <= 400 * 86_400);
  view.choose(300);
  assert.deepEqual(view.window, [800, 1_100]);
});

test("fewer points keep each column's extremes and every gap", () => {
  const times = Array.from({ length: 10_000 }, (_, i) => i / 10);
  const numbers = times.map((_, i) => (i === 5_000 ? null : i === 1_234 ? 99 : i === 7_777 ? -99 : Math.sin(i)));
  const [fewTimes, few] = thin([times, numbers], [0, 1_000], 100);
  assert.ok(few.length <= 405, `${few.length}`);
  assert.ok(few.includes(99) && few.includes(-99) && few.includes(null));
  assert.ok(fewTimes.every((time, i) => i === 0 || time > fewTimes[i - 1]));
  assert.deepEqual(thin([[1, 2], [3, 4]], [0, 10], 100), [[1, 2], [3, 4]]);
});

test("bars are summed to longer ones with the digits of those they come from", () => {
  const bars = new Bars(10_000);
  bars.take({ since: 0, bars: [bar(0, "1.10", "1.50", "1.00", "1.20", 5), bar(10_000, "1.20", "1.90", "1.10", "1.30", 7), bar(60_000, "2.0", "2.0", "2.0", "2.0")] }, 9);
  const [one, two] = summed(bars.all, 60_000);
  assert.deepEqual([one.start, one.texts.open, one.texts.high, one.texts.low, one.texts.close, one.volume, one.count], [0, "1.10", "1.90", "1.00", "1.30", 12, 4]);
  assert.deepEqual([two.start, two.texts.open], [60_000, "2.0"]);
  assert.equal(bars.all[0].texts.high, "1.50", "the bars themselves stay");
  assert.equal(stepFor(86_400_000, 60_000, 68), 1_800_000);
  assert.equal(stepFor(60_000, 10_000, 68), 10_000);
});

test("ticks move the open bar on, and the server's bar is right again", () => {
  const bars = new Bars(10_000);
  bars.take({ since: 0, bars: [bar(0, "1.0", "1.5", "0.5", "1.2", 5)] }, 9);
  bars.tick(5_000, 1.7, "1.70");
  bars.tick(12_000, 1.6, "1.60");
  bars.tick(13_000, 1.4, "1.40");
  assert.deepEqual(bars.all.map(({ texts: { open, high, low, close } }) => [open, high, low, close]), [["1.0", "1.70", "0.5", "1.70"], ["1.60", "1.60", "1.40", "1.40"]]);
  bars.take({ since: 0, bars: [{ ...bar(0, "1.0", "1.8", "0.5", "1.7", 9), count: 12 }] }, 1);
  assert.deepEqual([bars.all[0].texts.high, bars.all[0].volume], ["1.8", 9]);
});

test("bars are bounded, whatever comes, and odd ones are left out", () => {
  const bars = new Bars(1_000);
  bars.take({ bars: Array.from({ length: 12_000 }, (_, i) => bar(i * 1_000, 1, 1, 1, 1)) }, 12_000);
  assert.ok(bars.all.length <= 10_000 && bars.isFull);
  for (let i = 12_000; i < 24_000; i += 1) bars.tick(i * 1_000, 1, "1");
  assert.ok(bars.all.length <= 10_000);
  for (const answer of [{}, { bars: 7 }, { bars: [null, 3, {}, { start: "x" }] }, { bars: [], unknown: [null, { from: 2, to: 1 }], since: null }]) bars.take(answer, 5);
  assert.deepEqual(bars.unknown, []);
});

test("lines over different times share one axis", () => {
  assert.deepEqual(merged([[[1, 3], [10, 30]], [[2, 3], [5, null]]]), [[1, 2, 3], [10, undefined, 30], [undefined, 5, null]]);
  assert.deepEqual([valueAt([10, undefined, 30], 1), valueAt([undefined, 5, null], 2), valueAt([undefined], 0)], [10, null, null]);
});

test("labels of a window over midnight say the days", () => {
  const at = (day, hour) => new Date(2026, 10, day, hour).getTime() / 1000;
  const ticks = [at(28, 22), at(28, 23), at(29, 0), at(29, 1)];
  const labels = axis.times(ticks, 3_600, at(29, 1));
  assert.deepEqual(labels.map((label) => label.split("\n").length), [2, 1, 2, 1]);
  assert.match(labels[2], /^00:00\n.*29/);
  assert.deepEqual(axis.times(ticks.slice(2), 3_600, at(29, 2)), ["00:00", "01:00"]);
  assert.match(axis.times(ticks.slice(0, 2), 3_600, at(29, 2))[0], /28/, "another day than today");
  assert.ok(axis.times([at(1, 0), at(2, 0)], 86_400, at(2, 0)).every((label) => !label.includes(":")));
});

test("the newest ticks stay in order and bounded, and keep their digits", () => {
  const series = new Series();
  for (let i = 0; i < 25_000; i += 1) series.push(i, i, `${i}.00`);
  assert.ok(series.length <= 10_000);
  assert.equal(series.text(series.length - 1), "24999.00");
  assert.equal(series.text(0), `${series.times[0]}.00`);
  assert.ok(series.times instanceof Float64Array);
});

test("a CSV has the source's digits, ISO times, and no formulas", () => {
  const topic = topicOf("=x.A", '"189.30"', 1_000);
  const trace = new Trace(topic, null);
  take(topic, '"190.10"', 2_000, 2);
  trace.tick();
  assert.equal(csvOf([trace], [0, 10], false), "topic,field,time,value\r\n'=x.A,price,1970-01-01T00:00:01.000Z,189.30\r\n'=x.A,price,1970-01-01T00:00:02.000Z,190.10\r\n");
  const answer = '{"topic":"=x.A","field":"price","since":0,"bars":[{"start":0,"open":"-1.50","high":"2.00","low":"-1.50","close":"1e3","count":3,"merged":0}]}';
  trace.takeBars(10_000, exact(answer), 5);
  assert.match(csvOf([trace], [0, 10], true), /'=x\.A,price,1970-01-01T00:00:00\.000Z,10,-1\.50,2\.00,-1\.50,1e3,3\r\n/);
  assert.equal(csvOf([trace], [100, 110], false), "\r\n");
  // A field's name is the feed's, or the address's.
  const odd = { topic, path: "+1+cmd|' /C calc'!A0", series: trace.series, past: trace.past, hasBars: false };
  assert.match(csvOf([odd], [0, 10], false), /,'\+1\+cmd\|' \/C calc'!A0,/);
});

test("what is unknown, stale or on its way is told apart", () => {
  const trace = new Trace(topicOf("x.A", 5, 50_000), null);
  assert.deepEqual(trace.empty([0, 60], 60), [[0, 50]], "before the first tick, where there are no bars");
  trace.takeBars(10_000, { field: "price", since: 20_000, unknown: [{ from: 30_000, to: 35_000 }], bars: [bar(20_000, 1, 1, 1, 1), bar(40_000, 1, 1, 1, 1)] }, 9);
  assert.deepEqual(trace.empty([0, 60], 60), [[0, 20], [30, 35]]);
  trace.series.gap();
  assert.deepEqual(trace.empty([0, 60], 60).at(-1), [50.001, 60], "the connection is gone");
  assert.equal(trace.loadedFrom, -Infinity);
  trace.takeBars(10_000, { field: "price", since: 0, bars: [bar(20_000, 1, 1, 1, 1)] }, 1);
  assert.equal(trace.loadedFrom, -Infinity, "once all there is was told");
  for (const answer of [{ field: 7 }, { field: "price", bars: "x", unknown: 5 }]) trace.takeBars(10_000, answer, 5);
  trace.seed([null, { data: null }, { event: 5, data: { ts: "x", value: 1 } }]);
});

test("lengths and shares read as one says them", () => {
  assert.deepEqual([1, 60, 90, 300, 3_600, 86_400, 172_800, 1_000].map(lengthOf), ["1 second", "1 minute", "90 seconds", "5 minutes", "1 hour", "24 hours", "2 days", "16.7 minutes"]);
  assert.deepEqual([0.123, -4, 0, null].map(percent), ["+0.12 %", "−4.00 %", "0.00 %", "–"]);
});
