// Prints live prices. In a folder with a package.json: npm install PATH/TO/dashboards/client ws
//   node node.mjs http://127.0.0.1:8425 'sim.*'
// Node 22 and later have a WebSocket of their own: leave out `ws` and the option there.
import { connect } from "@tickerd/client";
import WebSocket from "ws";

const [url = "http://127.0.0.1:8425", ...topics] = process.argv.slice(2);
const t = connect(url, { WebSocket });
t.on("status", ({ state, why, todo }) => console.error(state, why ?? "", todo ?? ""));
t.on("gap", ({ topics, recovered, why }) => console.error(recovered ? "missed, and here:" : "missed:", topics.join(" "), why));
for await (const { topic, ts, value } of t.subscribe(topics.length ? topics : "sim.*", { rate: "1s" })) {
  console.log(new Date(ts).toISOString(), topic, value.price ?? JSON.stringify(value));
}
