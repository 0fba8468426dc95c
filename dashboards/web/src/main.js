// Builds the page and joins its rooms: what the client brings goes to the topics, and from there to what is drawn.
import { client } from "./live/client.js"; // first: the others wait for it
import uPlot from "../vendor/uplot.js";
import { Address } from "./address.js";
import { Alerts } from "./board/alerts.js";
import { Board } from "./board/board.js";
import { Strip } from "./board/strip.js";
import { Charts } from "./chart/charts.js";
import { firstChoice } from "./chart/choice.js";
import { Console } from "./console/console.js";
import { Contract } from "./data/contract.js";
import { Topics } from "./data/topics.js";
import { FeedList } from "./feeds/list.js";
import { FeedPage } from "./feeds/page.js";
import { findCause } from "./head/cause.js";
import { Notices } from "./head/notices.js";
import { Outage } from "./head/outage.js";
import { showScript } from "./head/own.js";
import { share } from "./head/share.js";
import { Signs } from "./head/signs.js";
import { Status } from "./head/status.js";
import { TokenBox } from "./head/token.js";
import { Feeds } from "./live/feeds.js";
import { Follower } from "./live/follower.js";
import { Visitor } from "./live/visitor.js";
import { themes } from "./look/ink.js";
import { Kiosk } from "./look/kiosk.js";
import { Pace } from "./look/pace.js";
import { Views } from "./look/views.js";
import { Table } from "./table/table.js";

/** Ages and countdowns move by themselves this often. */
const BEAT_MS = 250;
/** Tries in a row that did not open, after which the page looks for the cause. */
const UNOPENED = 3;
/** A page hidden for longer has been sent less, and asks for what it missed. */
const HIDDEN_MS = 5_000;
/** A title from the address is not longer. */
const TITLE_MAX = 80;

/** The charts' window unless the address has another, in seconds. */
const SPAN = "60";

const element = (id) => document.getElementById(id);
/** The elements of these names. */
const parts = (names) => Object.fromEntries(Object.entries(names).map(([part, id]) => [part, element(id)]));

const address = new Address();
const contract = new Contract();
const topics = new Topics(contract);
const follower = new Follower(client, topics);
const feeds = new Feeds(client);
const table = new Table(element("topics"), { address, input: element("filter") });
const charts = new Charts(element("charts"), topics, uPlot, address);
const notices = new Notices(element("notices"));
const signs = new Signs(element("signs"));
const status = new Status(
  parts({ link: "link", retry: "retry", version: "version", topics: "topic-count", rate: "rate", words: "words" }),
);
const outage = new Outage(parts({ banner: "outage", what: "outage-what", next: "outage-next" }));
const visitor = new Visitor(
  client,
  new TokenBox(parts({ box: "token-box", form: "token-form", input: "token", why: "token-why", open: "token-open" })),
);
const views = new Views(
  element("views"),
  parts({ topics: "view-topics", board: "view-board", feeds: "view-feeds", console: "view-console" }),
  address,
);
const kiosk = new Kiosk(address);
const pace = new Pace({ ...parts({ pause: "pause", select: "pace" }), signs }, address);

const states = feeds.states;
const alerts = new Alerts({
  ...parts({ dialog: "alerts-dialog", list: "alerts-list", button: "alerts-open", words: "alert-words" }),
  ...{ topics, address, feeds: states },
});
const strip = new Strip(element("strip"), { topics, address, feeds: states });
const board = new Board(element("board"), { topics, address, alerts, feeds: states, bars: askBars, periods: () => contract.periods });
const feedList = new FeedList(element("feed-list"));
const feedPage = new FeedPage(element("feed-page"), { topics, ask: answerOf, onChart: openChart });
const consoleRoom = new Console(element("console"), { client, address });
/** The past of a topic → the text that it was parsed from: the digits are in it. */
const texts = new WeakMap();

let liveSince = 0;
let choosing = true;
let frame = 0;
let isEnding = false;
let hiddenAt = 0;
let today = new Date().toDateString();

const isConnected = () => client.status.state === "live";
const isLive = (name) =>
  isConnected() && !topics.get(name)?.staleSince && !topics.get(name)?.endedAt && !["down", "stale"].includes(feeds.state(name.split(".", 1)[0]));

/** Collects: however many ticks come, the page is drawn once per frame. */
function draw() {
  if (frame === 0 && !pace.isPaused) frame = requestAnimationFrame(paint);
}

