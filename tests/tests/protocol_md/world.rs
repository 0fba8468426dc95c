//! What one example runs in: a daemon of its own, its feeds and its clients.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::sync::Arc;
use std::vec::IntoIter;

use nix::sys::signal::Signal;
use tickerd_tests::contract::Contract;
use tickerd_tests::{Client, Daemon, Event, Raw, Script, Value, daemon, json, within};

use crate::signed::kit::pem;

use super::likeness::{fits, matches};
use super::page::{plain, table_after};
use super::visitor::{Visitor, bytes_of};

/// The epoch that the page's examples show.
pub const EPOCH: &str = "k3v9q2ta";
const PACKED: &str = "tickerd.v1.msgpack";

type Lines = Peekable<IntoIter<&'static str>>;

/// See the module.
pub struct World {
    /// The line of the page on which the example begins.
    at: usize,
    /// What failed, if something does.
    place: String,
    daemon: Daemon,
    feeds: BTreeMap<&'static str, Script>,
    contract: Arc<Contract>,
    /// Sees every tick, so that the next step comes after what a feed has said.
    observer: Client,
    /// The daemon's.
    epoch: String,
    /// How many samples of each topic were said.
    said: BTreeMap<String, u64>,
    /// Commands that were sent.
    sent: BTreeSet<String>,
    visitors: BTreeMap<&'static str, Visitor>,
    stream: Option<Raw>,
    /// The `id` that came last, and every tick that event streams brought: those of a moment ago may come again.
    streamed: (String, BTreeSet<(String, u64)>),
}

impl World {
    pub async fn start(at: usize, lines: &[&'static str]) -> World {
        let feeds = BTreeMap::from(["stocks", "weather"].map(|name| (name, Script::new(name))));
        let mut stocks = feeds["stocks"].feed().set("interval = \"250ms\"");
        let mut builder = daemon().server("shards = 1");
        let (mut auth, mut entries) = (String::new(), String::new());
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
                ("bars", line) => builder = builder.config(&format!("[bars]\n{line}")),
                ("server.signing", line) => {
                    builder = builder.config(&format!("[server.signing]\n{line}")).env("KEY", &pem(1));
                }
                ("auth", line) => auth += &format!("{line}\n"),
                (table @ ("auth.token" | "auth.group"), line) => {
                    if line.starts_with("name ") {
                        entries += &format!("[[{table}]]\n");
                    }
                    entries += &format!("{line}\n");
                }
                other => panic!("line {at}: there is no table {other:?}"),
            }
        }
        if !auth.is_empty() {
            builder = builder.config(&format!("[auth]\n{auth}{entries}"));
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
        World {
            at,
            place: String::new(),
            daemon,
            feeds,
            contract,
            observer,
            epoch,
            said: BTreeMap::new(),
            sent: BTreeSet::new(),
            visitors: BTreeMap::new(),
            stream: None,
            streamed: Default::default(),
        }
    }

    /// The contract with all that came, and the commands that were sent.
    pub async fn run(mut self, lines: Vec<&'static str>) -> (Arc<Contract>, BTreeSet<String>) {
        let mut lines = lines.into_iter().peekable();
        while let Some(line) = lines.next() {
            self.place = format!("PROTOCOL.md, block at line {}: {line}", self.at);
            self.step(line, &mut lines).await;
        }
        (self.contract, self.sent)
    }

