//! A feed whose every line the test writes.
//!
//! The daemon runs `cat` on a FIFO; the test holds its other end. A feed that is started again reads on from there.

use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::stat::Mode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use crate::daemon::{Daemon, daemon};
use crate::feed::{Feed, exec};
use crate::within;

/// See the module.
pub struct Script {
    name: String,
    fifo: std::path::PathBuf,
    pipe: tokio::sync::Mutex<pipe::Sender>,
    fences: AtomicU64,
    _folder: TempDir,
}

/// A daemon with one scripted feed, `s`, that beats every 20 ms.
pub async fn scripted() -> (Script, Daemon) {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).run().await;
    (script, daemon)
}

impl Script {
    /// A script for the feed of that name.
    pub fn new(name: &str) -> Script {
        let folder = TempDir::new().unwrap();
        let fifo = folder.path().join("lines");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        // Open for reading too, so that it never ends when the daemon's side does.
        let pipe = pipe::OpenOptions::new().read_write(true).open_sender(&fifo).unwrap();
        Script { name: name.into(), fifo, pipe: pipe.into(), fences: AtomicU64::new(0), _folder: folder }
    }

    /// The feed that says what the script says.
    pub fn feed(&self) -> Feed {
        exec(&self.name, ["/bin/cat", self.fifo.to_str().unwrap()])
    }

    /// The FIFO that its lines come through.
    pub fn fifo(&self) -> &std::path::Path {
        &self.fifo
    }

    /// The full name of one of its topics.
    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    /// Says a line of the feed protocol.
    pub async fn line(&self, line: &str) {
        self.lines(&[line.to_owned()]).await;
    }

    /// Says lines, all in as few writes as the pipe takes.
    pub async fn lines(&self, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut pipe = self.pipe.lock().await;
        within("the feed to read", pipe.write_all(text.as_bytes())).await.unwrap();
    }

    /// A value of a state topic, named within the feed.
    pub async fn tick(&self, topic: &str, value: Value) {
        self.line(&Script::state(topic, &value)).await;
    }

    /// A value of an event topic.
    pub async fn event(&self, topic: &str, value: Value) {
        self.line(&Script::happening(topic, &value)).await;
    }

    /// Ends a topic.
    pub async fn retire(&self, topic: &str) {
        self.line(&json!({ "retire": topic }).to_string()).await;
    }

    /// The line that [`Script::tick`] says.
    pub fn state(topic: &str, value: &Value) -> String {
        json!({"topic": topic, "event": "tick", "data": value}).to_string()
    }

    /// The line that [`Script::event`] says.
    pub fn happening(topic: &str, value: &Value) -> String {
        json!({"topic": topic, "event": "trade", "class": "event", "data": value}).to_string()
    }

    /// Says a value that was never said before on `topic`, and gives it. Who is subscribed to it has everything that was
    /// said earlier once it has this.
    pub async fn fence(&self, topic: &str) -> u64 {
        let fence = self.fences.fetch_add(1, Ordering::Relaxed) + 1;
        self.tick(topic, json!({ "fence": fence })).await;
        fence
    }
}
