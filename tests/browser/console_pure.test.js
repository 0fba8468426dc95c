// The console's pure parts: commands and their forms, the list of frames, and a command as text for elsewhere.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { COMMANDS, commandFor, commandOf, dataOf, messageOf, parsed, typedOf } from "../../dashboards/web/src/console/commands.js";
import { FORMS } from "../../dashboards/web/src/console/copy.js";
import { Frames, LINES_MAX } from "../../dashboards/web/src/console/frames.js";
import { pretty } from "../../dashboards/web/src/console/pretty.js";
import * as quote from "../../dashboards/web/src/console/quote.js";

/** Numbers that are the same at each run. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// prettier-ignore
const PIECES = [
  "'", '"', "\\", "`", "$", "$(id)", "${HOME}", "`id`", "!", "!!", "#", ";", "&", "|", "<", ">", "*", "?", "~", "%", "%s", "%41", "\n", "\r\n",
  "\t", "\0", "\u0007", "\u2028", "\u2029", "\ud83d", "\udc00", "😀", "é", " ", "a", "B", "0", "-", "--", "{x}", "[1]", "(", ")", "</script>", "<!--",
  "\\n", "\\u0041", "__proto__", "constructor", "=", ",", "/", "sim.AAPL", "\u007f", "\ufeff", "\x1b[31m",
];

function textOf(random) {
  let text = "";
  for (let n = random(8); n > 0; n -= 1) text += PIECES[random(PIECES.length)];
  return text;
}

function valueOf(random, depth = 0) {
  switch (random(depth < 3 ? 9 : 6)) {
    case 0:
      return null;
    case 1:
      return random(2) === 1;
    case 2:
      return random(2_000_001) - 1_000_000;
    case 3:
      return (random(2_000_001) - 1_000_000) / 10 ** random(12);
    case 4:
    case 5:
      return textOf(random);
    case 6:
      return Array.from({ length: random(4) }, () => valueOf(random, depth + 1));
    default:
      return JSON.parse(`{${Array.from({ length: random(4) }, () => `${JSON.stringify(textOf(random))}:${JSON.stringify(valueOf(random, depth + 1))}`).join()}}`);
  }
}

const random = numbers(20_261_129);
const TEXTS = Array.from({ length: 400 }, () => textOf(random)).concat(PIECES);
const VALUES = Array.from({ length: 400 }, () => valueOf(random)).concat(TEXTS.slice(0, 100));
/** What a process can be given: no NUL, and whole characters. JSON has neither. */
const WORDS = TEXTS.map((text) => text.replaceAll("\0", "").toWellFormed());

test("a word of a shell is that word, whatever stands in it", () => {
  for (let from = 0; from < WORDS.length; from += 100) {
    const words = WORDS.slice(from, from + 100);
    const said = execFileSync("sh", ["-c", `printf '%s\\0' ${words.map(quote.shell).join(" ")}`], { encoding: "utf8" });
    assert.deepEqual(said.split("\0").slice(0, -1), words);
  }
});

test("a value in JavaScript is that value, also in a script of a page", () => {
  for (const value of VALUES) {
    const written = quote.javascript(value);
    assert.equal(JSON.stringify(runInNewContext(`(${written})`)), JSON.stringify(value));
    assert.doesNotMatch(written, /<\/|<!--/);
  }
});

test("a value in Python is that value", () => {
  const read = "import ast, json, sys\nprint(json.dumps([ast.literal_eval(line) for line in json.load(sys.stdin)]))";
  const said = execFileSync("python3", ["-c", read], { input: JSON.stringify(VALUES.map(quote.python)), encoding: "utf8" });
  assert.deepEqual(JSON.parse(said), JSON.parse(JSON.stringify(VALUES)));
});

test("a part of an address is decoded to what it was, and never fails", () => {
  for (const text of TEXTS) assert.equal(decodeURIComponent(quote.inAddress(text)), text.toWellFormed());
  assert.equal(quote.inAddress("users.auth0%7C5f7"), "users.auth0%257C5f7");
});

const place = { base: "http://127.0.0.1:8425/", token: false };
const copied = (form, event, data, token = false) => FORMS[form].write({ event, data }, { ...place, token });