    async fn step(&mut self, line: &'static str, lines: &mut Lines) {
        let (who, line) = spoken_by(line);
        if let Some(path) = line.strip_prefix("connect ") {
            let visitor = self.connect(path, lines).await;
            self.visitors.insert(who, visitor);
        } else if let Some(text) = line.strip_prefix("> ") {
            self.speak(who, text, lines).await;
        } else if let Some(text) = line.strip_prefix("< ") {
            self.hear(who, text, lines).await;
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
            self.visitor(who).greet().await;
            self.daemon.signal(Signal::SIGTERM);
        } else if line == "drop" {
            self.stream = None;
        } else if let Some(told) = line.strip_prefix("close ") {
            let (code, reason) = self.visitor(who).closed().await;
            assert_eq!(format!("{code} {reason}"), told, "{}", self.place);
        } else if ["GET ", "HEAD ", "POST "].iter().any(|method| line.starts_with(method)) {
            self.ask(line, lines).await;
        } else if line.starts_with("id: ") || line.starts_with("data: ") {
            self.expect_of_stream(line, lines).await;
        } else {
            assert!(line.starts_with("with "), "{}: that is no step", self.place);
        }
    }

    fn visitor(&mut self, who: &str) -> &mut Visitor {
        self.visitors.get_mut(who).unwrap_or_else(|| panic!("{}: who?", self.place))
    }

    /// Opens a WebSocket, with headers where some are told.
    async fn connect(&self, path: &str, lines: &mut Lines) -> Visitor {
        let headers = self.headers(lines);
        if headers.is_empty() {
            return Visitor::plain(self.daemon.client(path).await, &self.contract);
        }
        let mut raw = self.daemon.raw().await;
        let handshake = Raw::handshake(path);
        raw.say(format!("{}{headers}\r\n", handshake.strip_suffix("\r\n").unwrap())).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{}: {head}", self.place);
        if lines.next_if_eq(&"101").is_some() {
            self.hold_head(&head, lines);
        }
        Visitor::bare(raw, headers.contains(PACKED), &self.contract)
    }

    async fn speak(&mut self, who: &str, text: &str, lines: &mut Lines) {
        let (count, text) = counted(text);
        self.sent.extend(command(text));
        let text = text.replace(EPOCH, &self.epoch);
        let bytes = lines.next_if(|line| line.starts_with("= "));
        let place = self.place.clone();
        let visitor = self.visitor(who);
        for _ in 0..count {
            match bytes {
                Some(bytes) => visitor.say_bytes(&text, bytes_of(&bytes[2..]), &place).await,
                None => visitor.say(&text).await,
            }
        }
    }

    async fn hear(&mut self, who: &'static str, text: &str, lines: &mut Lines) {
        let (count, text) = counted(text);
        let mut visitor = self.visitors.remove(who).unwrap_or_else(|| panic!("{}: who?", self.place));
        if !text.starts_with(r#"{"event":"connected""#) {
            visitor.greet().await;
        }
        visitor.greeted = true;
        for _ in 0..count {
            self.expect(&mut visitor, text).await;
        }
        while let Some(told) = lines.next_if(|line| line.starts_with("= ")) {
            visitor.came_as(&told[2..], &self.place);
        }
        self.visitors.insert(who, visitor);
    }

