// A chart as a file: CSV with the source's digits, or PNG with its title, its time and its source.
import { cell } from "../data/csv.js";

/** Columns in the order in which they are written; those without any text are left out. */
const COLUMNS = ["topic", "field", "time", "seconds", "value", "open", "high", "low", "close", "volume", "count"];
const PNG = { padding: 16, title: 18, line: 14, gap: 6 };

/** The CSV of a window: bars, with their length in seconds, or ticks where these reach back as far. Times are ISO 8601, UTC. */
export function csvOf(traces, window, isCandles) {
  const rows = traces.flatMap((trace) => rowsOf(trace, window, isCandles));
  const columns = COLUMNS.filter((name) => rows.some((row) => row[name] !== undefined));
  const lines = [columns, ...rows.map((row) => columns.map((name) => String(row[name] ?? "")))];
  return lines.map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}

function rowsOf(trace, [from, to], isCandles) {
  const { topic, path, series, past } = trace;
  const common = { topic: topic.name, field: path || undefined };
  const { times, numbers } = series;
  if (trace.hasBars && (isCandles || !(times[0] <= from))) {
    return past.bars
      .within([from, to])
      .filter(({ start }) => start + past.bars.ms > from * 1000 && start < to * 1000)
      .map(({ start, count, texts }) => ({ ...common, time: iso(start), seconds: past.bars.ms / 1000, ...texts, count: String(count) }));
  }
  const rows = [];
  for (let i = 0; i < times.length; i += 1) {
    if (times[i] < from || times[i] > to || Number.isNaN(numbers[i])) continue;
    rows.push({ ...common, time: iso(Math.round(times[i] * 1000)), value: series.text(i) });
  }
  return rows;
}

const iso = (ms) => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : "");

/** A PNG of a canvas with words around it; `lines` are below the title, `feet` below the picture. */
export function pngOf(drawn, { title, lines, feet, inks }) {
  const pixel = devicePixelRatio;
  const { padding, title: titlePx, line: linePx, gap } = PNG;
  const head = padding + titlePx + gap + lines.length * (linePx + gap);
  const foot = feet.length * (linePx + gap) + padding;
  const canvas = document.createElement("canvas");
  canvas.width = drawn.width + 2 * padding * pixel;
  canvas.height = drawn.height + (head + foot) * pixel;
  const ctx = canvas.getContext("2d");
  ctx.fillStyle = inks.sheet;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.textBaseline = "top";
  const room = canvas.width - 2 * padding * pixel;
  const write = (text, y, px, colour, weight = "") => {
    ctx.font = `${weight} ${px * pixel}px system-ui, sans-serif`;
    ctx.fillStyle = colour;
    ctx.fillText(text, padding * pixel, y * pixel, room);
  };
  write(title, padding, titlePx, inks.ink, "600");
  lines.forEach((text, i) => write(text, padding + titlePx + gap + i * (linePx + gap), linePx, inks.muted));
  ctx.drawImage(drawn, padding * pixel, head * pixel);
  const below = head + drawn.height / pixel + gap;
  feet.forEach((text, i) => write(text, below + i * (linePx + gap), linePx, inks.muted));
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

/** Hands a file to the browser. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** `sim.AAPL 2026-11-29 15.35.csv`, by the local clock. */
export function fileName(names, ms, ending) {
  const date = new Date(ms);
  const two = (n) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${names.join(" ").replace(/[^\w. -]/g, "_")} ${day} ${two(date.getHours())}.${two(date.getMinutes())}.${ending}`;
}
