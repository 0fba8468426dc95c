// The chat: joins two rooms with the client, and shows who is there and what is said.

const LOBBY = "rooms.lobby";
const NEWS = "rooms.news";
const KEPT = 500; // lines on the page
const PAST = 50; // lines of each room that one sees on joining
const HELD = 1_000; // lines that wait until the past is there
const UNOPENED = 3; // tries in a row after which it is said why the server may not let the page in
const WHY = {
  refused: "The server needs a valid token.",
  expired: "The token has ended. Enter a new one.",
  expiring: "The token ends soon. Enter a new one.",
};

const find = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const server = asked.get("server");
let name = asked.get("name") ?? `guest-${Math.random().toString(36).slice(2, 6)}`;
let me; // one's address: `user:ann`
let token = null; // in memory alone: in no address, no cookie, no storage
let takeToken; // gives the client the token that it waits for
let to; // to whom one talks; everyone, if undefined
let client;
let connect;

const people = new Map(); // by connection, the address of who has it
const seen = new Map(); // newest seq by topic
const held = new Map(); // by topic whose past was asked for: what came meanwhile
const loaded = new Set(); // topics whose past is here
let epoch;

find("call").onsubmit = (event) => {
  event.preventDefault();
  name = find("name").value;
  asked.set("name", name);
  history.replaceState(null, "", `?${asked}`);
  start();
};
find("ask").onsubmit = (event) => {
  event.preventDefault();
  const given = find("token").value.trim();
  if (!given) return;
  find("token").value = "";
  find("ask").hidden = true;
  const isFirst = token === null;
  token = given;
  const take = takeToken;
  takeToken = undefined;
  // The first one replaces the name: the token says who one is.
  if (take && !isFirst) take(given);
  else start();
};
find("talk").onsubmit = async (event) => {
  event.preventDefault();
  const input = event.target.text;
  const value = input.value.trim();
  const addressee = to;
  if (!value) return;
  input.value = "";
  try {
    const { kept } = await client.publish(LOBBY, value, addressee ? { to: addressee } : {});
    if (addressee && addressee !== me) line({ from: me, to: addressee, ts: client.now(), value, topic: LOBBY });
    if (kept) told("not here: the message waits");
  } catch (error) {
    if (error.code === 401) askToken("The server asks who you are.");
    told(`not sent: ${error.message}`);
    if (!input.value) input.value = value;
  }
};

load();

/** Gets the client from the daemon that the chat is about. */
async function load() {
  try {
    const from = new URL(server ?? "/", location.href);
    from.protocol = from.protocol.replace("ws", "http");
    ({ connect } = await import(new URL("/client.js", from)));
    start();
  } catch (error) {
    link(
      `stopped: no daemon at ${server ?? location.origin}. Name one in the address: ?server=ws://127.0.0.1:8425/ws`,
      true,
    );
    console.warn(error);
  }
}

/** Connects anew, as another one perhaps. */
function start() {
  client?.close();
  people.clear();
  loaded.clear();
  held.clear();
  choose(undefined);
  call(name);
  const options = { token: getToken, ...(token === null && { name }) };
  client = server ? connect(server, options) : connect(options);
  const current = client;
  const room = client.subscribe([LOBBY, NEWS], { mode: "all" });
  for (const topic of [LOBBY, NEWS]) held.set(topic, []);
  room.on("tick", (tick) => {
    const waiting = held.get(tick.topic);
    if (!waiting || tick.to) take(tick);
    else if (waiting.length < HELD) waiting.push(tick);
  });
  room.on("gap", ({ topics, recovered }) => {
    if (!recovered) for (const topic of topics) askPast(topic);
  });
  client.on("epoch", (now) => {
    // Another history counts anew.
    if (epoch !== now) seen.clear();
    epoch = now;
  });
  client.on("status", async (status) => {
    show(status);
    if (status.state !== "live") return;
    if (client.user) call(client.user);
    meet();
    await room.ready.catch(() => {});
    for (const topic of room.topics) if (current === client && !loaded.has(topic)) askPast(topic);
  });
  client.on("presence", ({ topic, joined, left, count }) => {
    if (topic !== LOBBY) return;
    for (const one of joined ?? []) people.set(one.conn, addressOf(one));
    for (const one of left ?? []) people.delete(one.conn);
    drawPeople(count);
  });
  client.on("failed", ({ topic, code, message }) => {
    if (code === 401) askToken("The server asks who you are.");
    else told(`${topic}: ${message}`);
  });
  client.on("error", (error) => told(error.message));
}

