// Builds the page and joins its rooms: what the connection says goes to the topics, and from there to what is drawn.
import { Address } from "./address.js";
import { Alerts } from "./board/alerts.js";
import { Board } from "./board/board.js";
import { Strip } from "./board/strip.js";
import { Charts } from "./chart/charts.js";
import { firstChoice } from "./chart/choice.js";
import { closeWords, wantsToken } from "./link/closes.js";
import { Connection } from "./link/connection.js";
import { Contract } from "./data/contract.js";
import { themes } from "./look/ink.js";
import { Kiosk } from "./look/kiosk.js";
import { Notices } from "./head/notices.js";
import { Outage } from "./head/outage.js";
import { Pace } from "./look/pace.js";
import { share } from "./head/share.js";
import { Signs } from "./head/signs.js";
import { Status } from "./head/status.js";
import { Table } from "./table/table.js";
import { TokenBox } from "./head/token.js";
import { Topics } from "./data/topics.js";
import { Views } from "./look/views.js";
import uPlot from "../vendor/uplot.js";

/** Ages and countdowns move by themselves this often. */
const BEAT_MS = 250;
const PATTERN = "**";
/** After a list of feeds that did not come, the time until it is asked for again. */
const RELIST_MS = 5_000;
/** Tries in a row that did not open, after which the page looks for the cause. */
const UNOPENED = 3;
/** A title from the address is not longer. */
const TITLE_MAX = 80;
const LIST_ID = 1;
const SUBSCRIBE_ID = 2;
const AUTH_ID = 3;

const element = (id) => document.getElementById(id);
const url = new URL("ws", location.href);
url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
url.hash = "";

const address = new Address();
const views = new Views(
  element("views"),
  {
    topics: element("view-topics"),
    board: element("view-board"),
    feeds: element("view-feeds"),
    console: element("view-console"),
  },
  address,
);
const kiosk = new Kiosk(address);
const signs = new Signs(element("signs"));
const pace = new Pace({ pause: element("pause"), select: element("pace"), signs }, address);
const contract = new Contract();
const topics = new Topics(contract);
const table = new Table(element("topics"), { address, input: element("filter") });
const charts = new Charts(element("charts"), topics, uPlot, address);
const notices = new Notices(element("notices"));
const status = new Status({
  link: element("link"),
  retry: element("retry"),
  version: element("version"),
  topics: element("topic-count"),
  rate: element("rate"),
  words: element("words"),
});
const outage = new Outage({
  banner: element("outage"),
  what: element("outage-what"),
  next: element("outage-next"),
});
const box = new TokenBox({
  box: element("token-box"),
  form: element("token-form"),
  input: element("token"),
  why: element("token-why"),
  open: element("token-open"),
});
const connection = new Connection(url);
const feeds = new Map();

const alerts = new Alerts({
  dialog: element("alerts-dialog"),
  list: element("alerts-list"),
  button: element("alerts-open"),
  topics,
  address,
  words: element("words"),
  feeds,
});
const strip = new Strip(element("strip"), { topics, address, feeds });
const board = new Board(element("board"), {
  topics,
  address,
  feeds,
  alerts,
  bars: (query) => answerOf(`v1/bars?${query}`).catch(() => null),
  periods: () => contract.periods,
});
const boards = [alerts, strip, board];

/** Server's clock less ours, so that ages are right on a machine whose clock is not. */
let skewMs = 0;
let pinged = 0;
let liveSince = 0;
let choosing = true;
let frame = 0;
let listing = 0;
/** Whether this connection was asked for what the page shows. */
let begun = false;
/** Whether the server shows nothing without a token. */
let isShut = false;

const serverNow = () => Date.now() + skewMs;
const isLive = (name) =>
  connection.state.name === "live" &&
  !topics.get(name)?.staleSince &&
  !["down", "stale"].includes(feeds.get(name.split(".", 1)[0]));

/** Collects: however many ticks come, the page is drawn once per frame. */
function draw() {
  if (frame === 0 && !pace.isPaused) frame = requestAnimationFrame(paint);
}

function paint(now) {
  frame = 0;
  for (const one of boards) one.paint(serverNow(), now, isLive);
  if (views.current !== "topics") return;
  if (table.paint(serverNow(), now)) draw();
  charts.paint(serverNow(), now, isLive);
}

function beat() {
  const now = performance.now();
  status.paint(now);
  outage.paint(now);
  pace.paint();
  for (const one of boards) one.beat(serverNow(), now);
  if (document.hidden || pace.isPaused) return;
  signs.paint(now, topics.all());
  if (views.current !== "topics") status.topics = topics.size;
  if (connection.state.name === "live") charts.keepUp(serverNow(), now);
  if (views.current === "topics") table.paintAges(serverNow(), now);
  if (choosing && liveSince > 0) {
    const names = firstChoice(topics.all(), now - liveSince);
    if (names) charts.open(names);
  }
  draw();
}

