// The newest tick of every topic, as the page knows it.
import { UNMARKED } from "./contract.js";
import { at, credit, figures, numeric } from "./fields.js";
import { isOld, isSimulated } from "./kinds.js";

export class Topic {
  kind = "";
  seq = 0;
  ts = 0;
  /** Its source's own time, Unix ms; 0 where that is not told. */
  sourceTs = 0;
  value = undefined;
  /** The envelope as it came: the digits are in it. */
  text = "";
  /** What its source asks to show beside the value. */
  credit = "";
  /** Its value says that it is made up. */
  simulated = false;
  /** Its value says that its source has nothing current. */
  isOld = false;
  /** Paths of the value's figures, the main one first; found once, and again when the value has none of them. */
  figures = [];
  /** The main figure; NaN where the newest tick lacks it. */
  number = NaN;
  /** Difference of the main figure between the last two ticks. */
  delta = 0;
  /** Since when it is told to have had no news for too long, Unix ms; 0 while it has news. A tick alone does not end it. */
  staleSince = 0;
  /** When its feed retired it, Unix ms; 0 while it is there. With a tick it is back. */
  endedAt = 0;

  /** What its feed says of the fields of its kind. */
  marks = UNMARKED;

  #contract;

  /** @param contract says how fields are marked, or null where nothing does */
  constructor(name, contract = null) {
    this.name = name;
    this.feed = name.split(".", 1)[0];
    this.#contract = contract;
  }

  /** The marks of a kind's fields, as its feed has them. */
  marksOf(kind) {
    return this.#contract?.of(this.feed, kind) ?? UNMARKED;
  }

  /** The contract says something new: the main figure may be another. True if that changes anything. */
  remark() {
    const marks = this.marksOf(this.kind);
    if (marks === this.marks || this.text === "") return false;
    this.marks = marks;
    this.simulated = isSimulated(this.value) || marks.isSimulated;
    const [main] = this.figures;
    this.figures = figures(this.value, marks);
    if (this.figures[0] === main) return true;
    this.number = this.figures.length ? numeric(at(this.value, this.figures[0])) : NaN;
    this.delta = 0;
    return true;
  }

  /** Takes a tick; false when it is the one already held, sent again. */
  take(kind, data, text) {
    const again = this.text !== "" && data.seq === this.seq && data.ts === this.ts;
    if (kind !== this.kind || this.text === "") {
      this.marks = this.marksOf(kind);
      this.figures = [];
    }
    this.kind = kind;
    this.seq = data.seq;
    this.ts = data.ts;
    this.sourceTs = Number.isFinite(data.src_ts) ? data.src_ts : 0;
    this.value = data.value;
    this.credit = credit(data.value);
    this.simulated = isSimulated(data.value) || this.marks.isSimulated;
    this.isOld = isOld(data.value);
    this.text = text;
    this.endedAt = 0;
    if (again) return false;
    if (!this.#isKnown(data.value)) {
      this.figures = figures(data.value, this.marks);
      this.number = NaN;
    }
    const number = this.figures.length ? numeric(at(data.value, this.figures[0])) : NaN;
    this.delta = number - this.number || 0;
    this.number = number;
    return true;
  }

  /** Whether the figures are those of that value. A main figure stays the main one while it is missing, as in `{"price":null,"volume":900}`. */
  #isKnown(value) {
    const { main } = this.marks;
    if (this.figures.length > 0 && this.figures[0] === main) return true;
    if (main !== null && !Number.isNaN(numeric(at(value, main)))) return false;
    return this.figures.some((path) => isThere(at(value, path)));
  }
}

const isThere = (leaf) => leaf !== undefined && (leaf === null || typeof leaf !== "object");

export class Topics {
  #byName = new Map();
  #contract;

  constructor(contract = null) {
    this.#contract = contract;
  }

  get size() {
    return this.#byName.size;
  }

  get(name) {
    return this.#byName.get(name);
  }

  all() {
    return this.#byName.values();
  }

  /** The topic of that name, new if need be. */
  ensure(name) {
    let topic = this.#byName.get(name);
    if (!topic) this.#byName.set(name, (topic = new Topic(name, this.#contract)));
    return topic;
  }

  remove(name) {
    return this.#byName.delete(name);
  }
}
