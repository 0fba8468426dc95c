// Alerts as a reader has them: written in a dialog, kept in the address, seen, heard, acknowledged.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { after, before, test } from "node:test";
import { quote, serveAlone, tick } from "./alone.js";

let alone;
before(async () => (alone = await serveAlone()));
after(() => alone?.close());

/**
 * Opens the board; calls of the browser's own for sound and notice are counted, and granted. Once the test has lost the
 * line, a connection is live when it is let in, and hears what `again` says.
 */
async function open(hash, texts, { permission = "granted", calm = false, clock = false, again = () => {} } = {}) {
  const opened = new EventEmitter();
  const line = {
    lose() {
      line.isLost = true;
      line.socket.close();
    },
    letIn() {
      line.isLost = false;
      line.meet();
    },
  };
  const talk = ({ connections, ...now }) => {
    const meet = () => {
      now.greet();
      if (connections > 1) again(now);
      else for (const text of texts) now.sayText(text);
    };
    Object.assign(line, now, { meet });
    if (!line.isLost) meet();
    opened.emit("line");
  };
  const isOpen = once(opened, "line");
  const prepare = async (page) => {
    if (clock) await page.clock.install();
    if (calm) await page.emulateMedia({ reducedMotion: "reduce" });
    await page.addInitScript((permission) => {
      Object.assign(globalThis, { notes: 0, told: [], asked: 0 });
      const start = OscillatorNode.prototype.start;
      OscillatorNode.prototype.start = function (...at) {
        globalThis.notes += 1;
        return start.apply(this, at);
      };
      globalThis.Notification = class extends EventTarget {
        static permission = "default";
        static async requestPermission() {
          globalThis.asked += 1;
          return (this.permission = permission);
        }
        constructor(title, { body, tag, renotify }) {
          super();
          globalThis.told.push([title, body, Boolean(tag && renotify)]);
        }
        close() {}
      };
    }, permission);
  };
  const page = await alone.open(talk, { greeted: false, hash: `#view=board${hash}`, prepare });
  await isOpen;
  return Object.assign(page, { line });
}

const buttonSays = (page, text) => page.waitForFunction((text) => document.getElementById("alerts-open").textContent === text, text);
const listed = (page) => page.$$eval("#alerts-list li", (rows) => rows.map((row) => [row.dataset.alarm, row.querySelector("span").textContent]));
const lists = (page, state, words) =>
  page.waitForFunction(
    ([state, words]) => [...document.querySelectorAll("#alerts-list li")].some((row) => row.dataset.alarm === state && row.textContent.startsWith(words)),
    [state, words],
  );
const stateIs = (page, text) => page.waitForFunction((text) => document.querySelector(".tile .state").textContent === text, text);
const alarmOf = (page, name) => page.locator(`.tile[data-key="${name}"]`);
const address = (page) => page.evaluate(() => new URLSearchParams(location.hash.slice(1)).get("alerts"));

test("a rule is written, refused with what to change, taken, changed and removed", async () => {
  const page = await open("&tiles=sim.A", [quote("sim.A", 1, "1.5")]);
  await page.getByRole("button", { name: "Alerts" }).click();
  const dialog = page.getByRole("dialog", { name: "Alerts" });
  const rule = dialog.getByLabel("Rule", { exact: true });
  await rule.fill("sim.A > 1,000");
  await page.keyboard.press("Enter");
  assert.equal(await dialog.getByRole("alert").textContent(), "Write the number without commas: 1000.");
  assert.notEqual(await rule.getAttribute("aria-invalid"), null);
  await rule.fill("sim.A>1000");
  assert.equal(await page.locator("#alerts-error").textContent(), "");
  await page.keyboard.press("Enter");
  await dialog.getByText("sim.A > 1000").waitFor();
  assert.equal(await address(page), "sim.A > 1000");
  await rule.fill("sim.A > 1000");
  await page.keyboard.press("Enter");
  assert.equal(await dialog.getByRole("alert").textContent(), "There is such a rule already.");
  await dialog.getByRole("button", { name: "Edit sim.A > 1000" }).click();
  await rule.fill("sim.A > 1 until < 0.5");
  await dialog.getByRole("button", { name: "Save" }).click();
  assert.equal(await address(page), "sim.A > 1 until < 0.5");
  await rule.fill("sim.A:nothing > 2");
  await page.keyboard.press("Enter");
  await dialog.getByText("no field nothing; there is price, volume").waitFor();
  await dialog.getByRole("button", { name: "Remove sim.A:nothing > 2" }).click();
  await page.keyboard.press("Escape");
  await lists(page, "firing", "sim.A is above 1: 1.5");
  await page.getByRole("button", { name: "Alerts (1)" }).click();
  await dialog.getByRole("button", { name: "Remove sim.A > 1 until < 0.5" }).click();
  await page.keyboard.press("Escape");
  await buttonSays(page, "Alerts");
  assert.deepEqual(await listed(page), []);
  assert.equal(await address(page), null);
  await page.close();
});

