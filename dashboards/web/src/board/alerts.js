// Thresholds: what fires is listed, marked on its tile, and calls. The rules are in the address: `alerts=sim.AAPL > 200;sim.* stale`.
import { at, exact } from "../data/fields.js";
import * as format from "../data/format.js";
import { Calls } from "./calls.js";
import { RulesDialog } from "./dialog.js";
import { readRules, writeRules } from "./rules.js";
import { Watches } from "./watch.js";

/** Alerts listed; the others are counted. */
const LISTED_MAX = 20;
/** A page that is not seen is not drawn, and looks at its clocks this often. */
const HIDDEN_EVERY_MS = 1_000;
/** The most urgent first. */
const ORDER = ["firing", "over", "acknowledged"];
const SAID = { firing: "since", acknowledged: "acknowledged, since", over: "over since" };

export class Alerts {
  /** Called when a topic's alert fires, is over, or was acknowledged. */
  onChange = () => {};

  #topics;
  #address;
  #feeds;
  #list;
  #button;
  #words;
  #dialog;
  #calls = new Calls();
  #watches = new Watches();
  #hasRules = false;
  #active = new Set();
  #text = null;
  #flaws = [];
  #knownTopics = -1;
  #isDirty = true;
  #isAwake = false;
  #isLive = () => true;
  /** Server's clock less ours. */
  #skewMs = 0;

