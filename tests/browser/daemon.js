// The real daemon, on ports of its own choosing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);
const START_MS = 60_000;

function binary() {
  const built = ["debug", "release"].map((profile) =>
    fileURLToPath(new URL(`target/${profile}/tickerd`, ROOT)),
  );
  const path = process.env.TICKERD_BIN ?? built.find(existsSync);
  if (!path) throw new Error("no tickerd to test: run `cargo build`, or name one in TICKERD_BIN");
  return path;
}

/** Starts a daemon and waits until it listens; `url` ends in a slash. With `listen: null` its configuration says where. */
export async function startDaemon({ listen = "127.0.0.1:0", config, command = "run" } = {}) {
  const args = [command, ...(listen ? ["--listen", listen] : []), "--admin", "127.0.0.1:0", ...(config ? ["--config", config] : [])];
  // Its admin socket is its own as well.
  const runtime = mkdtempSync(join(tmpdir(), "tickerd-runtime-"));
  const env = { ...process.env, XDG_RUNTIME_DIR: runtime };
  delete env.RUNTIME_DIRECTORY;
  const child = spawn(binary(), args, { stdio: ["ignore", "pipe", "pipe"], env });
  child.once("exit", () => rmSync(runtime, { recursive: true, force: true }));
  let log = "";
  child.stderr.on("data", (piece) => (log = (log + piece).slice(-8_000)));
  const ended = once(child, "exit");
  let tellAdmin;
  const admin = new Promise((resolve) => (tellAdmin = resolve));
  const listening = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [, which, url] = /^(listening|admin)\b.*?(https?:\/\/[^\s/]+)/.exec(line) ?? [];
      if (which === "listening") resolve(`${url}/`);
      else if (which === "admin") tellAdmin(`${url}/`);
    });
  });
  const url = await Promise.race([
    listening,
    ended.then(([code, signal]) =>
      Promise.reject(new Error(`tickerd ended (${code ?? signal}) before it listened:\n${log}`)),
    ),
    new Promise((_, reject) => {
      setTimeout(
        () => reject(new Error(`tickerd did not listen within ${START_MS} ms:\n${log}`)),
        START_MS,
      ).unref();
    }),
  ]);
  return {
    url,
    port: Number(new URL(url).port),
    /** The figure of that name in its metrics, summed over labels; 0 where there is none. */
    async metric(name) {
      const text = await (await fetch(`${await admin}metrics`)).text();
      const lines = text.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
      return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
    },
    /** SIGTERM, and wait for the end; the exit code. */
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      const [code] = await ended;
      return code;
    },
    /** SIGKILL: it has no time to save anything. */
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    /** Process ids of the children that run a feed. */
    feedProcesses(feed) {
      return descendants(child.pid).filter((pid) => {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return words.includes(feed) || words.includes(`--feed=${feed}`);
      });
    },
  };
}

function descendants(pid) {
  const direct = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return direct.flatMap((child) => [child, ...descendants(child)]);
}
