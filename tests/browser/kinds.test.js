// Quotes, trades, the weather and a machine's gauges, each shown as its readers expect it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { exact, leaves } from "../../dashboards/web/src/data/fields.js";
import * as kinds from "../../dashboards/web/src/data/kinds.js";
import { Topic } from "../../dashboards/web/src/data/topics.js";
import { quote, serveAlone, tick } from "./alone.js";
import { linkSays, rowOf } from "./view.js";

const QUOTE = {
  symbol: "BTC/USD",
  source_symbol: "XBT/USD",
  source: "kraken",
  price: "60065.50",
  bid: "60065.5",
  bid_size: "0.4",
  ask: "60065.6",
  ask_size: "1.2",
  high: "61000.0",
  low: "59000.1",
  change: "-434.50",
  change_pct: "-0.72",
  volume: "1234.5678",
  currency: "USD",
  delay_s: 0,
  session: "24x7",
};
const TRADE = { symbol: "AAPL", source: "alpaca", id: 7, price: "189.31", size: "100", side: "buy", topic: "x" };
const WEATHER = {
  place: "oslo",
  source: "open-meteo",
  latitude: 59.91,
  longitude: 10.75,
  temperature_c: -3.5,
  humidity_pct: 81,
  wind_ms: 4.63,
  condition: "light snow",
};

let alone;
before(async () => (alone = await serveAlone()));
after(() => alone?.close());

/** A topic that has heard these values, in this order. */
function topicOf(kind, ...values) {
  const topic = new Topic("some.topic");
  values.forEach((value, i) => {
    const data = { topic: "some.topic", seq: i + 1, ts: i + 1, value };
    topic.take(kind, data, JSON.stringify({ event: kind, data }));
  });
  return topic;
}
/** What a row shows under its kind's heads, but for its topic, its age and what has no column. */
const shown = (page, topic) =>
  page.$eval(`tr[data-topic="${topic}"]`, (row) => {
    let heads = row.parentElement;
    while (!heads.classList.contains("heads")) heads = heads.previousElementSibling;
    const cells = [...row.children].map((cell, i) => [heads.children[i], cell]);
    return Object.fromEntries(
      cells
        .filter(([, cell]) => cell.localName === "td" && !/details|age/.test(cell.className) && cell.checkVisibility())
        .map(([head, cell]) => [head.textContent, cell.textContent]),
    );
  });
/** Waits until a row shows just that. */
async function shows(page, topic, wanted) {
  const deadline = Date.now() + 15_000;
  let last;
  do last = await shown(page, topic);
  while (!isDeepStrictEqual(last, wanted) && Date.now() < deadline);
  assert.deepEqual(last, wanted);
}
const change = (topic) => kinds.change(topic, exact(topic.text).data.value);
const names = (kind, value, main) => kinds.details(kind, leaves(value), main).map(([path]) => path);

test("what a reader of a kind looks for comes first, and what the row says already not at all", () => {
  const quoted = names("quote", QUOTE, "price");
  assert.deepEqual(quoted.slice(0, 6), ["bid", "ask", "high", "low", "volume", "session"]);
  const traded = names("trade", TRADE, "price");
  assert.deepEqual(traded, ["size", "side"]);
  const weather = names("weather", WEATHER, "temperature_c");
  assert.deepEqual(weather, ["condition", "humidity_pct", "wind_ms"]);
  for (const told of ["symbol", "source_symbol", "source", "topic", "change", "change_pct", "price"]) {
    assert.ok(!quoted.includes(told), told);
  }
  assert.deepEqual(names("grid", { hz: 50.01, note: "calm", source: "x" }, "hz"), ["note"]);
});

test("a quote's change is the day's, with its source's digits", () => {
  assert.deepEqual(
    [change(topicOf("quote", QUOTE)).text, change(topicOf("quote", QUOTE)).direction],
    ["▼ −434.50 (−0.72 %)", "down"],
  );
  for (const [value, text] of [
    [{ price: "101.00", change: "1.00" }, "▲ +1.00 (+1.00 %)"],
    [{ price: "101.0", prev_close: "100.00" }, "▲ +1.00 (+1.00 %)"],
    [{ price: 189.3, change: 0.57, change_pct: 0.3 }, "▲ +0.57 (+0.30 %)"],
    [{ price: "101.00", change_pct: "-2.345" }, "▼ −2.35 %"],
    [{ price: "100.00", change: "0.00", change_pct: "0.00" }, "0.00 (0.00 %)"],
    [{ price: "-37.63", prev_close: "-10.00" }, "▼ −27.63"],
  ]) {
    assert.equal(change(topicOf("quote", value)).text, text, JSON.stringify(value));
  }
});

