//! A WebSocket client that shares no code with the daemon.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::contract::Contract;
use crate::{Script, within};

/// One message of the server.
#[derive(Debug, Clone)]
pub struct Event {
    /// The message as it came.
    pub text: String,
    /// Its `event`.
    pub name: String,
    /// Its `data`.
    pub data: Value,
}

impl Event {
    /// Reads a message, which must be of the protocol's shape.
    pub fn read(text: &str) -> Event {
        let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("no JSON ({e}): {text}"));
        let Value::Object(mut envelope) = value else { panic!("no object: {text}") };
        let name = envelope.remove("event").unwrap_or_else(|| panic!("no event: {text}"));
        let data = envelope.remove("data").unwrap_or_else(|| panic!("no data: {text}"));
        assert!(envelope.is_empty(), "more than event and data: {text}");
        assert!(data.is_object(), "data is no object: {text}");
        Event { text: text.into(), name: name.as_str().unwrap().into(), data }
    }

    /// Whether it is a tick, as opposed to the server's own words.
    pub fn is_tick(&self) -> bool {
        self.data.get("value").is_some()
    }

    /// Whether it comes when it will, whatever is asked: a heartbeat, a feed's health, the age of topics, which there are.
    pub fn is_aside(&self) -> bool {
        let of_health = ["feed", "stale", "fresh", "topics"].map(|kind| self.is_notice(kind)).contains(&true);
        self.name == "heartbeat" || of_health
    }

    /// Whether it is a notice of that type.
    pub fn is_notice(&self, kind: &str) -> bool {
        self.name == "notice" && self.data["type"] == kind
    }

    /// The topics that a notice is about.
    pub fn topics(&self) -> Vec<&str> {
        let topics = self.data["topics"].as_array().unwrap_or_else(|| panic!("no topics: {}", self.text));
        topics.iter().map(|topic| topic.as_str().unwrap()).collect()
    }

    /// A tick's topic.
    pub fn topic(&self) -> &str {
        self.data["topic"].as_str().unwrap_or_else(|| panic!("no topic: {}", self.text))
    }

    /// A tick's number.
    pub fn seq(&self) -> u64 {
        self.data["seq"].as_u64().unwrap_or_else(|| panic!("no seq: {}", self.text))
    }

    /// A tick's value.
    pub fn value(&self) -> &Value {
        &self.data["value"]
    }
}

/// What comes from the server.
#[derive(Debug)]
pub enum Incoming {
    /// A text message.
    Event(Event),
    /// A ping, which the client answers by itself.
    Ping(Vec<u8>),
    /// A pong to the client's own.
    Pong(Vec<u8>),
    /// A binary message.
    Binary(Vec<u8>),
    /// The server's close: its code and reason.
    Close(u16, String),
    /// The end of the connection.
    End,
}

/// What a client is connected by.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// See the module.
pub struct Client {
    socket: WebSocketStream<Box<dyn Stream>>,
    /// Read by [`Client::sync`] and not looked at yet.
    waiting: VecDeque<Event>,
    syncs: u64,
    contract: Option<Arc<Contract>>,
}

impl Client {
    /// Opens `ws://{address}{path}` over a connected socket.
    pub async fn open(stream: TcpStream, path: &str) -> Client {
        let url = format!("ws://{}{path}", stream.peer_addr().unwrap());
        Client::over(stream, &url).await
    }

    /// The same over any stream, such as one with TLS.
    pub async fn over(stream: impl Stream + 'static, url: &str) -> Client {
        let stream: Box<dyn Stream> = Box::new(stream);
        let opened = within("the handshake", tokio_tungstenite::client_async(url, stream)).await;
        let (socket, _) = opened.unwrap_or_else(|e| panic!("the handshake failed: {e}"));
        Client { socket, waiting: VecDeque::new(), syncs: 0, contract: None }
    }

    /// Fails the test when a message from here on is not what the contract says.
    pub fn hold_to(&mut self, contract: &Arc<Contract>) {
        self.contract = Some(contract.clone());
    }

