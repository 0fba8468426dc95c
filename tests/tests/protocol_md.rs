//! `daemon/PROTOCOL.md`: every example in it is run, every table is held to the daemon's own.
//!
//! An example is a block marked `session`, run against a daemon of its own with the feeds `stocks` (pushed each 250 ms) and
//! `weather`. A line is one step:
//!
//! | line | step |
//! |---|---|
//! | `with TABLE KEY = VALUE` | configures; TABLE is `server`, `limits`, `feed` or `topic`, of which each `name` begins another |
//! | `connect PATH` | opens a WebSocket; `ann connect PATH` does so for `ann`, whose lines are `ann> TEXT` and `ann< JSON` |
//! | `> TEXT`, `> N × TEXT` | the client sends it, with the daemon's epoch in place of [`EPOCH`] |
//! | `< JSON`, `< N × NAME` | that is what comes next; of what comes by itself, only what is told is looked at |
//! | `~FEED JSON` | the feed says it; lines in a row are one write |
//! | `stop` | the daemon is told to stop |
//! | `close CODE REASON` | the server closes |
//! | `GET PATH`, `POST PATH BODY` | an HTTP request, with the lines `Name: VALUE` that follow as its headers |
//! | `STATUS TYPE`, then `Name: VALUE` or JSON | its answer, with headers and body as far as they are told |
//! | `id: TEXT`, `data: JSON` | the next event of the event stream that was asked for last |
//!
//! `…` in a text stands for any text. Keys that are another each time ([`OTHER_EACH_TIME`]) are only held to their type.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nix::sys::signal::Signal;
use tickerd_tests::contract::{Contract, fetch};
use tickerd_tests::{Client, Daemon, Event, Raw, Script, Value, daemon, json, within};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const TEXT: &str = include_str!("../../daemon/PROTOCOL.md");
const OTHER_EACH_TIME: [&str; 7] = ["ts", "since", "in_ms", "retry_after_ms", "conn", "epoch", "server"];
/// The epoch that the page's examples show.
const EPOCH: &str = "k3v9q2ta";
/// Examples that run at once.
const AT_ONCE: usize = 4;

/// The blocks of the page, with the line on which each begins.
fn blocks() -> Vec<(usize, Vec<&'static str>)> {
    let (mut blocks, mut open): (Vec<(usize, Vec<&str>)>, bool) = (Vec::new(), false);
    for (at, line) in TEXT.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(mark) if !open => {
                assert_eq!(mark, "session", "line {}: an example that is not run may be untrue", at + 1);
                blocks.push((at + 1, Vec::new()));
                open = true;
            }
            Some(_) => open = false,
            None if open => blocks.last_mut().unwrap().1.push(line),
            None => {}
        }
    }
    assert!(!open, "the last block has no end");
    blocks
}

#[tokio::test]
async fn every_example_runs_as_it_is_told() {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (at, lines) in blocks() {
        let places = places.clone();
        running.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            let world = World::start(at, &lines).await;
            world.run(lines).await
        });
    }
    let (mut said, mut sent, mut whole) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    while let Some(done) = running.join_next().await {
        let (contract, commands) = done.unwrap();
        said.extend(contract.seen());
        whole.extend(contract.whole());
        sent.extend(commands);
    }
    // What takes long to bring about is shown by a test of its own.
    for rare in ["notice lag", "notice reset"] {
        whole.remove(rare);
    }
    let missing: Vec<_> = whole.difference(&said).collect();
    assert!(missing.is_empty(), "no example shows {missing:?}");
    let commands = table_after("## Commands").into_iter().map(|row| plain(&row[0]).to_owned());
    assert_eq!(sent, commands.collect::<BTreeSet<_>>(), "examples and table name the same commands");
}