test("a price whose source tells no change has one since its open, which says so, and else none", () => {
  const nothing = { text: "", direction: "", title: "" };
  assert.deepEqual(change(topicOf("quote", { price: "10.00" }, { price: "10.25" })), nothing);
  assert.deepEqual(change(topicOf("trade", { price: "10.00" }, { price: "9.50" })), nothing);
  assert.match(change(topicOf("quote", QUOTE)).title, /of the day/);
  const opened = change(topicOf("quote", { price: "0.30", open: "0.10" }));
  assert.deepEqual([opened.text, opened.direction, opened.since], ["▲ +0.20 (+200.00 %)", "up", "open"]);
  assert.match(opened.title, /^since open/);
  const closed = change(topicOf("quote", { price: "9.5", open: "9.00", prev_close: "10.00" }));
  assert.equal(closed.text, "▼ −0.50 (−5.00 %)");
  assert.match(closed.title, /^since the previous close/);
  assert.equal(closed.since, undefined);
});

test("changes are computed without a rounding but the percent's, which is to the nearest", () => {
  for (const [price, open, text] of [
    ["12345678901234567890.3", "12345678901234567890.1", "▲ +0.2 (0.00 %)"],
    ["0.3", "0.1", "▲ +0.2 (+200.00 %)"],
    ["100.005", "100", "▲ +0.005 (+0.01 %)"],
    ["99.995", "100.000", "▼ −0.005 (−0.01 %)"],
    ["1e3", "1.5e2", "▲ +850 (+566.67 %)"],
    ["100", "0", "▲ +100"],
    ["5", "-10", "▲ +15"],
    ["5", "ten", ""],
    ["5", true, ""],
    ["5", null, ""],
  ]) {
    assert.equal(change(topicOf("quote", { price, open })).text, text, `${price} after ${open}`);
  }
});

test("only where direction means something has it an arrow and a colour", () => {
  for (const [kind, from, to, text] of [
    ["cpu", { busy_pct: 10 }, { busy_pct: 30.5 }, "+20.5"],
    ["memory", { used_pct: 50 }, { used_pct: 40 }, "−10.0"],
    ["uptime", { uptime_s: 61 }, { uptime_s: 62 }, "+1 s"],
    ["weather", { temperature_c: 20 }, { temperature_c: 19.5 }, "−0.5"],
    ["net", { rx_bytes_per_s: 0 }, { rx_bytes_per_s: 2048 }, "+2.0 KiB"],
    ["sine", 1, 2, "+1"],
  ]) {
    const { text: shown, direction } = change(topicOf(kind, from, to));
    assert.deepEqual([shown, direction], [text, ""], kind);
  }
  assert.equal(kinds.step("quote", "volume", 5, 3).direction, "", "more volume is neither good nor bad");
});

test("a change that is derived from the open says so beside it, in the table and in the chart", async () => {
  const page = await alone.open(({ sayText }) => {
    sayText(tick("quote", "t.opened", 1, '{"price":"189.30","open":"187.11"}'));
    sayText(tick("quote", "t.told", 1, '{"price":"101.00","change":"1.00"}'));
  }, { hash: "#topics=t.opened,t.told" });
  for (const [name, amount, share, mark] of [["t.opened", "▲ +2.19", "+1.17 %", /since/], ["t.told", "▲ +1.00", "+1.00 %", /^none$/]]) {
    await rowOf(page, name).getByText(share, { exact: true }).waitFor();
    for (const [place, text] of [
      [rowOf(page, name).locator(".change"), amount],
      [page.locator(`.chart[data-topic="${name}"] .step`), `${amount} (${share})`],
    ]) {
      await place.filter({ hasText: text }).waitFor();
      // A row that is laid out anew has other cells, and what is no longer on the page has no style.
      const look = () => place.evaluate((cell) => [getComputedStyle(cell, "::after").content, cell.scrollWidth <= cell.clientWidth]);
      let [said, isWhole] = await look();
      while (said === "") [said, isWhole] = await look();
      assert.match(said, mark);
      assert.ok(isWhole, `${name} is cut off`);
    }
  }
  await page.close();
});

test("changes of different sizes are put in order by their share", () => {
  const bytes = topicOf("net", { rx_bytes_per_s: 1_000_000 }, { rx_bytes_per_s: 1_010_000 });
  const price = topicOf("quote", { price: "189.30", change: "9.01", change_pct: "5.00" });
  assert.ok(kinds.share(bytes) > 0.9 && kinds.share(bytes) < 1.1);
  assert.equal(kinds.share(price), 5);
  assert.equal(kinds.share(topicOf("note", "text")), 0);
  assert.equal(kinds.share(topicOf("net", { rx_bytes_per_s: 0 }, { rx_bytes_per_s: 8 })), 1);
});

test("only a value that says so is simulated", () => {
  for (const value of [{ simulated: true }, { source: "sim" }]) assert.ok(kinds.isSimulated(value));
  for (const value of [null, 3, "sim", {}, { simulated: "no" }, { simulated: false }, { source: "nyse" }]) {
    assert.ok(!kinds.isSimulated(value), JSON.stringify(value));
  }
});

