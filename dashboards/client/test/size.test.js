// What the client weighs, and that its package can be used: from Node, with a bundler, with types.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, transform } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Loaded on use, with the most that each may weigh: bytes of gzip, without what the core has. */
const PARTS = { identity: 1_100, http: 1_024, life: 1_024, missed: 1_024, verify: 1_024, other: 1_024, sse: 2_070, tabs: 1_800 };
const CORE = 6_144;
const SIZES = { minify: true, format: "esm", target: "es2022", write: false };

const weigh = async (options) => {
  const { outputFiles } = await build({ ...SIZES, absWorkingDir: ROOT, ...options });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
};

test("the core", async (t) => {
  const external = Object.keys(PARTS).map((name) => `./${name}.js`);
  const bytes = await weigh({ entryPoints: ["src/index.js"], bundle: true, external });
  t.diagnostic(`core ${bytes} bytes`);
  assert.ok(bytes <= CORE, `${bytes} bytes, and ${CORE} are allowed`);
});

for (const [name, limit] of Object.entries(PARTS)) {
  test(`the part ${name}`, async (t) => {
    const bytes = await weigh({ entryPoints: [`src/${name}.js`] });
    t.diagnostic(`${name} ${bytes} bytes`);
    assert.ok(bytes <= limit, `${bytes} bytes, and ${limit} are allowed`);
  });
}

let folder;
const put = (name, text) => writeFileSync(join(folder, name), text);
const run = (command, args) => execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tickerd-package-"));
  const file = execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: ROOT, encoding: "utf8" }).trim();
  put("package.json", '{"private":true,"type":"module"}');
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--silent", file]);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("Node imports it by its name", () => {
  put("a.mjs", 'import { connect, matches } from "@tickerd/client";\nimport { verifier } from "@tickerd/client/verify";\nconsole.log(typeof connect, typeof verifier, matches("a.*", "a.b"));');
  assert.equal(run(process.execPath, ["a.mjs"]).trim(), "function function true");
});

test("a bundler finds all of it", async () => {
  put("b.js", 'import { connect } from "@tickerd/client";\nimport "@tickerd/client/elements";\nimport { verifier } from "@tickerd/client/verify";\nconsole.log(connect, verifier);');
  const { errors, warnings } = await build({ entryPoints: [join(folder, "b.js")], bundle: true, format: "esm", splitting: true, outdir: join(folder, "out") });
  assert.deepEqual([errors, warnings], [[], []]);
});

test("TypeScript finds its types", () => {
  put("c.ts", 'import { connect, type Tick } from "@tickerd/client";\nconst client = connect("wss://host/ws");\nclient.subscribe("a.b").on("tick", (tick: Tick) => console.log(tick.seq.toFixed()));\n// @ts-expect-error a number is no topic\nclient.subscribe(7);');
  symlinkSync(join(ROOT, "node_modules"), join(folder, "tools"));
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2023,dom,dom.iterable,esnext.disposable", "--types", ""];
  run(join(folder, "tools/.bin/tsc"), [...options, "c.ts"]);
});

test("require works where Node can require a module, and is refused by name elsewhere", () => {
  put("d.cjs", 'console.log(typeof require("@tickerd/client").connect);');
  const { status, stdout, stderr } = spawnSync(process.execPath, ["d.cjs"], { cwd: folder, encoding: "utf8" });
  if (status === 0) assert.equal(stdout.trim(), "function");
  else assert.match(stderr, /ERR_(PACKAGE_PATH_NOT_EXPORTED|REQUIRE_ESM)/);
});

test("the README's blocks are programs, and its calls are the client's", async () => {
  const text = readFileSync(join(ROOT, "README.md"), "utf8");
  const blocks = [...text.matchAll(/```(?:js|html)\n(.*?)```/gs)].map(([, code]) => code.replace(/<\/?script.*?>/g, ""));
  assert.ok(blocks.length >= 3);
  for (const code of blocks) await transform(code, { format: "esm" });
  const { connect } = await import("../src/index.js");
  const client = connect("ws://host/ws", { WebSocket: class {} });
  client.close();
  for (const [, name] of text.matchAll(/`client\.(\w+)/g)) assert.ok(name in client, name);
});
