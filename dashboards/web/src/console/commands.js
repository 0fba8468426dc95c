// The commands of the protocol: what each does, and the keys of its data with their help.

/**
 * A key's `type` says how it is typed: `topics` (several, separated by spaces or commas), `topic`, `text`, `number`,
 * `choice` (of `choices`), `json`.
 * @typedef {{name: string, type: string, help: string, required?: boolean, example?: string, choices?: string[], start?: string}} Key
 * @typedef {{name: string, event: string, help: string, keys: Key[]}} Command
 */

const TOPICS = {
  name: "topics",
  type: "topics",
  required: true,
  example: "sim.AAPL host.*",
  help: "Topics and patterns, separated by spaces. * is one whole segment, ** at the end is all that follow.",
};
const TOPIC = {
  name: "topic",
  type: "topic",
  required: true,
  example: "sim.AAPL",
  help: "One topic, by its exact name.",
};
const ROOM = { ...TOPIC, example: "rooms.lobby", help: "A room: a topic that the operator declared for messages." };

/** @type {Command[]} */
export const COMMANDS = [
  {
    name: "subscribe",
    event: "subscribe",
    help: "Brings the newest value of each topic, and then each new one. It ends with Unsubscribe, or with this page.",
    keys: [
      TOPICS,
      {
        name: "rate",
        type: "text",
        example: "1s",
        choices: ["250ms", "1s", "5s"],
        help: "The shortest time between two values of a topic. Left out: as fast as the feed.",
      },
      {
        name: "mode",
        type: "choice",
        choices: ["latest", "all"],
        help: "latest may skip values on a slow line, all brings every one in order. Left out: latest.",
      },
    ],
  },
  {
    name: "unsubscribe",
    event: "unsubscribe",
    help: "Ends subscriptions that were made here. What this page shows elsewhere goes on.",
    keys: [{ ...TOPICS, help: "The topics and patterns as they were subscribed." }],
  },
  {
    name: "subscriptions",
    event: "subscriptions",
    help: "Lists what this connection is subscribed to, also for the rest of this page.",
    keys: [],
  },
  {
    name: "topics",
    event: "topics",
    help: "Lists the topics that have had a value.",
    keys: [{ name: "match", type: "topic", example: "sim.*", help: "A pattern. Left out: all topics." }],
  },
  { name: "get", event: "get", help: "Asks for the newest values once.", keys: [TOPICS] },
  {
    name: "history",
    event: "history",
    help: "Asks for the last values of one topic that the server keeps, oldest first.",
    keys: [
      TOPIC,
      { name: "limit", type: "number", example: "100", help: "How many at most: 1 or more. Left out: 100." },
    ],
  },
  {
    name: "bars",
    event: "history",
    help: "Asks for bars: the first, greatest, least and last figure of each period. On the wire it is history with a period.",
    keys: [
      TOPIC,
      {
        name: "period",
        type: "text",
        required: true,
        start: "1m",
        choices: ["10s", "1m"],
        example: "1m",
        help: "The length of a bar. The server names the periods that it keeps.",
      },
      { name: "limit", type: "number", example: "500", help: "How many at most. Left out: 500." },
      {
        name: "before",
        type: "number",
        example: "1767225600000",
        help: "Only bars that begin before this time, in Unix milliseconds: the start of the oldest bar that came.",
      },
    ],
  },
  {
    name: "publish",
    event: "publish",
    help: "Sends a message to a room. Everyone in it gets it.",
    keys: [
      ROOM,
      {
        name: "value",
        type: "json",
        required: true,
        start: '{"text":"hello"}',
        example: '{"text":"hello"}',
        help: "Any JSON. A text stands in quotes.",
      },
      {
        name: "to",
        type: "text",
        example: "user:ann",
        help: "For one alone: user:NAME or conn:CONN. Left out: for everyone in the room.",
      },
    ],
  },
  { name: "presence", event: "presence", help: "Asks who is in a room.", keys: [ROOM] },
  {
    name: "ping",
    event: "ping",
    help: "Asks for a sign of life. The answer has the server's time.",
    keys: [{ name: "t", type: "number", example: "42", help: "A number that comes back as it is." }],
  },
];