test("a wide page shows the whole quote, and a busy machine is not red", async () => {
  const page = await alone.open(({ sayText }) => {
    sayText(tick("quote", "crypto.BTC-USD", 1, JSON.stringify(QUOTE)));
    sayText(tick("cpu", "host.cpu", 1, '{"busy_pct":10.0,"user_pct":8.0}'));
    sayText(tick("cpu", "host.cpu", 2, '{"busy_pct":95.5,"user_pct":8.0}'));
  });
  await page.setViewportSize({ width: 1920, height: 1000 });
  const row = rowOf(page, "crypto.BTC-USD");
  await row.getByText("▼ −434.50", { exact: true }).waitFor();
  assert.equal(await row.getAttribute("data-trend"), "down");
  await shows(page, "crypto.BTC-USD", {
    "Price USD": "60065.50",
    Change: "▼ −434.50",
    "Change %": "−0.72 %",
    Bid: "60065.5",
    Ask: "60065.6",
    High: "61000.0",
    Low: "59000.1",
    Volume: "1234.5678",
    Session: "24x7",
  });
  assert.match(await row.locator(".details").getAttribute("title"), /symbol BTC\/USD.*source kraken/);
  const gauge = rowOf(page, "host.cpu");
  await gauge.getByText("95.5 %").waitFor();
  await shows(page, "host.cpu", { Busy: "95.5 %", User: "8.0 %" });
  assert.equal(await gauge.getAttribute("data-trend"), "", "a step of a gauge has a direction");
  assert.equal(await gauge.locator(".value").evaluate((cell) => cell.style.getPropertyValue("--part")), "96%");
  await page.close();
});

test("a simulated value says so beside its topic and in its chart, and a real one does not", async () => {
  let talk;
  const page = await alone.open((connection) => {
    talk = connection;
    connection.sayText(tick("quote", "sim.AAPL", 1, '{"price":"189.16","simulated":true}'));
    connection.sayText(quote("stocks.AAPL", 1, '"189.16"'));
  }, { hash: "#topics=sim.AAPL,stocks.AAPL" });
  await linkSays(page, "Live");
  // Where all of a feed's topics are, its heading says so once.
  await page.locator('tbody[data-feed="sim"] tr.feed').getByText("simulated").waitFor();
  const mark = rowOf(page, "sim.AAPL").locator(".simulated");
  assert.ok(await mark.isHidden());
  await page.locator('.chart[data-topic="sim.AAPL"]').getByText("simulated").waitFor();
  assert.equal(await page.locator('tbody[data-feed="stocks"] .simulated:not([hidden])').count(), 0);
  assert.ok(await page.locator('.chart[data-topic="stocks.AAPL"] .simulated').isHidden());
  assert.ok(!(await rowOf(page, "sim.AAPL").locator(".details").textContent()).includes("simulated"));
  talk.sayText(quote("sim.real", 1, '"1.00"'));
  await mark.waitFor();
  assert.equal(await page.locator('tbody[data-feed="sim"] tr.feed .simulated').count(), 0);
  assert.ok(await rowOf(page, "sim.real").locator(".simulated").isHidden());
  await page.setViewportSize({ width: 390, height: 844 });
  const cut = await page.$eval('.chart[data-topic="sim.AAPL"] h3', (name) => name.scrollWidth > name.clientWidth);
  assert.ok(!cut, "the chart's name makes way for the mark");
  assert.ok(await mark.isVisible());
  const { x, width } = await mark.boundingBox();
  assert.ok(x >= 0 && x + width <= 390);
  await page.close();
});

test("the weather is told with its wind's direction, a trade with its side", async () => {
  const page = await alone.open(({ sayText }) => {
    sayText(tick("weather", "nws.KSEA", 1, JSON.stringify({ ...WEATHER, wind_deg: 47, feels_like_c: -8, pressure_hpa: 1013.2 })));
    sayText(tick("trade", "alpaca.AAPL", 1, JSON.stringify(TRADE)));
  });
  await page.setViewportSize({ width: 1920, height: 1000 });
  await rowOf(page, "nws.KSEA").getByText("4.63 m/s ↙ NE").waitFor();
  await shows(page, "nws.KSEA", {
    Temperature: "-3.5 °C",
    Condition: "light snow",
    Felt: "-8 °C",
    "Wind from": "4.63 m/s ↙ NE",
    Humidity: "81.0 %",
    Pressure: "1,013.2 hPa",
  });
  await shows(page, "alpaca.AAPL", { Price: "189.31", Size: "100", Side: "buy" });
  await page.close();
});

test("an observation that its source calls stale is marked, until a current one comes", async () => {
  const observed = (more) => JSON.stringify({ ...WEATHER, ...more });
  let talk;
  const page = await alone.open((connection) => (talk = connection));
  await linkSays(page, "Live");
  talk.sayText(tick("weather", "nws.KSEA", 1, observed({ stale: true })));
  const badge = rowOf(page, "nws.KSEA").locator(".details .badge");
  await badge.getByText("stale at its source").waitFor();
  talk.sayText(tick("weather", "nws.KSEA", 2, observed({})));
  await badge.waitFor({ state: "hidden" });
  await page.close();
});