#[tokio::test]
async fn the_tables_are_the_daemon_s_own() {
    let daemon = daemon().run().await;
    let document = fetch(&daemon, "/v1/asyncapi.json").await;
    let rows = |rows: &Value, columns: [&str; 3]| -> Vec<[String; 3]> {
        let text = |value: &Value| match value {
            Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            Value::String(text) => text.replace('_', " "),
            other => other.to_string(),
        };
        rows.as_array().unwrap().iter().map(|row| columns.map(|column| text(&row[column]))).collect()
    };
    let of_page = |heading: &str| -> Vec<[String; 3]> {
        let first_three = |row: Vec<String>| [0, 1, 2].map(|at| plain(&row[at]).replace('_', " "));
        table_after(heading).into_iter().map(first_three).collect()
    };
    assert_eq!(of_page("## Closes"), rows(&document["x-closes"], ["code", "name", "then"]));
    assert_eq!(
        of_page("in `failed`, with the same codes"),
        rows(&document["x-errors"], ["code", "name", "temporary"])
    );

    let paths = fetch(&daemon, "/v1/openapi.json").await["paths"].clone();
    let told: BTreeSet<String> =
        table_after("## Over HTTP").iter().map(|row| plain(&row[0]).to_owned()).collect();
    assert_eq!(told, paths.as_object().unwrap().keys().cloned().collect());

    // What each command takes.
    let messages = &document["components"]["messages"];
    for row in table_after("## Commands") {
        let payload = &messages[format!("command.{}", plain(&row[0]))]["payload"];
        let name = payload["properties"]["data"]["$ref"].as_str().unwrap();
        let keys = document.pointer(&format!("{}/properties", &name[1..])).unwrap().as_object().unwrap();
        let told: BTreeSet<&str> = row[1].split(", ").map(plain).filter(|key| !key.is_empty()).collect();
        let taken = keys.keys().map(String::as_str).filter(|key| *key != "id").collect();
        assert_eq!(told, taken, "{}", row[0]);
    }
    let kinds = document["components"]["schemas"]["Notice"]["oneOf"].as_array().unwrap().iter();
    let kinds: BTreeSet<&str> =
        kinds.map(|kind| kind["properties"]["type"]["const"].as_str().unwrap()).collect();
    let told = table_after("## Notices");
    assert_eq!(told.iter().map(|row| plain(&row[0])).collect::<BTreeSet<_>>(), kinds);
}