test("what fires is listed, marked on its tile and read aloud once; acknowledged it is quiet; over, it is gone", async () => {
  const page = await open("&tiles=sim.A,sim.B&alerts=sim.A%20%3E%20200%20until%20%3C%20198", [quote("sim.A", 1, 199), quote("sim.B", 1, 999)]);
  await page.waitForFunction(() => document.querySelector(".tile .figure")?.textContent === "199");
  assert.deepEqual(await listed(page), []);
  await page.evaluate(() => {
    globalThis.words = [];
    new MutationObserver(() => words.push(document.getElementById("alert-words").textContent)).observe(document.getElementById("alert-words"), { childList: true });
  });
  page.line.sayText(quote("sim.A", 2, 201));
  await lists(page, "firing", "sim.A is above 200: 201");
  await buttonSays(page, "Alerts (1)");
  for (let seq = 3; seq < 9; seq += 1) page.line.sayText(quote("sim.A", seq, 199 + (seq % 2) * 3));
  await page.waitForFunction(() => document.querySelector(".tile .figure")?.textContent === "199");
  await page.waitForFunction(() => document.querySelector('.tile[data-alarm="firing"] .alarm')?.textContent === "alert: above 200");
  assert.equal(await alarmOf(page, "sim.B").getAttribute("data-alarm"), "");
  assert.equal((await page.evaluate(() => globalThis.words)).filter((words) => /^Alert: sim\.A is above 200/.test(words)).length, 1);
  await page.getByRole("button", { name: "Acknowledge: sim.A is above 200: 201" }).press("Enter");
  await lists(page, "acknowledged", "sim.A is above 200: 201 (acknowledged, since ");
  await buttonSays(page, "Alerts");
  assert.equal(await page.evaluate(() => document.activeElement.id), "alerts-open", "the focus is kept");
  page.line.sayText(quote("sim.A", 10, 197));
  await page.waitForFunction(() => document.querySelectorAll("#alerts-list li").length === 0);
  page.line.sayText(quote("sim.A", 11, 202));
  await lists(page, "firing", "sim.A is above 200: 202");
  page.line.sayText(quote("sim.A", 12, 190));
  await lists(page, "over", "sim.A was above 200: 202 (over since ");
  await page.getByRole("button", { name: "Dismiss: sim.A was above 200: 202" }).click();
  assert.deepEqual(await listed(page), []);
  await page.close();
});

test("a stale topic fires, and so does one of a feed that is down", async () => {
  const page = await open("&tiles=sim.*&alerts=sim.*%20stale", [quote("sim.A", 1, 1), quote("sim.B", 1, 1)]);
  await page.waitForFunction(() => document.querySelectorAll(".tile").length === 2);
  page.line.say("notice", { type: "stale", topics: ["sim.A"], since: Date.now() });
  await lists(page, "firing", "sim.A is stale");
  assert.equal((await listed(page)).length, 1);
  page.line.say("notice", { type: "feed", feed: "sim", state: "down", reason: "it ended" });
  await lists(page, "firing", "sim.B is stale");
  await page.getByRole("button", { name: "Acknowledge all" }).click();
  await buttonSays(page, "Alerts");
  assert.deepEqual((await listed(page)).map(([state]) => state), ["acknowledged", "acknowledged"]);
  await page.close();
});

