// Bars before and between ticks, as one line; and which bars fill a window.
import assert from "node:assert/strict";
import { test } from "node:test";
import { join, Past, periodFor } from "../../dashboards/web/src/chart/past.js";

const bar = (second, figure) => ({ start: second * 1000, open: `${figure}.1`, high: `${figure}.9`, low: `${figure}.0`, close: `${figure}.2` });

/** The past of bars of ten seconds. */
function pastOf(bars, unknown = []) {
  const past = new Past();
  past.take(10_000, { since: 0, bars, unknown: unknown.map(([from, to]) => ({ from: from * 1000, to: to * 1000 })) });
  return past;
}

/** The line in pieces, as `[time, number]`. */
function pieces([times, numbers]) {
  times.forEach((time, i) => assert.ok(i === 0 || time > times[i - 1], `${times}`));
  const found = [[]];
  numbers.forEach((number, i) => (number === null ? found.push([]) : found.at(-1).push([Math.round(times[i] * 100) / 100, number])));
  return found.filter((piece) => piece.length > 0);
}

const lineOf = (past, ticks) => join(past.bars, ticks);
const NO_TICKS = { times: [], numbers: [] };

test("neighbours are joined, and a period without a bar is a gap", () => {
  const past = pastOf([bar(0, 1), bar(10, 2), bar(30, 3)]);
  assert.deepEqual(pieces(lineOf(past, NO_TICKS)), [
    [[0, 1.1], [10, 1.2], [10, 2.1], [20, 2.2]],
    [[30, 3.1], [40, 3.2]],
  ]);
});

test("ticks go on where the bars end, within the open one", () => {
  const past = pastOf([bar(0, 1), bar(10, 2)]);
  const ticks = { times: [14, 15], numbers: [7, 8] };
  assert.deepEqual(pieces(lineOf(past, ticks)), [[[0, 1.1], [10, 1.2], [10, 2.1], [14, 7], [15, 8]]]);
});

test("bars fill what was missed between ticks, and what they do not know stays empty", () => {
  const past = pastOf([bar(0, 1), bar(10, 2), bar(20, 3), bar(50, 5)]);
  const ticks = { times: [3, 4, 4.001, 52, 53], numbers: [7, 8, null, 9, 9.5] };
  assert.deepEqual(pieces(lineOf(past, ticks)), [
    [[0, 1.1], [3, 7], [4, 8], [10, 1.2], [10, 2.1], [20, 2.2], [20, 3.1], [30, 3.2]],
    [[50, 5.1], [52, 9], [53, 9.5]],
  ]);
});

test("after the last tick of a lost connection bars go on, and the end is not joined to anything", () => {
  const past = pastOf([bar(0, 1), bar(10, 2)]);
  const joined = lineOf(past, { times: [3, 3.001], numbers: [7, null] });
  assert.deepEqual(pieces(joined), [[[0, 1.1], [3, 7], [10, 1.2], [10, 2.1], [20, 2.2]]]);
  assert.equal(joined[1].at(-1), null);
});

test("no line goes through a time of which nothing is known, neither of bars nor of ticks", () => {
  const cut = pastOf([bar(0, 1), bar(10, 2)], [[8, 11]]);
  assert.deepEqual(pieces(lineOf(cut, NO_TICKS)), [[[0, 1.1]], [[10, 1.2]], [[10, 2.1]], [[20, 2.2]]]);
  const ticks = { times: [1, 2, 9, 10], numbers: [1, 2, 3, 4] };
  assert.deepEqual(pieces(lineOf(pastOf([], [[4, 6]]), ticks)), [[[1, 1], [2, 2]], [[9, 3], [10, 4]]]);
});

test("without bars the line is the ticks", () => {
  const ticks = { times: [1, 2, 2.001, 9], numbers: [1, 2, null, 4] };
  assert.deepEqual(pieces(lineOf(new Past(), ticks)), [[[1, 1], [2, 2]], [[9, 4]]]);
});

test("bars that come again replace what they were, those of another period stand apart, and what is no figure is none", () => {
  const past = pastOf([bar(0, 1), bar(10, 2)]);
  past.take(10_000, { since: 5_000, bars: [bar(10, 4), { start: 20_000, open: "?", high: 1, low: 1, close: 1 }] });
  assert.deepEqual(pieces(lineOf(past, NO_TICKS)).flat().map(([, number]) => number), [1.1, 1.2, 4.1, 4.2]);
  past.take(10_000, { since: 10_000, bars: [] });
  assert.equal(past.bars.oldest, 0, "what the server has forgotten since is known here");
  past.take(60_000, { since: 0, bars: [] });
  assert.equal(past.bars.ms, 10_000, "shown until there is another choice");
  past.show(60_000);
  assert.ok(past.bars.isEmpty && !past.of(10_000).isEmpty);
});

test("a window is filled with the shortest bars that are kept for so long and are not too many", () => {
  const [s, t, m] = [["1s", 1_000, 600_000], ["10s", 10_000, 3_600_000], ["1m", 60_000, 86_400_000]].map(([name, ms, keepMs]) => ({ name, ms, keepMs }));
  const names = (periods, spans) => spans.map((span) => periodFor(periods, span * 1000)?.name);
  assert.deepEqual(names([t, m], [60, 900, 3_600, 86_400]), ["10s", "10s", "10s", "1m"]);
  assert.deepEqual(names([s, t, m], [60, 900, 3_600, 86_400]), ["1s", "10s", "10s", "1m"]);
  assert.deepEqual(names([s], [60, 3_600, 86_400]), ["1s", "1s", "1s"]);
  assert.deepEqual(names([], [60]), [undefined]);
  const long = { ...s, keepMs: 86_400_000 };
  assert.deepEqual(names([long, m], [900, 86_400]), ["1s", "1m"]);
  assert.deepEqual(names([long], [86_400]), ["1s"]);
});
