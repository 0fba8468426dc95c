#!/usr/bin/env node
// A feed of three places, two of which come from a source that asks for a credit; they warm up as one watches.
const CREDIT = "Weather data by Example (CC BY 4.0)";
const PLACES = { oslo: CREDIT, lisbon: CREDIT, nairobi: undefined };
let beat = 0;

setInterval(() => {
  beat += 1;
  for (const [topic, attribution] of Object.entries(PLACES)) {
    const data = { temperature_c: 10 + beat / 10, wind_ms: 4.63, wind_deg: 241, place: topic, attribution };
    process.stdout.write(`${JSON.stringify({ topic, event: "weather", data })}\n`);
  }
}, 100);