test("sound and notification are off until chosen, and nobody is asked for leave before", async () => {
  const page = await open("&alerts=sim.*%20%3E%205", ["A", "B", "C"].map((name) => quote(`sim.${name}`, 1, 1)));
  page.line.sayText(quote("sim.A", 2, 6));
  await buttonSays(page, "Alerts (1)");
  assert.deepEqual(await page.evaluate(() => [notes, told, asked]), [0, [], 0]);
  await page.getByRole("button", { name: "Alerts (1)" }).click();
  await page.getByRole("checkbox", { name: "plays a sound" }).check();
  await page.getByRole("checkbox", { name: "shows a notification" }).check();
  await page.waitForFunction(() => globalThis.asked === 1);
  const before = await page.evaluate(() => globalThis.notes);
  assert.equal(before, 2, "one hears how it sounds");
  await page.keyboard.press("Escape");
  for (const name of ["B", "C"]) page.line.sayText(quote(`sim.${name}`, 2, 7));
  await page.waitForFunction(() => globalThis.told.length === 1);
  const [title, body, callsAgain] = await page.evaluate(() => globalThis.told[0]);
  assert.ok(callsAgain, "the next one would take this one's place without a sound");
  assert.match(`${title} ${body}`, /2 alerts sim\.B is above 5: 7\nsim\.C is above 5: 7|sim\.B is above 5: 7/);
  assert.equal(await page.evaluate(() => globalThis.notes), before + 2, "one sound for both");
  await page.close();
});

test("a browser that allows no notifications is told about", async () => {
  const page = await open("", [], { permission: "denied" });
  await page.getByRole("button", { name: "Alerts" }).click();
  const box = page.getByRole("checkbox", { name: "shows a notification" });
  await box.click();
  await page.getByText("The browser did not allow notifications.").waitFor();
  assert.equal(await box.isChecked(), false);
  await page.close();
});

test("what fires flashes, but not for who wants no motion: then it is marked and stands still", async () => {
  for (const calm of [false, true]) {
    const page = await open("&tiles=sim.A&alerts=sim.A%20%3E%205", [quote("sim.A", 1, 6)], { calm });
    await page.waitForSelector('.tile[data-alarm="firing"]');
    const moving = await page.evaluate(() => document.getAnimations().map(({ animationName }) => animationName));
    assert.equal(moving.includes("tile-alarm"), !calm);
    assert.equal(await alarmOf(page, "sim.A").locator(".alarm").textContent(), "alert: above 5");
    await page.close();
  }
});

test("rules of an address that cannot be read are told in the dialog, and the others hold", async () => {
  const page = await open("&alerts=sim.A%20%3E%20x;sim.A%20%3E%205;%3E", [quote("sim.A", 1, 6)]);
  await buttonSays(page, "Alerts (1)");
  await page.getByRole("button", { name: "Alerts (1)" }).click();
  await page.getByText("The rule “sim.A > x” of the address is left out. \"x\" is no number: write it as 200 or 0.5.").waitFor();
  await page.close();
});

test("a connection that is lost fires nothing and ends nothing", async () => {
  const page = await open("&tiles=sim.A&alerts=sim.A%20%3E%205", [quote("sim.A", 1, 6)]);
  await lists(page, "firing", "sim.A is above 5");
  page.line.lose();
  await stateIs(page, "not live");
  await lists(page, "firing", "sim.A is above 5");
  await page.close();
});

test("a rule that holds already when it is written fires without another tick", async () => {
  const page = await open("&tiles=sim.A", [quote("sim.A", 1, 6)]);
  await page.waitForFunction(() => document.querySelector(".tile .figure")?.textContent === "6");
  await page.click("#alerts-open");
  await page.getByLabel("Rule", { exact: true }).fill("sim.A > 5");
  await page.keyboard.press("Enter");
  await lists(page, "firing", "sim.A is above 5: 6");
  await page.close();
});

test("a rule that waited when the connection was lost waits anew, and fires without another tick", async () => {
  const page = await open("&tiles=sim.A&alerts=sim.A%20%3E%205%20for%201h", [quote("sim.A", 1, 6, 1_000)], { clock: true });
  await page.waitForFunction(() => document.querySelector(".tile .figure")?.textContent === "6");
  assert.deepEqual(await listed(page), []);
  page.line.lose();
  await stateIs(page, "not live");
  await page.clock.fastForward("01:00:00");
  page.line.letIn();
  await stateIs(page, "");
  await page.clock.runFor(1_000); // it waits from here on
  assert.deepEqual(await listed(page), []);
  await page.clock.fastForward("01:00:00");
  await lists(page, "firing", "sim.A is above 5");
  await page.close();
});

