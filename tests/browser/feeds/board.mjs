#!/usr/bin/env node
// A feed of fifty quotes, each moving ten times a second.
const prices = Array.from({ length: 50 }, (_, i) => 100 + i);

setInterval(() => {
  let lines = "";
  prices.forEach((price, i) => {
    prices[i] = price + (Math.random() - 0.5) * 0.2;
    const [now, change] = [prices[i], prices[i] - 100 - i].map((number) => number.toFixed(2));
    lines += `{"topic":"T${i}","event":"quote","data":{"price":"${now}","change":"${change}","bid":"${now}","volume":1000}}\n`;
  });
  process.stdout.write(lines);
}, 100);
