// What all subscriptions together want, and what the server was told of it: the difference is sent.
import { clamp, isPattern, list, matches, rateMs } from "./names.js";

/** Bytes of one command, where the server does not say fewer. */
const BYTES_MAX = 65_536;
/** Bytes of a name in one, besides three times its own: in `since` it has a position and an epoch. */
const NAME_BYTES = 100;
/** After a fault that passes. */
const AGAIN_MS = 5_000;

export class Wants {
  #client;
  /**
   * Name → who holds it, what the server was told of it on this connection (`mode rate`, or nothing), and what it
   * granted or refused, on this connection or the one before.
   */
  #names = new Map();
  #patterns = new Set();
  /** Names to look at. */
  #dirty = new Set();
  /** The slowest rate that will do while nobody looks, or undefined. */
  floor;

  constructor(client) {
    this.#client = client;
  }

  close() {
    for (const { holders } of this.#names.values()) for (const one of holders) one.close();
  }

  granted(name) {
    return this.#names.get(name)?.granted;
  }

  /** The subscriptions that a topic's ticks go to. */
  route(topic) {
    const found = new Set(this.#names.get(topic)?.holders);
    for (const name of this.#patterns) {
      if (matches(name, topic)) for (const one of this.#names.get(name).holders) found.add(one);
    }
    return [...found];
  }

  hold(subscription) {
    for (const name of subscription.topics) {
      if (subscription.rate && !rateMs(subscription.rate)) {
        // The server would refuse it, and with it what others want of that name.
        const info = { topic: name, code: 400, message: 'write the rate as "1s" or "250ms"' };
        subscription.answered(info);
        this.#client.emit("failed", info);
        continue;
      }
      /** @type {any} */
      const one = this.#names.get(name) ?? { holders: new Set() };
      this.#names.set(name, one);
      if (isPattern(name)) this.#patterns.add(name);
      one.holders.add(subscription);
      if (one.granted && one.told) subscription.answered(one.granted);
    }
    this.#look(subscription.topics);
  }

  release(subscription) {
    for (const name of subscription.topics) this.#names.get(name)?.holders.delete(subscription);
    this.#look(subscription.topics);
  }

  /** A new connection: nothing is told yet. */
  open() {
    this.#look(this.#names.keys());
  }

  /** The connection is gone. What was granted is known until the next one: recovery needs it. */
  shut() {
    for (const one of this.#names.values()) one.told = "";
  }

  /** What failed may be granted now, as rights are others or a fault is over. */
  again(names = [...this.#names.keys()]) {
    for (const name of names) {
      const one = this.#names.get(name);
      if (one && !one.granted?.mode) one.told = "";
    }
    this.#look(names);
  }

  forget() {
    for (const one of this.#names.values()) one.granted = undefined;
  }

  /** Compares what is wanted of these names with what the server was told, once for all that a program does in one go. */
  #look(names) {
    this.#client._ticks.rerouted();
    if (!this.#dirty.size) queueMicrotask(() => this.#flush());
    for (const name of names) {
      // A topic that a pattern also covers is asked for as the more demanding of the two.
      for (const one of isPattern(name) ? this.#names.keys() : [name]) this.#dirty.add(one);
    }
  }

  /** The most demanding of what is wanted of a name, as `mode rate`. */
  #wanted(name) {
    let mode = "latest";
    let rate;
    for (const one of this.route(name)) {
      if (one.mode === "all") mode = "all";
      if (rate === undefined || rateMs(one.rate) < rateMs(rate)) rate = one.rate;
    }
    const isSlowed = mode === "latest" && rateMs(rate) < rateMs(this.floor);
    return `${mode} ${isSlowed ? this.floor : rate}`;
  }

  #flush() {
    const isLive = this.#client.status.state === "live";
    const { _ticks } = this.#client;
    const gone = [];
    /** `mode rate` → names of which it is known where this client was before, and all others. */
    const returning = {};
    const others = {};
    for (const name of this.#dirty) {
      const one = this.#names.get(name);
      if (one?.holders.size === 0) {
        if (one.told) gone.push(name);
        this.#names.delete(name);
        this.#patterns.delete(name);
        _ticks.release(name);
      } else if (one && isLive) {
        const wanted = this.#wanted(name);
        if (one.told === wanted) continue;
        const groups = one.told || _ticks.position(name) === undefined ? others : returning;
        one.told = wanted;
        if (!one.granted?.mode) one.granted = undefined; // it was refused, and may be granted now
        (groups[wanted] ??= []).push(name);
      }
    }
    this.#dirty.clear();
    for (const topics of this.#split(gone)) this.#ask("unsubscribe", { topics }).catch(() => {});
    // Positions first: the newest that a pattern brings would hide what was missed before it.
    for (const groups of [returning, others]) {
      for (const [wanted, names] of Object.entries(groups)) {
        const [mode, rate] = wanted.split(" ");
        for (const topics of this.#split(names)) {
          const each = (of) => Object.fromEntries(topics.map((topic) => [topic, of(topic)]));
          const epochOf = (name) => this.granted(name)?.epoch;
          const since = { epoch: topics.some(epochOf) ? each(epochOf) : _ticks.epoch, seq: each(_ticks.position) };
          this.#subscribe({ topics, rate: rate || undefined, mode: mode === "all" ? mode : undefined, since: groups === returning ? since : undefined });
        }
      }
    }
  }

  async #subscribe(data) {
    let answer;
    try {
      answer = await this.#ask("subscribe", data);
    } catch ({ code, message, temporary }) {
      if (!code) return; // the connection is gone
      if (temporary) setTimeout(() => this.again(data.topics), AGAIN_MS);
      answer = { failed: data.topics.map((topic) => ({ topic, code, message })) };
    }
    this.granting(answer);
  }

  /** Takes what the server says of subscriptions. */
  granting({ topics, patterns, failed }) {
    for (const info of [topics, patterns, failed].flatMap(list)) {
      const one = this.#names.get(info.topic ?? info.pattern);
      if (one) one.granted = info;
      for (const holder of one?.holders ?? []) holder.answered(info);
      if (info.code) this.#client.emit("failed", info);
    }
    this.#client._ticks.granted(list(topics));
  }

  #ask(event, data) {
    return this.#client._commands.ask(event, data, { isBound: true });
  }

  /** Parts of a list of names, each fit for one command. */
  #split(names) {
    const { message_bytes, topics, patterns } = this.#client.server?.limits ?? {};
    // Names of one command may not be more than those of a connection.
    const most = clamp(Math.min(message_bytes, NAME_BYTES * (topics + patterns)), BYTES_MAX, 0, BYTES_MAX);
    const parts = [];
    let room = 0;
    for (const name of names) {
      const bytes = 3 * name.length + NAME_BYTES;
      room -= bytes;
      if (room < 0) {
        parts.push([]);
        room = most - bytes;
      }
      parts.at(-1).push(name);
    }
    return parts;
  }
}
