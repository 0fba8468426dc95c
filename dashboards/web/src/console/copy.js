// A command as text for elsewhere: curl, JavaScript, Python, `tickerd`, websocat. Only these are pure texts: nothing is
// sent from here. A token is never among them; the variable TOKEN stands for it.
import { inAddress, javascript, json, python, shell } from "./quote.js";

/**
 * @typedef {{event: string, data: any}} Message
 * @typedef {{base: string, token: boolean}} Place `base` is the server's address, such as `http://host:8425/`
 */

/** The forms, by name: what each is called, and how a command is written in it. */
export const FORMS = {
  curl: { title: "curl", write: curl },
  javascript: { title: "JavaScript", write: inJavaScript },
  python: { title: "Python", write: inPython },
  tail: { title: "tickerd", write: ofTickerd },
  websocat: { title: "websocat", write: websocat },
};

const BEARER = '"Authorization: Bearer $TOKEN"';

/** The WebSocket's address of a server. */
export function socketOf(base) {
  const url = new URL("ws", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

const list = (names) => (Array.isArray(names) ? names : [names]).map(String);
const joined = (names) => list(names).map(inAddress).join(",");

/** `?a=1&b=2` of what is there. */
function query(members) {
  const parts = members
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}=${key === "topics" ? joined(value) : inAddress(String(value))}`);
  return parts.length > 0 ? `?${parts.join("&")}` : "";
}

/** Keys of `subscribe` that only a message can have. */
const SUBSCRIBE_ONLY = ["snapshot", "since"];
const others = (data, known) => Object.keys(data).filter((key) => !known.includes(key));

/** The path below `/v1` that does the same over HTTP, or undefined. */
function path({ event, data }) {
  switch (event) {
    case "subscribe":
      return `sse${query([
        ["topics", data.topics ?? []],
        ["rate", data.rate],
        ["mode", data.mode],
      ])}`;
    case "topics":
      return `topics${query([["match", data.match]])}`;
    case "get":
      return `values${query([["topics", data.topics ?? []]])}`;
    case "history": {
      const { topic, period, limit, before } = data;
      return `topics/${inAddress(String(topic))}/${period === undefined ? "history" : "bars"}${query([
        ["period", period],
        ["limit", limit],
        ["before", before],
      ])}`;
    }
    case "publish":
      return `topics/${inAddress(String(data.topic))}${query([["to", data.to]])}`;
  }
}

function curl(message, { base, token }) {
  const found = path(message);
  if (found === undefined)
    return `# ${NO_HTTP[message.event] ?? `There is no way over HTTP for ${word(message.event)}.`} Use websocat.`;
  const { event, data } = message;
  const head = token ? [`-H ${BEARER}`] : [];
  const url = shell(new URL(`v1/${found}`, base).href);
  if (event === "subscribe") {
    const left = SUBSCRIBE_ONLY.filter((key) => key in data);
    const note = left.length > 0 ? `# An event stream has no ${left.join(" and no ")}. Use websocat for that.\n` : "";
    return note + ["curl -N", ...head, url].join(" ");
  }
  if (event === "publish") {
    const body = [`-H ${shell("Content-Type: application/json")}`, `--data-raw ${shell(json(data.value ?? null))}`];
    return ["curl", ...head, ...body, url].join(" ");
  }
  return ["curl", ...head, url].join(" ");
}

const NO_HTTP = {
  unsubscribe: "An event stream ends with its request: press Ctrl+C.",
  subscriptions: "Over HTTP each request has its own topics, so there is nothing to list.",
  presence: "There is no way over HTTP to ask who is in a room.",
  ping: "There is no ping over HTTP.",
};

/** A name in a comment: what is no plain word would end it. */
const word = (text) => (/^[\w-]{1,40}$/.test(text) ? text : "this");

/** The methods of the clients that do what a command does: the call, by the way a language writes values. */
function call({ event, data }, say, named) {
  const only = (...keys) => others(data, keys).length === 0;
  const topics = () => say(list(data.topics).length === 1 ? list(data.topics)[0] : list(data.topics));
  switch (event) {
    case "topics":
      if (only("match")) return `topics(${data.match === undefined ? "" : say(data.match)})`;
      break;
    case "get":
      if (only("topics") && Array.isArray(data.topics) && data.topics.length > 0) return `get(${topics()})`;
      break;
    case "history":
      if (data.topic === undefined) break;
      if (only("topic", "limit")) return `history(${[say(data.topic), ...named({ limit: data.limit })].join(", ")})`;
      if (only("topic", "period", "limit", "before") && data.period !== undefined) {
        return `bars(${[say(data.topic), ...named({ period: data.period, limit: data.limit, before: data.before })].join(", ")})`;
      }
      break;
    case "publish":
      if (only("topic", "value", "to") && "value" in data) {
        return `publish(${[say(data.topic), say(data.value), ...named({ to: data.to })].join(", ")})`;
      }
      break;
    case "presence":
      if (only("topic") && data.topic !== undefined) return `presence(${say(data.topic)})`;
      break;
  }
  const rest = Object.keys(data).length > 0 ? [say(data)] : [];
  return `command(${[say(event), ...rest].join(", ")})`;
}

const present = (members) => Object.entries(members).filter(([, value]) => value !== undefined);

const ofJavaScript = (members) => {
  const named = present(members);
  return named.length > 0 ? [javascript(Object.fromEntries(named))] : [];
};
const ofPython = (members) => present(members).map(([key, value]) => `${key}=${python(value)}`);

const isPlainSubscribe = ({ event, data }) =>
  event === "subscribe" &&
  others(data, ["topics", "rate", "mode"]).length === 0 &&
  Array.isArray(data.topics) &&
  data.topics.length > 0;

function inJavaScript(message, { base, token }) {
  const { event, data } = message;
  const options = token ? ', { token: "$TOKEN" }' : "";
  const head = `import { connect } from ${javascript(new URL("client.js", base).href)};

const t = connect(${javascript(socketOf(base))}${options});`;
  if (isPlainSubscribe(message)) {
    const wanted = [javascript(data.topics), ...ofJavaScript({ rate: data.rate, mode: data.mode })].join(", ");
    return `${head}
for await (const tick of t.subscribe(${wanted})) console.log(tick.topic, tick.value);
`;
  }
  if (event === "subscribe") {
    return `${head}
t.on("tick", (tick) => console.log(tick.topic, tick.value));
console.log(await t.${call(message, javascript, ofJavaScript)});
`;
  }
  if (event === "unsubscribe") {
    return `${head}
const subscription = t.subscribe(${javascript(list(data.topics ?? []))});
// As soon as it is no longer wanted:
subscription.close();
`;
  }
  return `${head}
console.log(await t.${call(message, javascript, ofJavaScript)});
t.close();
`;
}

function inPython(message, { base, token }) {
  const { event, data } = message;
  const imports = token ? "import asyncio\nimport os\n\nimport tickerd" : "import asyncio\n\nimport tickerd";
  const options = token ? ', token=os.environ["TOKEN"]' : "";
  const wanted = () => python(data.topics.length === 1 ? data.topics[0] : data.topics);
  const lines = isPlainSubscribe(message)
    ? [
        `async for tick in t.subscribe(${[wanted(), ...ofPython({ rate: data.rate, mode: data.mode })].join(", ")}):`,
        "    print(tick.topic, tick.value)",
      ]
    : [`print(await t.${call(message, python, ofPython)})`];
  const note =
    event === "unsubscribe" ? ["# A subscription that was made with subscribe() ends with its close()."] : [];
  return `${imports}


async def main():
    async with tickerd.connect(${python(socketOf(base))}${options}) as t:
${[...note, ...lines].map((line) => `        ${line}`).join("\n")}


asyncio.run(main())
`;
}

/** Where `tickerd` looks for a daemon by itself. */
const USUAL = "http://127.0.0.1:8425/";

/** The command of `tickerd`, what it takes in words, and the keys that it has; or undefined. */
function commandOfTickerd({ event, data }) {
  switch (event) {
    case "subscribe":
      return { name: "tail", words: list(data.topics ?? []), keys: ["topics", "rate", "mode"] };
    case "get":
      return { name: "get", words: list(data.topics ?? []), keys: ["topics"] };
    case "topics":
      return { name: "topics", words: data.match === undefined ? [] : [String(data.match)], keys: ["match"] };
    case "history":
      return data.period === undefined
        ? { name: "history", words: [String(data.topic)], keys: ["topic", "limit"] }
        : { name: "bars", words: [String(data.topic)], keys: ["topic", "period", "limit"] };
    case "publish":
      return { name: "publish", words: [String(data.topic), json(data.value ?? null)], keys: ["topic", "value", "to"] };
  }
}

function ofTickerd(message, { base, token }) {
  const command = commandOfTickerd(message);
  if (!command) return `# tickerd has no command for ${word(message.event)}. Use curl or websocat.`;
  const { data } = message;
  const left = others(data, command.keys);
  const notes = left.length > 0 ? [`# tickerd ${command.name} has no ${left.map(word).join(" and no ")}. Use websocat for that.`] : [];
  if (token) notes.push("# The file token.txt holds the token.");
  const options = ["rate", "mode", "period", "limit", "to"]
    .filter((key) => command.keys.includes(key) && data[key] !== undefined)
    .map((key) => `--${key} ${shell(String(data[key]))}`);
  if (base !== USUAL) options.push(`--url ${shell(base)}`);
  if (token) options.push("--token token.txt");
  if (command.words.some((text) => text.startsWith("-"))) options.push("--");
  return [...notes, ["tickerd", command.name, ...options, ...command.words.map(shell)].join(" ")].join("\n");
}

function websocat(message, { base, token }) {
  const head = token ? `-H=${BEARER} ` : "";
  if (isPlainSubscribe(message)) {
    const { topics, rate, mode } = message.data;
    return `websocat ${head}${shell(
      socketOf(base) +
        query([
          ["topics", topics],
          ["rate", rate],
          ["mode", mode],
        ]),
    )}`;
  }
  return `printf '%s\\n' ${shell(json(message))} | websocat -n ${head}${shell(socketOf(base))}`;
}