test("a server that comes back without a topic, as after a restart, ends no alert of it and fires none again", async () => {
  const hash = "&tiles=sim.A&alerts=sim.A%20%3E%205;sim.*%20stale";
  const down = ({ say }) => say("notice", { type: "feed", feed: "sim", state: "down", since: Date.now() });
  const again = ({ socket, say }) => {
    down({ say });
    socket.onMessage((text) => {
      const { event, data } = JSON.parse(text);
      if (event === "topics") say("topics", { id: data.id, topics: [] });
    });
  };
  const page = await open(hash, [quote("sim.A", 1, 6), quote("sim.B", 1, 1)], { clock: true, again });
  await lists(page, "firing", "sim.A is above 5");
  down(page.line);
  await lists(page, "firing", "sim.A is stale");
  await lists(page, "firing", "sim.B is stale");
  await page.click('#alerts-list button[aria-label^="Acknowledge: sim.A is above"]');
  await page.click('#alerts-list button[aria-label^="Acknowledge: sim.B is stale"]');
  page.line.lose();
  await stateIs(page, "not live");
  const before = await listed(page);
  page.line.letIn();
  await stateIs(page, "no value yet");
  await page.clock.runFor(10_000); // longer than an end is waited for
  assert.deepEqual(await listed(page), before);
  page.line.sayText(quote("sim.A", 1, 6));
  await stateIs(page, "feed is down");
  await page.clock.runFor(1_000);
  assert.deepEqual(await listed(page), before);
  // Told to be retired, it is another matter.
  page.line.say("notice", { type: "topics", added: [], removed: ["sim.A"] });
  await lists(page, "over", "sim.A was stale");
  await page.clock.runFor(1_000);
  assert.deepEqual((await listed(page)).map(([state]) => state), ["over", "acknowledged"]);
  await page.close();
});

test("a topic that has ended is not shown as live, and its alert is over", async () => {
  const hash = "&topics=sim.A&tiles=sim.A&alerts=sim.A%20%3E%205;sim.B%20%3E%205;sim.B%20stale";
  const page = await open(hash, [quote("sim.A", 1, 6), quote("sim.B", 1, 6)]);
  await lists(page, "firing", "sim.A is above 5");
  await lists(page, "firing", "sim.B is above 5");
  await page.click('#alerts-list button[aria-label^="Acknowledge: sim.B"]');
  page.line.say("notice", { type: "topics", added: [], removed: ["sim.A", "sim.B"] });
  page.line.say("notice", { type: "feed", feed: "sim", state: "down", since: Date.now() });
  await lists(page, "over", "sim.A was above 5");
  await page.waitForFunction(() => document.querySelectorAll("#alerts-list li").length === 1);
  await page.waitForFunction(() => /^ended at \d/.test(document.querySelector('.tile[data-key="sim.A"] .state').textContent));
  await page.getByRole("button", { name: /^Dismiss: sim.A/ }).click();
  await page.waitForFunction(() => document.querySelectorAll("#alerts-list li").length === 0);
  page.line.sayText(quote("sim.A", 2, 4));
  await page.waitForFunction(() => document.querySelector('.tile[data-key="sim.A"] .figure').textContent === "4");
  await page.waitForFunction(() => !document.querySelector('.tile[data-key="sim.A"] .state').textContent.startsWith("ended"));
  await page.close();
});

test("a tick of an odd shape is no harm to a rule", async () => {
  const page = await open("&alerts=odd.**%20%3E%205;odd.A:x%20%3E%201", []);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  for (const [i, value] of ["null", "[]", '{"x":{}}', '"6"', '{"x":"7"}'].entries()) page.line.sayText(tick("odd", "odd.A", i + 1, value));
  await buttonSays(page, "Alerts (2)");
  assert.deepEqual(errors, []);
  await page.close();
});
