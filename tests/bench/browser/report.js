// The figures, as a table and as JSON.

/** What a figure must hold: `most` is the goal. */
export class Row {
  /** @param {string} id letter of the scenario @param {string} what @param {string} unit @param {number[]} values @param {number} [most] */
  constructor(id, what, unit, values, most = undefined) {
    Object.assign(this, { id, what, unit, values, most });
  }

  get median() {
    const sorted = this.values.filter(Number.isFinite).sort((a, b) => a - b);
    return sorted.length === 0 ? NaN : (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  }

  get met() {
    return this.most === undefined ? undefined : this.median <= this.most;
  }

  json() {
    const { id, what, unit, values, median, most, met } = this;
    return { scenario: id, what, unit, values, median, at_most: most, met };
  }

  toString() {
    const what = this.unit === "" ? this.what : `${this.what}, ${this.unit}`;
    const goal = this.most === undefined ? "" : `≤ ${this.most}`;
    const met = this.met === undefined ? "" : this.met ? "met" : "MISSED";
    return `${this.id}  ${what.padEnd(72)} ${spread(this).padEnd(26)} ${goal.padEnd(9)} ${met}`.trimEnd();
  }
}

/** Median, and from smallest to largest where it was measured more than once. */
function spread({ values, median }) {
  const places = Math.abs(median) >= 100 ? 0 : 2;
  const range = values.length > 1 ? ` (${Math.min(...values).toFixed(places)}–${Math.max(...values).toFixed(places)})` : "";
  return median.toFixed(places) + range;
}

export const METHOD = `
Method: headless Chromium with software rendering, on the same machine as the daemon and the feed. Busy is the CPU time of the page's main
thread (CDP TaskDuration, thread clock) over the window. The longest task is one turn of the main thread in its own CPU time, from a trace
of its own after the window. The longest frame is the greatest distance between two animation frames on the wall's clock: other processes and
the software renderer, which has no graphics processor, are in it. Ratios are formed within one run. A figure is the median of its repeats.
`;