    /// Sends a command.
    pub async fn send(&mut self, command: Value) {
        self.send_text(&command.to_string()).await;
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    /// Sends any message.
    pub async fn send_message(&mut self, message: Message) {
        within("the server to read", self.socket.send(message)).await.unwrap();
    }

    /// Sends a command that a server which closes meanwhile need not take.
    pub async fn try_send(&mut self, command: Value) {
        let sent = self.socket.send(Message::text(command.to_string()));
        drop(within("the server to read", sent).await);
    }

    /// Subscribes with the terms of `data` (`topics`, `rate`, …) and gives the grant.
    pub async fn subscribe(&mut self, mut data: Value) -> Value {
        self.syncs += 1;
        data["id"] = json!(format!("subscribe-{}", self.syncs));
        self.send(json!({"event": "subscribe", "data": data})).await;
        self.until("subscribed").await.data
    }

    /// The next message as it comes, for what is no protocol of ours; `None` at the end.
    pub async fn message(&mut self) -> Option<Message> {
        within("a message", self.socket.next()).await.and_then(Result::ok)
    }

    /// The next that comes, whatever it is.
    pub async fn incoming(&mut self) -> Incoming {
        if let Some(event) = self.waiting.pop_front() {
            return Incoming::Event(event);
        }
        match within("something from the server", self.socket.next()).await {
            Some(Ok(Message::Text(text))) => {
                let event = Event::read(&text);
                self.contract.iter().for_each(|contract| contract.check(&event));
                Incoming::Event(event)
            }
            Some(Ok(Message::Binary(bytes))) => Incoming::Binary(bytes.to_vec()),
            Some(Ok(Message::Ping(bytes))) => Incoming::Ping(bytes.to_vec()),
            Some(Ok(Message::Pong(bytes))) => Incoming::Pong(bytes.to_vec()),
            Some(Ok(Message::Close(None))) => Incoming::Close(1005, String::new()),
            Some(Ok(Message::Close(Some(close)))) => {
                Incoming::Close(close.code.into(), close.reason.to_string())
            }
            Some(Ok(Message::Frame(_))) => unreachable!("reading gives whole messages"),
            Some(Err(_)) | None => Incoming::End,
        }
    }

    /// The next message, whatever it says.
    pub async fn next(&mut self) -> Event {
        within("a message", async {
            loop {
                match self.incoming().await {
                    Incoming::Event(event) => return event,
                    Incoming::Ping(_) | Incoming::Pong(_) => {}
                    other => panic!("no message but {other:?}"),
                }
            }
        })
        .await
    }

    /// The next message, which must be of that event. Heartbeats and feeds' health come when they will; they are passed
    /// over unless they are asked for.
    pub async fn expect(&mut self, name: &str) -> Event {
        within("a message", async {
            loop {
                let event = self.next().await;
                if event.name == name || !event.is_aside() {
                    assert_eq!(event.name, name, "{}", event.text);
                    return event;
                }
            }
        })
        .await
    }

    /// The next message of that event; what comes before it is passed over.
    pub async fn until(&mut self, name: &str) -> Event {
        within(name, async {
            loop {
                let event = self.next().await;
                if event.name == name {
                    return event;
                }
            }
        })
        .await
    }

    /// The next notice of that type; what comes before it is passed over.
    pub async fn notice(&mut self, kind: &str) -> Event {
        within(kind, async {
            loop {
                let event = self.next().await;
                if event.is_notice(kind) {
                    return event;
                }
            }
        })
        .await
    }

    /// The next tick, which must be the next message, as [`Client::expect`] sees it.
    pub async fn tick(&mut self) -> Event {
        within("a tick", async {
            loop {
                let event = self.next().await;
                if event.is_tick() {
                    return event;
                }
                assert!(event.is_aside(), "no tick: {}", event.text);
            }
        })
        .await
    }

    /// The number of the next tick of a topic; what comes before it is passed over.
    pub async fn until_tick(&mut self, topic: &str) -> u64 {
        within(topic, async {
            loop {
                let event = self.next().await;
                if event.is_tick() && event.topic() == topic {
                    return event.seq();
                }
            }
        })
        .await
    }

    /// Everything the server said before it answered a ping that is sent now: all answers to earlier commands and their
    /// snapshots. Heartbeats, which a slow machine brings into any test, are left out.
    pub async fn sync(&mut self) -> Vec<Event> {
        within("the answer to a ping", async {
            self.syncs += 1;
            let id = json!(format!("sync-{}", self.syncs));
            self.send(json!({"event": "ping", "data": {"id": id}})).await;
            let mut before = Vec::new();
            loop {
                let event = self.next().await;
                if event.name == "pong" && event.data["id"] == id {
                    return before;
                }
                if event.name != "heartbeat" {
                    before.push(event);
                }
            }
        })
        .await
    }

    /// Everything up to and with this fence's tick; see [`crate::Script::fence`].
    pub async fn fence(&mut self, topic: &str, fence: u64) -> Vec<Event> {
        within("the fence", async {
            let mut events = Vec::new();
            loop {
                let event = self.next().await;
                let is_it = event.is_tick() && event.topic() == topic && event.value()["fence"] == fence;
                events.push(event);
                if is_it {
                    return events;
                }
            }
        })
        .await
    }

    /// Waits until this client's shard knows all that the script has said, and gives the ticks that came meanwhile.
    pub async fn catch_up(&mut self, script: &Script) -> Vec<Event> {
        let topic = script.topic("fence");
        self.send(
            json!({"event": "subscribe", "data": {"id": "fence", "topics": [topic], "snapshot": false}}),
        )
        .await;
        // What comes before the answer counts too.
        let mut events = Vec::new();
        while events.last().is_none_or(|event: &Event| event.name != "subscribed") {
            events.push(self.next().await);
        }
        let fence = script.fence("fence").await;
        events.extend(self.fence(&topic, fence).await);
        self.send(json!({"event": "unsubscribe", "data": {"topics": [topic]}})).await;
        events.extend(self.sync().await);
        events.retain(|event| event.is_tick() && event.topic() != topic);
        events
    }

    /// Puts events back, to be read again first.
    pub fn put_back(&mut self, events: Vec<Event>) {
        for event in events.into_iter().rev() {
            self.waiting.push_front(event);
        }
    }

    /// The server's close; messages before it are passed over.
    pub async fn closed(&mut self) -> (u16, String) {
        within("a close", async {
            loop {
                match self.incoming().await {
                    Incoming::Close(code, reason) => return (code, reason),
                    Incoming::End => panic!("the connection ended without a close"),
                    _ => {}
                }
            }
        })
        .await
    }

    /// Waits for the end of the connection.
    pub async fn ended(&mut self) {
        within("the end", async { while !matches!(self.incoming().await, Incoming::End) {} }).await
    }

    /// Closes with a code, and gives the server's answer.
    pub async fn close(&mut self, code: u16) -> (u16, String) {
        use tokio_tungstenite::tungstenite::protocol::CloseFrame;
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        within("the close to go out", self.socket.close(Some(frame))).await.unwrap();
        self.closed().await
    }
}
