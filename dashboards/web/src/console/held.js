// The subscriptions that were made in the console. They are the client's, which counts who holds a topic: what the page itself
// shows is neither changed nor ended by them.
import { make } from "../feeds/make.js";

const HELD_MAX = 20;
const RATE = /^[1-9]\d{0,8}(ms|s|m|h)$/;
const OPTIONS = ["rate", "mode"];

export class Held {
  /** Called with what the console itself has to say: (event, text). */
  onNote = () => {};

  #client;
  #held = [];
  #list = make("ul", { className: "held", role: "list" });
  #section = make(
    "section",
    { hidden: true, "aria-label": "Subscriptions made here" },
    make("p", { className: "small" }, "Subscriptions made here:"),
    this.#list,
  );

  constructor(element, client) {
    this.#client = client;
    element.append(this.#section);
  }

  /** What was granted, in words. Throws where nothing was. */
  async subscribe(data) {
    const topics = namesOf(data);
    if (this.#held.length >= HELD_MAX) throw new Error(`${HELD_MAX} subscriptions are held here. End one first`);
    const left = Object.keys(data).filter((key) => key !== "topics" && !OPTIONS.includes(key));
    if (left.length > 0) {
      this.onNote(
        "subscribe",
        `Not sent: ${left.join(", ")}. The page shares one connection, and its client sees to that. The copied command has it.`,
      );
    }
    if (!["latest", "all", undefined].includes(data.mode)) throw new Error('mode is "latest" or "all"');
    if (data.rate !== undefined && !RATE.test(data.rate))
      throw new Error('rate is a whole number with its unit (ms, s, m, h), for example "1s"');
    const options = Object.fromEntries(OPTIONS.filter((key) => data[key] !== undefined).map((key) => [key, data[key]]));
    const granted = await this.#hold(topics, options).ready;
    this.onNote("subscribed", JSON.stringify(granted));
    const failed = Array.isArray(granted?.failed) ? granted.failed : [];
    if (failed.length === 0) return `subscribe: granted. The values come in the list.`;
    const words = failed
      .slice(0, 5)
      .map(({ topic, pattern, code, message }) => `${topic ?? pattern}: ${code} ${message}`);
    return `subscribe: granted in part. ${words.join("; ")}.`;
  }

  async unsubscribe(data) {
    const topics = namesOf(data);
    const ended = topics.filter((topic) => this.#held.some((one) => one.topics.includes(topic)));
    for (const one of [...this.#held]) {
      const rest = one.topics.filter((topic) => !topics.includes(topic));
      if (rest.length === one.topics.length) continue;
      if (rest.length > 0) this.#hold(rest, one.options).ready.catch(() => {});
      this.#drop(one);
    }
    const others = topics.filter((topic) => !ended.includes(topic));
    const words = ended.length > 0 ? [`ended ${ended.join(", ")}.`] : [];
    if (others.length > 0)
      words.push(
        `${others.join(", ")} ${others.length === 1 ? "was" : "were"} not subscribed here. What the page itself shows goes on.`,
      );
    this.onNote("unsubscribed", words.join(" "));
    return `unsubscribe: ${words.join(" ")}`;
  }

  #hold(topics, options) {
    const subscription = this.#client.subscribe(topics, options);
    const button = make("button", { type: "button" }, "Unsubscribe");
    const title = [topics.join(" "), ...Object.entries(options).map(([key, value]) => `${key} ${value}`)].join(", ");
    button.setAttribute("aria-label", `Unsubscribe ${title}`);
    const item = make("li", {}, make("code", {}, title), " ", button);
    const one = { topics, options, subscription, item };
    button.addEventListener("click", () => {
      this.#drop(one);
      this.onNote("unsubscribed", `ended ${title}.`);
    });
    this.#held.push(one);
    this.#list.append(item);
    this.#section.hidden = false;
    subscription.ready.catch(() => this.#drop(one));
    return subscription;
  }

  #drop(one) {
    this.#held = this.#held.filter((other) => other !== one);
    one.subscription.close();
    one.item.remove();
    this.#section.hidden = this.#held.length === 0;
  }
}

function namesOf({ topics }) {
  const names = [topics].flat();
  if (names.length === 0 || names.some((name) => typeof name !== "string" || name === "")) {
    throw new Error('topics must be a list of names, for example "topics":["sim.AAPL"]');
  }
  return [...new Set(names)];
}
