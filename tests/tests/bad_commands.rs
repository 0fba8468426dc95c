//! Every command with each of its fields missing, of another type, too large, there twice, or not known: made of the
//! daemon's own document, so that a new command is tried as soon as there is one.

use tickerd_tests::contract::Contract;
use tickerd_tests::{Client, Daemon, Event, Script, Value, daemon, json};

/// Mistakes on one connection; ten within ten seconds would close it.
const MISTAKES_MAX: u32 = 9;
/// An error is for people: it never sends a client its own 60 KB back.
const MESSAGE_BYTES_MAX: usize = 500;

/// What publish, presence and history are right of.
const ROOM: &str = "[[topic]]
name = \"rooms.lobby\"
publish = true
presence = true";

/// Sends what is wrong, and never has a connection make ten mistakes.
struct Tester {
    daemon: Daemon,
    contract: Contract,
    client: Client,
    mistakes: u32,
    tried: u32,
    _script: Script,
}

/// A command of the document.
struct Command {
    name: String,
    /// Of its data.
    schema: Value,
}

impl Command {
    fn keys(&self) -> impl Iterator<Item = &str> {
        self.schema["properties"].as_object().unwrap().keys().map(String::as_str)
    }

    fn needs(&self, key: &str) -> bool {
        self.schema["required"].as_array().is_some_and(|keys| keys.iter().any(|needed| needed == key))
    }

    /// All its fields, well filled. `before` needs another field.
    fn data(&self) -> Value {
        let keys = self.keys().filter(|key| *key != "before");
        let mut data: Value =
            keys.map(|key| (key.to_owned(), sample(key))).collect::<serde_json::Map<_, _>>().into();
        if self.name == "history" {
            // Of rooms there are no bars.
            data["topic"] = json!("s.a");
        }
        data
    }

    fn data_with(&self, key: &str, value: Value) -> Value {
        let mut data = self.data();
        data[key] = value;
        data
    }

    fn with(&self, key: &str, value: Value) -> Value {
        json!({"event": self.name, "data": self.data_with(key, value)})
    }
}

/// A value that is right for a field of this name, in every command that has one.
fn sample(key: &str) -> Value {
    match key {
        "id" => json!("mine"),
        "topics" => json!(["s.a", "s.b"]),
        "rate" => json!("1s"),
        "mode" => json!("latest"),
        "snapshot" => json!(false),
        "match" => json!("s.*"),
        "t" => json!(7),
        "since" => json!(null),
        "topic" => json!("rooms.lobby"),
        "limit" => json!(5),
        "period" => json!("1m"),
        "before" => json!(1_900_000_000_000_u64),
        "value" => json!({"text": "hello"}),
        "to" => json!("user:bob"),
        other => {
            panic!("{other} is a new field: say here what a right value is, and in `large` what is too much")
        }
    }
}

/// Values that are too large, or too many, for a field of this name.
fn large(key: &str) -> Vec<Value> {
    match key {
        "id" => vec![json!("x".repeat(37)), json!(4_294_967_296_u64), json!("x".repeat(60_000))],
        "topics" => vec![json!(vec!["s.a"; 1057])],
        "rate" => vec![json!("61m"), json!("99999999999999999999s"), json!("1".repeat(60_000))],
        "mode" => vec![json!("latest".repeat(9_000))],
        "since" => vec![
            json!({"epoch": "e", "seq": {"s.a": 18_446_744_073_709_551_616.0}}),
            json!({"epoch": "e", "seq": {"x".repeat(60_000): 1}}),
            json!({"epoch": {"x".repeat(60_000): "e"}, "seq": {"s.a": 1}}),
        ],
        "topic" => vec![json!("x".repeat(65)), json!("s.".repeat(81)), json!("é".repeat(20_000))],
        "value" => vec![json!("x".repeat(50_000))],
        "to" => vec![
            json!(format!("user:{}", "x".repeat(129))),
            json!(format!("conn:{}", "x".repeat(83))),
            json!("é".repeat(20_000)),
        ],
        "limit" => vec![json!(4_294_967_296_u64)],
        "period" => vec![json!("61m"), json!("99999999999999999999s"), json!("1".repeat(60_000))],
        "before" => vec![json!(18_446_744_073_709_551_616.0), json!("1".repeat(60_000))],
        "match" => vec![json!("s.".repeat(81)), json!("x".repeat(65)), json!("*.".repeat(20_000))],
        _ => Vec::new(),
    }
}

/// One of each type, and of each that is nearly another.
fn types() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(1.5),
        json!(1e30),
        json!("x"),
        json!(""),
        json!([]),
        json!([7]),
        json!([null]),
        json!([["s.a"]]),
        json!({}),
        json!({"topics": ["s.a"]}),
    ]
}

