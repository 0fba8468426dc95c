// Every example of PROTOCOL.md that a WebSocket client takes part in, run through this client against a real daemon.
//
// A line is one step, as `tests/tests/protocol_md.rs` tells. What a well-made client cannot send (nonsense, unknown keys)
// is put on its socket by the test; the client has to bear the answer. Examples about bytes, handshakes and encodings
// are another's: `PASSED_OVER` counts them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync, closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocket } from "ws";
import { startDaemon } from "../../../tests/browser/daemon.js";
import { connect } from "../src/index.js";

const TEXT = readFileSync(new URL("../../../daemon/PROTOCOL.md", import.meta.url), "utf8").split("\n");
const EPOCH = "k3v9q2ta";
const GUARD_MS = 20_000;
/** Keys that differ from run to run. */
const FREE = new Set(["ts", "since", "start", "in_ms", "retry_after_ms", "conn", "epoch", "server", "id", "sig", "kid"]);
/** Signs of life and of others, which may come between. */
const ASIDE = ["notice", "heartbeat", "stats", "pong", "presence", "connected", "authenticated", "subscribed", "unsubscribed"];
/** Examples of encodings, compression, handshakes with headers, HTTP alone, and of a limit that the client's own ping uses up. */
const PASSED_OVER = 12;

function blocks() {
  const found = [];
  let open = null;
  TEXT.forEach((line, at) => {
    if (line === "```session") found.push((open = { at: at + 1, lines: [] }));
    else if (line.startsWith("```")) open = null;
    else open?.lines.push(line);
  });
  return found;
}

const fits = (told, came) => new RegExp(`^${told.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`, "s").test(came);

function likeness(told, came, key = "") {
  if (Array.isArray(told)) return Array.isArray(came) && told.length === came.length && told.every((one, i) => likeness(one, came[i]));
  if (told !== null && typeof told === "object") {
    if (came === null || typeof came !== "object") return false;
    const isOwn = typeof told.topic === "string" && told.topic.startsWith("tickerd.");
    const keys = Object.keys(told).filter((one) => one !== "id");
    return keys.length === Object.keys(came).filter((one) => one !== "id").length && keys.every((one) => one in came && ((isOwn && one === "seq") || likeness(told[one], came[one], one)));
  }
  if (FREE.has(key)) return typeof told === typeof came;
  return typeof told === "string" ? typeof came === "string" && fits(told, came) : told === came;
}

/** A daemon with the feeds `stocks` and `weather`, whose lines the test writes. */
async function world(lines) {
  const folder = mkdtempSync(join(tmpdir(), "tickerd-client-"));
  const tables = { server: "", limits: "", bars: "", feed: "", auth: "", topic: "", entries: "" };
  for (const line of lines) {
    const [, table, setting] = /^with (\S+) (.*)$/.exec(line) ?? [];
    if (!table) continue;
    if (table === "auth.token" || table === "auth.group") tables.entries += `${setting.startsWith("name ") ? `[[${table}]]\n` : ""}${setting}\n`;
    else if (table === "topic") tables.topic += `${setting.startsWith("name ") ? "[[topic]]\n" : ""}${setting}\n`;
    else if (table in tables) tables[table] += `${setting}\n`;
    else return null;
  }
  const pipes = {};
  let config = `[server]\nshards = 1\n${tables.server}`;
  if (tables.limits) config += `[server.limits]\n${tables.limits}`;
  if (tables.bars) config += `[bars]\n${tables.bars}`;
  if (tables.auth) config += `[auth]\n${tables.auth}`;
  config += tables.entries + tables.topic;
  for (const name of ["stocks", "weather"]) {
    const fifo = join(folder, name);
    execFileSync("mkfifo", [fifo]);
    pipes[name] = openSync(fifo, "r+");
    config += `[[feed]]\nname = "${name}"\nexec = ["/bin/cat", "${fifo}"]\n${name === "stocks" ? `interval = "250ms"\n${tables.feed}` : ""}`;
  }
  const path = join(folder, "tickerd.toml");
  writeFileSync(path, config);
  const daemon = await startDaemon({ config: path });
  const say = (feed, text) => writeSync(pipes[feed], `${text}\n`);
  for (const name of Object.keys(pipes)) say(name, '{"tfp":1}');
  // It sees every tick, so that the next step comes after what a feed has said.
  const observer = new WebSocket(`${daemon.url.replace("http", "ws")}ws?topics=stocks.**,weather.**`);
  const seen = new Map();
  let isHeard = false;
  observer.on("message", (bytes) => {
    const { event, data } = JSON.parse(bytes);
    isHeard ||= event === "subscribed";
    if (data.topic) seen.set(data.topic, Math.max(data.seq, seen.get(data.topic) ?? 0));
  });
  await until(() => isHeard, "the observer sees");
  const isUp = async () => (await (await fetch(`${daemon.url}v1/feeds`)).json()).feeds?.every(({ state }) => state === "up");
  if (!tables.auth) await until(isUp, "both feeds are up");
  const said = new Map();
  const speak = async (feed, texts) => {
    writeSync(pipes[feed], `${texts.join("\n")}\n`);
    for (const { topic } of texts.map((text) => JSON.parse(text))) if (topic) said.set(`${feed}.${topic}`, (said.get(`${feed}.${topic}`) ?? 0) + 1);
    await until(() => [...said].every(([topic, count]) => seen.get(topic) >= count), "the ticks were pushed");
  };
  const end = async () => {
    observer.terminate();
    await daemon.kill();
    for (const pipe of Object.values(pipes)) closeSync(pipe);
    rmSync(folder, { recursive: true });
  };
  return { daemon, say: speak, end };
}