test("a command that is copied for a shell has no keys of a terminal in it, and options are no topics", () => {
  const topics = ["--config=/etc/x", "a\u0003id\r\u001b[201~\u007f"];
  for (const form of ["curl", "tail", "websocat"]) assert.doesNotMatch(copied(form, "subscribe", { topics }), /[\x00-\x09\x0b-\x1f\x7f]/, form);
  assert.match(copied("tail", "subscribe", { topics }), /^tickerd tail -- '--config/);
});

test("commands read as a person would write them", () => {
  const wanted = { topics: ["sim.AAPL", "host.*"], rate: "1s" };
  const sse = "http://127.0.0.1:8425/v1/sse?topics=sim.AAPL,host.*&rate=1s";
  assert.equal(copied("curl", "subscribe", wanted), `curl -N '${sse}'`);
  assert.equal(copied("curl", "subscribe", wanted, true), `curl -N -H "Authorization: Bearer $TOKEN" '${sse}'`);
  assert.equal(copied("tail", "subscribe", wanted), "tickerd tail --rate '1s' 'sim.AAPL' 'host.*'");
  assert.equal(copied("tail", "subscribe", { topics: ["sim.*"], mode: "all" }), "tickerd tail --mode 'all' 'sim.*'");
  assert.equal(copied("tail", "get", { topics: ["sim.*"] }, true), "# The file token.txt holds the token.\ntickerd get --token token.txt 'sim.*'");
  assert.equal(copied("tail", "topics", {}), "tickerd topics");
  assert.equal(copied("tail", "history", { topic: "sim.AAPL", limit: 5 }), "tickerd history --limit '5' 'sim.AAPL'");
  assert.equal(copied("tail", "history", { topic: "sim.AAPL", period: "1m" }), "tickerd bars --period '1m' 'sim.AAPL'");
  assert.equal(copied("tail", "publish", { topic: "rooms.lobby", value: 1, to: "user:ann" }), "tickerd publish --to 'user:ann' 'rooms.lobby' '1'");
  assert.equal(
    FORMS.tail.write({ event: "topics", data: {} }, { base: "https://live.example/", token: false }),
    "tickerd topics --url 'https://live.example/'",
  );
  assert.match(copied("tail", "presence", { topic: "rooms.lobby" }), /^# tickerd has no command for presence/);
  assert.equal(copied("websocat", "subscribe", wanted), "websocat 'ws://127.0.0.1:8425/ws?topics=sim.AAPL,host.*&rate=1s'");
  assert.equal(copied("curl", "get", { topics: ["sim.*"] }), "curl 'http://127.0.0.1:8425/v1/values?topics=sim.*'");
  assert.equal(copied("curl", "topics", {}), "curl 'http://127.0.0.1:8425/v1/topics'");
  assert.equal(
    copied("curl", "history", { topic: "sim.AAPL", period: "1m", limit: 5 }),
    "curl 'http://127.0.0.1:8425/v1/topics/sim.AAPL/bars?period=1m&limit=5'",
  );
  assert.equal(
    copied("curl", "publish", { topic: "rooms.lobby", value: "it's", to: "user:ann" }),
    `curl -H 'Content-Type: application/json' --data-raw '"it'\\''s"' 'http://127.0.0.1:8425/v1/topics/rooms.lobby?to=user%3Aann'`,
  );
  assert.equal(
    copied("javascript", "subscribe", wanted),
    `import { connect } from "http://127.0.0.1:8425/client.js";

const t = connect("ws://127.0.0.1:8425/ws");
for await (const tick of t.subscribe(["sim.AAPL", "host.*"], { rate: "1s" })) console.log(tick.topic, tick.value);
`,
  );
  assert.match(copied("javascript", "history", { topic: "a.b", period: "1m" }), /await t\.bars\("a\.b", \{ period: "1m" \}\)/);
  assert.match(copied("python", "history", { topic: "a.b", limit: 9 }), /await t\.history\("a\.b", limit=9\)/);
  assert.match(copied("python", "subscribe", { topics: ["sim.*"], mode: "all" }), /async for tick in t\.subscribe\("sim\.\*", mode="all"\):/);
  assert.match(copied("python", "ping", { t: 1 }, true), /token=os\.environ\["TOKEN"\]/);
  assert.match(copied("javascript", "ping", { t: 1 }, true), /\{ token: "\$TOKEN" \}/);
});

test("every command has a text in every form, whatever it is given, and it is a program of its language", () => {
  const given = [{}, { topics: [] }, { topics: ["it's", '"', "\n# x", "$(id)"] }, { topic: "a\n'\"b", limit: 3 }, { topic: "r.x", value: VALUES[5], other: null }];
  given.push({ topics: ["a.b"], since: { epoch: "e'\n", seq: { "a.b": 1 } }, snapshot: false });
  const python = [];
  for (const { event } of COMMANDS.concat({ event: "no\nsuch" })) {
    for (const data of given) {
      for (const form of Object.keys(FORMS)) {
        const text = copied(form, event, data, true);
        assert.equal(typeof text, "string", `${form} of ${event}`);
        if (form === "python") python.push(text);
        else if (form === "javascript") {
          const body = text.replace(/^import .*$/m, "");
          assert.doesNotThrow(() => new (Object.getPrototypeOf(async () => {}).constructor)(body), text);
        } else execFileSync("sh", ["-n", "-c", text]);
      }
    }
  }
  const check = "import ast, json, sys\nfor text in json.load(sys.stdin): ast.parse(text)";
  execFileSync("python3", ["-c", check], { input: JSON.stringify(python) });
});

test("what the shell is given of a command is whole: run with stand-ins for curl and websocat", () => {
  const said = "curl() { printf '<%s>' \"$@\"; }; websocat() { cat; printf '<%s>' \"$@\"; }; TOKEN='a secret'; ";
  const run = (text) => execFileSync("sh", ["-c", said + text], { encoding: "utf8" });
  for (const value of VALUES.slice(0, 150)) {
    const message = { event: "publish", data: { topic: "rooms.lobby", value } };
    const sent = run(copied("curl", "publish", message.data, true));
    assert.ok(sent.includes(`<--data-raw><${JSON.stringify(value)}>`), sent);
    assert.ok(sent.startsWith("<-H><Authorization: Bearer a secret>"), sent);
    assert.equal(run(copied("websocat", "publish", message.data)), `${JSON.stringify(message)}\n<-n><ws://127.0.0.1:8425/ws>`);
  }
});

test("a form's fields are the command's data, and the other way round", () => {
  const subscribe = commandOf("subscribe");
  assert.deepEqual(dataOf(subscribe, { topics: " sim.*, host.cpu ", rate: "", mode: "all" }), {
    data: { topics: ["sim.*", "host.cpu"], mode: "all" },
    errors: {},
  });
  assert.match(dataOf(subscribe, {}).errors.topics, /Write topics, for example/);
  assert.match(dataOf(commandOf("history"), { topic: "a.b", limit: "ten" }).errors.limit, /whole number/);
  assert.match(dataOf(commandOf("publish"), { topic: "a.b", value: "hello" }).errors.value, /This is no JSON.*A text stands in quotes/);
  assert.deepEqual(dataOf(commandOf("publish"), { topic: "a.b", value: "null" }).data, { topic: "a.b", value: null });
  assert.deepEqual(typedOf(subscribe, { topics: ["a.b", "c.*"], rate: "1s" }), { topics: "a.b c.*", rate: "1s" });
  assert.equal(typedOf(subscribe, { topics: ["a.b"], since: {} }), null);
  assert.equal(typedOf(subscribe, { topics: "a.b" }), null);
  assert.equal(commandFor("history", { period: "1m" }).name, "bars");
  assert.equal(commandFor("history", {}).name, "history");
  assert.equal(commandFor("later_word", {}), null);
});

test("JSON that cannot be sent as it stands is refused with what to change", () => {
  assert.deepEqual(messageOf('{"event":"ping"}'), { event: "ping", data: {} });
  for (const [text, why] of [
    ["{", /no JSON/],
    ["[]", /one object with the keys event and data/],
    ['{"event":"ping","dat":{}}', /no key "dat"/],
    ['{"event":"ping","data":[]}', /data must be an object/],
    ['{"event":"ping","data":{"id":1}}', /Leave id out/],
    ['{"event":"auth","data":{"token":"x"}}', /token is not sent from here/],
    ['{"event":"token","data":{}}', /token is not sent from here/],
    ['{"event":"publish","data":{"value":1e999}}', /more digits/],
  ]) {
    assert.throws(() => messageOf(text), why, text);
  }
  assert.deepEqual(parsed("[9007199254740992, 0.1, -3]"), [9007199254740992, 0.1, -3]);
});

const tick = (topic, seq, value = seq) => {
  const data = { topic, seq, ts: 1, value };
  return { out: false, event: "quote", data, text: JSON.stringify({ event: "quote", data }) };
};
const answer = (event, data) => ({ out: false, event, data, text: JSON.stringify({ event, data }) });

test("the list of frames is bounded in lines and in size, and counts what it leaves out", () => {
  const frames = new Frames();
  frames.ticks = "each";
  for (let i = 1; i <= LINES_MAX + 20; i += 1) frames.take(tick("sim.A", i), i);
  assert.equal(frames.entries.length, LINES_MAX);
  assert.equal(frames.dropped, 20);
  assert.equal(frames.entries[0].at, 21);
  const large = "x".repeat(1_000_000);
  for (let i = 0; i < 200; i += 1) frames.take(answer("values", { values: [large] }), i);
  const kept = frames.entries.reduce((sum, { text }) => sum + text.length, 0);
  assert.ok(kept <= 4 * 1024 * 1024, `${kept} characters`);
  assert.ok(frames.entries.at(-1).isCut);
  assert.ok(frames.entries.at(-1).length > 1_000_000);
  frames.clear();
  assert.equal(frames.entries.length + frames.dropped, 0);
});

test("ticks between two other messages are one line, which tells how many they are", () => {
  const frames = new Frames();
  frames.take(answer("subscribed", { id: 1, topics: [], patterns: [], failed: [] }), 1);
  for (let i = 1; i <= 5_000; i += 1) frames.take(tick(`sim.T${i % 1_500}`, i), i);
  frames.take(answer("published", { topic: "rooms.lobby", seq: 3 }), 2);
  frames.take(tick("sim.A", 1), 3);
  assert.deepEqual(frames.entries.map(({ event, count }) => [event, count]), [["subscribed", undefined], ["quote", 5_000], ["published", undefined], ["quote", 1]]);
  const [, many] = frames.entries;
  assert.equal(many.topics.size, 1_000);
  assert.equal(many.samples.size, 20);
  assert.equal([...many.samples.keys()].at(-1), "sim.T500");
  frames.ticks = "none";
  frames.take(tick("sim.A", 2), 4);
  assert.equal(frames.entries.length, 4);
  assert.equal(frames.left, 1);
});

test("paused it keeps nothing and counts; a filter finds events, topics and texts", () => {
  const frames = new Frames();
  frames.ticks = "each";
  frames.filter = " AAPL ";
  frames.take(tick("sim.AAPL", 1), 1);
  frames.take(tick("sim.MSFT", 1), 1);
  frames.take(tick("sim.MSFT", 2, { like: "aapl" }), 1);
  frames.note("note", "said by the console", 1);
  assert.deepEqual(frames.entries.map(({ topic }) => topic), ["sim.AAPL", "sim.MSFT", ""]);
  assert.equal(frames.left, 1);
  frames.filter = "nothing";
  assert.deepEqual(frames.entries.map((line) => frames.shows(line)), [false, false, true]);
  frames.isPaused = true;
  frames.filter = "";
  frames.take(tick("sim.AAPL", 2), 1);
  assert.equal(frames.missed, 1);
  assert.equal(frames.entries.length, 3);
});

test("no token is kept, and no odd message does harm", () => {
  const frames = new Frames();
  frames.take({ out: true, event: "auth", data: { id: 1, token: "s3cret" }, text: '{"event":"auth","data":{"id":1,"token":"s3cret"}}' }, 1);
  frames.take({ out: true, event: "token", data: "s3cret", text: '{"event":"token","data":"s3cret"}' }, 1);
  assert.doesNotMatch(JSON.stringify(frames.entries), /s3cret/);
  assert.match(frames.entries[0].text, /"\$TOKEN"/);
  for (const data of [null, 1, [], { topics: 5 }, { topics: [null, { topic: 3 }] }, { topic: {}, seq: 1 }]) {
    frames.take({ out: false, event: "odd", data, text: "" }, 1);
  }
  assert.equal(frames.entries.length, 8);
});

test("JSON is indented without touching its digits, and what is no JSON is no harm", () => {
  assert.equal(pretty('{"price":189.30,"a":[],"b":{ },"c":[1,"x\\"{,"]}'), '{\n  "price": 189.30,\n  "a": [],\n  "b": {},\n  "c": [\n    1,\n    "x\\"{,"\n  ]\n}');
  for (const value of VALUES) assert.equal(JSON.stringify(JSON.parse(pretty(JSON.stringify(value)))), JSON.stringify(value));
  for (const odd of ["", "}", '{"cut":"off', "]]]]", "not json", '{"a":1}}}{']) assert.equal(typeof pretty(odd), "string");
  assert.ok(pretty("[".repeat(60_000)).length < 20_000_000);
});
