//! Records that all nodes share: a bucket of JetStream's key-value store, by five requests.
//!
//! Compare-and-set goes by the number of the bucket's last write, not by that of the key as the key-value store of NATS has it:
//! with three replicas, nats-server 2.9 compares a key's number before it agrees on the write, and of two at once both win. The
//! bucket's number is compared as part of the write, on each replica.
//!
//! The bucket is a stream, `KV_tickerd_<cluster>`, which is made when it is first needed, and anew when it was deleted. It is kept on
//! three servers where there are three. Reads go through the stream's leader: replicas may be behind.

use std::time::Duration;

use async_nats::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};

use crate::link::Link;
use crate::settings::Error;

/// For one call, whatever it takes.
const DEADLINE: Duration = Duration::from_secs(1);
/// Records are a few hundred bytes.
const LONGEST: usize = 64 * 1024;
const BUCKET: usize = 8 * 1024 * 1024;

// JetStream's numbers for what went wrong; newer servers have the second for some conflicts.
const CONFLICT: [u64; 2] = [10_071, 10_164];
const NO_MESSAGE: u64 = 10_037;
const NO_STREAM: u64 = 10_059;
const OTHER_CONFIGURATION: u64 = 10_058;
const NOT_CLUSTERED: u64 = 10_074;
const NO_PEERS: u64 = 10_005;

/// What came back.
enum Reply {
    Done(Value),
    /// JetStream's number, and its words.
    Failed(u64, String),
    /// Nobody listens: no bucket, no leader of it, or no JetStream.
    Nobody,
}

struct Found {
    revision: u64,
    /// `None`: it was deleted.
    bytes: Option<Bytes>,
}

impl Link {
    /// The record and its revision.
    ///
    /// # Errors
    /// No answer within a second.
    pub async fn read(&self, key: &str) -> Result<Option<(u64, Bytes)>, Error> {
        let found = self.judged(timeout(DEADLINE, self.find(key)).await)?;
        Ok(found.and_then(|found| Some((found.revision, found.bytes?))))
    }

    /// Writes the record if it is still at `revision`; 0: if there is none. `false`: it is not.
    ///
    /// # Errors
    /// No clear answer within a second; it may have been written, so read it.
    pub async fn swap(&self, key: &str, revision: u64, bytes: Bytes) -> Result<bool, Error> {
        if bytes.len() > LONGEST {
            return Err(Error(format!("a record of {} bytes is too long: at most {LONGEST}", bytes.len())));
        }
        let swapped = timeout(DEADLINE, async {
            // One after the other, since each that is written makes those at the same time begin again.
            let _turn = self.inner().turn.lock().await;
            loop {
                let last = self.last().await?;
                // A record that was deleted by hand leaves a mark, and is not there.
                let now = self
                    .find(key)
                    .await?
                    .filter(|found| found.bytes.is_some())
                    .map_or(0, |found| found.revision);
                if now != revision {
                    return Ok(false);
                }
                if self.put(key, last, bytes.clone()).await? {
                    return Ok(true);
                }
            }
        });
        self.judged(swapped.await)
    }

    /// Whether the server has read all that was published before; at most a second. For who is about to end.
    pub async fn settled(&self) -> bool {
        // Any answer comes after what was sent before; it is read whether there is JetStream or not.
        let asked = async { self.request(self.get_subject(), &[], self.get("epoch")).await };
        self.is_connected() && matches!(timeout(DEADLINE, asked).await, Ok(Ok(_)))
    }

    fn judged<T>(&self, outcome: Result<Result<T, Error>, tokio::time::error::Elapsed>) -> Result<T, Error> {
        let trouble = &self.inner().shared.trouble;
        let outcome = outcome.unwrap_or_else(|_| {
            let words = format!("JetStream did not answer within {} s", DEADLINE.as_secs());
            Err(Error(words))
        });
        trouble.records(
            outcome.as_ref().err().map(|error| format!("no record can be read or written: {error}")),
        );
        outcome
    }

    async fn find(&self, key: &str) -> Result<Option<Found>, Error> {
        match self.request(self.get_subject(), &[], self.get(key)).await? {
            Reply::Done(value) => found(&value).map(Some).ok_or_else(|| strange("the record", &value)),
            Reply::Failed(NO_MESSAGE, _) => Ok(None),
            Reply::Failed(NO_STREAM, _) => self.make().await.map(|()| None),
            Reply::Failed(code, words) => Err(Error(format!("JetStream: {words} ({code})"))),
            Reply::Nobody => Err(nobody()),
        }
    }

    /// The number of the last write of any record.
    async fn last(&self) -> Result<u64, Error> {
        let subject = format!("$JS.API.STREAM.INFO.{}", self.inner().settings.stream());
        match self.request(subject, &[], Bytes::new()).await? {
            Reply::Done(value) => {
                let last = value.get("state").and_then(|state| state.get("last_seq")).and_then(Value::as_u64);
                last.ok_or_else(|| strange("the bucket", &value))
            }
            Reply::Failed(NO_STREAM, _) => self.make().await.map(|()| 0),
            Reply::Failed(code, words) => Err(Error(format!("JetStream: {words} ({code})"))),
            Reply::Nobody => Err(nobody()),
        }
    }