async function until(holds, what) {
  for (const deadline = Date.now() + GUARD_MS; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 10))) if (await holds()) return;
  assert.fail(`${what}: that did not come about`);
}

/** One client, and all that it told. */
class Visitor {
  messages = [];
  ticks = [];
  failures = [];

  constructor(url) {
    const visitor = this;
    class Socket extends WebSocket {
      constructor(...args) {
        super(...args);
        visitor.socket = this;
      }
    }
    this.client = connect(url, { WebSocket: Socket });
    this.client.on("message", ({ out, event, data }) => out || this.messages.push({ event, data }));
    this.client.on("status", (status) => (this.status = status));
    this.client.on("error", (error) => this.failures.push(error));
    this.client.on("tick", (tick) => this.ticks.push(tick));
  }

  /** Sends what a line tells: by the client where it can, else on its socket. */
  async speak(text) {
    await until(() => this.status?.state === "live" || this.messages.some(({ event }) => event === "connected"), "connected");
    const [, count = "1", said] = /^(?:(\d+) × )?(.*)$/s.exec(text);
    const raw = said.replaceAll(EPOCH, this.client.server.epoch);
    let command;
    try {
      command = JSON.parse(raw);
    } catch {
      // not for a client to send
    }
    for (let i = 0; i < Number(count); i += 1) {
      const { event, data = {} } = command ?? {};
      const { id, ...rest } = data;
      const plain = event === "subscribe" && Object.keys(rest).every((key) => ["topics", "rate", "mode"].includes(key)) && Array.isArray(rest.topics) && typeof (rest.rate ?? "") === "string";
      if (plain && rest.topics.every((name) => typeof name === "string")) {
        const { topics, ...options } = rest;
        const before = this.subscription;
        this.subscription = this.client.subscribe(topics, options);
        // Another command with the same topics changes their rate.
        if (before?.topics.some((name) => topics.includes(name))) before.close();
      } else if (event === "auth") this.client.setIdentity(rest.token);
      else if (event && id !== undefined && event !== "unsubscribe") this.client.command(event, rest).then((answer) => (this.answer = answer), (error) => this.failures.push(error));
      else this.socket.send(raw);
    }
  }
}

async function run({ at: begin, lines }) {
  const made = await world(lines);
  const visitors = new Map();
  const all = [];
  let place = "";
  try {
    const { daemon, say } = made;
    const host = daemon.url.replace("http", "ws").replace(/\/$/, "");
    const texts = [];
    for (const [at, line] of lines.entries()) {
      place = `PROTOCOL.md, block at line ${begin}: ${line}`;
      const [, who = "", rest] = /^(?:([a-z]+)(?= connect |[><] ) ?)?(.*)$/s.exec(line);
      const one = visitors.get(who);
      if (rest.startsWith("connect ")) {
        const visitor = new Visitor(`${host}${rest.slice(8)}`);
        visitors.set(who, visitor);
        all.push(visitor);
      } else if (rest.startsWith("> ")) await one.speak(rest.slice(2));
      else if (rest.startsWith("< ")) await hear(one, rest.slice(2));
      else if (rest.startsWith("~")) {
        const [, feed, text] = /^~(\w+) (.*)$/.exec(rest);
        texts.push(text);
        if (!lines[at + 1]?.startsWith(`~${feed} `)) await say(feed, texts.splice(0));
      } else if (rest === "stop") {
        await until(() => one.status?.state === "live", "the client is live"); // one that is not would only be dropped
        daemon.stop();
      } else if (rest.startsWith("close ")) {
        const [, code, why] = /^close (\d+) (.*)$/.exec(rest);
        await until(() => one.status.code === Number(code), `close ${code}`);
        assert.equal(one.status.why, why);
        assert.equal(one.status.state, code.startsWith("40") ? "stopped" : "waiting");
      } else assert.match(rest, /^(with |GET |POST |\d{3} |\{|[A-Z][\w-]+: )/);
    }
    for (const { client, ticks } of visitors.values()) for (const tick of ticks) assert.ok(tick.to !== undefined || client.latest(tick.topic) || client.status.state !== "live");
  } catch (error) {
    error.message = `${place}\n${error.message}`;
    throw error;
  } finally {
    for (const { client } of all) client.close();
    await made?.end();
  }
}

/** That message comes next from the client; signs of life and what others do may come between. */
async function hear(visitor, text) {
  const [, count = "1", said] = /^(?:(\d+) × )?(.*)$/s.exec(text);
  const told = said.startsWith("{") ? JSON.parse(said) : { event: said };
  for (let i = 0; i < Number(count); i += 1) {
    const passed = [];
    await until(() => {
      while (visitor.messages.length > 0) {
        const came = visitor.messages.shift();
        if (came.event === told.event && (told.data === undefined || likeness(told.data, came.data))) return true;
        passed.push(JSON.stringify(came));
        assert.ok(ASIDE.includes(came.event), `came: ${JSON.stringify(came)}`);
      }
      return false;
    }, `it does not come; these did: ${passed.join("\n")}`);
  }
}

const isOurs = ({ lines }) => lines.some((line) => /^(\w+ )?connect /.test(line)) && !lines.some((line, i) => /^(= |101$|id: |data: |drop$|with limits commands_per_s|with (server\.signing|feed sign))/.test(line) || (/^connect /.test(line) && /^[A-Z][\w-]+: /.test(lines[i + 1] ?? "")));

test("examples that are passed over are those of other kinds", () => {
  const over = blocks().filter((block) => !isOurs(block));
  assert.equal(over.length, PASSED_OVER, over.map(({ at, lines }) => `${at}: ${lines.slice(0, 3).join(" | ")}`).join("\n"));
});

for (const block of blocks().filter(isOurs)) test(`the example at line ${block.at}`, { timeout: 60_000 }, () => run(block));
