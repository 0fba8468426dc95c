// What the clients of access.py do over wss: a user and a wall screen read, a program publishes. Runs as it is in Node and in a
// page, with the WebSocket and the fetch of either.

/** Connects to the daemon at `host` as the user in each of `ways`, and as the wall screen. Sees nothing of this file: it goes
 * into a page as text. What came is in `globalThis.member`. */
export async function come({ host, user, wall, publisher, ways }) {
  const check = (is, what) => {
    if (!is) throw new Error(what);
  };
  const base64url = (text) => btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const bearer = (token) => ({ Authorization: `Bearer ${token}` });

  /** A socket whose messages are waited for. */
  const open = (path, protocols = []) => {
    const socket = new WebSocket(`wss://${host}${path}`, protocols);
    const came = [];
    let wake = () => {};
    const closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => resolve({ code, reason });
      // Node 20 tells of a refused handshake by this alone.
      socket.onerror = () => resolve({ code: 1006, reason: "" });
    });
    socket.onmessage = ({ data }) => {
      came.push(JSON.parse(data));
      wake();
    };
    return {
      socket,
      came,
      closed,
      say: (event, data) => socket.send(JSON.stringify({ event, data })),
      /** The first message for which `is` holds, of those that came and those to come. */
      async first(is, from = 0) {
        for (let at = from; ; at++) {
          while (at >= came.length) {
            await Promise.race([
              new Promise((resolve) => (wake = resolve)),
              closed.then(({ code, reason }) => Promise.reject(new Error(`closed with ${code} ${reason}: ${JSON.stringify(came)}`))),
            ]);
          }
          if (is(came[at])) return came[at];
        }
      },
    };
  };
  const isTick = (topic) => ({ event, data }) => data.topic === topic && "value" in data && event !== "error";
  const ticket = async (token) => {
    const answer = await fetch(`https://${host}/v1/ticket`, { method: "POST", headers: bearer(token) });
    if (answer.status !== 200) return { status: answer.status };
    return await answer.json();
  };

  /** The ways in. Each returns a socket. */
  const by = {
    message: async (token) => {
      const one = open("/ws");
      await one.first(({ event }) => event === "connected");
      one.say("auth", { id: "who", token });
      return one;
    },
    subprotocol: async (token) => open("/ws", ["tickerd.v1.json", `bearer.${base64url(token)}`]),
    ticket: async (token) => open(`/ws?ticket=${(await ticket(token)).ticket}`),
  };

  /** Subscribes to what may be had and to what may not, and sees a tick. Publishing is refused. */
  const readAlong = async (one, name) => {
    const { data } = await one.first(({ event }) => event === "authenticated");
    check(data.user === name, `${data.user} is not ${name}`);
    one.say("subscribe", { id: "sub", topics: ["sim.AAPL", "sim.MSFT", "rooms.desk"] });
    const { data: subscribed } = await one.first(({ event }) => event === "subscribed");
    const granted = subscribed.topics.map(({ topic }) => topic).join();
    check(granted === "sim.AAPL,rooms.desk", `granted is ${granted}`);
    const failed = subscribed.failed.map(({ topic, code }) => `${topic} ${code}`).join();
    check(failed === "sim.MSFT 403", `failed is ${failed}`);
    await one.first(isTick("sim.AAPL"));
    one.say("publish", { id: "pub", topic: "rooms.desk", value: "from one who may not" });
    const { event, data: refusal } = await one.first(({ data }) => data.id === "pub");
    check(event === "error" && refusal.code === 403, `publishing is answered with ${JSON.stringify(refusal)}`);
  };

  const users = [];
  for (const way of ways) {
    const one = await by[way](user);
    await readAlong(one, "ann");
    users.push({ way, one });
  }
  const screen = await by[ways[0]](wall);
  await readAlong(screen, "wall");

  // A ticket is good once.
  const { ticket: spent } = await ticket(user);
  const used = open(`/ws?ticket=${spent}`);
  await used.first(({ event }) => event === "authenticated");
  used.socket.close();
  await used.closed;
  const again = open(`/ws?ticket=${spent}`);
  await again.closed;
  check(again.came.length === 0, `a used ticket lets in: ${JSON.stringify(again.came)}`);

  const read = async (token, path) => (await fetch(`https://${host}${path}`, { headers: bearer(token), cache: "no-store" })).status;
  const publish = (token, value) =>
    fetch(`https://${host}/v1/topics/rooms.desk`, { method: "POST", headers: bearer(token), body: JSON.stringify(value) });
  for (const token of [user, wall]) {
    check((await read(token, "/v1/topics/sim.AAPL")) === 200, "the value may be read");
    check((await read(token, "/v1/topics/sim.MSFT")) === 403, "the denied value may not be read");
    check((await publish(token, "no")).status === 403, "who only reads may not publish");
  }
  const value = `from ${ways.join()}`;
  check((await publish(publisher, value)).status === 200, "the program may publish");
  for (const { one } of [...users, { one: screen }]) {
    const heard = await one.first((message) => isTick("rooms.desk")(message) && message.data.value === value);
    check(heard.data.from === "user:desk-bot", `it came from ${heard.data.from}`);
  }
  globalThis.member = { users, screen, by, ticket, read, isTick };
}

/** Waits until the user is revoked: each of its sockets closes with 4001, no way leads back, and the wall screen goes on. */
export async function leave({ user }) {
  const { users, screen, by, ticket, read, isTick } = globalThis.member;
  const ends = [];
  for (const { way, one } of users) {
    const { code, reason } = await one.closed;
    ends.push({ way, code, reason });
  }
  const back = [];
  for (const { way } of users.filter(({ way }) => way !== "ticket")) {
    const one = await by[way](user);
    const { code, reason } = await one.closed;
    const got = one.came.map(({ event }) => event).filter((event) => event !== "connected" && event !== "error");
    back.push({ way, code, reason, got });
  }
  const statuses = [(await ticket(user)).status, await read(user, "/v1/topics/sim.AAPL")];
  await screen.first(isTick("sim.AAPL"), screen.came.length);
  screen.socket.close();
  await screen.closed;
  return { ends, back, statuses };
}