impl Tester {
    async fn start() -> Tester {
        let script = Script::new("s");
        let feed = script.feed().set("bars = { field = \"\" }");
        let daemon = daemon().chatty().feed(feed).config(ROOM).run().await;
        script.line(r#"{"tfp":1}"#).await;
        let contract = Contract::of(&daemon, &["s"]).await;
        let mut client = daemon.connected().await;
        // What is right but for one field is right of a topic that is there.
        script.tick("a", json!(1)).await;
        client.catch_up(&script).await;
        client
            .send(json!({"event": "publish", "data": {"id": 1, "topic": "rooms.lobby", "value": "first"}}))
            .await;
        client.until("published").await;
        Tester { daemon, contract, client, mistakes: 0, tried: 0, _script: script }
    }

    fn commands(&self) -> Vec<Command> {
        let document = self.contract.document();
        let messages = document["components"]["messages"].as_object().unwrap();
        let command = |(key, message): (&String, &Value)| {
            // What is wrong with `auth` is not named: it may be the token. The parser's own tests hold it to that.
            let name = key.strip_prefix("command.").filter(|name| *name != "auth")?.to_owned();
            let data = message["payload"]["properties"]["data"]["$ref"].as_str().unwrap();
            Some(Command { name, schema: document.pointer(&data[1..]).unwrap().clone() })
        };
        messages.iter().filter_map(command).collect()
    }

    /// What the daemon answers. The connection lives on: that it answers shows it.
    async fn answers(&mut self, text: &str) -> Vec<Event> {
        if self.mistakes == MISTAKES_MAX {
            self.client = self.daemon.connected().await;
            self.mistakes = 0;
        }
        self.tried += 1;
        self.client.send_text(text).await;
        let answers = self.client.sync().await;
        self.mistakes += answers.iter().filter(|event| event.name == "error").count() as u32;
        answers.into_iter().filter(|event| !event.is_aside()).collect()
    }

    /// Is told to be wrong, with these words, and with the id where it could be read.
    async fn refused(&mut self, text: &str, says: &str, id: Option<&Value>) {
        let answers = self.answers(text).await;
        let shown: String = text.chars().take(200).collect();
        let [error] = answers.as_slice() else { panic!("{shown}: {answers:?}") };
        assert_eq!(error.name, "error", "{shown}: {}", error.text);
        let message = error.data["message"].as_str().unwrap();
        assert!(message.contains(says), "{shown}: nothing of {says:?} in {message:?}");
        assert!(message.len() < MESSAGE_BYTES_MAX, "{shown}: {} bytes", message.len());
        assert_eq!(error.data.get("id"), id, "{shown}: {}", error.text);
        assert_eq!(error.data["temporary"], false, "{shown}");
    }

    /// Holds the daemon to the document: what that does not allow is refused by the field's name, and the rest is done.
    async fn judged(&mut self, command: &Command, key: &str, message: &Value) {
        let text = message.to_string();
        if self.contract.allows(&format!("command.{}", command.name), message) {
            let answers = self.answers(&text).await;
            assert!(answers.iter().all(|event| event.name != "error"), "{text}: {answers:?}");
            return;
        }
        let id = sample("id");
        self.refused(&text, key, (key != "id").then_some(&id)).await;
    }
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let mut tester = Tester::start().await;
    for command in tester.commands() {
        tester.judged(&command, "", &json!({"event": command.name, "data": command.data()})).await;
        let keys: Vec<String> = command.keys().map(str::to_owned).collect();
        for key in keys {
            let mut data = command.data();
            data.as_object_mut().unwrap().remove(&key);
            let id = data.get("id").cloned();
            let text = json!({"event": command.name, "data": data}).to_string();
            if command.needs(&key) {
                tester.refused(&text, &format!("lacks {key:?}"), id.as_ref()).await;
            } else {
                let answers = tester.answers(&text).await;
                assert!(answers.iter().all(|event| event.name != "error"), "{text}: {answers:?}");
            }
        }
    }
    // A field that needs another one.
    let command = json!({"event": "history", "data": {"id": "mine", "topic": "s.a", "before": 7}});
    assert!(!tester.contract.allows("command.history", &command));
    tester.refused(&command.to_string(), "add period", Some(&sample("id"))).await;
    assert!(tester.tried > 12, "{} were tried", tester.tried);
}

#[tokio::test]
async fn a_field_of_another_type_is_named_and_the_document_knows_which_are() {
    let mut tester = Tester::start().await;
    for command in tester.commands() {
        let keys: Vec<String> = command.keys().map(str::to_owned).collect();
        for key in keys {
            for value in types() {
                // A text may be no topic, which is told of the topic alone.
                let is_name = key == "topics"
                    || (key == "topic" && value.is_string())
                    || (key == "match" && value.is_string());
                if is_name && value.as_str().is_some_and(|text| !text.is_empty()) {
                    continue;
                }
                tester.judged(&command, &key, &command.with(&key, value)).await;
            }
        }
    }
    assert!(tester.tried > 150, "{} were tried", tester.tried);
}

#[tokio::test]
async fn a_field_that_is_too_large_is_named_and_not_sent_back() {
    let mut tester = Tester::start().await;
    for command in tester.commands() {
        let keys: Vec<String> = command.keys().map(str::to_owned).collect();
        for key in keys {
            for value in large(&key) {
                let id = sample("id");
                let text = command.with(&key, value).to_string();
                tester.refused(&text, &key, (key != "id").then_some(&id)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_field_that_is_there_twice_or_not_known_is_named() {
    let mut tester = Tester::start().await;
    for command in tester.commands() {
        let id = sample("id");
        let keys: Vec<String> = command.keys().map(str::to_owned).collect();
        for key in &keys {
            let (once, value) = (command.data_with(key, sample(key)).to_string(), sample(key));
            let twice = format!("{},\"{key}\":{value}}}", once.strip_suffix('}').unwrap());
            let text = format!(r#"{{"event":"{}","data":{twice}}}"#, command.name);
            let id = (key != "id").then_some(&id);
            tester.refused(&text, &format!("has {key:?} twice"), id).await;
        }
        // Misspelt, of another command, of the envelope, of the server's own words, and of JavaScript.
        for key in ["topik", "Topics", "ids", "data", "event", "seq", "conn", "type", "__proto__", "", "ü"] {
            let text = command.with(key, json!(1)).to_string();
            tester.refused(&text, &format!("has no key {key:?}; "), Some(&id)).await;
        }
        let long = "k".repeat(60_000);
        tester.refused(&command.with(&long, json!(1)).to_string(), "has no key \"kkk", Some(&id)).await;
    }
}

#[tokio::test]
async fn an_envelope_that_is_none_is_told_what_it_lacks() {
    let mut tester = Tester::start().await;
    for text in [
        "",
        " ",
        "null",
        "true",
        "7",
        "\"ping\"",
        "[]",
        "[{\"event\":\"ping\"}]",
        "{",
        "{}}",
        "\u{feff}{}",
        "\0",
    ] {
        tester.refused(text, "\"event\" and \"data\"", None).await;
    }
    for event in types().into_iter().filter(|value| !value.is_string()) {
        tester.refused(&json!({"event": event, "data": {}}).to_string(), "event", None).await;
    }
    tester.refused(r#"{"data":{}}"#, "lacks \"event\"", None).await;
    tester.refused(r#"{"event":"ping","event":"ping"}"#, "has \"event\" twice", None).await;
    tester.refused(r#"{"event":"ping","data":{},"data":{}}"#, "has \"data\" twice", None).await;
    for key in ["id", "Event", "type", "topics", "x"] {
        let text = json!({"event": "ping", "data": {}, key: 1}).to_string();
        tester.refused(&text, &format!("has the key {key:?} too"), None).await;
    }
    for command in tester.commands() {
        for data in types().into_iter().filter(|value| !value.is_object() && !value.is_null()) {
            let text = json!({"event": command.name, "data": data}).to_string();
            tester.refused(&text, &format!("the data of {}", command.name), None).await;
        }
    }
}

/// What only the server says no client may say, and it is told so as for any other word.
#[tokio::test]
async fn names_that_look_like_the_server_s_are_no_commands() {
    let mut tester = Tester::start().await;
    let commands: Vec<String> = tester.commands().into_iter().map(|command| command.name).collect();
    let messages = tester.contract.document()["components"]["messages"].as_object().unwrap().clone();
    let events = messages.keys().filter_map(|key| key.strip_prefix("event.")).map(str::to_owned);
    let words = events.chain(
        ["quote", "$subscribe", "Subscribe", "subscribe ", "", "ping\0", "ping\u{200b}"].map(str::to_owned),
    );
    for word in words.filter(|word| !commands.contains(word)) {
        let answers =
            tester.answers(&json!({"event": word, "data": {"id": 1, "topics": ["s.a"]}}).to_string()).await;
        let [error] = answers.as_slice() else { panic!("{word}: {answers:?}") };
        assert_eq!((&error.data["code"], &error.data["id"]), (&json!(405), &json!(1)), "{word}");
        assert!(error.data["message"].as_str().unwrap().contains("subscribe, unsubscribe"), "{}", error.text);
    }
    // And as topics: what looks like a pattern or a path, and what is not ASCII.
    for topic in ["$SYS.x", "../s", "s/a", "s.a\0", "S.a", "s.а", "*s.a", "s.***", ".", "s."] {
        let answers = tester
            .answers(&json!({"event": "subscribe", "data": {"id": 1, "topics": [topic]}}).to_string())
            .await;
        let [answer] = answers.as_slice() else { panic!("{topic}: {answers:?}") };
        assert_eq!(answer.name, "subscribed", "{topic}: {}", answer.text);
        assert_eq!(answer.data["topics"], json!([]), "{topic}");
        let code = answer.data["failed"][0]["code"].as_u64().unwrap();
        assert!([400, 404, 422].contains(&code), "{topic}: {}", answer.text);
    }
}