  /** @param words an element that is read aloud, or a function that takes a sentence @param feeds a map of feeds to their states, where known */
  constructor({ dialog, list, button, topics, address, words, feeds }) {
    this.#topics = topics;
    this.#address = address;
    this.#feeds = feeds;
    this.#list = list;
    this.#button = button;
    this.#words = words;
    list.classList.add("alerts");
    this.#dialog = new RulesDialog(dialog, { topics, calls: this.#calls, count: (rule) => this.#watches.count(rule) });
    this.#dialog.onChange = (rules) => {
      this.#text = rules.length > 0 ? writeRules(rules) : null;
      this.#address.set("alerts", this.#text);
      this.#flaws = [];
      this.#take(rules);
    };
    button.hidden = false;
    button.addEventListener("click", () => this.#dialog.open(this.#watches.rules, this.#flaws));
    list.addEventListener("click", ({ target }) => this.#acknowledge(target.closest("button")?.dataset.key));
    address.onChange(() => this.#restore());
    this.#restore();
    let timer = 0;
    document.addEventListener("visibilitychange", () => {
      clearInterval(timer);
      if (document.hidden) timer = setInterval(() => this.beat(Date.now() + this.#skewMs, performance.now()), HIDDEN_EVERY_MS);
    });
  }

  /** A topic moved: its rules are looked at, and no others. */
  tick(name) {
    if (!this.#hasRules) return;
    const watches = this.#watches.of(name);
    if (watches.length === 0) return;
    const topic = this.#topics.get(name);
    const now = performance.now();
    const fired = watches.filter((watch) => this.#look(watch, topic, now, Date.now() + this.#skewMs));
    if (fired.length > 0) this.#call(fired, now);
  }

  /** A topic was retired by its feed: its alerts are over. */
  end(name, serverNow) {
    if (!this.#hasRules) return;
    for (const watch of this.#watches.of(name)) {
      const before = watch.state;
      watch.lose(serverNow);
      if (watch.state !== before) this.#changed(watch);
    }
  }

  /** Rules are new, or more or less is known of topics: the next beat looks at all, as a topic may never move again. */
  wake() {
    this.#isAwake = true;
  }

  /** Time goes by: what was to hold for a while, what is over, what is stale. */
  beat(serverNow, now) {
    if (!this.#hasRules && !this.#isDirty) return;
    if (this.#topics.size !== this.#knownTopics) {
      this.#knownTopics = this.#topics.size;
      this.#watches.prune((name) => this.#isThere(name));
      for (const { name } of this.#topics.all()) this.#watches.of(name);
    }
    const fired = [];
    const isAwake = this.#isAwake;
    this.#isAwake = false;
    for (const watch of this.#watches.all()) {
      if (watch.state === "quiet" && !watch.rule.stale && !isAwake) continue;
      const topic = this.#topics.get(watch.name);
      if (topic?.endedAt) continue;
      if (this.#look(watch, topic, now, serverNow)) fired.push(watch);
    }
    if (fired.length > 0) this.#call(fired, now);
    // Also while the page is paused, which draws nothing else.
    if (!document.hidden) this.#paint();
  }

  /** It is another day: times of the one before have their day. */
  redate() {
    this.#isDirty = true;
  }

  paint(serverNow, _now, isLive) {
    this.#skewMs = serverNow - Date.now();
    this.#isLive = isLive;
    this.#paint();
  }

  #paint() {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    this.#paintList();
    const firing = [...this.#active].filter(({ state }) => state === "firing").length;
    this.#button.textContent = firing > 0 ? `Alerts (${firing})` : "Alerts";
    this.#button.toggleAttribute("data-firing", firing > 0);
  }

  /** The most urgent alert of a topic as `{state, words}`, or undefined. */
  of(name) {
    if (this.#active.size === 0) return undefined;
    const [watch] = this.#watches
      .of(name)
      .filter(({ state }) => ORDER.includes(state))
      .sort(urgency);
    return watch && { state: watch.state, words: watch.brief };
  }

  #restore() {
    const text = this.#address.get("alerts");
    if (text === this.#text && this.#text !== null) return;
    this.#text = text;
    const { rules, flaws } = readRules(text ?? "");
    this.#flaws = flaws;
    this.#take(rules);
  }

  #take(rules) {
    this.#watches.take(rules);
    this.wake();
    this.#hasRules = rules.length > 0;
    this.#knownTopics = -1;
    const kept = new Set(this.#watches.all());
    for (const watch of this.#active) if (!kept.has(watch)) this.#active.delete(watch);
    this.#isDirty = true;
  }

  #isThere(name) {
    const topic = this.#topics.get(name);
    return topic !== undefined && topic.endedAt === 0;
  }

  /** True when it fires. */
  #look(watch, topic, now, serverNow) {
    const before = watch.state;
    const isDown = this.#feeds?.get(watch.name.split(".", 1)[0]) === "down";
    const fires = watch.look(topic, now, serverNow, this.#isLive(watch.name), isDown);
    if (fires) watch.figure = watch.rule.stale ? "" : figureOf(topic, watch.rule.path);
    if (watch.state !== before) this.#changed(watch);
    return fires;
  }

  #changed(watch) {
    if (ORDER.includes(watch.state)) this.#active.add(watch);
    else this.#active.delete(watch);
    this.#isDirty = true;
    this.onChange(watch.name);
  }

  #call(fired, now) {
    const sentences = fired.map(({ words }) => words);
    this.#say(sentences.length === 1 ? `Alert: ${sentences[0]}` : `${sentences.length} alerts, the first: ${sentences[0]}`);
    this.#calls.call(sentences, now);
  }

  #say(sentence) {
    if (typeof this.#words === "function") this.#words(sentence);
    else if (this.#words) this.#words.textContent = sentence;
  }

  /** Acknowledges one alert, or all of them: `*`. */
  #acknowledge(key) {
    if (key === undefined) return;
    for (const watch of [...this.#active]) {
      if (key !== "*" && watch.key !== key) continue;
      watch.acknowledge();
      this.#changed(watch);
    }
    const place = [...this.#list.querySelectorAll("button")].findIndex((button) => button.dataset.key === key);
    this.#isDirty = false;
    this.#paintList();
    // The focus goes to what is next, or to where alerts are made.
    const buttons = this.#list.querySelectorAll("button");
    (buttons[Math.min(Math.max(place, 0), buttons.length - 1)] ?? this.#button).focus();
    this.#isDirty = true;
  }

  #paintList() {
    const watches = [...this.#active].sort(urgency);
    const open = watches.filter(({ state }) => state !== "acknowledged").length;
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const rows = watches.slice(0, LISTED_MAX).map((watch) => {
      const row = document.createElement("li");
      row.dataset.alarm = watch.state;
      const words = document.createElement("span");
      words.textContent = `${watch.words} (${SAID[watch.state]} ${format.moment(watch.since)})`;
      row.append(words);
      if (watch.state !== "acknowledged") {
        const name = watch.state === "over" ? "Dismiss" : "Acknowledge";
        row.append(button(name, `${name}: ${watch.words}`, watch.key));
      }
      return row;
    });
    if (watches.length > LISTED_MAX || open > 1) {
      const row = document.createElement("li");
      const words = document.createElement("span");
      const more = watches.length - LISTED_MAX;
      words.textContent = more > 0 ? `and ${format.count(more)} more` : "";
      row.append(words);
      if (open > 1) row.append(button("Acknowledge all", "Acknowledge all alerts", "*"));
      rows.push(row);
    }
    this.#list.replaceChildren(...rows);
    if (focused !== undefined) {
      const again = [...this.#list.querySelectorAll("button")].find(({ dataset }) => dataset.key === focused);
      (again ?? this.#list.querySelector("button") ?? this.#button).focus();
    }
  }
}

const urgency = (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || b.since - a.since;

function button(text, name, key) {
  const one = document.createElement("button");
  one.type = "button";
  one.textContent = text;
  one.setAttribute("aria-label", name);
  one.dataset.key = key;
  return one;
}

/** The figure that a rule looks at, as a person reads it. */
function figureOf(topic, path) {
  const field = path ?? topic.figures[0];
  if (topic.text === "" || field === undefined) return "";
  return format.marked(topic.marks, field, at(exact(topic.text).data.value, field));
}
