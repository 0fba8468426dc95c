// What dashboards/README.md shows for pages: each block runs in a browser against the real daemon.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { WAIT_MS, openBrowser } from "./browser.js";
import { startDaemon } from "./daemon.js";

const GUIDE = new URL("../../dashboards/README.md", import.meta.url);
const FRONT = new URL("../../README.md", import.meta.url);
let folder, files, daemon, browser, blocks, shown;

/** The blocks of a section, without its heading; the front is the section "". */
function sections(text) {
  const found = new Map();
  for (const [i, part] of text.split(/^## /m).entries()) {
    const name = i === 0 ? "" : part.slice(0, part.indexOf("\n"));
    found.set(name, [...part.matchAll(/^```(\w+)\n(.*?)^```/gms)].map(([, kind, code]) => ({ kind, code })));
  }
  return found;
}
const block = (section, kind) => {
  const found = blocks.get(section).filter((one) => one.kind === kind);
  assert.ok(found.length > 0, `${section} has no block in ${kind}`);
  return found[0].code;
};

before(async () => {
  blocks = sections(await readFile(GUIDE, "utf8"));
  const front = sections(await readFile(FRONT, "utf8"));
  blocks.set("First subscription", front.get("First subscription"));
  files = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html; charset=utf-8");
    answer.end(shown);
  }).listen(0, "127.0.0.1");
  await once(files, "listening");
  folder = await mkdtemp(join(tmpdir(), "tickerd-guide-"));
  const config = join(folder, "tickerd.toml");
  // The port of the page is this test's own.
  const server = block("", "toml").replace("localhost:8000", `127.0.0.1:${files.address().port}`);
  const feeds = ["sim", "host"].map((name) => `[[feed]]\nname = "${name}"\nplugin = "tickerd_feed_${name}"\ninterval = "100ms"\n`).join("");
  await writeFile(config, `${server}[[topic]]\nname = "rooms.lobby"\npublish = true\npresence = true\n[bars]\nkeep = { "1m" = "1h" }\n${feeds}`);
  daemon = await startDaemon({ config });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
  files?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Opens a page, runs code in it, and collects what it prints. */
async function open(url, code = "") {
  const page = await browser.context.newPage();
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  await page.goto(url);
  // A module's import, as a script that is not one does it.
  const imported = code.replace(/^import (\{.*\}) from (".*");$/m, "const $1 = await import($2);");
  const ran = page.evaluate(`(async () => { ${imported} })()`).then(() => said.push("it ran to its end"), (error) => said.push(`error: ${error}`));
  const until = async (...wanted) => {
    const end = Date.now() + WAIT_MS;
    while (!wanted.every((pattern) => said.some((line) => pattern.test(line)))) {
      assert.ok(Date.now() < end, `no ${wanted} in\n${said.join("\n")}`);
      assert.ok(!said.some((line) => line.startsWith("error:")), said.join("\n"));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await ran;
  };
  return { page, until };
}

for (const [section, about] of [["", "five lines with the client"], ["Without the client", "an event stream"]]) {
  test(`a page of another address shows values: ${about}`, { timeout: 2 * WAIT_MS }, async () => {
    shown = block(section, "html").replaceAll("http://127.0.0.1:8425/", daemon.url);
    const { page } = await open(`http://127.0.0.1:${files.address().port}/`);
    await page.getByText(/sim\.[A-Z]+\W+\d+\.\d\d/).waitFor();
    await page.close();
  });
}

test("the page with the client is five lines", () => {
  assert.equal(block("", "html").trimEnd().split("\n").length, 5);
});

test("the first page of the front README shows values", { timeout: 2 * WAIT_MS }, async () => {
  shown = block("First subscription", "html").replaceAll("http://127.0.0.1:8425/", daemon.url);
  const { page, until } = await open(`http://127.0.0.1:${files.address().port}/`);
  await until(/^sim\.AAPL /, /^host\.load /);
  await page.close();
});

test("elements stand on a page of another address", { timeout: 2 * WAIT_MS }, async () => {
  shown = block("Elements", "html").replaceAll("http://127.0.0.1:8425/", daemon.url);
  const { page } = await open(`http://127.0.0.1:${files.address().port}/`);
  for (const tag of ["tickerd-value", "tickerd-ticker"]) await page.locator(tag).getByText(/\d+\.\d\d/).first().waitFor();
  await page.locator("tickerd-chart canvas").waitFor();
  await page.close();
});

for (const [section, ...wanted] of [
  ["What comes", /^sim\.AAPL quote/, /patterns/, /^\d+\.\d\d /],
  ["What the client does by itself", /^status: live/],
  ["Health in the stream"],
  ["Rooms", /^user:ann all/, /^rooms\.lobby 1/, /^\[/],
  ["A chart", /\d\d:\d\d \S+ .*\d+\.\d\d \d+\.\d\d \d+\.\d\d \d+\.\d\d|GMT.* \d+\.\d\d/],
]) {
  test(`the block of "${section}" runs`, { timeout: 2 * WAIT_MS }, async () => {
    // A page of the daemon's own address that opens nothing by itself.
    const { page, until } = await open(`${daemon.url}v1/feeds`, block(section, "js"));
    await until(/^it ran to its end/, ...wanted);
    await page.close();
  });
}
