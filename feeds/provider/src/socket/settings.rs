//! How a provider's WebSocket is reached: where, how often, with which keys.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Fault, Limit, Secret, Share, redact};

/// How a provider is reached. Start from [`Settings::new`]. It has no `Debug`, since a URL may hold a key.
#[derive(Clone)]
pub struct Settings {
    /// Who it is, in messages: `kraken`.
    pub source: &'static str,
    /// `ws://` or `wss://`. Only its host is ever shown, since it may hold a key.
    pub url: String,
    /// How often the feed may connect; all limits hold together. Empty: no limit.
    pub limits: Vec<Limit>,
    /// The keys in use. Connections are counted by them, and they are removed from every text.
    pub secrets: Vec<Secret>,
    /// Who shares the count of connections.
    pub share: Share,
    /// PEM certificates to trust besides the machine's own store.
    pub ca_file: Option<PathBuf>,
    /// The longest time for looking up and connecting, and again for the handshakes; default 10 s.
    pub connect: Duration,
    /// The longest message taken, in bytes; default 1 MiB, about a hundred times what providers send.
    pub message_bytes_max: usize,
}

impl Settings {
    /// The defaults for `source` at `url`.
    pub fn new(source: &'static str, url: impl Into<String>) -> Settings {
        Settings {
            source,
            url: url.into(),
            limits: Vec::new(),
            secrets: Vec::new(),
            share: Share::default(),
            ca_file: None,
            connect: Duration::from_secs(10),
            message_bytes_max: 1024 * 1024,
        }
    }

    /// The fault without the keys.
    pub(crate) fn clean(&self, fault: Fault) -> Fault {
        let secrets: Vec<_> = self.secrets.iter().collect();
        fault.map_message(|message| redact(message, &secrets))
    }
}