    /// The next message, which is as told; a word alone is its event.
    async fn expect(&self, visitor: &mut Visitor, told: &str) {
        let told: Value = match serde_json::from_str(told) {
            Ok(told) => {
                // What the page shows is held to the document as well.
                self.contract.check(&Event::read(&Value::to_string(&told)));
                told
            }
            Err(_) => Value::from(told),
        };
        let mut passed = Vec::new();
        let wait = async {
            loop {
                let event = visitor.next().await;
                let came: Value = serde_json::from_str(&event.text).unwrap();
                if matches(&told, &came, "") || told == *event.name {
                    return;
                }
                // The server tells of itself once a second, and may have told of less before.
                assert!(event.is_aside() || event.name == "stats", "{}\ncame: {}", self.place, event.text);
                passed.push(event.text);
            }
        };
        let ended = tokio::time::timeout(tickerd_tests::GUARD, wait).await;
        assert!(ended.is_ok(), "{}\ndid not come; these did: {passed:#?}", self.place);
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

    /// A request over HTTP and its answer.
    async fn ask(&mut self, line: &str, lines: &mut Lines) {
        let headers = self.headers(lines);
        let mut words = line.splitn(3, ' ');
        let (method, path) = words.next().zip(words.next()).unwrap();
        let body = words.next().unwrap_or_default();
        let length = body.len();
        let host = if headers.contains("Host: ") { "" } else { "Host: localhost\r\n" };
        let mut raw = self.daemon.raw().await;
        raw.say(format!(
            "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
        .await;
        let head = raw.head().await;
        let told = lines.next().unwrap_or_else(|| panic!("{}: no answer is told", self.place));
        assert_eq!(status_and_type(&head), told, "{}", self.place);
        self.hold_head(&head, lines);
        if told.ends_with("text/event-stream") {
            self.stream = Some(raw);
            return;
        }
        let body = String::from_utf8(raw.rest().await).unwrap();
        if let Some(told) = lines.next_if(|line| line.starts_with('{')) {
            let told: Value = serde_json::from_str(told).unwrap();
            let came: Value = serde_json::from_str(&body).unwrap();
            assert!(matches(&told, &came, ""), "{}\ncame: {body}", self.place);
        }
    }

    /// The headers that are told next, for a request.
    fn headers(&self, lines: &mut Lines) -> String {
        let mut headers = String::new();
        while let Some(header) = lines.next_if(|line| is_header(line)) {
            let (name, value) = header.split_once(": ").unwrap();
            let value = if value.contains('…') { &self.streamed.0 } else { value };
            headers += &format!("{name}: {}\r\n", value.replace(EPOCH, &self.epoch));
        }
        headers
    }

    /// Holds an answer's head to the headers that are told next.
    fn hold_head(&self, head: &str, lines: &mut Lines) {
        while let Some(told) = lines.next_if(|line| is_header(line)) {
            let told = told.replace(EPOCH, &self.epoch);
            let is_it = |line: &str| {
                line.split_once(": ")
                    .zip(told.split_once(": "))
                    .is_some_and(|(came, told)| came.0.eq_ignore_ascii_case(told.0) && fits(told.1, came.1))
            };
            assert!(head.lines().any(is_it), "{}: no {told} in {head}", self.place);
        }
    }

    /// The next event of the stream; `connected` and what comes by itself are passed over where they are not told.
    async fn expect_of_stream(&mut self, line: &str, lines: &mut Lines) {
        let (id, told) = match line.strip_prefix("id: ") {
            Some(id) => (Some(id.replace(EPOCH, &self.epoch)), lines.next().unwrap_or_default()),
            None => (None, line),
        };
        let told = told.strip_prefix("data: ").unwrap_or_else(|| panic!("{}: no data", self.place));
        let told: Value = serde_json::from_str(told).unwrap();
        let place = &self.place;
        let raw = self.stream.as_mut().unwrap_or_else(|| panic!("{place}: there is no stream"));
        let (last, seen) = &mut self.streamed;
        loop {
            let block = raw.block().await;
            let Some(text) = block.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
            let event = Event::read(text);
            self.contract.check(&event);
            let came = block.lines().find_map(|line| line.strip_prefix("id: ")).unwrap_or_default();
            let is_new = event.is_tick() && seen.insert((event.topic().to_owned(), event.seq()));
            if matches(&told, &serde_json::from_str(text).unwrap(), "") {
                assert!(id.is_none_or(|id| fits(&id, came)), "{place}\ncame: {block}");
                came.clone_into(last);
                return;
            }
            let is_again = event.is_tick() && !is_new;
            assert!(event.name == "connected" || event.is_aside() || is_again, "{place}\ncame: {text}");
        }
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

/// Whose line it is, where it is not the only client's.
fn spoken_by(line: &'static str) -> (&'static str, &'static str) {
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

fn status_and_type(head: &str) -> String {
    let content_type = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    format!("{} {content_type}", head.split(' ').nth(1).unwrap()).trim_end().to_owned()
}