/// The rows of the first table behind a line that contains this, if one begins before the next heading.
fn table_after(mark: &str) -> Vec<Vec<String>> {
    let mut lines = TEXT.lines().skip_while(|line| !line.contains(mark)).skip(1);
    let table =
        lines.by_ref().take_while(|line| !line.starts_with("## ")).skip_while(|line| !line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    table.take_while(|line| line.starts_with('|')).skip(2).map(cells).collect()
}

fn plain(cell: &str) -> &str {
    cell.trim().trim_matches('`')
}

/// What one example runs in.
struct World {
    at: usize,
    daemon: Daemon,
    feeds: BTreeMap<&'static str, Script>,
    contract: Arc<Contract>,
    /// Sees every tick, so that the next step comes after what a feed has said.
    observer: Client,
    /// The daemon's.
    epoch: String,
    /// How many samples of each topic were said.
    said: BTreeMap<String, u64>,
}

impl World {
    async fn start(at: usize, lines: &[&'static str]) -> World {
        let feeds = BTreeMap::from(["stocks", "weather"].map(|name| (name, Script::new(name))));
        let mut stocks = feeds["stocks"].feed().set("interval = \"250ms\"");
        let mut builder = daemon().server("shards = 1");
        for setting in lines.iter().filter_map(|line| line.strip_prefix("with ")) {
            match setting.split_once(' ').unwrap() {
                ("server", line) => builder = builder.server(line),
                ("limits", line) => builder = builder.limits(line),
                ("feed", line) => stocks = stocks.set(line),
                ("topic", line) => {
                    if line.starts_with("name ") {
                        builder = builder.config("[[topic]]");
                    }
                    builder = builder.config(line);
                }
                other => panic!("line {at}: there is no table {other:?}"),
            }
        }
        let daemon = builder.feed(stocks).feed(feeds["weather"].feed()).run().await;
        for (name, script) in &feeds {
            script.line(r#"{"tfp":1}"#).await;
            let up = format!("tickerd_feed_state{{feed=\"{name}\",state=\"up\"}}");
            daemon.metric_until(&up, |value| value == 1.0).await;
        }
        let contract = Arc::new(Contract::of(&daemon, &["stocks", "weather"]).await);
        let mut observer = daemon.client("/ws").await;
        let epoch = observer.expect("connected").await.data["epoch"].as_str().unwrap().to_owned();
        // Not of rooms, where it would be seen.
        observer.subscribe(json!({"topics": ["stocks.**", "weather.**"]})).await;
        World { at, daemon, feeds, contract, observer, epoch, said: BTreeMap::new() }
    }

    /// The contract with all that came, and the commands that were sent.
    async fn run(mut self, lines: Vec<&'static str>) -> (Arc<Contract>, BTreeSet<String>) {
        let mut sent = BTreeSet::new();
        let mut clients: BTreeMap<&str, Visitor> = BTreeMap::new();
        let mut stream: Option<Raw> = None;
        let mut lines = lines.into_iter().peekable();
        while let Some(line) = lines.next() {
            let place = format!("PROTOCOL.md, block at line {}: {line}", self.at);
            let (who, line) = spoken_by(line);
            if let Some(path) = line.strip_prefix("connect ") {
                let mut client = self.daemon.client(path).await;
                client.hold_to(&self.contract);
                clients.insert(who, Visitor { client, greeted: false });
            } else if let Some(text) = line.strip_prefix("> ") {
                let (count, text) = counted(text);
                sent.extend(command(text));
                let client = &mut clients.get_mut(who).expect(&place).client;
                for _ in 0..count {
                    client.send_text(&text.replace(EPOCH, &self.epoch)).await;
                }
            } else if let Some(text) = line.strip_prefix("< ") {
                let visitor = clients.get_mut(who).expect(&place);
                let (count, text) = counted(text);
                if !text.starts_with(r#"{"event":"connected""#) {
                    visitor.greet().await;
                }
                visitor.greeted = true;
                for _ in 0..count {
                    self.expect(&mut visitor.client, text, &place).await;
                }
            } else if let Some(said) = line.strip_prefix('~') {
                let (feed, text) = said.split_once(' ').unwrap();
                let mut block = vec![text.to_owned()];
                while let Some((_, more)) = lines
                    .next_if(|next| next.starts_with(&format!("~{feed} ")))
                    .and_then(|next| next.split_once(' '))
                {
                    block.push(more.to_owned());
                }
                self.say(feed, &block).await;
            } else if line == "stop" {
                // One that is not placed yet would only be dropped.
                clients.get_mut(who).expect(&place).greet().await;
                self.daemon.signal(Signal::SIGTERM);
            } else if let Some(told) = line.strip_prefix("close ") {
                let (code, reason) = clients.get_mut(who).expect(&place).client.closed().await;
                assert_eq!(format!("{code} {reason}"), told, "{place}");
            } else if ["GET ", "HEAD ", "POST "].iter().any(|method| line.starts_with(method)) {
                let mut headers = String::new();
                while let Some(header) = lines.next_if(|line| is_header(line)) {
                    headers += &format!("{}\r\n", header.replace(EPOCH, &self.epoch));
                }
                let mut raw = ask(&self.daemon, line, &headers).await;
                let head = raw.head().await;
                let told = lines.next().unwrap_or_else(|| panic!("{place}: no answer is told"));
                assert_eq!(status_and_type(&head), told, "{place}");
                if told.ends_with("text/event-stream") {
                    stream = Some(raw);
                    continue;
                }
                while let Some(told) = lines.next_if(|line| is_header(line)) {
                    let told = told.replace(EPOCH, &self.epoch);
                    let is_it = |line: &str| {
                        line.split_once(": ").zip(told.split_once(": ")).is_some_and(|(came, told)| {
                            came.0.eq_ignore_ascii_case(told.0) && fits(told.1, came.1)
                        })
                    };
                    assert!(head.lines().any(is_it), "{place}: no {told} in {head}");
                }
                let body = String::from_utf8(raw.rest().await).unwrap();
                if let Some(told) = lines.next_if(|line| line.starts_with('{')) {
                    let told: Value = serde_json::from_str(told).unwrap();
                    let came: Value = serde_json::from_str(&body).unwrap();
                    assert!(matches(&told, &came, ""), "{place}\ncame: {body}");
                }
            } else if line.starts_with("id: ") || line.starts_with("data: ") {
                let (id, told) = match line.strip_prefix("id: ") {
                    Some(id) => (Some(id.replace(EPOCH, &self.epoch)), lines.next().expect(&place)),
                    None => (None, line),
                };
                let told: Value = serde_json::from_str(told.strip_prefix("data: ").expect(&place)).unwrap();
                self.expect_of_stream(stream.as_mut().expect(&place), id.as_deref(), &told, &place).await;
            } else {
                assert!(line.starts_with("with "), "{place}: that is no step");
            }
        }
        (self.contract, sent)
    }

    async fn expect(&self, client: &mut Client, told: &str, place: &str) {
        let Ok(told) = serde_json::from_str::<Value>(told) else {
            client.expect(told).await;
            return;
        };
        // What the page shows is held to the document as well.
        self.contract.check(&Event::read(&told.to_string()));
        let mut passed = Vec::new();
        let wait = async {
            loop {
                let event = client.next().await;
                let came: Value = serde_json::from_str(&event.text).unwrap();
                if matches(&told, &came, "") {
                    // Order of keys and digits are part of the promise, as far as values are fixed.
                    return;
                }
                // The server tells of itself once a second, and may have told of less before.
                assert!(event.is_aside() || event.name == "stats", "{place}\ncame: {}", event.text);
                passed.push(event.text);
            }
        };
        let ended = tokio::time::timeout(tickerd_tests::GUARD, wait).await;
        assert!(ended.is_ok(), "{place}\ndid not come; these did: {passed:#?}");
    }

    /// The next event of a stream; `connected` and what comes by itself are passed over where they are not told.
    async fn expect_of_stream(&self, raw: &mut Raw, id: Option<&str>, told: &Value, place: &str) {
        loop {
            let block = raw.block().await;
            let Some(text) = block.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
            let came: Value = serde_json::from_str(text).unwrap();
            let event = Event::read(text);
            self.contract.check(&event);
            if matches(told, &came, "") {
                let came = block.lines().find_map(|line| line.strip_prefix("id: "));
                assert!(
                    id.is_none_or(|id| came.is_some_and(|came| fits(id, came))),
                    "{place}\ncame: {block}"
                );
                return;
            }
            assert!(event.name == "connected" || event.is_aside(), "{place}\ncame: {text}");
        }
    }

    /// Has a feed say these lines, and waits until every tick of them was pushed.
    async fn say(&mut self, feed: &str, lines: &[String]) {
        self.feeds[feed].lines(lines).await;
        let mut waited = BTreeMap::new();
        for line in lines {
            let line: Value = serde_json::from_str(line).unwrap();
            if let Some(topic) = line["topic"].as_str() {
                let topic = format!("{feed}.{topic}");
                let seq = self.said.entry(topic.clone()).or_default();
                *seq += 1;
                waited.insert(topic, *seq);
            }
        }
        within("the ticks to be pushed", async {
            while !waited.is_empty() {
                let event = self.observer.next().await;
                if event.is_tick() && waited.get(event.topic()).is_some_and(|seq| event.seq() >= *seq) {
                    waited.remove(event.topic());
                }
            }
        })
        .await;
    }
}

/// `10 × text`, or the text once.
fn counted(text: &str) -> (usize, &str) {
    match text.split_once(" × ").map(|(count, rest)| (count.parse(), rest)) {
        Some((Ok(count), rest)) => (count, rest),
        _ => (1, text),
    }
}

/// The name of a command, where the text is one that is known.
fn command(text: &str) -> Option<String> {
    let message: Value = serde_json::from_str(text).ok()?;
    let name = message["event"].as_str()?.to_owned();
    table_after("## Commands").iter().any(|row| plain(&row[0]) == name).then_some(name)
}

/// Whether what came is what was told; `key` is where in its object.
fn matches(told: &Value, came: &Value, key: &str) -> bool {
    match (told, came) {
        (Value::Object(told), Value::Object(came)) => {
            // How often the server told of itself before is another each time.
            let is_free =
                |key: &str| key == "seq" && told.get("topic").is_some_and(|topic| topic == "tickerd.stats");
            let is_same = |key: &str, told, came| is_free(key) || matches(told, came, key);
            told.len() == came.len()
                && told.iter().all(|(key, told)| came.get(key).is_some_and(|came| is_same(key, told, came)))
        }
        (Value::Array(told), Value::Array(came)) => {
            told.len() == came.len() && told.iter().zip(came).all(|(told, came)| matches(told, came, ""))
        }
        (Value::String(_), Value::String(_)) | (Value::Number(_), Value::Number(_))
            if OTHER_EACH_TIME.contains(&key) =>
        {
            true
        }
        (Value::String(told), Value::String(came)) => fits(told, came),
        (told, came) => told == came,
    }
}

/// Whether a text is as told, with any text in place of each `…`.
fn fits(told: &str, came: &str) -> bool {
    let mut parts = told.split('…');
    let Some(mut rest) = parts.next().and_then(|first| came.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

/// A client of an example.
struct Visitor {
    client: Client,
    /// `connected` comes first and is passed over where an example does not show it.
    greeted: bool,
}

impl Visitor {
    async fn greet(&mut self) {
        if !std::mem::replace(&mut self.greeted, true) {
            self.client.expect("connected").await;
        }
    }
}

/// Whose line it is, where it is not the only client's.
fn spoken_by(line: &str) -> (&str, &str) {
    let end = line.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(line.len());
    let (who, rest) = line.split_at(end);
    match rest.strip_prefix(' ') {
        Some(rest) if rest.starts_with("connect ") => (who, rest),
        _ if rest.starts_with("> ") || rest.starts_with("< ") => (who, rest),
        _ => ("", line),
    }
}

/// Whether a line is `Name: VALUE`; names of headers begin with a capital here.
fn is_header(line: &str) -> bool {
    let Some((name, _)) = line.split_once(": ") else { return false };
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
}

/// Sends `METHOD PATH BODY`.
async fn ask(daemon: &Daemon, line: &str, headers: &str) -> Raw {
    let mut words = line.splitn(3, ' ');
    let (method, path) = words.next().zip(words.next()).unwrap();
    let body = words.next().unwrap_or_default();
    let length = body.len();
    let mut raw = daemon.raw().await;
    raw.say(format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    ))
    .await;
    raw
}

fn status_and_type(head: &str) -> String {
    let content_type = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    format!("{} {content_type}", head.split(' ').nth(1).unwrap()).trim_end().to_owned()
}

#[test]
fn placeholders_stand_for_text_and_for_nothing_else() {
    for (told, came, is_it) in [
        ("a … c", "a b c", true),
        ("…", "", true),
        ("a…", "a", true),
        ("a…b…c", "a-b-b-c", true),
        ("a…b…c", "a-c", false),
        ("a…", "b", false),
        ("a", "ab", false),
        ("…b", "ab…", false),
    ] {
        assert_eq!(fits(told, came), is_it, "{told} for {came}");
    }
    let told = json!({"ts": 1, "seq": 2, "list": [{"since": 3}]});
    assert!(matches(&told, &json!({"ts": 9, "seq": 2, "list": [{"since": 0}]}), ""));
    for other in [
        json!({"ts": "9", "seq": 2, "list": [{"since": 0}]}),
        json!({"ts": 9, "seq": 3, "list": [{"since": 0}]}),
        json!({"ts": 9, "seq": 2, "list": []}),
        json!({"ts": 9, "seq": 2, "list": [{"since": 0}], "more": 1}),
    ] {
        assert!(!matches(&told, &other, ""), "{other}");
    }
}
