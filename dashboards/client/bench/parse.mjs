// What a tick costs on its way through the client, from its text to a handler, beside `JSON.parse` of that text alone.
//
//   node bench/parse.mjs         prints both, and how many times one is the other
//   node bench/parse.mjs 1.2     fails if it is more than 1.2 times
import { connect } from "../src/index.js";

const TICKS = 1_000;
const TOPICS = 100;
const ROUNDS = 600;

/** Texts as a server sends them: 100 topics that count on, with the fields of a quote. */
function texts(from) {
  const made = [];
  for (let i = 0; i < TICKS; i += 1) {
    const seq = from + Math.floor(i / TOPICS) + 1;
    const price = (100 + ((i * 7) % 1_000) / 100).toFixed(2);
    const value = { price, bid: price, ask: price, volume: 10_000 + i, change: "-0.42", session: "open" };
    const topic = `stocks.T${i % TOPICS}`;
    made.push(JSON.stringify({ event: "quote", data: { topic, seq, ts: 1_767_225_600_000 + i, src_ts: 1_767_225_599_000 + i, value } }));
  }
  return made;
}

let socket;
class Socket {
  readyState = 1;
  constructor() {
    socket = this;
  }
  send() {}
  close() {}
  say(event, data) {
    this.onmessage({ data: JSON.stringify({ event, data }) });
  }
}

const topics = Array.from({ length: TOPICS }, (_, i) => `stocks.T${i}`);
const client = connect("ws://host/ws", { WebSocket: Socket, flush: "now" });
let taken = 0;
client.subscribe(topics).on("tick", () => (taken += 1));
await new Promise((resolve) => setTimeout(resolve));
socket.say("connected", { v: 1, epoch: "e", heartbeat_ms: 15_000 });
await new Promise((resolve) => setTimeout(resolve));
socket.say("subscribed", { id: 1, topics: topics.map((topic) => ({ topic, seq: 0, mode: "latest" })), patterns: [], failed: [] });

const timed = (run, list) => {
  const start = process.hrtime.bigint();
  for (const text of list) run(text);
  return Number(process.hrtime.bigint() - start) / list.length;
};
let kept;
const parse = (text) => (kept = JSON.parse(text));
const receive = (text) => socket.onmessage({ data: text });

// By turns, in short rounds on texts of their own, and of each the fastest tenth: other work on the machine slows the rest.
const fast = (times) => times.sort((a, b) => a - b)[times.length / 10];
const [parsed, received] = [[], []];
for (let round = 0; round < ROUNDS; round += 1) {
  const from = (round * TICKS) / TOPICS;
  parsed.push(timed(parse, texts(from)));
  received.push(timed(receive, texts(from)));
}
client.close();
if (taken !== ROUNDS * TICKS || !kept) throw new Error(`${taken} ticks came, not ${ROUNDS * TICKS}`);
const [alone, whole] = [fast(parsed), fast(received)];
const times = whole / alone;
console.log(`JSON.parse alone ${alone.toFixed(0)} ns, through the client ${whole.toFixed(0)} ns: ${times.toFixed(2)} times`);
if (times > Number(process.argv[2] ?? Infinity)) process.exitCode = 1;
