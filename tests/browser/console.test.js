// The console in a page, with a client in the hands of the test.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { COMMANDS } from "../../dashboards/web/src/console/commands.js";
import { FORMS } from "../../dashboards/web/src/console/copy.js";
import { serveAlone } from "./alone.js";
import { openBlank } from "./blank.js";

let alone;
before(async () => (alone = await serveAlone()));
after(() => alone?.close());

/** The console in a blank page, with a client that answers as `answers` of the page says. */
const openConsole = (hash = "") =>
  openBlank(
    alone,
    ["console"],
    async () => {
      const [{ Console }, { Address }] = await Promise.all([import("/src/console/console.js"), import("/src/address.js")]);
      globalThis.sent = [];
      globalThis.ended = [];
      globalThis.answers = {};
      const client = {
        on(event, handler) {
          globalThis.heard = (frame) => (event === "message" || !("value" in frame.data)) && handler(frame);
          return () => {};
        },
        status: { state: "live" },
        user: undefined,
        async command(event, data) {
          sent.push({ event, data });
          const id = sent.length;
          heard({ out: true, event, data: { id, ...data }, text: JSON.stringify({ event, data: { id, ...data } }) });
          const answer = answers[event] ?? { event: "done", data: { id } };
          if (answer instanceof Error) throw answer;
          heard({ out: false, event: answer.event, data: answer.data, text: JSON.stringify(answer) });
          return answer.data;
        },
        subscribe(topics, options) {
          sent.push({ subscribe: topics, options });
          const failed = topics.filter((topic) => topic.startsWith("nobody."));
          const ready = failed.length === topics.length ? Promise.reject(Object.assign(new Error("there is no feed"), { code: 404 })) : Promise.resolve({ topics, patterns: [], failed: [] });
          return { topics, ready, close: () => ended.push(topics.join()) };
        },
        topics: async () => [{ topic: "sim.AAPL" }, { topic: "sim.MSFT" }, { topic: "host.cpu" }, null],
        http: async () => ({ ok: true, json: async () => ({ "x-bars": [{ period: "7s" }] }) }),
      };
      globalThis.shell = new Console(document.querySelector("main"), { client, address: new Address() });
      shell.shown = true;
      globalThis.tick = (topic, seq) => {
        const data = { topic, seq, ts: 1, value: { price: "1.50" } };
        heard({ out: false, event: "quote", data, text: JSON.stringify({ event: "quote", data }) });
      };
      globalThis.frame = () => requestAnimationFrame((now) => (shell.paint(now), frame()));
      frame();
    },
    null,
    { hash },
  );

const choose = (page, name) => page.selectOption("#console-command", name);
const field = (page, key) => page.locator(`[data-key="${key}"]`);
const send = (page) => page.click(".console-send button");
const sent = (page) => page.evaluate(() => globalThis.sent);
const lines = (page) =>
  page.$$eval(".frame > summary", (all) => all.map((line) => line.textContent.replace(/\d\d:\d\d:\d\d\.\d{3} /, "").replace(/\s+/g, " ").trim()));

test("an address with a message that cannot be written as code does no harm", async () => {
  const deep = "[".repeat(50_000) + "]".repeat(50_000);
  for (const [command, data] of [
    ["subscribe", '{"topics":[{"toString":1,"valueOf":1}],"rate":{"toString":1}}'],
    ["history", '{"topic":{"toString":1}}'],
    ["publish", `{"topic":"a.b","value":${deep}}`],
  ]) {
    const page = await openConsole(`#command=${command}&data=${encodeURIComponent(data)}`);
    for (const form of Object.keys(FORMS)) await page.selectOption("#console-copy", form);
    assert.deepEqual(await sent(page), [], "nothing is sent from an address");
    await page.close();
  }
});

