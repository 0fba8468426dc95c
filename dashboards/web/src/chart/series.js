// The newest ticks of one topic in a chart: times and figures in typed arrays, the oldest dropped.

/** Points kept: a quarter of an hour at ten a second. */
const POINTS_MAX = 9_000;
/** Room in the arrays. When it is used up, the newest points move to the beginning, once for many points. */
const ROOM = POINTS_MAX + 1_000;

export class Series {
  #times = new Float64Array(ROOM);
  #numbers = new Float64Array(ROOM);
  /** The figures with their digits. */
  #texts = [];
  #length = 0;

  /** Seconds since 1970, ascending. */
  get times() {
    return this.#times.subarray(0, this.#length);
  }

  /** The figure at that time; NaN is a gap. */
  get numbers() {
    return this.#numbers.subarray(0, this.#length);
  }

  get length() {
    return this.#length;
  }

  get last() {
    return this.#length === 0 ? undefined : this.#numbers[this.#length - 1];
  }

  /** Seconds of the newest point, or -Infinity. */
  get newest() {
    return this.#length === 0 ? -Infinity : this.#times[this.#length - 1];
  }

  /** A point's figure as its source wrote it; empty in a gap. */
  text(i) {
    return this.#texts[i] ?? "";
  }

  push(seconds, number, text = Number.isNaN(number) ? "" : String(number)) {
    if (seconds < this.newest) return; // the source's clock stepped back
    if (seconds !== this.newest) {
      if (this.#length === ROOM) this.#drop();
      this.#length += 1;
    }
    this.#times[this.#length - 1] = seconds;
    this.#numbers[this.#length - 1] = number;
    this.#texts[this.#length - 1] = text;
  }

  /** Nothing is known from here to the next point. */
  gap() {
    if (this.#length > 0 && !Number.isNaN(this.last)) this.push(this.newest + 0.001, NaN);
  }

  /** Merges points, as `[seconds, number, text]`, that were missed or came before; they also close a gap they span. */
  seed(points) {
    if (points.length === 0) return;
    const merged = new Map();
    let [from, to] = [Infinity, -Infinity];
    for (const [seconds, number, text = String(number)] of points) {
      merged.set(seconds, [number, text]);
      from = Math.min(from, seconds);
      to = Math.max(to, seconds);
    }
    for (let i = 0; i < this.#length; i += 1) {
      const [seconds, number] = [this.#times[i], this.#numbers[i]];
      if (!Number.isNaN(number) || seconds < from || seconds > to) merged.set(seconds, [number, this.#texts[i]]);
    }
    const ordered = [...merged].sort(([a], [b]) => a - b).slice(-POINTS_MAX);
    this.clear();
    for (const [seconds, [number, text]] of ordered) this.push(seconds, number, text);
  }

  clear() {
    this.#length = 0;
    this.#texts = [];
  }

  /** Lowest and highest figure since a time, or null when there is none. */
  extent(since) {
    let low = Infinity;
    let high = -Infinity;
    for (let i = this.#length - 1; i >= 0; i -= 1) {
      const number = this.#numbers[i];
      if (number < low) low = number;
      if (number > high) high = number;
      if (this.#times[i] < since) break; // the point before the window still draws into it
    }
    return low <= high ? [low, high] : null;
  }

  #drop() {
    this.#times.copyWithin(0, ROOM - POINTS_MAX);
    this.#numbers.copyWithin(0, ROOM - POINTS_MAX);
    this.#texts.splice(0, ROOM - POINTS_MAX);
    this.#length = POINTS_MAX;
  }
}

/** Index of the first time that is not before `seconds`, in ascending times. */
export function firstFrom(times, seconds) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < seconds) low = middle + 1;
    else high = middle;
  }
  return low;
}
