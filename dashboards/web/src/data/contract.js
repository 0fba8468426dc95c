// What the server says of its feeds' fields and of its bars, in `/v1/asyncapi.json`: nothing is guessed where it is told.

const DECIMALS_MAX = 18;
/** Steps of `$ref` and `allOf` that are followed. */
const DEPTH_MAX = 4;
/** After a kind of which the document says nothing, the time until it is read again: its feed may have said so since. */
const REREAD_MS = 1_000;
/** Roles of fields that are no figures, whatever their values look like. */
const NOT_FIGURES = ["identity", "time", "text", "attribution", "side"];
const PRICES = ["price", "bid", "ask", "open", "high", "low", "previous_close", "change"];

/** The marks of one kind's fields. `main` is the path of its main figure ("" for a bare value), or null. */
export class Marks {
  main = null;
  isSimulated = false;

  #fields = new Map();
  #byRole = new Map();

  get isNone() {
    return this.#fields.size === 0;
  }

  mark(path, marks) {
    this.#fields.set(path, marks);
    if (marks.main && this.main === null) {
      this.main = path;
      this.isSimulated ||= marks.simulated === true;
    }
    if (marks.role !== undefined && !this.#byRole.has(marks.role)) this.#byRole.set(marks.role, path);
  }

  role(path) {
    return this.#fields.get(path)?.role;
  }

  unit(path) {
    return this.#fields.get(path)?.unit;
  }

  /** How many decimals to show, or undefined: as many as the value has. */
  decimals(path) {
    return this.#fields.get(path)?.decimals;
  }

  /** The field with a role, or undefined. */
  field(role) {
    return this.#byRole.get(role);
  }

  isPrice(path) {
    return PRICES.includes(this.role(path));
  }

  isFigure(path) {
    return !NOT_FIGURES.includes(this.role(path));
  }
}

/** Of a kind whose feed does not say what its values look like. */
export const UNMARKED = new Marks();

export class Contract {
  /** Called when the document says something new. */
  onNews = () => {};
  /** Called to have the document read again. */
  onWant = () => {};
  /** The periods of which the server keeps bars, as `{name, ms, keepMs}`, shortest first. */
  periods = [];

  #kinds = new Map();
  #missed = new Set();
  #isRead = false;
  #isWanted = false;

  /** The marks of a feed's kind. */
  of(feed, kind) {
    const key = `${feed} ${kind}`;
    const known = this.#kinds.get(key);
    if (!known && this.#isRead && kind !== "" && !this.#missed.has(key)) {
      this.#missed.add(key);
      if (!this.#isWanted) this.onWant(REREAD_MS);
      this.#isWanted = true;
    }
    return known ?? UNMARKED;
  }

  /** Takes a document. */
  take(document) {
    this.#isRead = true;
    this.#isWanted = false;
    this.#kinds.clear();
    for (const [name, message] of Object.entries(document?.components?.messages ?? {})) {
      const [, feed] = /^tick\.([^.]+)\./.exec(name) ?? [];
      const { event, data } = message?.payload?.properties ?? {};
      if (feed === undefined || typeof event?.const !== "string") continue;
      this.#kinds.set(`${feed} ${event.const}`, marksOf(data?.properties?.value, document));
    }
    this.periods = [];
    const bars = document?.["x-bars"];
    for (const bar of Array.isArray(bars) ? bars : []) {
      const { period: name, keep_ms: keepMs } = bar ?? {};
      const ms = length(name);
      if (ms > 0 && keepMs > 0) this.periods.push({ name, ms, keepMs });
    }
    this.onNews();
  }

  /** Another connection, perhaps to another server: what was missed is looked for again. */
  forget() {
    this.#missed.clear();
    this.#isWanted = false;
  }
}

/** Milliseconds of a period's name, such as `10s`. */
function length(name) {
  const [, n, unit] = /^(\d+)([smhd])$/.exec(name) ?? [];
  return n === undefined ? NaN : Number(n) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit];
}

/** The marks in the schema of a kind's values. */
export function marksOf(schema, document) {
  const found = new Marks();
  for (const part of parts(schema, document)) {
    if (part["x-tickerd-simulated"] === true) found.isSimulated = true;
    if (part["x-tickerd-main"] === true) found.mark("", marksAt(part, document));
    for (const [name, field] of Object.entries(part.properties ?? {})) {
      const marks = marksAt(field, document);
      if (Object.keys(marks).length > 0) found.mark(name, marks);
    }
  }
  return found;
}

/** The marks that a feed may give a field, and what they look like. Another word is no mark. */
const WELL_FORMED = {
  main: (mark) => mark === true,
  simulated: (mark) => mark === true,
  role: (mark) => typeof mark === "string",
  unit: (mark) => typeof mark === "string" && mark !== "",
  decimals: (mark) => Number.isInteger(mark) && mark >= 0 && mark <= DECIMALS_MAX,
};

function marksAt(schema, document) {
  const marks = {};
  for (const part of parts(schema, document)) {
    for (const [mark, isWellFormed] of Object.entries(WELL_FORMED)) {
      const said = part[`x-tickerd-${mark}`];
      if (isWellFormed(said)) marks[mark] ??= said;
    }
  }
  return marks;
}

/** A schema, and those that it refers to or is made of. */
function* parts(schema, document, depth = 0) {
  if (schema === null || typeof schema !== "object" || depth > DEPTH_MAX) return;
  yield schema;
  if (typeof schema.$ref === "string") yield* parts(found(schema.$ref, document), document, depth + 1);
  for (const part of Array.isArray(schema.allOf) ? schema.allOf : []) yield* parts(part, document, depth + 1);
}

function found(reference, document) {
  if (!reference.startsWith("#/")) return undefined;
  let keys;
  try {
    keys = decodeURIComponent(reference.slice(2)).split("/");
  } catch {
    return undefined; // a % that is no escape
  }
  return keys.reduce((node, key) => node?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], document);
}
