// The window of time that all charts show: it follows the clock until somebody zooms or pans.

const SPAN_MIN_S = 2;
const SPAN_MAX_S = 400 * 86_400;

export class View {
  /** Called when another part of time is shown. */
  onChange = () => {};

  /** The chosen length in seconds, to which `reset` goes back. */
  #chosen;
  #span;
  /** Where the window ends, in seconds; null follows the clock. */
  #end = null;
  #now = 0;

  constructor(span) {
    this.#chosen = this.#span = span;
  }

  /** The server's clock, in seconds. */
  set now(seconds) {
    this.#now = seconds;
  }

  get now() {
    return this.#now;
  }

  get span() {
    return this.#span;
  }

  get isFollowing() {
    return this.#end === null;
  }

  /** Whether it is the chosen length, up to now. */
  get isPlain() {
    return this.#end === null && this.#span === this.#chosen;
  }

  /** `[from, to]` in seconds. */
  get window() {
    const end = this.#end ?? this.#now;
    return [end - this.#span, end];
  }

  choose(span) {
    this.#chosen = span;
    this.reset();
  }

  reset() {
    this.#span = this.#chosen;
    this.#end = null;
    this.onChange();
  }

  /** Shows a part of time. */
  show(from, to) {
    const span = Math.min(Math.max(to - from, SPAN_MIN_S), SPAN_MAX_S);
    const middle = (from + to) / 2;
    this.#set(span, middle + span / 2);
  }

  /** Makes the window so many times as long; the moment `at` stays where it is. A window that follows goes on to follow. */
  zoom(factor, at = null) {
    const [from, to] = this.window;
    const span = Math.min(Math.max(this.#span * factor, SPAN_MIN_S), SPAN_MAX_S);
    if (at === null) {
      if (this.#end === null) this.#set(span, Infinity);
      else this.#set(span, (from + to + span) / 2);
    } else this.#set(span, at + ((to - at) / this.#span) * span);
  }

  /** Moves the window by a share of its length: negative goes back in time. */
  pan(share) {
    this.#set(this.#span, this.window[1] + share * this.#span);
  }

  #set(span, end) {
    this.#span = span;
    this.#end = end >= this.#now ? null : end;
    this.onChange();
  }
}