/** A token for the client. Without one it connects with a name alone; where that is not enough, the page asks. */
function getToken({ reason, signal }) {
  if (reason === "connect") return token;
  askToken(WHY[reason]);
  if (reason !== "expiring") link("waiting for a token", true);
  return new Promise((resolve, reject) => {
    takeToken = resolve;
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function askToken(why) {
  find("why").textContent = why;
  find("ask").hidden = false;
}

function show({ state, code, why, todo, unopened }) {
  if (state === "live") return link("online");
  if (state === "connecting") return link("connecting", true);
  if (state === "offline") return link("offline: this computer has no network", true);
  if (state === "waiting") {
    if (unopened < UNOPENED) return link(`offline, connecting again${why && `: ${why}`}`, true);
    // A browser does not tell a page why a socket did not open.
    return link(
      `offline, connecting again. If the server runs, add "${location.origin}" to its origins`,
      true,
    );
  }
  if ([4001, 4008, 4103].includes(code)) askToken(WHY[code === 4103 ? "expired" : "refused"]);
  return link(`stopped: ${why || "no reason was given"} (${code}). What helps: ${todo}.`, true);
}

function link(text, isLost = false) {
  find("link").textContent = text;
  document.body.classList.toggle("lost", isLost);
}

/** Shows whom one is. */
function call(who) {
  me = `user:${segment(who)}`;
  find("me").textContent = `as ${who}`;
  find("name").value = who;
  find("call").hidden = token !== null;
}

/** Asks who is there. */
async function meet() {
  try {
    const { members, count } = await client.presence(LOBBY);
    people.clear();
    for (const one of members) people.set(one.conn, addressOf(one));
    drawPeople(count);
  } catch {
    drawPeople(0); // why is said of the room itself
  }
}

/** What was said before one came. What is said until the answer is there waits, so that lines stand in order. */
async function askPast(topic) {
  if (!held.has(topic)) held.set(topic, []);
  const from = client;
  try {
    const past = await client.history(topic, { limit: PAST });
    if (from !== client) return;
    const before = seen.get(topic);
    if (before && past[0]?.seq > before + 1) told(`some lines of ${topic} are no longer kept`);
    for (const tick of past) take(tick);
    loaded.add(topic);
  } catch {
    // Nothing was said there yet, or one may not read it.
  }
  if (from !== client) return;
  const waiting = held.get(topic) ?? [];
  held.delete(topic);
  for (const tick of waiting) take(tick);
}

/** A line, unless it was there before. Letters are numbered apart. */
function take(tick) {
  if (!tick.to) {
    if (tick.seq <= (seen.get(tick.topic) ?? 0)) return;
    seen.set(tick.topic, tick.seq);
  }
  line(tick);
}

function line({ topic, from, to: addressee, ts, value }) {
  const item = document.createElement("li");
  item.className = addressee ? "direct" : topic === NEWS ? "news" : "";
  const time = document.createElement("time");
  time.textContent = new Date(ts).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const who = document.createElement("b");
  who.textContent = addressee && from === me ? `to ${label(addressee)}` : label(from);
  item.append(time, who, typeof value === "string" ? value : JSON.stringify(value));
  add(item);
}

function told(text) {
  const item = document.createElement("li");
  item.className = "told";
  item.textContent = text;
  add(item);
}

function add(item) {
  const list = find("said");
  const log = find("log");
  const isAtEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 40;
  list.append(item);
  while (list.childElementCount > KEPT) list.firstElementChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function drawPeople(count) {
  find("count").textContent = count;
  const addresses = [...new Set(people.values())].sort();
  const focused = document.activeElement?.dataset.address;
  find("people").replaceChildren(
    ...addresses.map((address) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.textContent = address === me ? `${label(address)} (you)` : label(address);
      button.setAttribute("aria-pressed", address === to);
      button.dataset.address = address;
      button.onclick = () => choose(address === to ? undefined : address);
      item.append(button);
      return item;
    }),
  );
  if (focused)
    [...find("people").querySelectorAll("button")].find(({ dataset }) => dataset.address === focused)?.focus();
}

function choose(address) {
  const isOther = address !== to;
  to = address;
  find("to").textContent = to ? `To ${label(to)} alone` : "To everyone";
  drawPeople(find("count").textContent);
  if (isOther) find("talk").text.focus();
}

const addressOf = ({ conn, name: who }) => (who ? `user:${segment(who)}` : `conn:${conn}`);

/** A user's name as it stands in an address. */
function segment(user) {
  return encodeURIComponent(user).replace(/[.!~*'()]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

function label(address) {
  return String(address ?? "").replace(/^user:/, "");
}