const answers = {
  connected({ server }) {
    status.server = String(server ?? "");
    forgetFeeds("up");
    for (const topic of topics.all()) age(topic, 0);
    begun = false;
    pinged = Date.now();
    connection.send("ping", { t: pinged });
    if (box.token) sayWho();
    else begin();
    liveSince = performance.now();
  },
  authenticated() {
    box.done();
    isShut = false;
    begin();
  },
  pong({ t, ts }) {
    if (t === pinged && Number.isFinite(ts)) skewMs = ts - (pinged + Date.now()) / 2;
  },
  topics({ topics: listed }) {
    const names = new Set();
    for (const { topic: name, kind, seq, ts } of listed ?? []) {
      names.add(name);
      const topic = topics.ensure(name);
      if (topic.text === "") Object.assign(topic, { kind, seq, ts });
      table.touch(topic, false);
    }
    for (const { name } of [...topics.all()]) if (!names.has(name)) forget(name);
    draw();
  },
  subscribed({ failed }) {
    for (const { topic, pattern, code, message } of failed ?? []) {
      if (code === 401) needToken();
      else notices.error({ code, name: topic ?? pattern, message });
    }
  },
  history: (data, text) => charts.history(data, text),
  notice(data) {
    if (data.type === "feed") feedSays(data);
    else if (data.type === "lag") signs.lag(data.skipped, performance.now());
    else if (data.type === "stale") for (const name of data.topics ?? []) age(topics.ensure(name), data.since);
    else if (data.type === "fresh") for (const name of data.topics ?? []) age(topics.ensure(name), 0);
    else if (data.type === "auth_expiring") box.ask(expiring(data));
    else if (data.type === "revoked") notices.error({ name: "revoked", message: "the new token shows less than the one before" });
    else if (data.type === "topics") for (const name of data.removed ?? []) forget(name?.topic ?? name);
    draw();
  },
  error(data) {
    const owned = charts.owns(data);
    if (data.id === AUTH_ID) refused(data);
    else if (data.code === 401) needToken();
    else if (!owned) notices.error(data);
  },
};

/** Asks for all that the page shows. */
function begin() {
  begun = true;
  connection.send("topics", { id: LIST_ID, match: PATTERN });
  subscribe();
  charts.refill();
  listFeeds();
  contract.forget();
  readContract();
}

function subscribe() {
  connection.send("subscribe", { id: SUBSCRIBE_ID, topics: [PATTERN], ...(pace.rate && { rate: pace.rate }) });
}

function sayWho() {
  connection.send("auth", { id: AUTH_ID, token: box.token });
}

function needToken() {
  isShut = true;
  if (!box.token) box.ask("This server shows what it has to those who have a token.");
}

const expiring = ({ in_ms: ms }) =>
  `The token ends ${ms > 0 ? `in ${Math.ceil(ms / 1000)} s` : "soon"}. Enter a new one, and nothing is interrupted.`;

/** The token was not taken. One of another user begins a connection of its own. */
function refused({ code, message }) {
  if (code === 409) return connection.again();
  box.refused(message ?? "The server did not accept the token.");
  if (!begun) begin(); // what there is for those without one
}

/** Every connection tells anew which feeds are in trouble; until one does, nothing is known. */
function forgetFeeds(state) {
  feeds.clear();
  table.feeds(state);
  notices.dropFeeds();
  status.troubledFeeds = 0;
}

function feedSays(notice) {
  feeds.set(notice.feed, notice.state);
  if (notice.state === "down") charts.gapOf(notice.feed);
  table.feed(notice);
  notices.feed(notice);
  status.troubledFeeds = [...feeds.values()].filter((state) => state !== "up" && state !== "closed").length;
}

/** What the server answers at a path, as this reader; null where it has nothing there for it. */
async function answerOf(path, read = (answer) => answer.json()) {
  const headers = box.token ? { Authorization: `Bearer ${box.token}` } : {};
  const answer = await fetch(new URL(path, location.href), { cache: "no-cache", headers });
  return answer.ok ? read(answer) : null;
}

/** Reads what the server says of its feeds' fields and of its bars. Without it the page guesses, and has no bars. */
async function readContract() {
  const said = await answerOf("v1/asyncapi.json").catch(() => null);
  if (said) contract.take(said);
}

/** Lists all configured feeds, as the stream does not name one that has said nothing. What the stream told goes first: it is newer. */
async function listFeeds() {
  const asked = (listing += 1);
  const stale = () => asked !== listing || connection.state.name !== "live";
  const headers = box.token ? { Authorization: `Bearer ${box.token}` } : {};
  try {
    const answer = await fetch(new URL("v1/feeds", location.href), { cache: "no-store", headers });
    if (answer.status === 404 || answer.status === 401) return; // a server that has no such list, or not for this reader
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { feeds: listed } = await answer.json();
    if (stale()) return;
    for (const feed of listed) if (!feeds.has(feed.feed)) feedSays(feed);
    table.keepFeeds(feeds.keys());
    draw();
  } catch {
    setTimeout(() => stale() || listFeeds(), RELIST_MS);
  }
}

