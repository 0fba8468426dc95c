// The browser's part of the bench: what the page, the client and the elements cost a reader's machine.
import { existsSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { board } from "./board.js";
import { charts } from "./charts.js";
import { lines } from "./console.js";
import { elements } from "./elements.js";
import { first } from "./first.js";
import { heap } from "./heap.js";
import { METHOD } from "./report.js";
import { many, moving } from "./table.js";
import { way } from "./way.js";

/** By letter; README.md says what each is. */
const SCENARIOS = { A: moving, B: heap, C: first, D: board, E: way, F: many, G: charts, H: elements, I: lines };
const HELP = `node bench.js [--scenario A,B] [--seconds 60] [--repeats 3] [--json FILE] [--check] [--quick]
--quick (or QUICK=1 in the environment) is a smoke run; its figures mean nothing. --check ends with 2 when a goal is missed.`;

const { values } = parseArgs({
  options: {
    scenario: { type: "string", default: Object.keys(SCENARIOS).join() },
    seconds: { type: "string", default: "60" },
    repeats: { type: "string", default: "3" },
    json: { type: "string" },
    quick: { type: "boolean", default: Boolean(process.env.QUICK) },
    check: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}
const { quick } = values;
/** A page runs for so long before it is measured. */
const warmMs = quick ? 300 : 3_000;
const options = { quick, warmMs, seconds: quick ? 1 : Number(values.seconds), repeats: quick ? 1 : Number(values.repeats) };
const asked = values.scenario.split(",");
const isKnown = asked.every((id) => Object.hasOwn(SCENARIOS, id));
if (!isKnown || !(options.seconds > 0) || !(options.repeats >= 1)) {
  console.error(HELP);
  process.exit(1);
}
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(chromium)) {
  console.error(`bench: ${chromium} is not there, so the browser's part is left out; install chromium, or name one in CHROMIUM`);
  process.exit();
}

const rows = [];
for (const id of asked) {
  console.error(`scenario ${id}`);
  for (const row of await SCENARIOS[id](options)) {
    rows.push(row);
    console.error(String(row));
  }
}
const load = loadavg()[0].toFixed(1);
console.log(`tickerd's page, client and elements in Chromium; windows of ${options.seconds} s; ${availableParallelism()} cores, load ${load}`);
if (quick) console.log("A SMOKE RUN: these figures mean nothing.");
console.log(`\n${rows.join("\n")}\n${METHOD}`);
if (values.json) writeFileSync(values.json, JSON.stringify({ quick, seconds: options.seconds, rows: rows.map((row) => row.json()) }, null, 2));
if (values.check && rows.some(({ met }) => met === false)) process.exitCode = 2;