/** The client hands ticks over in a frame: what they change is drawn at the end of that one, not of the next. */
function drawAtOnce() {
  if (document.hidden) return draw();
  if (isEnding || pace.isPaused) return;
  isEnding = true;
  queueMicrotask(() => {
    isEnding = false;
    cancelAnimationFrame(frame);
    paint(performance.now());
  });
}

function paint(now) {
  frame = 0;
  const moment = [client.now(), now, isLive];
  alerts.paint(...moment);
  if (views.current === "topics" || views.current === "board") strip.paint(...moment);
  if (views.current === "topics") {
    if (table.paint(...moment)) draw();
    charts.paint(...moment);
  } else if (views.current === "board") board.paint(...moment);
  else if (views.current === "console") consoleRoom.paint(now);
  else if (address.get("feed")) feedPage.paint(...moment);
  else feedList.paint(...moment);
}

function beat() {
  const now = performance.now();
  const day = new Date().toDateString();
  if (day !== today) for (const room of [alerts, notices, table]) room.redate();
  today = day;
  status.paint(now);
  outage.paint(now);
  pace.paint();
  alerts.beat(client.now(), now);
  if (document.hidden || pace.isPaused) return;
  signs.paint(now, topics.all());
  strip.beat();
  board.beat();
  if (isConnected()) charts.keepUp(client.now(), now);
  if (views.current === "topics") table.paintAges(client.now(), now);
  else status.topics = topics.size;
  if (views.current === "feeds") feeds.keepUp(now);
  if (choosing && liveSince > 0) {
    const names = firstChoice(topics.all(), now - liveSince);
    if (names) charts.open(names);
  }
  draw();
}

/** Asks for all that the page shows, beside the ticks. */
function begin() {
  status.server = String(client.server?.server ?? "");
  feeds.forget("up");
  follower.freshen();
  follower.list();
  feeds.list();
  charts.refill();
  contract.forget();
  readContract();
}

/** What the server answers at a path, as this reader; null where it has nothing there for it. */
async function answerOf(path, read = (answer) => answer.json()) {
  const answer = await client.http(path, { cache: "no-cache" });
  return answer.ok ? read(answer) : null;
}

function askBars(query, read) {
  return answerOf(`v1/bars?${query}`, read).catch(() => null);
}

/** Reads what the server says of its feeds' fields and of its bars. Without it the page guesses, and has no bars. */
async function readContract() {
  const said = await answerOf("v1/asyncapi.json").catch(() => null);
  if (said) contract.take(said);
}

// What comes

client.on("status", (now) => {
  status.link(now);
  outage.link(now);
  visitor.link(now);
  if (now.unopened >= UNOPENED) findCause(client).then((cause) => !isConnected() && (outage.hint = cause));
  if (now.state === "live") {
    liveSince = performance.now();
    begin();
  } else if (now.state !== "connecting") {
    charts.gap();
    feeds.forget("unknown");
    feedList.lose();
    feedPage.lose();
  }
});
client.on("lag", ({ skipped }) => signs.lag(skipped, performance.now()));
client.on("gap", ({ topics: names, recovered }) => {
  if (!recovered && names.length > 0) notices.gap(names);
});
client.on("control", ({ out, event, data, text }) => {
  if (event === "history" && !out && Array.isArray(data.values)) texts.set(data.values, text);
});
client.on("error", ({ code, message }) => (code === 401 ? visitor.need() : notices.error({ code, message })));
visitor.onKnown = begin;
follower.onTick = (topic, moved) => {
  status.tick();
  pace.tick();
  table.touch(topic, moved);
  if (moved) for (const room of [charts, board, strip, alerts]) room.tick(topic.name);
  drawAtOnce();
};
follower.onTopic = (topic) => {
  alerts.wake();
  table.touch(topic, false);
  table.recount();
  draw();
};
follower.onGone = (name) => {
  table.remove(name);
  if (!charts.draws(name)) topics.remove(name); // else its chart waits for its return
  draw();
};
follower.onEnd = (name) => {
  alerts.end(name, client.now());
  charts.end(name, client.now());
  follower.onGone(name);
};
follower.onRefused = (what) => (what.code === 401 ? visitor.need() : notices.error(what));
feeds.onFeed = (notice) => {
  if (notice.state === "down") charts.gapOf(notice.feed);
  alerts.wake();
  table.feed(notice);
  notices.feed(notice);
  feedList.feed(notice);
  feedPage.feed(notice);
  status.troubledFeeds = feeds.troubled;
  draw();
};
feeds.onList = (list) => {
  table.keepFeeds(states.keys());
  feedList.take(list);
  feedPage.take(list);
  draw();
};
feeds.onForget = (state) => {
  alerts.wake();
  table.feeds(state);
  notices.dropFeeds();
  status.troubledFeeds = 0;
};
contract.onWant = (ms) => setTimeout(() => isConnected() && readContract(), ms);
contract.onNews = () => {
  alerts.wake();
  for (const topic of topics.all()) if (topic.remark()) table.touch(topic, false);
  charts.remark(contract.periods);
  draw();
};