/** Looks for the cause of a WebSocket that does not open, of which a browser tells nothing. */
async function findCause() {
  let cause = "The server does not answer at all.";
  try {
    await fetch(location.href, { method: "HEAD", cache: "no-store" });
    cause = `The server answers, but its WebSocket does not open. Add "${location.origin}" to origins under [server] in its configuration, or let the proxy in between pass WebSockets on.`;
  } catch {
    // as it says
  }
  if (connection.state.name !== "live") outage.hint = cause;
}

function tick(event, data, text) {
  const topic = topics.ensure(data.topic);
  const moved = topic.take(event, data, text);
  status.tick();
  pace.tick();
  table.touch(topic, moved);
  if (moved) for (const one of [charts, ...boards]) one.tick(data.topic);
  draw();
}

/** A topic has had no news since then (or since now, where that is not told), or has news again: 0. */
function age(topic, since) {
  const staleSince = since === 0 ? 0 : Number.isFinite(since) ? since : serverNow();
  if (topic.staleSince === staleSince) return;
  topic.staleSince = staleSince;
  table.touch(topic, false);
  table.recount();
}

/** A topic that its feed has retired; its chart, if any, waits for it to return. */
function forget(name) {
  table.remove(name);
  if (!charts.draws(name)) topics.remove(name);
}

contract.onWant = (ms) => setTimeout(() => connection.state.name === "live" && begun && readContract(), ms);
contract.onNews = () => {
  for (const topic of topics.all()) if (topic.remark()) table.touch(topic, false);
  charts.remark(contract.periods);
  draw();
};

connection.onMessage = (event, data, text) => {
  if (Object.hasOwn(answers, event)) answers[event](data, text);
  else if (typeof data.topic === "string" && "seq" in data) tick(event, data, text);
};
connection.onState = (state) => {
  status.link(state);
  outage.link(state);
  if (state.unopened >= UNOPENED) findCause();
  if (wantsToken(state.code)) box.refused(`${closeWords(state.code)}. Enter a token.`);
  if (state.name !== "waiting" && state.name !== "stopped") return;
  charts.gap();
  forgetFeeds("unknown");
};

board.onOpen = strip.onOpen = (name) => {
  views.go("topics");
  if (!charts.names.includes(name)) charts.toggle(name);
};
table.onChoose = (name) => charts.toggle(name);
table.onCount = (left, all) => {
  status.topics = all;
  element("none").hidden = left > 0;
  element("none").textContent =
    all > 0
      ? "No topic matches the search."
      : "No topics yet. They appear here with their feed's first tick.";
};
charts.onFull = (sentence) => notices.full(sentence);
charts.onAsk = (event, data) => connection.state.name === "live" && !isShut && connection.send(event, data);
// As text: the digits are in it.
charts.onBars = (query) => answerOf(`v1/bars?${query}`, (answer) => answer.text()).catch(() => null);
charts.onDraw = draw;
charts.onChange = (names) => {
  choosing = false;
  table.choose(names);
  showScript(names);
  element("no-charts").hidden = names.length > 0;
};

table.onWish = draw;
element("filter").addEventListener("input", () => {
  if (views.current !== "topics") views.go("topics");
});
element("span").addEventListener("change", ({ target }) => {
  charts.spanSeconds = Number(target.value);
  draw();
});
box.onToken = () => (connection.state.name === "live" ? sayWho() : connection.retryNow());
element("retry").addEventListener("click", () => connection.retryNow());
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, select, textarea"))
    return;
  event.preventDefault();
  element("filter").focus();
});
element("unbuilt").hidden = uPlot !== null;

/** The lines that bring the chosen topics to a page of one's own. */
function showScript(names) {
  element("script").textContent = `import { connect } from "${new URL("client.js", location.href)}";
const ticks = connect().subscribe(${JSON.stringify(names.length > 0 ? names : [PATTERN])});
ticks.on("tick", ({ topic, value }) => console.log(topic, value));`;
}

/** A title in the address is the page's. */
function entitle() {
  const title = address.get("title")?.slice(0, TITLE_MAX);
  element("title").textContent = outage.title = title || "tickerd";
  document.documentElement.toggleAttribute("data-titled", Boolean(title));
}

entitle();
address.onChange(entitle);
showScript([]);
themes(element("theme"), address, () => {
  charts.redraw();
  draw();
});
share(element("share"), element("shared"));
element("kiosk").addEventListener("click", () => kiosk.enter());
views.onShow = kiosk.onChange = () => {
  charts.redraw();
  draw();
};
pace.onPause = draw;
pace.onRate = () => connection.state.name === "live" && begun && subscribe();
charts.restore();
views.restore();
kiosk.restore();
setInterval(beat, BEAT_MS);
connection.start();
