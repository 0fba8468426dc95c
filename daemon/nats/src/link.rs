//! The connection to NATS. It comes back by itself, and says whether it is there.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Auth, AuthError, Client, ConnectOptions};
use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use crate::credentials;
use crate::hearing::Hearing;
use crate::settings::{Error, Settings, SignIn};
use crate::trouble::Trouble;

/// A server that says nothing for three of these is left. That is before a holder is missed, which takes two seconds: who hears
/// nobody because its own server hangs must not take feeds. Others' heartbeats count too, so few pings are sent.
const PING: Duration = Duration::from_millis(400);
/// Connection, TLS and sign-in.
const CONNECT: Duration = Duration::from_secs(2);
/// Messages that wait to be written. With those of 256 KiB that nodes send at most, 32 MiB.
const OUTBOX: usize = 128;
/// Messages of one subscription that wait to be read.
const INBOX: usize = 4096;
/// How long a message waits for room in the outbox.
const ROOM: Duration = Duration::from_millis(100);
const EVENTS: usize = 64;
/// Between tries, at most.
const AGAIN: Duration = Duration::from_secs(2);

/// Cheap to clone. The connection ends with the last of them and of its `Hearing`s.
#[derive(Debug, Clone)]
pub struct Link(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) shared: Arc<Shared>,
    /// Whose swap it is.
    pub(crate) turn: Mutex<()>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) trouble: Trouble,
    unsent: AtomicU64,
    lost: AtomicU64,
    events: mpsc::Sender<Event>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Connected,
    Disconnected,
    /// Messages of others were lost, since they were not read in time.
    SlowConsumer,
    /// In words, with the subject.
    Refused(String),
}

/// What happens to the connection. Nothing is lost by not reading it but what it says.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// `None` when the link has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// Since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not published: there was no connection, no room, or the message was too long for the server.
    pub unsent: u64,
    /// Not read in time; at least so many.
    pub lost: u64,
    pub connects: u64,
}

