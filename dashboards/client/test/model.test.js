// The client against a naive server, over seeded schedules: nothing comes twice or out of order, and what is missed is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { matches } from "../src/index.js";
import { FakeSocket, HELLO, World, settle } from "./world.js";

const TOPICS = ["a.s1", "a.s2", "a.e1", "b.s1", "b.e1"];
const isEvent = (topic) => topic.includes(".e");
const RING = 6;
const SEEDS = Number(process.env.SEEDS ?? 200);
const STEPS = 80;

/** A small generator of numbers that come again with the same seed. */
function generator(seed) {
  let state = seed * 2_654_435_761 + 1;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % below;
  };
}

/** A server that keeps the last few ticks of each topic, and may forget all. */
class Server {
  epoch = 1;
  seqs = new Map();
  rings = new Map();
  socket = null;
  wanted = new Map();

  tickOf(topic) {
    const seq = (this.seqs.get(topic) ?? 0) + 1;
    this.seqs.set(topic, seq);
    const ring = this.rings.get(topic) ?? [];
    this.rings.set(topic, [...ring, seq].slice(-RING));
    if (this.socket && this.holds(topic)) this.push(topic, seq);
  }

  holds(topic) {
    return [...this.wanted.keys()].some((name) => name === topic || (name.includes("*") && matches(name, topic)));
  }

  push(topic, seq) {
    this.socket.say("tick", { topic, seq, ts: seq, value: `${this.epoch}:${seq}` });
  }

  accept(socket) {
    this.socket = socket;
    this.wanted.clear();
    socket.open();
    socket.say("connected", { ...HELLO, epoch: `e${this.epoch}` });
  }

  cut() {
    const { socket } = this;
    this.socket = null;
    socket?.end(1006);
  }

  restart() {
    this.cut();
    this.epoch += 1;
    this.seqs.clear();
    this.rings.clear();
  }

  /** Reads the client's commands and does what they say. */
  serve() {
    for (const { event, data } of this.socket?.take() ?? []) {
      if (event === "unsubscribe") for (const name of data.topics) this.wanted.delete(name);
      else if (event === "topics") this.socket.say("topics", { id: data.id, topics: TOPICS.filter((topic) => topic === data.match || matches(data.match, topic)).map((topic) => ({ topic, class: isEvent(topic) ? "event" : "state" })) });
      else if (event === "subscribe") this.subscribe(data);
    }
  }

  subscribe({ id, topics, mode, since }) {
    const granted = [];
    const snapshots = [];
    for (const name of topics) {
      const covered = TOPICS.filter((topic) => !this.holds(topic) && (topic === name || (name.includes("*") && matches(name, topic))));
      this.wanted.set(name, mode);
      if (name.includes("*")) {
        snapshots.push(...covered.map((topic) => [topic, 0]));
        continue;
      }
      const seq = this.seqs.get(name) ?? 0;
      const info = { topic: name, seq, mode: mode === "all" || since || isEvent(name) ? "all" : "latest" };
      const was = since?.seq[name];
      if (was !== undefined) {
        const ring = this.rings.get(name) ?? [];
        info.recovered = since.epoch === `e${this.epoch}` && was <= seq && (was === seq || ring[0] <= was + 1);
        snapshots.push([name, info.recovered ? was : 0, info.recovered]);
      } else snapshots.push([name, 0]);
      granted.push(info);
    }
    this.socket.say("subscribed", { id, topics: granted, patterns: topics.filter((name) => name.includes("*")).map((pattern) => ({ pattern, count: 0, mode: mode ?? "latest" })), failed: [] });
    for (const [topic, was, isRecovered] of snapshots) {
      const ring = this.rings.get(topic) ?? [];
      for (const seq of isRecovered ? ring.filter((one) => one > was) : ring.slice(-1)) this.push(topic, seq);
    }
  }
}

