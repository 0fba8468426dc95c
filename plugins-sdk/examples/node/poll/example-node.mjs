#!/usr/bin/env node
// A simulated tide, told to tickerd in lines of JSON: the moon's pull, and the sun's, a little quicker, so that springs
// and neaps come and go. Standard output belongs to tickerd: use console.error for what is for people.
import { createInterface } from "node:readline";

const RANGES = { range_m: [0.001, 100], period_s: [1, 1e6] };
/** What a value looks like; x-tickerd-main marks the figure to show and to chart. */
const LEVEL = {
  type: "object", required: ["level_m"],
  properties: { level_m: { type: "number", "x-tickerd-main": true, "x-tickerd-role": "gauge", "x-tickerd-unit": "m" } },
};

/** One line, in one write. */
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** The configuration with its defaults. Throws what to change. */
function configure(config) {
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new Error("the configuration must be a table");
  }
  const read = { range_m: 2, period_s: 60 };
  for (const [key, value] of Object.entries(config)) {
    if (!Object.hasOwn(RANGES, key)) throw new Error(`there is no key ${key}; write ${Object.keys(RANGES).join(", ")}`);
    const [low, high] = RANGES[key];
    if (typeof value !== "number" || !(value >= low && value <= high)) {
      throw new Error(`${key}: write a number from ${low} to ${high}`);
    }
    read[key] = value;
  }
  return read;
}

/** One of tickerd's lines. What a later tickerd says that this feed does not know is passed over. */
function read(line) {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    return {};
  }
}

function level({ range_m, period_s }) {
  const turns = Date.now() / 1000 / period_s;
  const pull = 0.7 * Math.sin(2 * Math.PI * turns) + 0.3 * Math.sin(2 * Math.PI * turns * 1.035);
  return Math.round((range_m / 2) * pull * 1000) / 1000;
}

const input = createInterface({ input: process.stdin });

/** Without input nothing keeps the process alive. */
const stop = () => {
  input.close();
  process.stdin.destroy();
};

input.once("line", (setup) => {
  let config;
  try {
    config = configure(JSON.parse(setup).config ?? {});
  } catch (error) {
    say({ fail: "config", msg: error.message });
    process.exitCode = 78; // EX_CONFIG: someone has to change something
    return stop();
  }
  say({
    tfp: 1, feed: "org.example.example-node", version: "0.1.0", mode: "poll", default_poll_ms: 250, min_poll_ms: 50,
    events: { tide: "state" }, docs: { tide: { description: "How high the water is.", schema: LEVEL } },
  });
  input.on("line", (line) => {
    const order = read(line);
    if (order.stop) return stop();
    if (order.poll === undefined) return;
    say({ topic: "harbour", event: "tide", data: { level_m: level(config) } });
    say({ done: order.poll });
  });
});
input.on("close", stop);
process.stdout.on("error", stop); // nobody listens any more
