//! Sources that come and go while 500 clients are subscribed: the clients of the others do not notice it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tickerd_config::{Config, Feed};
use tickerd_engine::app::{App, Passed, Running};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const CLIENTS: usize = 500;
const ROUNDS: usize = 4;
/// Ends a test that waits for what never comes.
const GUARD: Duration = Duration::from_secs(60);

/// Counts, twenty times a second.
const COUNTS: &str = r#"i=0; while :; do i=$((i+1)); echo "{\"topic\":\"a\",\"event\":\"count\",\"data\":$i}"; sleep 0.05; done"#;

fn config() -> Config {
    let text = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nadmin_socket = \"off\"\nshards = 1\n\
         [[feed]]\nname = \"f\"\nexec = [\"sh\", \"-c\", '''{COUNTS}''']\ninterval = \"100ms\"\n"
    );
    Config::from_text("test", &text, Path::new(".")).unwrap()
}

/// A feed `g` with another beat than all others have.
fn another() -> Feed {
    let config = Config::from_text(
        "test",
        &format!("[[feed]]\nname = \"g\"\nexec = [\"sh\", \"-c\", '''{COUNTS}''']\ninterval = \"70ms\"\n"),
        Path::new("."),
    );
    config.unwrap().feeds.remove(0)
}

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(address: &str) -> Client {
        let url = format!("{}ws", address.replace("http", "ws"));
        Client(connect_async(url).await.unwrap().0)
    }

    async fn say(&mut self, event: &str, data: Value) {
        self.0.send(Message::text(json!({ "event": event, "data": data }).to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(GUARD, self.0.next()).await.expect("something comes");
            if let Message::Text(text) = message.expect("it is open").unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Waits for the first message that is so.
    async fn until(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next().await;
            if is(&message) {
                return message;
            }
        }
    }
}

fn is_tick(message: &Value, topic: &str) -> bool {
    message["event"] == "count" && message["data"]["topic"] == topic
}

async fn get(address: &str, path: &str) -> String {
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The value of a series, if it is there.
fn series(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

/// One of the crowd: takes all that comes until it is told to stop, and gives back what came.
async fn attend(address: String, subscribe: Value, stop: watch::Receiver<bool>) -> Vec<Value> {
    let mut client = Client::connect(&address).await;
    client.say("subscribe", subscribe).await;
    let mut stop = stop;
    let mut seen = Vec::new();
    loop {
        tokio::select! {
            message = client.next() => seen.push(message),
            _ = stop.wait_for(|stop| *stop) => return seen,
        }
    }
}

async fn come_and_go(running: &Running, address: &str, admin: &str) {
    let mut observer = Client::connect(address).await;
    observer.say("subscribe", json!({ "topics": ["**"] })).await;
    let mut named: Option<Client> = None;
    let mut seqs = BTreeMap::new();
    for round in 0..ROUNDS {
        running.add_feed(&another()).unwrap();
        assert!(running.add_feed(&another()).is_err(), "there is one of that name");
        let first = observer.until(|message| is_tick(message, "g.a")).await;
        // Its namesake of the round before gave lower numbers.
        let seq = first["data"]["seq"].as_u64().unwrap();
        assert!(
            seqs.insert(round, seq).is_none_or(|_| false) && seqs.values().all(|earlier| *earlier <= seq)
        );
        match &mut named {
            // Who named its topic before has it again.
            Some(client) => drop(client.until(|message| is_tick(message, "g.a")).await),
            None => {
                let mut client = Client::connect(address).await;
                client.say("subscribe", json!({ "id": 1, "topics": ["g.a"] })).await;
                client.until(|message| is_tick(message, "g.a")).await;
                named = Some(client);
            }
        }
        assert!(get(address, "/v1/asyncapi.json").await.contains(r#""name":"g""#));
        assert!(get(address, "/v1/feeds").await.contains(r#""g""#));
        assert!(get(address, "/v1/topics/g.a/history?limit=1").await.contains(r#""topic":"g.a""#));
        assert!(get(admin, "/readyz?verbose").await.contains("feed g"));
        let metrics = get(admin, "/metrics").await;
        assert!(series(&metrics, r#"tickerd_topics{feed="g"}"#) == Some(1.0));
        assert!(series(&metrics, r#"tickerd_feed_samples_total{feed="g"}"#).is_some_and(|count| count > 0.0));

        assert!(running.remove_feed("g"));
        assert!(!running.remove_feed("g"));
        let closed = |message: &Value| message["data"]["feed"] == "g" && message["data"]["state"] == "closed";
        observer.until(|message| message["event"] == "notice" && closed(message)).await;
        named.as_mut().unwrap().until(closed).await;
        assert!(!get(address, "/v1/asyncapi.json").await.contains(r#""name":"g""#));
        assert!(get(address, "/v1/topics/g.a/history?limit=1").await.starts_with("HTTP/1.1 404"));
        assert!(get(address, "/v1/topics/g.a").await.starts_with("HTTP/1.1 404"));
        assert!(!get(admin, "/readyz?verbose").await.contains("feed g"));
        let metrics = get(admin, "/metrics").await;
        assert!(!metrics.contains(r#"feed="g""#), "{metrics}");
    }
}

#[test]
fn sources_come_and_go_and_the_clients_of_others_do_not_notice() {
    let app = App::build(config(), Passed::default(), "test").unwrap();
    let running = app.with_program(env!("CARGO_BIN_EXE_tickerd").into()).start().unwrap();
    let (addresses, admin) = running.addresses();
    let address = addresses[0].clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let crowd: Vec<_> = (0..CLIENTS)
            .map(|at| {
                let subscribe = match at % 2 {
                    0 => json!({ "topics": ["f.a"], "mode": "all" }),
                    _ => json!({ "topics": ["f.**"] }),
                };
                tokio::spawn(attend(address.clone(), subscribe, stopped.clone()))
            })
            .collect();
        let cohorts = || async { series(&get(&admin, "/metrics").await, "tickerd_cohorts") };
        // Everyone is there once the two kinds of them are all in their cohorts.
        let connections = || async { series(&get(&admin, "/metrics").await, "tickerd_connections") };
        let crowd_is = |clients: usize| {
            let (connections, cohorts) = (&connections, &cohorts);
            let settled = async move {
                while connections().await != Some(clients as f64) || cohorts().await != Some(2.0) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(GUARD, settled)
        };
        crowd_is(CLIENTS).await.expect("all connect, and are of two kinds");
        let mut probe = Client::connect(&address).await;
        probe.say("subscribe", json!({ "topics": ["f.a"], "mode": "all" })).await;
        for _ in 0..5 {
            probe.until(|message| is_tick(message, "f.a")).await;
        }
        come_and_go(&running, &address, &admin).await;
        for _ in 0..5 {
            probe.until(|message| is_tick(message, "f.a")).await;
        }
        // The observer and the one who named a topic have gone, and their cohorts with them; the probe is left.
        crowd_is(CLIENTS + 1).await.expect("the crowd is in the cohorts that it was in");
        stop.send_replace(true);
        let mut ticks = 0;
        for (at, client) in crowd.into_iter().enumerate() {
            let seen = client.await.unwrap();
            let words: Vec<&Value> = seen.iter().filter(|message| !is_tick(message, "f.a")).collect();
            assert!(
                words.iter().all(|word| word["event"] == "connected" || word["event"] == "heartbeat"),
                "{at}: {words:?}"
            );
            let seqs: Vec<u64> = seen
                .iter()
                .filter(|m| is_tick(m, "f.a"))
                .map(|m| m["data"]["seq"].as_u64().unwrap())
                .collect();
            let is_in_order =
                |pair: &[u64]| if at % 2 == 0 { pair[1] == pair[0] + 1 } else { pair[1] > pair[0] };
            assert!(seqs.len() > 20 && seqs.windows(2).all(is_in_order), "{at}: {seqs:?}");
            ticks += seqs.len();
        }
        println!("{ticks} ticks to {CLIENTS} clients while a source came and went {ROUNDS} times");
    });
    running.stop();
}
