// One topic as a line of text: name, figure, unit, change, and in words what is out of the ordinary.
import { exact, read } from "./figure.js";

const PARTS = ["label", "figure", "unit", "change", "badge", "state"];
/** Tries in a row that did not open, after which it is said what the server may not like. */
const UNOPENED = 3;

/** An element of a shadow tree. */
export function make(name, part, parent, attributes = {}) {
  const node = document.createElement(name);
  for (const [key, text] of Object.entries({ part, ...attributes })) node.setAttribute(key, text);
  parent.append(node);
  return node;
}

/** Writes a text where it is another one. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The state of a connection in words, "" while it is live. */
export function linkWords({ status, host }) {
  const { state, why, todo, unopened } = status;
  if (state === "live") return "";
  if (state === "connecting") return "connecting";
  if (state === "offline") return "no network";
  if (state === "stopped") return `stopped: ${why}. ${todo}`;
  if (unopened < UNOPENED || host === location.host) return "no connection, trying again";
  return `no connection. If the server runs, add "${location.origin}" to its origins`;
}

/** A time, with its day unless that is today. */
const moment = (date) => (date.toDateString() === new Date().toDateString() ? date.toLocaleTimeString() : date.toLocaleString());

/** What is wrong with one topic, or "". */
function topicWords({ link, hints }, topic, tick) {
  const { state, reason } = link.feeds.get(topic.split(".")[0]) ?? {};
  if (!tick && link.failed.has(topic)) return link.failed.get(topic);
  if (state && state !== "stale") return `feed ${state}: ${reason}`;
  if (!tick) return hints.get(topic) ?? "no value yet";
  return tick.stale ? `stale since ${moment(new Date(tick.stale))}` : "";
}

export class View {
  /** @type {Record<string, HTMLElement>} */
  parts = {};

  constructor(parent, topic = "") {
    this.topic = topic;
    this.row = make("span", "row", parent);
    for (const name of PARTS) {
      this.parts[name] = make("span", name, this.row);
      this.row.append(" ");
    }
  }

  /** Shows the newest tick; gives what it read. */
  show(element, tick, label, field, words = linkWords(element.link)) {
    const value = tick && (tick.text ? exact(tick.text) : tick.value);
    const shown = read(value, tick && element.link.marks(this.topic, tick.event), field);
    const state = words || topicWords(element, this.topic, tick);
    const { text, unit, change, badge, way } = shown;
    const texts = {
      label: label ?? [this.topic, field].filter(Boolean).join(" "),
      figure: text,
      unit,
      change,
      badge,
      state,
    };
    for (const name of PARTS) say(this.parts[name], texts[name]);
    this.parts.change.className = way;
    this.row.className = state && "lost";
    return shown;
  }
}
