//! A feed that must not notice what happens beside it, and the client that watches it.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Client, Daemon, Feed, json, within};

/// Ticks that must come for a moment to count as undisturbed.
const TICKS: u64 = 10;

/// A feed of events on `steady.counter`, each of which matters.
pub fn steady() -> Feed {
    Feed::plugin("steady", "tickerd_feed_pusher").set("interval = \"50ms\"")
}

/// A client of [`steady`] that reads on and on. It fails at the first gap, at the first word of trouble, and when the
/// connection ends.
pub struct Witness {
    seen: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Witness {
    /// Connects, and waits for the first tick.
    pub async fn of(daemon: &Daemon) -> Witness {
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": ["steady.counter"]})).await;
        let first = client.tick().await.seq();
        let (tell, seen) = watch::channel(first);
        let task = tokio::spawn(watch(client, tell));
        Witness { seen, task }
    }

    /// Waits for some more ticks; nothing was left out up to there.
    pub async fn is_undisturbed(&mut self) {
        let from = *self.seen.borrow();
        let more = within("the steady feed's ticks", self.seen.wait_for(|seen| *seen >= from + TICKS)).await;
        let failed = more.is_err();
        if failed {
            (&mut self.task).await.unwrap();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(mut client: Client, tell: watch::Sender<u64>) {
    let mut up = false;
    loop {
        let event = client.next().await;
        if event.is_tick() {
            let seq = *tell.borrow() + 1;
            assert_eq!(
                (event.seq(), event.value()),
                (seq, &json!({ "n": seq })),
                "the steady feed has a gap"
            );
            // Nobody is left to be told: the test is over.
            let _ = tell.send(seq);
        } else if event.name == "notice" {
            assert_eq!(event.data["type"], "feed", "{}", event.text);
            // What was said while it started may come late.
            assert!(!up || event.data["state"] == "up", "{}", event.text);
            up |= event.data["state"] == "up";
        }
    }
}
