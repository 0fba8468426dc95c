// Topics that jumped while there was no connection: which of the jumps are gaps. Loaded after the first jump.

/** Those of the topics of which each value matters to somebody. Where only the server knows that, it is asked. */
export async function gapsOf(client, topics) {
  const isEvery = (topic) => client._wants.route(topic).some(({ mode }) => mode === "all");
  const unknown = topics.filter((topic) => !isEvery(topic));
  const states = new Set();
  for (const feed of new Set(unknown.map((topic) => topic.split(".")[0]))) {
    for (const one of await client.topics(`${feed}.**`).catch(() => [])) if (one.class === "state") states.add(one.topic);
  }
  // What cannot be known may be a gap, so it is told.
  return topics.filter((topic) => isEvery(topic) || !states.has(topic));
}
