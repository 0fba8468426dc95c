// The browser's part of the bench stays able to measure: a smoke run, whose figures mean nothing.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const BENCH = fileURLToPath(new URL("../bench/browser/bench.js", import.meta.url));
/** Figures of some scenarios: all of them take minutes. */
const ROWS = { A: 3, C: 2, E: 3 };

test("a smoke run measures what it is asked for", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tickerd-bench-"));
  try {
    const json = join(folder, "figures.json");
    const { stdout } = await promisify(execFile)(process.execPath, [BENCH, "--quick", "--scenario", Object.keys(ROWS).join(), "--json", json]);
    const { rows } = JSON.parse(await readFile(json, "utf8"));
    for (const [id, count] of Object.entries(ROWS)) {
      const own = rows.filter(({ scenario }) => scenario === id);
      assert.equal(own.length, count, id);
      for (const { what, median } of own) assert.ok(Number.isFinite(median) && median >= 0, `${id} ${what}: ${median}`);
      assert.match(stdout, new RegExp(`^${id}  `, "m"));
    }
    assert.match(stdout, /SMOKE RUN/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
