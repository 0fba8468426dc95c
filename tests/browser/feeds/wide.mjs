#!/usr/bin/env node
// A feed of twenty topics with values so long that a line that is slow soon lags.
const TOPICS = 20;
const padding = "x".repeat(40_000);
let round = 0;

setInterval(() => {
  round += 1;
  for (let i = 0; i < TOPICS; i += 1) {
    process.stdout.write(`${JSON.stringify({ topic: `t${i}`, event: "state", data: { round, padding } })}\n`);
  }
}, 100);
