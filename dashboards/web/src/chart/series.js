// The points of one chart: times and numbers side by side, oldest dropped, as uPlot wants them.

/** Points kept per chart: a quarter of an hour at ten a second. */
const POINTS_MAX = 9_000;

export class Series {
  /** Seconds since 1970, ascending. */
  times = [];
  /** The figure at that time; null is a gap. */
  numbers = [];

  get last() {
    return this.numbers.at(-1);
  }

  push(seconds, number) {
    const newest = this.times.at(-1);
    if (newest !== undefined && seconds < newest) return; // the source's clock stepped back
    if (seconds === newest) {
      this.numbers[this.numbers.length - 1] = number;
      return;
    }
    this.times.push(seconds);
    this.numbers.push(number);
    // Dropping one at a time would move the whole array for every tick.
    if (this.times.length > POINTS_MAX * 1.1) {
      this.times.splice(0, this.times.length - POINTS_MAX);
      this.numbers.splice(0, this.numbers.length - POINTS_MAX);
    }
  }

  /** Nothing is known from here to the next point. */
  gap() {
    const newest = this.times.at(-1);
    if (newest !== undefined && this.numbers.at(-1) !== null) this.push(newest + 0.001, null);
  }

  /** Merges points, as `[seconds, number]`, that were missed or came before; they also close a gap they span. */
  seed(points) {
    if (points.length === 0) return;
    const merged = new Map(points);
    const from = Math.min(...merged.keys());
    const to = Math.max(...merged.keys());
    this.times.forEach((seconds, i) => {
      const number = this.numbers[i];
      if (number !== null || seconds < from || seconds > to) merged.set(seconds, number);
    });
    const ordered = [...merged].sort(([a], [b]) => a - b).slice(-POINTS_MAX);
    this.times = ordered.map(([seconds]) => seconds);
    this.numbers = ordered.map(([, number]) => number);
  }

  clear() {
    this.times = [];
    this.numbers = [];
  }

  /** Lowest and highest figure since a time, or null when there is none. */
  extent(since) {
    let low = Infinity;
    let high = -Infinity;
    for (let i = this.times.length - 1; i >= 0; i -= 1) {
      const number = this.numbers[i];
      if (number !== null) {
        if (number < low) low = number;
        if (number > high) high = number;
      }
      if (this.times[i] < since) break; // the point before the window still draws into it
    }
    return low <= high ? [low, high] : null;
  }
}
