// What a client does that wants every tick: it follows topics, loses its line, comes back, and is told what it missed. Runs
// as it is in Node and in a page, with the WebSocket of either; `cut` is there in both and ends every connection at once.
import assert from "node:assert/strict";

/** Visits the daemon at `host`, which must have spoken of both topics. Sees nothing of this file: it goes into a page as text. */
export async function visit(host) {
  const topics = ["sim.sine", "sim.AAPL"];

  /** A socket whose messages are waited for, each as it came and read. */
  const open = async (path, protocols) => {
    const socket = new WebSocket(`ws://${host}${path}`, protocols);
    const came = [];
    let wake = () => {};
    const closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
    });
    socket.onmessage = ({ data }) => {
      came.push({ raw: data, ...JSON.parse(data) });
      wake();
    };
    return {
      socket,
      came,
      closed,
      say: (event, data) => socket.send(JSON.stringify({ event, data })),
      /** Waits until `is` holds of what came so far. */
      async until(is) {
        while (!is(came)) {
          await Promise.race([
            new Promise((resolve) => (wake = resolve)),
            closed.then(({ code }) => Promise.reject(new Error(`closed with ${code}: ${came.map(({ raw }) => raw).join("\n")}`))),
          ]);
        }
        return came;
      },
    };
  };
  const ticksOf = (came, topic) => came.filter(({ event, data }) => data.topic === topic && event !== "error");
  const has = (event) => (came) => came.some((message) => message.event === event);

  const first = await open("/ws", ["tickerd.v1.json"]);
  await first.until(has("connected"));
  first.say("subscribe", { id: 1, topics, mode: "all" });
  await first.until((came) => topics.every((topic) => ticksOf(came, topic).length > 3));
  await globalThis.cut();
  const dropped = await first.closed;
  const { epoch } = first.came[0].data;
  const seq = Object.fromEntries(topics.map((topic) => [topic, ticksOf(first.came, topic).at(-1).data.seq]));

  // Away, until more than one tick of each has been missed.
  for (const topic of topics) {
    for (let tag = "", last = 0; last < seq[topic] + 3; ) {
      const answer = await fetch(`http://${host}/v1/topics/${topic}?wait=20`, { cache: "no-store", headers: { "If-None-Match": tag } });
      if (answer.status !== 200) throw new Error(`${topic} is silent: ${answer.status}`);
      tag = answer.headers.get("ETag");
      last = (await answer.json()).data.seq;
    }
  }
  const second = await open("/ws", []);
  await second.until(has("connected"));
  second.say("subscribe", { id: 2, topics, since: { epoch, seq } });
  await second.until(has("subscribed"));
  const granted = second.came.find(({ event }) => event === "subscribed").data.topics;
  await second.until((came) => granted.every(({ topic, seq }) => ticksOf(came, topic).at(-1)?.data.seq > seq + 1));
  const past = await (await fetch(`http://${host}/v1/topics/sim.sine/history?limit=256`)).text();

  const third = await open("/ws");
  await third.until(has("connected"));
  third.say("subscribe", { id: 3, topics, since: { epoch: "of-another-day", seq } });
  await third.until((came) => topics.every((topic) => ticksOf(came, topic).length > 0));
  // Node inflates in the background, and takes a line that ends meanwhile for a broken one: so nothing may be on its way.
  for (const { say, until, socket } of [second, third]) {
    say("unsubscribe", { id: 4, topics });
    await until(has("unsubscribed"));
    socket.close(1000, "done");
  }

  return {
    protocol: first.socket.protocol,
    dropped,
    closed: [await second.closed, await third.closed],
    first: first.came,
    second: second.came,
    third: third.came,
    topics,
    past,
  };
}

/** Holds what a visit has seen to the protocol. */
export function judge({ protocol, dropped, closed, first, second, third, topics, past }) {
  assert.equal(protocol, "tickerd.v1.json");
  assert.equal(dropped.code, 1006, "the line was cut");
  for (const { code, wasClean } of closed) assert.deepEqual([code, wasClean], [1000, true]);

  assert.deepEqual(first.slice(0, 2).map(({ event }) => event), ["connected", "subscribed"]);
  assert.equal(first[1].data.id, 1);
  const seqs = (came, topic) => came.filter(({ data }) => data.topic === topic).map(({ data }) => data.seq);
  const grant = (came, topic) => came.find(({ event }) => event === "subscribed").data.topics.find((one) => one.topic === topic);
  const upFrom = (seq, length) => Array.from({ length }, (_, at) => seq + at);
  for (const topic of topics) {
    const { seq, mode } = grant(first, topic);
    const [before, missed, anew] = [first, second, third].map((came) => seqs(came, topic));
    assert.equal(mode, "all");
    assert.deepEqual(before, upFrom(seq, before.length), "the snapshot, and every tick behind it");

    const back = grant(second, topic);
    assert.equal(back.recovered, true);
    assert.ok(back.seq >= before.at(-1) + 3, "some were missed");
    assert.deepEqual(missed, upFrom(before.at(-1) + 1, missed.length), "each that was missed, once and in order, and on from there");

    const lost = grant(third, topic);
    assert.equal(lost.recovered, false);
    assert.equal(anew[0], lost.seq, "the newest instead");
  }
  // Byte for byte what the daemon keeps. Ticks that came after it was asked are not in its answer.
  const newest = JSON.parse(past).values.at(-1).data.seq;
  const sine = second.filter(({ data }) => data.topic === "sim.sine" && data.seq <= newest);
  const kept = sine.filter(({ raw }) => past.includes(raw));
  assert.ok(kept.length === sine.length && kept.length >= 3, `${kept.length} of ${sine.length} are in ${past}`);
}
