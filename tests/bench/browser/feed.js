#!/usr/bin/env node
// The feed of the bench: `feed.js TOPICS EVERY_MS` says each topic once in EVERY_MS, in slices so that none comes in one lump.
const [topics, everyMs] = process.argv.slice(2).map(Number);
/** Slices are so far apart, or one interval if that is shorter. */
const SLICE_MS = Math.min(100, everyMs);
const slices = Math.round(everyMs / SLICE_MS);
let beat = 0;

/** A quote as the feeds of shares say it. */
function line(i) {
  const cents = 10_000 + i * 10 + Math.round(300 * Math.sin(beat / 9 + i));
  const price = (cents / 100).toFixed(2);
  const change = ((cents - 10_000 - i * 10) / 100).toFixed(2);
  const data = { price, bid: ((cents - 1) / 100).toFixed(2), ask: ((cents + 1) / 100).toFixed(2), change, volume: beat * 10 + i };
  return `${JSON.stringify({ topic: `T${i}`, event: "quote", data })}\n`;
}

setInterval(() => {
  let lines = "";
  for (let i = beat % slices; i < topics; i += slices) lines += line(i);
  beat += 1;
  process.stdout.write(lines);
}, SLICE_MS);
