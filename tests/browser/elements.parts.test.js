// The pure parts of the elements, without a browser.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { numeric, read } from "../../dashboards/client/src/elements/figure.js";
import { marksOf } from "../../dashboards/client/src/elements/marks.js";
import { Past, barsIn, milliseconds } from "../../dashboards/client/src/elements/past.js";
import { numbers, times } from "../../dashboards/client/src/elements/scale.js";

const shown = (value, marks, field) => {
  const { text, unit, change, badge } = read(value, marks, field);
  return [text, unit, change, badge].filter(Boolean).join(" | ");
};

test("a quote reads with its own digits, its currency and the day's change", () => {
  const quote = { price: "189.30", change: "-0.05", change_pct: "-0.03", volume: 100, currency: "USD" };
  assert.equal(shown(quote), "189.30 | USD | ▼ −0.05 (−0.03 %)");
  assert.equal(shown({ ...quote, change: "0.00", change_pct: "0.00" }), "189.30 | USD | 0.00 (0.00 %)");
  assert.equal(shown({ price: "60065.5", prev_close: "60000.0" }), "60065.5 | ▲ +65.5 (+0.11 %)");
  assert.equal(shown({ price: "7", open: "6" }), "7");
  assert.equal(shown({ price: null, prev_close: "100.00" }, { main: "price" }), "–", "without a price there is no change");
  assert.equal(shown({ price: "n/a", prev_close: "100.00" }, { main: "price" }), "n/a");
  assert.equal(shown(quote, undefined, "volume"), "100");
  assert.equal(shown({ price: 1, simulated: true, delay_s: 900 }), "1 | simulated, delayed 15 min");
});

test("units are guessed by names, and digits that nobody reads are left out", () => {
  assert.equal(shown({ busy_pct: "24.50", user_pct: 3 }), "24.50 | %");
  assert.equal(shown({ used_bytes: 3_006_477_107 }), "2.8 | GiB");
  assert.equal(shown({ rx_bytes_per_s: 2048 }), "2.0 | KiB/s");
  assert.equal(shown({ temperature_c: "-3.2", wind_ms: 4 }), "-3.2 | °C");
  assert.equal(shown({ wind_ms: 4.5 }), "4.5 | m/s");
  assert.equal(shown({ latency_ms: 1234.56789 }), "1,234.5679");
  assert.equal(shown({ uptime_s: 93_784.2 }), "1 d 2 h");
  assert.equal(shown({ current: { interval: 9, temperature: 19 } }), "19");
  assert.equal(shown(42), "42");
});

test("what is no figure is shown as text, and no shape is too odd", () => {
  assert.equal(shown({ text: "hello" }, undefined, "text"), "hello");
  assert.equal(shown({ ok: true }, undefined, "ok"), "true");
  assert.equal(shown("x".repeat(500)).length, 80);
  const deep = { a: { b: { c: { d: { e: { f: { g: 1 } } } } } } };
  for (const odd of [undefined, null, [], {}, { price: null }, { price: {} }, deep, { price: [1] }])
    assert.equal(typeof shown(odd), "string");
  assert.equal(shown({ constructor: 1 }, undefined, "toString"), "–");
  for (const other of ["", " ", "0x10", "1,5", "Infinity", null, true, {}, [], [5]])
    assert.ok(Number.isNaN(numeric(other)), JSON.stringify(other));
});

test("the feed's marks go before names", () => {
  const document = {
    components: {
      schemas: {
        "x.quote": {
          allOf: [{ $ref: "#/components/schemas/base" }],
          properties: {
            level: { $ref: "#/components/schemas/figure" },
            price: { type: "number" },
            c: { "x-tickerd-role": "change" },
          },
        },
        base: { "x-tickerd-simulated": true },
        figure: {
          "x-tickerd-main": true,
          "x-tickerd-unit": "{drops}/s",
          "x-tickerd-decimals": 1,
          "x-tickerd-role": "gauge",
        },
        loop: { $ref: "#/components/schemas/loop" },
      },
    },
  };
  const marks = marksOf(document, "x.quote");
  assert.equal(shown({ price: 5, level: 2 }, marks), "2.0 | drops/s | simulated");
  assert.deepEqual(marks.roles, { gauge: "level", change: "c" });
  for (const odd of [null, {}, document]) assert.equal(marksOf(odd, "loop").main, undefined);
});

test("marks that make no sense are none", () => {
  const schema = {
    properties: { a: { "x-tickerd-main": "yes", "x-tickerd-unit": 5, "x-tickerd-decimals": 99 }, b: null },
  };
  assert.deepEqual(marksOf({ components: { schemas: { "x.y": schema } } }, "x.y").fields.a, {});
});

const bar = (start, count, close = "1.0") => ({ start, count, open: "1.0", high: "2.0", low: "0.5", close });

