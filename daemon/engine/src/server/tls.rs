//! TLS before HTTP: handshakes, whose computing is done by threads of its own, and the certificate's next edition.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::exchange::access::Shown;
use crate::exchange::arrival::{Secured, Socket};
use crate::listen::log_limit::LogLimit;
use tickerd_config as config;
use tickerd_tls::{Certificates, Failed, Flight, Standing, Stream, Unusable};

use super::metrics::{Handshake, Metrics};
use super::stop::Stop;
use super::transport::Transport;

/// Handshakes that are computed, or wait for a thread to do so. More wait in their own tasks, until their deadline.
const COMPUTING_MAX: usize = 256;
/// Threads that compute them. One handshake takes a fraction of a millisecond.
pub const THREADS: usize = 2;
/// How often the files are looked at without being told to.
const LOOK: Duration = Duration::from_secs(60);

/// What a client that speaks plain HTTP is told.
pub const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 79\r\n\
Connection: close\r\n\r\nThis port speaks TLS: write https:// for http://, and wss:// in place of ws://\n";

/// Shakes hands.
pub struct Tls {
    certificates: Arc<Certificates>,
    computing: Semaphore,
    metrics: Arc<Metrics>,
    log: LogLimit,
}

impl Tls {
    pub fn new(certificates: Arc<Certificates>, metrics: Arc<Metrics>) -> Tls {
        Tls { certificates, computing: Semaphore::new(COMPUTING_MAX), metrics, log: LogLimit::default() }
    }

    /// Shakes hands within `deadline`. An error holds the socket of a client that speaks plain HTTP, to be told so.
    pub async fn shake_hands<T: Transport>(
        &self,
        io: T,
        deadline: Duration,
        mut stop: Stop,
    ) -> Result<Stream<T>, Option<T>> {
        let session = self.certificates.begin().map_err(|error| {
            self.refuse(Handshake::Failed, &error);
            None
        })?;
        let compute = |flight: Flight| async {
            let _permit = self.computing.acquire().await.ok()?;
            spawn_blocking(|| flight.answer()).await.ok()
        };
        let shaken = timeout(deadline, Stream::new(io, session).shake_hands(compute));
        match stop.until(shaken).await {
            None => Err(None),
            Some(Err(_)) => {
                self.metrics.tls_handshake(Handshake::Timeout);
                Err(None)
            }
            Some(Ok(Ok(stream))) => {
                let is_resumed = stream.session().is_resumed();
                self.metrics.tls_handshake(if is_resumed { Handshake::Resumed } else { Handshake::Ok });
                Ok(stream)
            }
            Some(Ok(Err((io, failed)))) => match failed {
                Failed::NotTls(first) if first.first().is_some_and(u8::is_ascii_uppercase) => {
                    self.metrics.tls_handshake(Handshake::PlainHttp);
                    Err(Some(io))
                }
                Failed::NotTls(_) => {
                    self.metrics.tls_handshake(Handshake::NotTls);
                    Err(None)
                }
                Failed::Refused(broken) => {
                    self.refuse(Handshake::Failed, &broken);
                    Err(None)
                }
                Failed::Gone => {
                    self.metrics.tls_handshake(Handshake::Gone);
                    Err(None)
                }
            },
        }
    }

    /// Counts a client that has said nothing: until the deadline, or before it hung up.
    pub fn count_silent(&self, is_late: bool) {
        self.metrics.tls_handshake(if is_late { Handshake::Timeout } else { Handshake::Gone });
    }

    fn refuse(&self, outcome: Handshake, error: &tickerd_tls::Broken) {
        self.metrics.tls_handshake(outcome);
        if let Some(suppressed) = self.log.pass(Instant::now()) {
            tracing::debug!(%error, suppressed, "a TLS handshake failed");
        }
    }
}

impl<S: Transport> Transport for Stream<S> {
    fn shown(&self) -> Shown {
        let until_s = self.session().peer_until_s().unwrap_or_default();
        Shown { names: self.session().peer_names(), until_ms: until_s.saturating_mul(1_000) }
    }

    fn into_socket(self, read_buf: Bytes) -> io::Result<(Socket, Bytes)> {
        let parts = self.into_parts();
        let (socket, _) = parts.io.into_socket(Bytes::new())?;
        let read_buf = match parts.plain.is_empty() {
            true => read_buf,
            false => [&*read_buf, &*parts.plain].concat().into(),
        };
        let secured =
            Secured { socket, session: parts.session, unfinished: parts.unfinished, unsent: parts.unsent };
        Ok((Socket::Tls(Box::new(secured)), read_buf))
    }
}

/// The certificate, which is read again when its files change.
pub struct Renewal {
    certificates: Arc<Certificates>,
    metrics: Arc<Metrics>,
}

impl Renewal {
    /// Reads the files of `[server.tls]` for the first time.
    pub fn load(tls: &config::Tls, metrics: Arc<Metrics>) -> Result<Renewal, Unusable> {
        let certificates = Arc::new(Certificates::load(tls)?);
        metrics.tls_expires(certificates.standing().not_after);
        Ok(Renewal { certificates, metrics })
    }

    /// What handshakes begin with.
    pub fn certificates(&self) -> Arc<Certificates> {
        self.certificates.clone()
    }

    /// Reads the files again if they have changed, or may be good by now, and says in the log what came of it.
    pub fn look(&self) {
        let Some(looked) = self.certificates.look() else { return };
        self.metrics.tls_reload(looked.is_ok());
        match looked {
            Ok(()) => {
                let not_after = self.certificates.standing().not_after;
                self.metrics.tls_expires(not_after);
                tracing::info!(
                    "the files of [server.tls] were read again; the certificate expires at {}",
                    tickerd_process::clock::utc(not_after.saturating_mul(1_000))
                );
            }
            Err(error) => {
                tracing::error!(%error, "the new files of [server.tls] are not used, and those before stay");
            }
        }
    }

    /// Reads other files, and uses them from now on.
    ///
    /// # Errors
    /// Those before are used further on.
    pub fn change(&self, tls: &config::Tls) -> Result<(), Unusable> {
        let changed = self.certificates.change(tls);
        self.metrics.tls_reload(changed.is_ok());
        self.metrics.tls_expires(self.certificates.standing().not_after);
        changed
    }

    /// How the certificate is.
    pub fn standing(&self) -> Standing {
        self.certificates.standing()
    }
}

/// Looks at the files every minute, for as long as the server lives.
pub async fn look_again(renewal: Arc<Renewal>, mut stop: Stop) {
    while stop.until(tokio::time::sleep(LOOK)).await.is_some() {
        let renewal = renewal.clone();
        // A file may be on a slow disk.
        if spawn_blocking(move || renewal.look()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_has_the_length_that_it_says() {
        let text = std::str::from_utf8(PLAIN_HTTP).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
