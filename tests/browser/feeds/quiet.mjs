#!/usr/bin/env node
// A feed whose topics fall silent: `live` moves, the others speak once, and once more at each SIGUSR1. SIGUSR2 stops all.
let n = 0;
const say = (topic, data) =>
  process.stdout.write(`${JSON.stringify({ topic, event: "quote", data })}\n`);
const all = () => {
  n += 1;
  say("quiet", { price: `${100 + n}.50`, volume: 1200 * n, currency: "USD" });
  say("words", { note: "calm", n });
};

all();
const live = setInterval(() => say("live", { price: (100 + Math.sin((n += 1) / 9)).toFixed(2) }), 100);
process.on("SIGUSR1", all);
process.on("SIGUSR2", () => clearInterval(live));
setInterval(() => {}, 1_000);
