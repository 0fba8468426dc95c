// The frames that the console shows: a bounded list, of which each line is a message, a note, or many ticks in one.

/** Lines kept. */
export const LINES_MAX = 500;
/** Characters kept of one message; a longer one is cut, and says so. */
export const TEXT_MAX = 64 * 1024;
/** Characters kept in all: the oldest lines go first. */
const ALL_MAX = 4 * 1024 * 1024;
/** Topics told apart in a line of many ticks. */
const TOPICS_MAX = 1_000;
/** Newest ticks kept in a line of many ticks, one for each topic, and how much of each. */
const SAMPLES_MAX = 20;
const SAMPLE_MAX = 2 * 1024;
/** Answers that have a topic and a `seq`, and are no ticks. */
const NO_TICKS = ["published", "history", "presence", "subscribed", "error", "notice"];
/** Commands that carry a token. */
const SECRET = ["auth", "token"];

export const isTick = (event, data) =>
  data !== null &&
  typeof data === "object" &&
  typeof data.topic === "string" &&
  "seq" in data &&
  !NO_TICKS.includes(event);

/** What one looks for: `filter` is in the event, the topic or the text of a message, in small letters. */
const has = (filter, event, topic, text) =>
  filter === "" || `${event}\n${topic}`.toLowerCase().includes(filter) || text.toLowerCase().includes(filter);

export class Frames {
  /** `together` puts the ticks between two other messages into one line, `each` gives each a line, `none` leaves them out. */
  ticks = "together";
  isPaused = false;
  /** Messages that came while paused, and were not kept. */
  missed = 0;
  /** Messages that the filter, or the choice of ticks, left out. */
  left = 0;
  /** Lines that had to make room. */
  dropped = 0;
  /** Another number each time the list is another, also by one line alone. */
  version = 0;

  #entries = [];
  #next = 1;
  #size = 0;
  #filter = "";

  get entries() {
    return this.#entries;
  }

  get filter() {
    return this.#filter;
  }

  /** What is not found is left out of the list, now and from now on. */
  set filter(text) {
    this.#filter = text.trim().toLowerCase();
    this.version += 1;
  }

  /** Whether a line is to be shown. Notes always are. */
  shows({ note, event, topic, text, isMany, topics }) {
    if (note || this.#filter === "") return true;
    if (isMany && [...topics].some((name) => name.toLowerCase().includes(this.#filter))) return true;
    return has(this.#filter, event, topic, text);
  }

  /** Takes a message of either direction. Costs the same however long the list is. */
  take({ out, event, data, text }, at) {
    if (this.isPaused) {
      this.missed += 1;
      return;
    }
    const tick = !out && isTick(event, data);
    if (tick && this.ticks === "none") {
      this.left += 1;
      return;
    }
    if (out && SECRET.includes(event)) {
      data = event === "token" ? "$TOKEN" : { ...data, token: "$TOKEN" };
      text = JSON.stringify({ event, data });
    }
    text ||= JSON.stringify({ event, data });
    const topic = topicOf(data);
    if (!has(this.#filter, event, topic, text)) {
      this.left += 1;
      return;
    }
    if (tick && this.ticks === "together") this.#together(event, topic, text, at);
    else this.#add({ at, way: out ? "out" : "in", event, topic, text });
  }

  /** A line of the console's own. */
  note(event, text, at) {
    this.#add({ at, way: "note", event, topic: "", text, note: true });
  }

  clear() {
    this.#entries = [];
    this.#size = this.missed = this.left = this.dropped = 0;
    this.version += 1;
  }

  #together(event, topic, text, at) {
    let line = this.#entries.at(-1);
    if (!line?.isMany) {
      line = { at, way: "in", event, topic, text: "", isMany: true, count: 0, topics: new Set(), samples: new Map() };
      this.#add(line);
    }
    line.count += 1;
    line.length += text.length;
    const sample = text.slice(0, SAMPLE_MAX);
    Object.assign(line, { at, event, topic, text: sample });
    if (line.topics.size < TOPICS_MAX) line.topics.add(topic);
    // The map's order is that of their last tick, so that its first is the one that moved least lately.
    this.#keep(line, sample.length - (line.samples.get(topic)?.length ?? 0));
    line.samples.delete(topic);
    line.samples.set(topic, sample);
    if (line.samples.size > SAMPLES_MAX) {
      const [oldest, text] = line.samples.entries().next().value;
      line.samples.delete(oldest);
      this.#keep(line, -text.length);
    }
    this.#trim();
  }

  #add(line) {
    line.id = this.#next;
    this.#next += 1;
    line.length = line.text.length;
    if (line.length > TEXT_MAX) {
      line.text = line.text.slice(0, TEXT_MAX);
      line.isCut = true;
    }
    line.kept = 0;
    this.#keep(line, line.text.length);
    this.#entries.push(line);
    this.#trim();
  }

  /** A line holds so many characters more. */
  #keep(line, more) {
    line.kept += more;
    this.#size += more;
  }

  #trim() {
    while (this.#entries.length > LINES_MAX || (this.#size > ALL_MAX && this.#entries.length > 1)) {
      this.#size -= this.#entries.shift().kept;
      this.dropped += 1;
    }
    this.version += 1;
  }
}

/** The topics that a message is about, in a few words. */
function topicOf(data) {
  if (data === null || typeof data !== "object") return "";
  if (typeof data.topic === "string") return data.topic;
  if (typeof data.feed === "string") return data.feed;
  if (!Array.isArray(data.topics)) return "";
  const names = data.topics.slice(0, 4).map((name) => (typeof name === "string" ? name : (name?.topic ?? "")));
  return names.filter(Boolean).join(" ") + (data.topics.length > 4 ? " …" : "");
}
