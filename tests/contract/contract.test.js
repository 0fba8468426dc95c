// The daemon's own descriptions, read by the parsers of those who made the standards.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Parser } from "@asyncapi/parser";
import { Validator } from "@seriousme/openapi-schema-validator";
import { startDaemon } from "../browser/daemon.js";

// What a schema may hold and a document of many must survive: recursion, definitions, odd names, newer words, and nonsense.
const SCHEMAS = {
  tree: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $ref: "#/$defs/Tree%20node",
    $defs: {
      "Tree node": {
        type: "object",
        properties: { next: { $ref: "#/$defs/Tree%20node" }, same: { $ref: "#" } },
      },
    },
  },
  pair: { type: "array", prefixItems: [{ type: "string" }, { type: "number" }], items: false },
  any: true,
  never: false,
  broken: { type: "objct" },
  named: { properties: { $ref: { type: "string" } } },
  data: { const: { $ref: "#/nowhere" } },
  marked: {
    "x-tickerd-simulated": true,
    properties: { price: { $ref: "#/$defs/Digits", "x-tickerd-main": true, "x-tickerd-unit": "{field:currency}" } },
    $defs: { Digits: { type: "string", "x-tickerd-decimals": 2 } },
  },
  outside: { $ref: "https://example.invalid/quote.json" },
};

let daemon, folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickerd-contract-"));
  const docs = Object.fromEntries(
    Object.entries(SCHEMAS).map(([name, schema]) => [name, { description: `About ${name}.`, schema }]),
  );
  const hello = JSON.stringify({ tfp: 1, feed: "org.example.odd", events: { pair: "event" }, docs });
  const config = join(folder, "tickerd.toml");
  const lines = join(folder, "hello.ndjson");
  await writeFile(lines, `${hello}\n${JSON.stringify({ event: "pair", data: ["a", 1] })}\n`);
  await writeFile(
    config,
    `[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\n
     [[feed]]\nname = "host"\nplugin = "tickerd_feed_host"\n
     [[feed]]\nname = "odd-one"\nexec = ["/bin/sh", "-c", "cat ${lines}; exec sleep 600"]\n`,
  );
  daemon = await startDaemon({ config });
  await allHaveSpoken();
});
after(async () => {
  await daemon?.stop();
  if (folder) await rm(folder, { recursive: true });
});

async function document(path) {
  const response = await fetch(new URL(path, daemon.url));
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type"), /^application\/json/);
  return response.json();
}

// The document says which feeds have spoken; there is no event to wait on, so it is asked again.
async function allHaveSpoken() {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    const feeds = (await document("/v1/asyncapi.json"))["x-feeds"];
    if (feeds.every((feed) => feed.spoken)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail("a feed did not say who it is");
}

test("the official parser takes the AsyncAPI document", async () => {
  const text = JSON.stringify(await document("/v1/asyncapi.json"));
  const { document: parsed, diagnostics } = await new Parser().parse(text);
  const worse = diagnostics.filter((found) => found.severity < 2);
  assert.deepEqual(worse.map((found) => `${found.path.join(".")}: ${found.message}`), []);
  assert.ok(parsed, "there is a document");
  const messages = parsed.allMessages().all().map((message) => message.id());
  for (const id of ["command.subscribe", "event.subscribed", "tick", "tick.tickerd.bar", "tick.sim.quote", "tick.host.cpu", "tick.odd-one.tree"]) {
    assert.ok(messages.includes(id), `no ${id} among ${messages}`);
  }
  for (const [command, answers] of [
    ["subscribe", ["event.error", "event.subscribed"]],
    ["history", ["event.error", "event.history", "event.history.bars"]],
  ]) {
    const [operation] = parsed.allOperations().all().filter((operation) => operation.id() === command);
    assert.equal(operation.action(), "receive");
    assert.deepEqual(operation.reply().messages().all().map((message) => message.id()).sort(), answers);
  }
});

test("what a feed says badly is left out, and the rest is there", async () => {
  const { components } = await document("/v1/asyncapi.json");
  const value = (event) => components.messages[`tick.odd-one.${event}`].payload.properties.data.properties.value;
  for (const event of ["broken", "named", "data", "outside"]) assert.equal(value(event).$ref, undefined, event);
  for (const event of ["tree", "pair", "any", "never", "marked"]) {
    assert.equal(value(event).$ref, `#/components/schemas/odd-one.${event}`);
  }
  const { price } = components.schemas["odd-one.marked"].properties;
  assert.deepEqual([price["x-tickerd-main"], price["x-tickerd-unit"]], [true, "{field:currency}"], "marks stay");
  const { next } = components.schemas["odd-one.tree.Tree_node"].properties;
  assert.equal(next.$ref, "#/components/schemas/odd-one.tree.Tree_node");
});

test("a validator takes the OpenAPI document", async () => {
  const { valid, errors } = await new Validator().validate(await document("/v1/openapi.json"));
  assert.ok(valid, JSON.stringify(errors, null, 2));
});
