#!/usr/bin/env node
// A feed of two and a half thousand topics, each moving every other second: lines on standard output are all it takes.
const TOPICS = 2_500;
const SLICES = 20;
const BEAT_MS = 100;
let beat = 0;

setInterval(() => {
  let lines = "";
  for (let i = beat % SLICES; i < TOPICS; i += SLICES) {
    const price = (100 + i + Math.sin(beat / 9 + i)).toFixed(2);
    lines += `{"topic":"T${i}","event":"quote","data":{"price":"${price}","volume":${beat * 10 + i}}}\n`;
  }
  beat += 1;
  process.stdout.write(lines);
}, BEAT_MS);