export const commandOf = (name) => COMMANDS.find((command) => command.name === name);

/** The command that an event and its data are. A word that the protocol does not have may be sent as well: null. */
export function commandFor(event, data) {
  if (event === "history" && data !== null && typeof data === "object" && "period" in data) return commandOf("bars");
  return COMMANDS.find((command) => command.event === event) ?? null;
}

/** The words of a list that a person typed. */
export const words = (text) => text.split(/[\s,]+/).filter((word) => word !== "");

/** JSON that a person typed, or an error that says what to change. */
export function parsed(text) {
  let lost = null;
  const value = JSON.parse(text, (_key, value, context) => {
    if (typeof value === "number") lost ??= lostDigits(value, context?.source);
    return value;
  });
  if (lost) throw new SyntaxError(`the number ${lost} has more digits than a browser can send; write it in quotes`);
  return value;
}

function lostDigits(number, source) {
  if (!Number.isFinite(number)) return source ?? "there";
  if (source === undefined || !/^-?\d+$/.test(source)) return null;
  return BigInt(source) === BigInt(number) ? null : source;
}

/**
 * What the fields of a form say, as the command's data; and by key what to change, where that is not possible.
 * @param {Command} command
 * @param {Record<string, string>} typed
 */
export function dataOf(command, typed) {
  const data = {};
  const errors = {};
  for (const { name, type, required, example } of command.keys) {
    const text = (typed[name] ?? "").trim();
    if (text === "") {
      if (required) errors[name] = `Write ${name}, for example ${example}`;
    } else if (type === "topics") {
      data[name] = words(text);
      if (data[name].length === 0) errors[name] = `Write ${name}, for example ${example}`;
    } else if (type === "number") {
      if (/^-?\d{1,15}$/.test(text) || (name === "t" && Number.isFinite(Number(text)))) data[name] = Number(text);
      else errors[name] = `${name} is a whole number, for example ${example}`;
    } else if (type === "json") {
      try {
        data[name] = parsed(text);
      } catch (error) {
        errors[name] = `This is no JSON: ${error.message}. A text stands in quotes: "hello"`;
      }
    } else {
      data[name] = text;
    }
  }
  return { data, errors };
}

/** The fields of a form for a command's data; null where the form has no place for all of it. */
export function typedOf(command, data) {
  const typed = {};
  for (const [name, value] of Object.entries(data)) {
    const key = command.keys.find((key) => key.name === name);
    if (!key) return null;
    if (key.type === "topics") {
      if (!Array.isArray(value) || value.some((word) => typeof word !== "string" || words(word).length !== 1))
        return null;
      typed[name] = value.join(" ");
    } else if (key.type === "json") typed[name] = JSON.stringify(value);
    else if (key.type === "number" ? typeof value !== "number" : typeof value !== "string") return null;
    else typed[name] = String(value);
  }
  return typed;
}

/**
 * A message that was typed as JSON: `{"event":…,"data":…}`. Throws an error that says what to change.
 */
export function messageOf(text) {
  let message;
  try {
    message = parsed(text);
  } catch (error) {
    throw new Error(`This is no JSON: ${error.message}.`);
  }
  const shape = 'Write one object with the keys event and data, for example {"event":"ping","data":{"t":1}}.';
  if (message === null || typeof message !== "object" || Array.isArray(message)) throw new Error(shape);
  const { event, data = {}, ...others } = message;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`There is no key "${other}" beside event and data. ${shape}`);
  if (typeof event !== "string" || event === "") throw new Error(shape);
  if (data === null || typeof data !== "object" || Array.isArray(data))
    throw new Error(`data must be an object. ${shape}`);
  if (event === "auth" || event === "token") {
    throw new Error(
      "A token is not sent from here, so that it stays out of the log below. Choose “Use a token” on this page.",
    );
  }
  if ("id" in data) throw new Error("Leave id out: this page counts its commands itself.");
  return { event, data };
}
