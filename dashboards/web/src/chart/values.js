// The numbers behind a chart, as a table: the newest values, or the newest bars.
import * as format from "../data/format.js";

const LISTED = 12;
const LIST_MS = 1_000;
const HEADS = { line: ["Time", "Value"], candles: ["Start", "Open", "High", "Low", "Close", "Volume"] };

export class Values {
  #body;
  #head;
  #listed = -Infinity;

  constructor(name) {
    this.element = document.createElement("details");
    this.element.innerHTML = `<summary>Values</summary><div class="wide"><table><caption class="unseen"></caption><thead><tr></tr></thead><tbody></tbody></table></div>`;
    this.element.querySelector("caption").textContent = `Newest values of ${name}`;
    this.#body = this.element.querySelector("tbody");
    this.#head = this.element.querySelector("thead tr");
    this.element.addEventListener("toggle", () => (this.#listed = -Infinity));
  }

  paint(now, trace, isCandles) {
    if (!this.element.open || now - this.#listed < LIST_MS) return;
    this.#listed = now;
    const hasBars = isCandles && trace.hasBars;
    const names = HEADS[hasBars ? "candles" : "line"];
    if (this.#head.children.length !== names.length) {
      this.#head.replaceChildren(
        ...names.map((name) => Object.assign(document.createElement("th"), { scope: "col", textContent: name })),
      );
    }
    this.#body.replaceChildren(...(hasBars ? barsOf(trace) : ticksOf(trace)).map(rowOf));
  }
}

function rowOf(cells) {
  const row = document.createElement("tr");
  for (const cell of cells) row.insertCell().textContent = cell;
  return row;
}

function ticksOf(trace) {
  const { times, numbers } = trace.series;
  const rows = [];
  for (let i = times.length - 1; i >= 0 && rows.length < LISTED; i -= 1) {
    if (!Number.isNaN(numbers[i])) rows.push([format.moment(times[i] * 1000), trace.marked(numbers[i])]);
  }
  return rows;
}

const barsOf = (trace) =>
  trace.past.bars.all
    .slice(-LISTED)
    .reverse()
    .map(({ start, texts: { open, high, low, close, volume = "–" } }) => [format.moment(start), open, high, low, close, volume]);
