// Topics that jumped while there was no connection: which of the jumps are gaps. Loaded after the first jump.

/** Those of the topics of which each value matters to somebody. Where only the server knows that, it is asked. */
export async function gapsOf(client, topics) {
  const { _ticks } = client;
  const unknown = topics.filter((topic) => _ticks.isEvery(topic) === undefined);
  const feeds = new Set(unknown.map((topic) => topic.split(".")[0]));
  const classes = new Map();
  for (const feed of feeds) {
    for (const one of await client.topics(`${feed}.**`).catch(() => [])) classes.set(one.topic, one.class);
  }
  // What cannot be known may be a gap, so it is told.
  return topics.filter((topic) => _ticks.isEvery(topic) ?? (classes.get(topic) ?? "event") === "event");
}