// What the reader does

table.onChoose = (name) => charts.toggle(name);
table.onCount = (left, all) => {
  status.topics = all;
  element("none").hidden = left > 0;
  element("none").textContent =
    all > 0 ? "No topic matches the search." : "No topics yet. They appear here with their feed's first tick.";
};
charts.onFull = (sentence) => notices.full(sentence);
charts.onAsk = (event, { id, ...asked }) => {
  if (!isConnected() || visitor.isShut) return false;
  client.command(event, asked).then(
    (answer) => charts.history({ ...answer, id }, texts.get(answer.values)),
    (error) => charts.owns({ id, code: error.code }),
  );
  return true;
};
charts.onBars = (query) => askBars(query, (answer) => answer.text());
charts.onDraw = draw;
charts.onChange = (names) => {
  choosing = false;
  table.choose(names);
  showScript(element("script"), names);
  element("no-charts").hidden = names.length > 0;
};
table.onWish = draw;
element("filter").addEventListener("input", () => {
  if (views.current !== "topics") views.go("topics");
});
board.onOpen = strip.onOpen = openChart;
alerts.onChange = draw;
feedList.onOpen = (feed) => {
  views.go("feeds", { feed });
  feedPage.focus();
};
feedPage.onClose = () => views.go("feeds");
element("span").addEventListener("change", ({ target }) => {
  address.set("span", target.value === SPAN ? null : target.value);
  charts.spanSeconds = Number(target.value);
  draw();
});
// By itself the link would take the place of all that the address says.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  element("filter").focus();
});
element("retry").addEventListener("click", () => client.retry());
element("kiosk").addEventListener("click", () => kiosk.enter());
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, select, textarea")) return;
  event.preventDefault();
  element("filter").focus();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenAt = performance.now();
  else if (isConnected() && performance.now() - hiddenAt > HIDDEN_MS) charts.refill();
});
kiosk.onChange = arrange;
views.onShow = arrange;
address.onChange(arrange);
pace.onPause = draw;
pace.onRate = (rate) => follower.follow(rate);

/** Brings what is shown in line with the view that is. */
function arrange() {
  const feed = views.current === "feeds" ? address.get("feed") : null;
  feedPage.show(feed);
  element("feed-list").hidden = feed !== null;
  consoleRoom.shown = views.current === "console";
  element("ground").hidden = !["topics", "board"].includes(views.current);
  charts.redraw();
  draw();
}

/** The charts' window, as the address has it. */
function span() {
  const { options } = element("span");
  const asked = address.get("span") ?? SPAN;
  const value = [...options].some((option) => option.value === asked) ? asked : SPAN;
  if (element("span").value === value) return;
  element("span").value = value;
  charts.spanSeconds = Number(value);
}

/** Shows a topic's chart. */
function openChart(name) {
  if (!charts.draws(name)) charts.toggle(name);
  if (views.current !== "topics") views.go("topics");
}

/** A title in the address is the page's. */
function entitle() {
  const title = address.get("title")?.slice(0, TITLE_MAX);
  element("title").textContent = outage.title = title || "tickerd";
  document.documentElement.toggleAttribute("data-titled", Boolean(title));
}

element("unbuilt").hidden = uPlot !== null;
entitle();
address.onChange(entitle);
span();
address.onChange(span);
showScript(element("script"), []);
themes(element("theme"), address, () => {
  charts.redraw();
  draw();
});
share(element("share"), element("shared"));
charts.restore();
views.restore();
kiosk.restore();
follower.follow(pace.rate);
setInterval(beat, BEAT_MS);
