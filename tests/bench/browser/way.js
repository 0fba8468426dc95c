// What the client takes for a tick, against `JSON.parse` of the same text alone; in turns, within one run. And how large it is.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { Row } from "./report.js";
import { openBlank, withFeed } from "./lab.js";

const CLIENT = new URL("../../../dashboards/client/", import.meta.url);
const TICKS = 200_000;
const TURNS = 9;
/** Both ways take so many ticks in turns: some milliseconds, which a clock without isolation tells well enough. */
const ROUND_TICKS = 5_000;

/** Ratios of each turn. Runs in Node and, as text, in the browser: it uses nothing around it. */
async function ratios({ connect, ticks, turns, roundTicks }) {
  const texts = Array.from({ length: 1_000 }, (_, i) => (seq) => {
    const value = { price: `${100 + i}.25`, bid: `${100 + i}.24`, ask: `${100 + i}.26`, change: "0.25", volume: 1_200_500 + i };
    return JSON.stringify({ event: "quote", data: { topic: `bench.T${i}`, seq, ts: 1_790_000_000_000 + seq, value } });
  });
  let socket;
  class Socket {
    readyState = 1;
    constructor() {
      socket = this;
    }
    send() {}
    close() {}
  }
  const client = connect("ws://127.0.0.1:9/ws", { WebSocket: Socket, flush: "now" });
  let seen = 0;
  client.subscribe("**").on("tick", () => (seen += 1));
  while (!socket?.onmessage) await new Promise((resolve) => setTimeout(resolve, 5));
  socket.onopen?.();
  const say = (event, data) => socket.onmessage({ data: JSON.stringify({ event, data }) });
  say("connected", { v: 1, server: "bench", conn: "c", epoch: "e", heartbeat_ms: 60_000, limits: {} });
  let seq = 0;
  const found = [];
  let kept;
  for (let turn = 0; turn <= turns; turn += 1) {
    const [parsing, taking] = [[], []];
    for (let round = 0; round < ticks / roundTicks; round += 1) {
      const lines = [];
      for (let i = 0; i < roundTicks; i += 1) {
        if (i % texts.length === 0) seq += 1;
        lines.push({ data: texts[i % texts.length](seq) });
      }
      const begun = performance.now();
      for (const line of lines) kept = JSON.parse(line.data);
      const parsed = performance.now();
      for (const line of lines) socket.onmessage(line);
      parsing.push(parsed - begun);
      taking.push(performance.now() - parsed);
    }
    // Of each the fastest tenth: what else runs on the machine slows the rest.
    const fast = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 10)];
    if (turn > 0) found.push(fast(taking) / fast(parsing)); // the first turn warms up
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  client.close();
  if (seen !== ticks * (turns + 1) || !kept) throw new Error(`${seen} ticks came through, of ${ticks * (turns + 1)}`);
  return found;
}

/** From whichever of the two has it installed. */
function esbuild() {
  const [path] = [new URL("package.json", CLIENT), new URL("../../browser/package.json", import.meta.url)].filter((url) => existsSync(new URL("node_modules/esbuild", url)));
  if (!path) throw new Error("esbuild is missing: run npm ci in dashboards/client");
  return createRequire(path)("esbuild");
}

/** The core, minified and compressed: `index.js` and what it imports at once. What is loaded on demand is not in it. */
async function size() {
  const { build } = esbuild();
  const onDemand = {
    name: "on-demand",
    setup: ({ onResolve }) => onResolve({ filter: /./ }, ({ kind, path }) => (kind === "dynamic-import" ? { path, external: true } : undefined)),
  };
  const entryPoints = [fileURLToPath(new URL("src/index.js", CLIENT))];
  const { outputFiles } = await build({ entryPoints, bundle: true, minify: true, format: "esm", write: false, plugins: [onDemand] });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

export async function way({ quick }) {
  const about = { ticks: quick ? 5_000 : TICKS, turns: quick ? 2 : TURNS, roundTicks: ROUND_TICKS };
  const { connect } = await import(new URL("src/index.js", CLIENT));
  const inNode = await ratios({ connect, ...about });
  const inBrowser = await withFeed({ topics: 1, everyMs: 1_000 }, async (lab) => {
    const { page } = await openBlank(lab);
    return page.evaluate(`import("${lab.url}client.js").then(({ connect }) => (${ratios})({ connect, ...${JSON.stringify(about)} }))`);
  });
  return [
    new Row("E", "the client's core, compressed", "bytes", [await size()], 6_144),
    new Row("E", "a tick's way through the client, against JSON.parse alone: Node", "×", inNode, 1.2),
    new Row("E", "the same in Chromium", "×", inBrowser, 1.2),
  ];
}