impl Link {
    /// It need not reach a server: it goes on trying.
    ///
    /// # Errors
    /// A file cannot be read, or an address is none.
    pub async fn connect(settings: Settings) -> Result<(Link, Events), Error> {
        let addresses = settings.addresses()?;
        settings.check()?;
        let (sender, events) = mpsc::channel(EVENTS);
        let (unsent, lost) = (AtomicU64::new(0), AtomicU64::new(0));
        let shared = Arc::new(Shared { trouble: Trouble::default(), unsent, lost, events: sender });
        let client = options(&settings, &shared).connect(addresses).await;
        let client = client.map_err(|error| Error(format!("[cluster] nats: {error}")))?;
        Ok((Link(Arc::new(Inner { client, settings, shared, turn: Mutex::new(()) })), events.into()))
    }

    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.client.connection_state() == State::Connected
    }

    /// What is wrong and what to do about it; never with a secret.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.0.shared.trouble.words()
    }

    #[must_use]
    pub fn counts(&self) -> Counts {
        let Shared { unsent, lost, .. } = &*self.0.shared;
        let connects = self.0.client.statistics().connects.load(Ordering::Relaxed);
        Counts { unsent: unsent.load(Ordering::Relaxed), lost: lost.load(Ordering::Relaxed), connects }
    }

    /// Whether it is on its way. Others get it, this node does not.
    pub async fn publish(&self, subject: String, bytes: Bytes) -> bool {
        let client = &self.0.client;
        if self.is_connected() && matches!(timeout(ROOM, client.publish(subject, bytes)).await, Ok(Ok(()))) {
            return true;
        }
        self.0.shared.unsent.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// All of `subjects` in one place, `*` and `>` as NATS has them; also after the connection was away.
    ///
    /// # Errors
    /// A subject is none, or the outbox is full for a second.
    pub async fn subscribe(&self, subjects: &[String]) -> Result<Hearing, Error> {
        let mut all = Vec::with_capacity(subjects.len());
        for subject in subjects {
            match timeout(Duration::from_secs(1), self.0.client.subscribe(subject.clone())).await {
                Ok(Ok(subscriber)) => all.push(subscriber),
                Ok(Err(error)) => return Err(Error(format!("cannot listen to {subject}: {error}"))),
                Err(_) => return Err(Error(format!("cannot listen to {subject}: NATS takes nothing"))),
            }
        }
        Ok(Hearing::new(all))
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl From<mpsc::Receiver<Event>> for Events {
    fn from(receiver: mpsc::Receiver<Event>) -> Events {
        Events(receiver)
    }
}

impl Shared {
    fn happened(&self, event: async_nats::Event, sign_in: &SignIn) {
        let event = match event {
            async_nats::Event::Connected => {
                self.trouble.connected();
                Event::Connected
            }
            async_nats::Event::Disconnected => Event::Disconnected,
            async_nats::Event::SlowConsumer(_) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                Event::SlowConsumer
            }
            async_nats::Event::ServerError(error) => match self.trouble.said(&error, sign_in) {
                Some(words) => Event::Refused(words),
                None => return,
            },
            _ => return,
        };
        // Who does not read them misses some.
        let _ = self.events.try_send(event);
    }

    fn authorised(&self, sign_in: &SignIn, nonce: &[u8]) -> Result<Auth, AuthError> {
        let auth = auth(sign_in, nonce);
        self.trouble.secret(auth.as_ref().err().cloned());
        auth.map_err(AuthError::new)
    }
}

fn options(settings: &Settings, shared: &Arc<Shared>) -> ConnectOptions {
    let sign_in = Arc::new(settings.sign_in.clone());
    let (for_auth, auth_shared) = (Arc::clone(&sign_in), Arc::clone(shared));
    let (for_events, events_shared) = (Arc::clone(&sign_in), Arc::clone(shared));
    let servers_shared = Arc::clone(shared);
    let options =
        ConnectOptions::with_auth_callback(move |nonce| ready(auth_shared.authorised(&for_auth, &nonce)))
            .event_callback(move |event| {
                events_shared.happened(event, &for_events);
                ready(())
            })
            // Asked before each round of tries: it chooses nothing, and sees how the last round went.
            .reconnect_to_server_callback(move |servers, _| {
                servers_shared.trouble.tried(&servers, &sign_in);
                ready(None)
            })
            .name(format!("tickerd {}", settings.node))
            .custom_inbox_prefix(settings.inboxes())
            .retry_on_initial_connect()
            .ignore_discovered_servers()
            .no_echo()
            .require_tls(settings.servers.iter().any(|url| url.starts_with("tls://")))
            .connection_timeout(CONNECT)
            .ping_interval(PING)
            .client_capacity(OUTBOX)
            .subscription_capacity(INBOX)
            .reconnect_delay_callback(pause);
    let options = match &settings.ca {
        Some(path) => options.add_root_certificates(path.clone()),
        None => options,
    };
    match &settings.certificate {
        Some((certificate, key)) => options.add_client_certificate(certificate.clone(), key.clone()),
        None => options,
    }
}

/// The first server at once, then ever longer, and all nodes at different times.
fn pause(attempt: usize) -> Duration {
    let longest = Duration::from_millis(50).saturating_mul(1 << attempt.saturating_sub(1).min(8)).min(AGAIN);
    if attempt <= 1 { Duration::ZERO } else { longest.mul_f64(rand::random_range(0.5..1.0)) }
}

fn auth(sign_in: &SignIn, nonce: &[u8]) -> Result<Auth, String> {
    let mut auth = Auth::new();
    match sign_in {
        SignIn::Nobody => {}
        SignIn::Password { user, password } => {
            auth.username = Some(user.clone());
            auth.password = Some(password.read().map_err(|error| format!("[cluster] password: {error}"))?);
        }
        SignIn::Token(token) => {
            auth.token = Some(token.read().map_err(|error| format!("[cluster] password: {error}"))?)
        }
        SignIn::Credentials(secret) => {
            let named = |error| format!("[cluster] credentials: {error}");
            let text = secret.read().map_err(named)?;
            let credentials = credentials::parse(&text).map_err(named)?;
            auth.signature = Some(credentials.pair.sign(nonce).map_err(|error| named(error.to_string()))?);
            auth.jwt = Some(credentials.jwt.to_owned());
        }
    }
    Ok(auth)
}
