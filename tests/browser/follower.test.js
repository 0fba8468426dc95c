// What the page knows of its topics when it is hidden, and at a new connection, without a browser.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, test } from "node:test";
import { connect } from "../../dashboards/client/src/index.js";
import { Topics } from "../../dashboards/web/src/data/topics.js";
import { Follower } from "../../dashboards/web/src/live/follower.js";

/** More than a hidden page has room for. */
const TOPICS = 12_000;

after(() => delete globalThis.document);

test("a hidden page has the newest of each topic, however many come at once", async () => {
  globalThis.document = Object.assign(new EventTarget(), { hidden: true });
  class Socket {
    readyState = 1;
    constructor() {
      queueMicrotask(() => {
        this.onopen?.();
        this.say("connected", { conn: "1", epoch: "e", heartbeat_ms: 20_000 });
      });
    }
    send(text) {
      const { event, data } = JSON.parse(text);
      if (event !== "subscribe") return;
      this.say("subscribed", { id: data.id, topics: [], patterns: [{ pattern: "**", mode: "latest", count: TOPICS }], failed: [] });
      for (let i = 0; i < TOPICS; i += 1) this.say("quote", { topic: `q.t${i}`, seq: 1, ts: 1, value: i });
    }
    say(event, data) {
      queueMicrotask(() => this.onmessage?.({ data: JSON.stringify({ event, data }) }));
    }
    close() {}
  }
  const client = connect("ws://host/ws", { WebSocket: Socket, flush: "frame" });
  const topics = new Topics();
  const follower = new Follower(client, topics);
  const told = new EventTarget();
  client.on("gap", () => told.dispatchEvent(new Event("gap")));
  const gap = once(told, "gap");
  follower.follow("");
  await gap;
  client.close();
  assert.equal([...topics.all()].filter(({ text }) => text !== "").length, TOPICS);
});

test("a topic that a list lacks is gone, and only one that is told to be removed has ended", async () => {
  const hear = {};
  const told = [];
  const client = {
    on: (what, heard) => (hear[what] = heard),
    topics: async () => [{ topic: "sim.B", kind: "quote", seq: 1, ts: 1 }],
  };
  const topics = new Topics();
  const follower = new Follower(client, topics);
  follower.onGone = (name) => told.push(["gone", name]);
  follower.onEnd = (name) => told.push(["ended", name]);
  for (const name of ["sim.A", "sim.B"]) topics.ensure(name);
  await follower.list();
  assert.deepEqual(told.splice(0), [["gone", "sim.A"]]);
  hear.topics({ removed: ["sim.B"] });
  assert.deepEqual(told, [["ended", "sim.B"]]);
});