test("a command is sent from its form, and its frames are seen in both directions, by arrow and word", async () => {
  const page = await openConsole();
  await choose(page, "history");
  assert.equal(await page.textContent(".copy-text"), "Fill in the fields above first.");
  await send(page);
  assert.equal(await page.textContent(".console-wrong"), "Write topic, for example sim.AAPL.");
  assert.equal(await field(page, "topic").getAttribute("aria-invalid"), "true");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.key), "topic");
  await field(page, "topic").fill("sim.AAPL");
  await field(page, "limit").fill("3");
  await page.keyboard.press("Enter");
  await page.getByText(/history: answered in \d+ ms/).waitFor();
  assert.deepEqual(await sent(page), [{ event: "history", data: { topic: "sim.AAPL", limit: 3 } }]);
  await page.locator(".frame").nth(1).waitFor();
  const [out, back] = await lines(page);
  assert.match(out, /^→ sent history sim\.AAPL \d+ B \{"event":"history","data":\{"id":1,"topic":"sim\.AAPL","limit":3\}\}$/);
  assert.match(back, /^← received done \d+ B/);
  // Opened from the keyboard it shows the whole message.
  await page.locator(".frame > summary").first().focus();
  await page.keyboard.press("Enter");
  await page.locator(".frame pre").first().getByText('"limit": 3').waitFor();
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("every command of the protocol has its form, and what is typed is what is sent and copied", async () => {
  const page = await openConsole();
  const typed = { topics: "sim.*", topic: "rooms.lobby", match: "sim.*", value: '{"text":"it\'s"}', period: "1m", limit: "5", rate: "1s", to: "user:ann", t: "7", before: "9" };
  for (const { name, event, keys } of COMMANDS.filter(({ name }) => !name.endsWith("subscribe"))) {
    await choose(page, name);
    for (const key of keys) await field(page, key.name).fill(typed[key.name]);
    for (const form of Object.keys(FORMS)) {
      await page.selectOption("#console-copy", form);
      assert.ok((await page.textContent(".copy-text")).length > 10, `${form} of ${name}`);
    }
    await send(page);
    await page.getByText(new RegExp(`^${name}: answered`)).waitFor();
    const last = (await sent(page)).at(-1);
    assert.equal(last.event, event);
    assert.deepEqual(Object.keys(last.data), keys.map((key) => key.name));
  }
  await page.selectOption("#console-copy", "curl");
  await choose(page, "publish");
  assert.ok((await page.textContent(".copy-text")).includes(`--data-raw '{"text":"it'\\''s"}'`));
  await page.check(".copies input[type=checkbox]");
  assert.match(await page.textContent(".copy-text"), /Bearer \$TOKEN"/);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click(".copy-bar button");
  await page.getByText("Copied.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.textContent(".copy-text"));
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("subscriptions are held by the client, and end one by one; the page's own go on", async () => {
  const page = await openConsole();
  await field(page, "topics").fill("sim.AAPL, sim.MSFT");
  await field(page, "rate").fill("1s");
  await send(page);
  await page.getByText("subscribe: granted.").waitFor();
  assert.deepEqual(await sent(page), [{ subscribe: ["sim.AAPL", "sim.MSFT"], options: { rate: "1s" } }]);
  await page.locator(".held").getByText("sim.AAPL sim.MSFT, rate 1s").waitFor();
  await choose(page, "unsubscribe");
  await field(page, "topics").fill("sim.AAPL host.cpu");
  await send(page);
  await page.getByText("unsubscribe: ended sim.AAPL. host.cpu was not subscribed here. What the page itself shows goes on.").first().waitFor();
  assert.deepEqual((await sent(page)).at(-1), { subscribe: ["sim.MSFT"], options: { rate: "1s" } });
  assert.deepEqual(await page.evaluate(() => globalThis.ended), ["sim.AAPL,sim.MSFT"]);
  await page.getByRole("button", { name: "Unsubscribe sim.MSFT, rate 1s" }).click();
  assert.deepEqual(await page.evaluate(() => globalThis.ended), ["sim.AAPL,sim.MSFT", "sim.MSFT"]);
  assert.ok(await page.locator(".held").isHidden());

  await choose(page, "subscribe");
  await field(page, "topics").fill("nobody.x");
  await send(page);
  await page.locator(".console-wrong").getByText("subscribe: 404 there is no feed.").waitFor();
  await field(page, "topics").fill("sim.AAPL");
  await field(page, "rate").fill("fast");
  await send(page);
  await page.locator(".console-wrong").getByText('rate is a whole number with its unit (ms, s, m, h), for example "1s".').waitFor();
  assert.equal((await sent(page)).length, 3);
  await page.close();
});

test("an error of the server is shown in its words; JSON may be sent as it is written", async () => {
  const page = await openConsole();
  await page.evaluate(() => {
    answers.subscrbe = Object.assign(new Error('there is no command "subscrbe"; did you mean subscribe?'), { code: 405 });
    answers.get = Object.assign(new Error("send fewer commands"), { code: 429, retryAfterMs: 1_500 });
  });
  await page.check('input[value="json"]');
  assert.deepEqual(JSON.parse(await page.inputValue("#console-json")), { event: "subscribe", data: {} });
  await page.fill("#console-json", '{"event":"subscrbe","data":{"a":[1,2]}}');
  await page.keyboard.press("Control+Enter");
  await page.locator(".console-wrong").getByText('subscrbe: 405 there is no command "subscrbe"; did you mean subscribe?').waitFor();
  assert.deepEqual(await sent(page), [{ event: "subscrbe", data: { a: [1, 2] } }]);
  await page.check('input[value="fields"]').catch(() => {});
  await page.getByText("The fields have no place for all of this.").waitFor();
  await page.fill("#console-json", '{"event":"auth","data":{"token":"s3cret"}}');
  await page.keyboard.press("Control+Enter");
  await page.locator(".console-wrong").getByText("A token is not sent from here").waitFor();
  await page.fill("#console-json", '{"event":"history","data":{"topic":"sim.AAPL","period":"1m"}}');
  await page.check('input[value="fields"]');
  assert.equal(await page.inputValue("#console-command"), "bars");
  assert.equal(await field(page, "period").inputValue(), "1m");
  await choose(page, "get");
  await field(page, "topics").fill("sim.*");
  await send(page);
  await page.locator(".console-wrong").getByText("get: 429 send fewer commands. It may work in 2 s.").waitFor();
  assert.doesNotMatch(await page.textContent("main"), /s3cret/);
  await page.close();
});

test("topics are suggested, also for the last of several, and the periods that the server keeps", async () => {
  const page = await openConsole();
  await page.waitForFunction(() => {
    const input = document.querySelector('[data-key="topics"]');
    input.dispatchEvent(new Event("focus"));
    return input.list.options.length > 3;
  });
  await field(page, "topics").fill("host.cpu, msf");
  assert.deepEqual(await page.$eval('[data-key="topics"]', (input) => [...input.list.options].map(({ value }) => value)), ["host.cpu, sim.MSFT"]);
  await choose(page, "bars");
  await field(page, "period").fill("");
  assert.deepEqual(await page.$eval('[data-key="period"]', (input) => [...input.list.options].map(({ value }) => value)), ["7s"]);
  await page.close();
});

test("the frames can be filtered, paused and cleared; thousands of ticks are one line", async () => {
  const page = await openConsole();
  await page.evaluate(() => {
    for (let i = 1; i <= 3_000; i += 1) tick(i % 2 ? "sim.AAPL" : "sim.MSFT", i);
  });
  await page.getByText("3,000 ticks").waitFor();
  assert.match((await lines(page))[0], /^← received 3,000 ticks of 2 topics, newest sim\.MSFT/);
  await page.locator(".frame > summary").click();
  await page.locator(".frame pre").getByText("The newest of 2 topics:").waitFor();
  await page.selectOption(".frames-bar select", "each");
  await page.evaluate(() => {
    for (let i = 1; i <= 700; i += 1) tick("sim.AAPL", i);
  });
  await page.getByText(/^500 lines · 201 older lines dropped$/).waitFor();
  assert.equal(await page.locator(".frame").count(), 500);
  await page.fill(".frames-bar input", "aapl");
  await page.evaluate(() => (tick("sim.MSFT", 1), tick("sim.AAPL", 9_999)));
  await page.getByText(/1 message left out/).waitFor();
  await page.locator(".frame:last-child").getByText('"seq":9999').waitFor();
  await page.click("text=Pause");
  await page.evaluate(() => tick("sim.AAPL", 10_000));
  await page.getByText(/Paused: 1 message not kept/).waitFor();
  await page.click("text=Go on");
  await page.getByText("1 message came meanwhile, not kept.").first().waitFor();
  await page.click("text=Clear");
  await page.getByText("Nothing yet.").waitFor();
  assert.equal(await page.locator(".frame").count(), 0);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("while it is not shown ticks cost nothing and are not kept", async () => {
  const page = await openConsole();
  await page.evaluate(() => {
    shell.shown = false;
    for (let i = 0; i < 100; i += 1) tick("sim.AAPL", i + 1);
    heard({ out: false, event: "connected", data: {}, text: '{"event":"connected","data":{}}' });
    shell.shown = true;
  });
  await page.locator(".frame").first().waitFor();
  assert.deepEqual((await lines(page)).map((line) => line.split(" ")[2]), ["connected"]);
  await page.close();
});

test("a link has the command in it, and only a person sends it; a cut link does no harm", async () => {
  const page = await openConsole(`#command=bars&data=${encodeURIComponent('{"topic":"sim.AAPL","period":"1m"}')}`);
  assert.equal(await page.inputValue("#console-command"), "bars");
  assert.equal(await field(page, "topic").inputValue(), "sim.AAPL");
  assert.deepEqual(await sent(page), []);
  await field(page, "limit").fill("9");
  await field(page, "limit").blur();
  assert.deepEqual(await page.evaluate(() => JSON.parse(new URLSearchParams(location.hash.slice(1)).get("data"))), { topic: "sim.AAPL", period: "1m", limit: 9 });
  await page.close();
  for (const hash of ["#command=bars&data=%7B", "#command=no%20such&data=7", "#command=&data=null", '#command=later&data={"a":1}']) {
    const odd = await openConsole(hash);
    await odd.locator(".console-form").waitFor();
    assert.deepEqual(odd.errors, [], hash);
    await odd.close();
  }
});

test("the console fits a phone, has a name for each control, and the keyboard reaches all of it", async () => {
  const page = await openConsole();
  await field(page, "topics").fill(`sim.${"long".repeat(40)}`);
  await page.evaluate(() => {
    for (let i = 1; i <= 20; i += 1) heard({ out: false, event: "values", data: { topics: ["sim.AAPL"] }, text: JSON.stringify({ event: "values", data: "x".repeat(2_000) }) });
  });
  await page.locator(".frame").nth(19).waitFor();
  for (const width of [390, 1360, 3840]) {
    await page.setViewportSize({ width, height: 800 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px`);
  }
  const unnamed = await page.$$eval("input, select, textarea, button", (all) => all.filter((element) => !element.labels?.length && !element.ariaLabel && !element.textContent.trim()).length);
  assert.equal(unnamed, 0);
  await page.setViewportSize({ width: 1360, height: 800 });
  const reached = new Set();
  await page.focus("#console-command");
  for (let i = 0; i < 14; i += 1) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement.className || document.activeElement.textContent || document.activeElement.type));
  }
  for (const wanted of ["primary", "Copy", "copy-text", "Pause", "Clear", "frames"]) assert.ok([...reached].some((name) => name.includes(wanted)), `${wanted} of ${[...reached]}`);
  await page.close();
});