test("bars stay in order, one for each start, the fuller one wins, and they are bounded", () => {
  const past = new Past(10);
  past.take({ bars: [bar(10, 3), bar(30, 2)], since: 5 });
  past.add(bar(20, 1));
  past.add(bar(30, 4, "1.9"));
  past.add(bar(30, 1, "0.6"));
  for (const odd of [undefined, null, {}, { start: "x" }, { start: 40, open: "NaN" }]) past.add(odd);
  assert.deepEqual(
    past.bars.map(({ start, count, texts }) => [start, count, texts[3]]),
    [
      [10, 3, "1.0"],
      [20, 1, "1.0"],
      [30, 4, "1.9"],
    ],
  );
  for (let i = 1; i < 3_000; i += 1) past.add(bar(30 + 10 * i, 1));
  assert.equal(past.bars.length, 2_000);
});

test("a line holds where nothing came, breaks where nothing is known, and ends at the newest tick", () => {
  const past = new Past(10);
  past.take({ bars: [bar(100, 1), bar(130, 1), bar(200, 1, "1.5")], unknown: [{ from: 150, to: 190 }], since: 100 });
  assert.deepEqual(past.line(0, 300), [[100, 1], [109, 1], [130, 1], [139, 1], null, [200, 1], [209, 1.5]]);
  assert.deepEqual(past.line(195, 300, [205, 1.7]), [
    [200, 1],
    [205, 1.7],
  ]);
  assert.deepEqual(new Past(10).line(0, 300, [205, 1.7]), [[205, 1.7]]);
  const other = new Past(10);
  other.take({ bars: "no", unknown: "no" });
  assert.deepEqual(other.line(0, 9), []);
});

test("lengths are read, and the bars that fill them counted", () => {
  assert.deepEqual(["10s", "15m", "2h", "1d", "x", "", undefined].map(milliseconds), [
    10_000,
    900_000,
    7_200_000,
    86_400_000,
    NaN,
    NaN,
    NaN,
  ]);
  assert.equal(barsIn(900_000, 10_000), 91);
  assert.equal(barsIn(9e12, 10), 2_000);
});

test("labels of figures say where they stand", () => {
  assert.deepEqual(numbers(188.7, 189.35, 3), { at: [188.75, 189, 189.25], places: 2 });
  assert.deepEqual(numbers(0, 100, 4), { at: [0, 25, 50, 75, 100], places: 0 });
  assert.deepEqual(numbers(5, 5, 4), { at: [5], places: 0 });
  const { at, places } = numbers(0.00011, 0.00019, 4);
  assert.deepEqual(
    at.map((n) => n.toFixed(places)),
    ["0.00012", "0.00014", "0.00016", "0.00018"],
  );
  assert.deepEqual(numbers(-1, 1, 4).at, [-1, -0.5, 0, 0.5, 1]);
});

test("labels of times stand on whole minutes", () => {
  const from = Date.UTC(2026, 10, 29, 15, 2, 30);
  const found = times(from, from + 900_000, 4);
  assert.deepEqual(
    found.map(({ at }) => at % 300_000),
    [0, 0, 0],
  );
  assert.match(found[0].text, /^\d\d:\d\d$/);
  assert.ok(times(from, from + 86_400_000 * 3, 4).every(({ text }) => /29|30|1|2/.test(text)));
});

test("labels of odd figures and of very long times are few, and fail never", () => {
  for (const [low, high] of [[1e-120, 2e-120], [5e-324, 1e-322], [0, 1e-310], [-1e308, 1e308], [NaN, NaN], [1e300, 1e300]]) {
    const { at, places } = numbers(low, high, 5);
    assert.ok(at.length <= 6 && places <= 20, `${low} to ${high}: ${at.length} labels with ${places} decimals`);
  }
  for (const days of [4_000, 1e6, 1e8]) assert.ok(times(0, days * 86_400_000, 8).length <= 9, `${days} days`);
});

test("a unit is a text, whatever it is called", () => {
  for (const unit of ["constructor", "toString", "__proto__"]) {
    assert.equal(read({ level: 1 }, { main: "level", fields: { level: { unit } } }).unit, unit);
  }
});

test("they are small: a figure and a strip, and what a chart adds", async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../../dashboards/client/src/elements.js", import.meta.url))],
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    write: false,
    outdir: "out",
    external: ["../index.js", "./marks.js"],
  });
  const bytes = (files) => gzipSync(files.map(({ text }) => text).join(""), { level: 9 }).length;
  const isPanel = ({ path }) => /panel-/.test(path);
  const [first, panel] = [outputFiles.filter((file) => !isPanel(file)), outputFiles.filter(isPanel)].map(bytes);
  assert.ok(first <= 6 * 1024, `${first} bytes`);
  assert.ok(panel <= 3.6 * 1024, `${panel} bytes`);
});

test("days are days where clocks are put back meanwhile", () => {
  const scale = new URL("../../dashboards/client/src/elements/scale.js", import.meta.url);
  const code = `import { times } from ${JSON.stringify(scale)};
    const from = Date.UTC(2026, 9, 23, 22); // midnight in Berlin, whose clocks go back on the 25th
    console.log(JSON.stringify(times(from, from + 5 * 86_400_000, 6).map(({ at }) => new Date(at).toString().slice(4, 24))));`;
  const env = { ...process.env, TZ: "Europe/Berlin" };
  const said = JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", code], { env }));
  assert.deepEqual(said, [24, 25, 26, 27, 28].map((day) => `Oct ${day} 2026 00:00:00`));
});
