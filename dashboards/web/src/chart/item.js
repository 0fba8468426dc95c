// A chart in the page's address: `sim.AAPL`, `host.cpu:used_percent`, `sim.AAPL~candles`, `sim.AAPL+sim.MSFT`, `sim.AAPL~full`.

/** What a chart may be beside a line. */
const WORDS = ["candles", "full"];
/** The characters that part an item. */
const PARTING = /[,:~+%]/g;

const escaped = (text) => text.replace(PARTING, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a per cent sign of its own
  }
}

/** A topic and its field; the field is null where the main one is meant. */
function partOf(text) {
  const colon = text.indexOf(":");
  if (colon < 0) return { name: unescaped(text), path: null };
  return { name: unescaped(text.slice(0, colon)), path: unescaped(text.slice(colon + 1)) };
}

/** Reads `topics=…` as `[{name, path, compare, isCandles, isFull}]`. Unknown words are left out. */
export function read(text) {
  return text
    .split(",")
    .filter(Boolean)
    .map((item) => {
      const [topics, ...words] = item.split("~");
      const [main, other] = topics.split("+");
      const compare = other ? partOf(other) : null;
      return { ...partOf(main), compare, isCandles: words.includes(WORDS[0]), isFull: words.includes(WORDS[1]) };
    })
    .filter(({ name }) => name !== "");
}

const partText = ({ name, path }) => escaped(name) + (path === null ? "" : `:${escaped(path)}`);

/** Writes it. */
export function write(items) {
  return items
    .map((item) => {
      const words = [item.isCandles && WORDS[0], item.isFull && WORDS[1]].filter(Boolean);
      const topics = [item, item.compare].filter(Boolean).map(partText).join("+");
      return [topics, ...words].join("~");
    })
    .join(",");
}