/** What one reader saw, judged as it comes. */
class Reader {
  /** Topic → its last tick, and when that came. */
  seen = new Map();
  /** Topic → when a gap of it was last told. */
  told = new Map();
  jumps = [];
  #now = 0;

  constructor(subscription, isEvery, server) {
    this.isEvery = isEvery;
    this.server = server;
    this.subscription = subscription;
    subscription.on("gap", ({ topics, recovered }) => recovered || topics.forEach((topic) => this.told.set(topic, (this.#now += 1))));
    subscription.on("tick", (tick) => this.take(tick));
  }

  take(tick) {
    try {
      this.judge(tick);
    } catch (error) {
      this.failure ??= error;
    }
  }

  judge({ topic, seq, value }) {
    const [epoch] = value.split(":").map(Number);
    const last = this.seen.get(topic);
    if (last) {
      assert.ok(epoch > last.epoch || seq > last.seq, `${topic}: ${value} after ${last.epoch}:${last.seq}`);
      if (this.isEvery(topic) && (epoch !== last.epoch || seq !== last.seq + 1)) this.jumps.push({ topic, after: last.at });
    }
    this.seen.set(topic, { epoch, seq, at: (this.#now += 1) });
  }

  /** Each jump was told: between its two ticks, or a moment after. */
  settle() {
    if (this.failure) throw this.failure;
    for (const { topic, after } of this.jumps.splice(0)) assert.ok(this.told.get(topic) > after, `${topic} has missed ticks, and nobody was told`);
  }

  /** When all is quiet, it has the newest of all that it wants. */
  check() {
    for (const topic of TOPICS) {
      if (!this.subscription.topics.some((name) => name === topic || (name.includes("*") && matches(name, topic)))) continue;
      const seq = this.server.seqs.get(topic);
      const { epoch, seq: last } = this.seen.get(topic) ?? {};
      if (seq) assert.deepEqual({ epoch, last }, { epoch: this.server.epoch, last: seq }, topic);
    }
  }
}

test(`${SEEDS} schedules of ticks, cuts, restarts, and subscriptions that come and go`, async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = generator(seed);
    const world = new World();
    if (seed % 2) world.page();
    try {
      const client = world.make();
      const server = new Server();
      const readers = [];
      const subscribe = () => {
        const topics = [TOPICS[random(TOPICS.length)], ...(random(2) ? [["a.*", "b.*", "*.s1"][random(3)]] : [])];
        const mode = random(2) ? "all" : "latest";
        const isEvery = (topic) => mode === "all" || isEvent(topic);
        readers.push(new Reader(client.subscribe(topics, { mode }), isEvery, server));
      };
      const breathe = async () => {
        await settle();
        server.serve();
        await settle();
        if (world.frames && random(2)) world.frame();
      };
      const quiet = async () => {
        for (let i = 0; i < 4; i += 1) {
          await world.pass(2_100);
          if (!server.socket && FakeSocket.last?.readyState === 0) server.accept(FakeSocket.last);
          server.socket?.say("heartbeat", { ts: 1 });
          await breathe();
        }
        if (world.frames) world.frame();
      };
      subscribe();
      for (let step = 0; step < STEPS; step += 1) {
        const what = random(20);
        if (what < 11) for (let i = random(4); i >= 0; i -= 1) server.tickOf(TOPICS[random(TOPICS.length)]);
        else if (what < 13) server.cut();
        else if (what === 13) server.restart();
        else if (what < 16 && readers.length < 6) subscribe();
        else if (what === 16 && readers.length > 1) readers.splice(random(readers.length), 1)[0].subscription.close();
        else {
          await world.pass(random(900));
          if (!server.socket && FakeSocket.last?.readyState === 0) server.accept(FakeSocket.last);
        }
        await breathe();
        if (random(12) === 0) {
          await quiet();
          for (const reader of readers) reader.settle();
        }
      }
      await quiet();
      for (const reader of readers) {
        reader.settle();
        reader.check();
      }
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    } finally {
      world.end();
    }
  }
});
