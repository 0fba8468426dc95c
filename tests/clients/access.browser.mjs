// A browser's WebSocket, EventSource and fetch over TLS, and the daemon's own page; see access.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { openBrowser, openPage } from "../browser/browser.js";
import { come, leave } from "./member.mjs";

const { TICKERD_ADDRESS: host, TICKERD_USER: user, TICKERD_WALL: wall, TICKERD_PUBLISHER: publisher } = process.env;
const browser = await openBrowser({ trusted: process.env.TICKERD_PIN });

// The page that the daemon serves asks for a token, takes it, and shows what may be seen.
const own = await openPage(browser.context, `https://${host}/`);
await own.locator("#token").fill(user);
await own.locator("#token").press("Enter");
await own.locator("#topics >> text=sim.AAPL").first().waitFor();
assert.equal(await own.locator("#topics >> text=sim.MSFT").count(), 0);

// A page of the daemon's own origin that opens nothing by itself.
const page = await openPage(browser.context, `https://${host}/v1/nothing`);
await page.evaluate(come, { host, user, wall, publisher, ways: ["message", "subprotocol", "ticket"] });

/** Opens event streams that say who asks by a ticket and by a cookie, and waits for a tick of each. */
await page.evaluate(
  async ({ user, wall }) => {
    const follow = async (path) => {
      const source = new EventSource(path);
      const events = [];
      let wake = () => {};
      source.onmessage = ({ data }) => {
        events.push(JSON.parse(data));
        wake();
      };
      const ended = new Promise((resolve) => {
        source.onerror = () => {
          if (source.readyState === EventSource.CLOSED) resolve();
        };
      });
      const refused = ended.then(() => Promise.reject(new Error(`${path.split("&")[0]} is refused`)));
      refused.catch(() => {});
      const tick = async (from = 0) => {
        while (!events.slice(from).some(({ event }) => event === "quote")) await new Promise((resolve) => (wake = resolve));
      };
      await Promise.race([tick(), refused]);
      return { source, events, ended, tick };
    };
    const { ticket } = globalThis.member;
    const topics = "topics=sim.AAPL,sim.MSFT";
    document.cookie = `tickerd=${user}; Secure; SameSite=Strict; Path=/`;
    const byCookie = await follow(`/v1/sse?${topics}`);
    // Now the cookie is the wall's: a ticket counts before it.
    document.cookie = `tickerd=${wall}; Secure; SameSite=Strict; Path=/`;
    const byTicket = await follow(`/v1/sse?${topics}&ticket=${(await ticket(user)).ticket}`);
    const screen = await follow(`/v1/sse?${topics}`);
    document.cookie = `tickerd=${user}; Secure; SameSite=Strict; Path=/`;
    for (const { events } of [byCookie, byTicket, screen]) {
      const { failed } = events.find(({ event }) => event === "subscribed").data;
      if (failed.length !== 1 || failed[0].code !== 403) throw new Error(JSON.stringify(failed));
    }
    globalThis.streams = { byCookie, byTicket, screen };
  },
  { user, wall },
);
// What the guide for dashboards shows does what it says.
const guide = readFileSync(new URL("../../dashboards/README.md", import.meta.url), "utf8");
const [, section] = guide.split("\n## With a token\n");
const [byClient, byStream] = [...section.split("\n## ")[0].matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
// A module's import, as a script that is not one does it.
const imported = (code) => code.replace(/^import (\{.*\}) from (".*");$/m, "const $1 = await import($2);");
const within = (code) => `(async () => { const token = ${JSON.stringify(wall)}; ${imported(code)} })()`;
const told = page.waitForEvent("console", (message) => message.text().startsWith("not for you:"));
await page.evaluate(within(byClient));
await told;
await page.evaluate(within(`${byStream}\nawait new Promise((resolve) => (stream.onmessage = resolve)); stream.close();`));
console.log("ready");

const { ends, back, statuses } = await page.evaluate(leave, { user });
// A page reads the reason, also of a handshake that is refused.
for (const { way, code, reason } of [...ends, ...back]) {
  assert.equal(code, 4001, way);
  assert.match(reason, /token_revoked/);
}
for (const { way, got } of back) assert.deepEqual(got, [], way);
assert.deepEqual(statuses, [401, 401]);
await page.evaluate(async () => {
  const { byCookie, byTicket, screen } = globalThis.streams;
  // They come back by themselves, and are refused.
  await Promise.all([byCookie.ended, byTicket.ended]);
  await screen.tick(screen.events.length);
});
await own.locator("#token-why", { hasText: "The server needs a valid token" }).waitFor();
console.log("the browser was seen off, and its page says why");
await browser.close();
