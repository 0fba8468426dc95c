// Draws a line or candles on a canvas, with labels right and below.
import { fixed } from "./figure.js";
import { numbers, times } from "./scale.js";

const BELOW = 18;
const NUMBERS_EACH = 44;
const TIMES_EACH = 80;

/** Colours and letters, as the sheet sets them on the canvas. */
function inkOf(canvas) {
  const css = getComputedStyle(canvas);
  const [line, up, down, grid, text] = [
    "color",
    "border-top-color",
    "border-right-color",
    "border-bottom-color",
    "border-left-color",
  ].map((name) => css.getPropertyValue(name));
  return { line, up, down, grid, text, font: `${css.fontSize} ${css.fontFamily}` };
}

/** Draws `past` from one time to another. It gives a function that finds the time at a place. */
export function plot(canvas, { past, from, to, last, isCandles, cursor }) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = globalThis.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const bars = past.within(from, to);
  const all = bars.flatMap(({ high, low }) => [high, low]).concat(last ? [last[1]] : []);
  if (all.length === 0 || width < 50) return () => NaN;
  const ink = inkOf(canvas);
  let [low, high] = [Math.min(...all), Math.max(...all)];
  const room = (high - low) * 0.06 || Math.abs(high) * 0.001 || 1;
  [low, high] = [low - room, high + room];
  const labels = numbers(low, high, height / NUMBERS_EACH);
  const texts = labels.at.map((n) => fixed(n, labels.places));
  pen.font = ink.font;
  const right = width - Math.max(...texts.map((text) => pen.measureText(text).width), 0) - 8;
  const bottom = height - BELOW;
  const x = (ms) => ((ms - from) / (to - from)) * right;
  const y = (n) => bottom - ((n - low) / (high - low)) * bottom;
  const rule = (x1, y1, x2, y2) => {
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.stroke();
  };

  pen.strokeStyle = ink.grid;
  pen.fillStyle = ink.text;
  pen.textBaseline = "middle";
  labels.at.forEach((n, i) => {
    rule(0, Math.round(y(n)) + 0.5, right, Math.round(y(n)) + 0.5);
    pen.fillText(texts[i], right + 6, Math.max(7, y(n)));
  });
  pen.textAlign = "center";
  for (const { at, text } of times(from, to, right / TIMES_EACH)) {
    const half = pen.measureText(text).width / 2;
    if (x(at) - half >= 0 && x(at) + half <= width) pen.fillText(text, x(at), height - 7);
  }
  pen.textAlign = "start";

  pen.save();
  pen.beginPath();
  pen.rect(0, 0, right, bottom);
  pen.clip();
  if (isCandles) {
    const wide = Math.max(1, Math.floor(x(from + past.period) * 0.7));
    for (const { start, open, high: most, low: least, close } of bars) {
      const middle = Math.round(x(start + past.period / 2)) + 0.5;
      const [top, end] = [y(Math.max(open, close)), y(Math.min(open, close))];
      pen.strokeStyle = pen.fillStyle = close < open ? ink.down : ink.up;
      rule(middle, y(most), middle, top);
      rule(middle, end, middle, y(least));
      // A rise is hollow and a fall is filled, so that colour is not the only sign.
      const box = [middle - wide / 2, top, wide, Math.max(1, end - top)];
      if (close < open || wide < 4) pen.fillRect(...box);
      else pen.strokeRect(...box);
    }
  } else {
    pen.strokeStyle = ink.line;
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    pen.beginPath();
    let isOn = false;
    for (const point of past.line(from, to, last)) {
      if (point && isOn) pen.lineTo(x(point[0]), y(point[1]));
      else if (point) pen.moveTo(x(point[0]), y(point[1]));
      isOn = point !== null;
    }
    pen.stroke();
  }
  if (cursor !== undefined) {
    const place = Math.round(x(cursor + past.period / 2)) + 0.5;
    pen.lineWidth = 1;
    pen.strokeStyle = ink.text;
    rule(place, 0, place, bottom);
  }
  pen.restore();
  return (place) => from + (place / right) * (to - from);
}