    /// Writes if no record was written since `last`; `false`: one was.
    async fn put(&self, key: &str, last: u64, bytes: Bytes) -> Result<bool, Error> {
        match self
            .request(self.subject(key), &[("Nats-Expected-Last-Sequence", last.to_string())], bytes)
            .await?
        {
            Reply::Done(value) => {
                let stream = value.get("stream").and_then(Value::as_str);
                let stored = value.get("seq").and_then(Value::as_u64).is_some();
                if stored && stream == Some(&self.inner().settings.stream()) {
                    Ok(true)
                } else {
                    Err(strange("the write", &value))
                }
            }
            Reply::Failed(code, _) if CONFLICT.contains(&code) => Ok(false),
            Reply::Failed(code, words) => Err(Error(format!("JetStream: {words} ({code})"))),
            Reply::Nobody => Err(nobody()),
        }
    }

    /// Makes the bucket. That it is there already is as good.
    async fn make(&self) -> Result<(), Error> {
        let servers =
            self.inner().settings.servers.len().max(self.inner().client.server_info().connect_urls.len());
        let reply = match self.make_on(3).await? {
            Reply::Failed(NOT_CLUSTERED, _) => self.make_on(1).await?,
            Reply::Failed(NO_PEERS, _) if servers < 3 => self.make_on(1).await?,
            reply => reply,
        };
        match reply {
            Reply::Done(_) | Reply::Failed(OTHER_CONFIGURATION, _) => Ok(()),
            Reply::Failed(code, words) => {
                Err(Error(format!("cannot make the bucket {}: {words} ({code})", self.bucket())))
            }
            Reply::Nobody => Err(nobody()),
        }
    }

    async fn make_on(&self, replicas: u8) -> Result<Reply, Error> {
        let stream = self.inner().settings.stream();
        let subject = format!("$JS.API.STREAM.CREATE.{stream}");
        let config = json!({
            "name": stream, "subjects": [self.subject(">")], "retention": "limits", "storage": "file", "discard": "new",
            "num_replicas": replicas, "max_msgs_per_subject": 1, "max_msg_size": LONGEST, "max_bytes": BUCKET, "max_msgs": -1,
            "max_age": 0, "max_consumers": -1, "duplicate_window": 120_000_000_000_u64, "deny_delete": true,
            "allow_rollup_hdrs": true, "allow_direct": false,
        });
        self.request(subject, &[], Bytes::from(config.to_string())).await
    }

    async fn request(
        &self,
        subject: String,
        headers: &[(&'static str, String)],
        bytes: Bytes,
    ) -> Result<Reply, Error> {
        // What waits for a connection would be written when nobody expects it any more.
        if !self.is_connected() {
            return Err(Error("there is no connection to NATS".to_owned()));
        }
        let client = &self.inner().client;
        let until = Instant::now() + DEADLINE;
        let mut request = Request::new().payload(bytes).inbox(client.new_inbox()).timeout(None);
        if !headers.is_empty() {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.as_str());
            }
            request = request.headers(map);
        }
        let answer = match timeout_at(until, client.send_request(subject.clone(), request)).await {
            Ok(Ok(message)) if message.status == Some(StatusCode::NO_RESPONDERS) => return Ok(Reply::Nobody),
            Ok(Ok(message)) => message.payload,
            Ok(Err(error)) if error.kind() == async_nats::RequestErrorKind::NoResponders => {
                return Ok(Reply::Nobody);
            }
            Ok(Err(error)) => return Err(Error(format!("{subject}: {error}"))),
            Err(_) => return Err(Error(format!("{subject}: no answer within {} s", DEADLINE.as_secs()))),
        };
        let value: Value =
            serde_json::from_slice(&answer).map_err(|error| Error(format!("{subject}: {error}")))?;
        let Some(error) = value.get("error") else { return Ok(Reply::Done(value)) };
        let code = error.get("err_code").and_then(Value::as_u64).unwrap_or_default();
        let words = error.get("description").and_then(Value::as_str).unwrap_or_default();
        Ok(Reply::Failed(code, words.chars().filter(|c| !c.is_control()).take(200).collect()))
    }

    fn bucket(&self) -> String {
        format!("tickerd_{}", self.inner().settings.cluster)
    }

    fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.bucket())
    }

    fn get_subject(&self) -> String {
        format!("$JS.API.STREAM.MSG.GET.{}", self.inner().settings.stream())
    }

    fn get(&self, key: &str) -> Bytes {
        Bytes::from(json!({"last_by_subj": self.subject(key)}).to_string())
    }
}

fn found(value: &Value) -> Option<Found> {
    let message = value.get("message")?;
    let text = |name| message.get(name).and_then(Value::as_str).unwrap_or_default();
    let revision = message.get("seq")?.as_u64()?;
    let headers = STANDARD.decode(text("hdrs")).ok()?;
    let deleted = String::from_utf8_lossy(&headers).lines().any(|line| {
        let Some((name, value)) = line.split_once(':') else { return false };
        name.eq_ignore_ascii_case("KV-Operation") && matches!(value.trim(), "DEL" | "PURGE")
    });
    let bytes = if deleted { None } else { Some(Bytes::from(STANDARD.decode(text("data")).ok()?)) };
    Some(Found { revision, bytes })
}

fn strange(what: &str, value: &Value) -> Error {
    let said: String = value.to_string().chars().take(200).collect();
    Error(format!("JetStream's answer for {what} is not understood: {said}"))
}

fn nobody() -> Error {
    Error("nobody answers for it: set jetstream { } in the servers' configuration, and see that most of them run".to_owned())
}
