// Follows the server's topics: all of them are subscribed to, listed at each connection, and known as stale or ended.

const PATTERN = "**";

export class Follower {
  /** Called with a topic, and whether it moved, when a tick of it came. */
  onTick = () => {};
  /** Called with a topic of which something else is known now. */
  onTopic = () => {};
  /** Called with the name of a topic that its feed has retired. */
  onEnd = () => {};
  /** Called with the name of a topic that is not among those that have spoken: a restart may have lost it. */
  onGone = () => {};
  /** Called with what the server did not grant: `{code, name, message}`. */
  onRefused = () => {};

  #client;
  #topics;
  #subscription = null;
  #rate = null;

  constructor(client, topics) {
    this.#client = client;
    this.#topics = topics;
    client.on("failed", ({ topic, pattern, code, message }) => this.onRefused({ code, name: topic ?? pattern, message }));
    client.on("stale", ({ topics: names, since }) => {
      for (const name of names) this.#age(topics.ensure(name), since);
    });
    // A hidden page had no room for all that came: the client still has the newest of each topic.
    client.on("gap", ({ topics: names, why }) => {
      if (why === "overflow") for (const name of names) this.#take(client.latest(name));
    });
    client.on("topics", ({ removed, missed }) => {
      for (const name of removed) this.onEnd(name);
      if (missed) this.list();
    });
  }

  /** At most one value per topic in that time; "" is as fast as they come. */
  follow(rate) {
    if (rate === this.#rate) return;
    this.#rate = rate;
    const before = this.#subscription;
    this.#subscription = this.#client.subscribe(PATTERN, rate ? { rate } : {});
    before?.close();
    this.#subscription.on("tick", (tick) => this.#take(tick));
  }

  #take(tick) {
    if (typeof tick?.topic !== "string" || !("seq" in tick)) return;
    const topic = this.#topics.ensure(tick.topic);
    this.onTick(topic, topic.take(tick.event, tick, tick.text));
  }

  /** Lists the topics that have spoken, and forgets those that are no longer among them. */
  async list() {
    let listed;
    await null; // the subscription is sent first: values come before names, and a row is built once
    try {
      listed = await this.#client.topics(PATTERN);
    } catch (error) {
      if (error.code) this.onRefused({ code: error.code, name: "topics", message: error.message });
      return; // else the connection is gone, and the next one lists them
    }
    const names = new Set();
    for (const { topic: name, kind, seq, ts } of listed ?? []) {
      if (typeof name !== "string") continue;
      names.add(name);
      const topic = this.#topics.ensure(name);
      if (topic.text === "") Object.assign(topic, { kind, seq, ts });
      this.onTopic(topic);
    }
    for (const { name } of [...this.#topics.all()]) if (!names.has(name)) this.onGone(name);
  }

  /** A new connection tells anew which topics are stale. */
  freshen() {
    for (const topic of this.#topics.all()) this.#age(topic, 0);
  }

  /** A topic has had no news since then, or has news again: 0. */
  #age(topic, since) {
    if (topic.staleSince === since) return;
    topic.staleSince = since;
    this.onTopic(topic);
  }
}
