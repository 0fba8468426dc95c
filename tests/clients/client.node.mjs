// The JavaScript client in Node, with the package `ws`, at the address of its argument; see examples.py. Prints a line of JSON for
// each thing that happens, and ends when its input does.
import { createRequire } from "node:module";
import { connect } from "../../dashboards/client/src/index.js";

const ws = createRequire(new URL("../../dashboards/client/package.json", import.meta.url))("ws");
const say = (what, about) => console.log(JSON.stringify({ what, ...about }));

const t = connect(process.argv[2], { WebSocket: ws, name: "ann" });
for (const event of ["status", "gap", "epoch", "failed"]) t.on(event, (about) => say(event, typeof about === "string" ? { epoch: about } : about));
t.on("error", ({ message }) => say("error", { message }));
process.stdin.resume().on("end", () => t.close());

const every = t.subscribe("sim.AAPL", { mode: "all" });
const { topics } = await every.ready;
say("granted", { topics: topics.map(({ topic }) => topic) });
const lobby = t.subscribe("rooms.lobby");
await lobby.ready;
lobby.on("tick", ({ from, value }) => say("heard", { from, value }));
await t.publish("rooms.lobby", { text: "hello" });
const { bars } = await t.bars("sim.AAPL", { period: "1s" });
const [{ topic }] = await t.get("sim.AAPL");
const past = await t.history("sim.AAPL", { limit: 2 });
const { feeds } = await (await t.http("v1/feeds")).json();
say("asked", { bars: bars.length, topic, past: past.map(({ seq }) => seq), feeds: feeds.map(({ feed }) => feed) });
try {
  await t.bars("sim.AAPL", { period: "7s" });
} catch ({ name, code, message }) {
  say("refused", { name, code, message });
}
for await (const { seq, skipped } of every) say("tick", { seq, skipped });
say("ended");
