//! The front: everything that the rest of the daemon asks about identities. Nothing here waits.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

use tickerd_config::Auth;
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;

use crate::error::Error;
use crate::judge::{TOKEN_BYTES_MAX, Verdict, judge};
use crate::rights::Kept;
use crate::settled::Settled;

/// Most tokens that wait to be looked at.
const QUEUE_MAX: usize = 1_024;
/// How every ticket begins.
const TICKET_PREFIX: &str = "tkt_";

type Then = Box<dyn FnOnce(Result<Arc<Identity>, Refusal>) + Send>;

enum Message {
    Judge(Secret, Then),
    Stop,
}

struct Shared {
    settled: RwLock<Arc<Settled>>,
    kept: Kept,
    wall: fn() -> u64,
}

impl Shared {
    fn settled(&self) -> Arc<Settled> {
        self.settled.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Finds out who clients are. It is shared; its threads end with it.
pub struct Authenticator {
    shared: Arc<Shared>,
    queue: SyncSender<Message>,
}

impl Authenticator {
    /// Reads secrets and keys, and starts the thread that looks at tokens. `revocations` is the file that keeps what was
    /// revoked; without one, a restart forgets it. `wall` gives Unix milliseconds.
    ///
    /// # Errors
    /// The key of the configuration that cannot be used.
    pub fn start(
        auth: &Auth,
        revocations: Option<PathBuf>,
        wall: fn() -> u64,
    ) -> Result<Arc<Authenticator>, Error> {
        let _ = revocations;
        let kept = Kept::default();
        let settled = RwLock::new(Arc::new(Settled::read(auth, &kept)?));
        let shared = Arc::new(Shared { settled, kept, wall });
        let (queue, received) = sync_channel(QUEUE_MAX);
        let worker = shared.clone();
        let spawned =
            std::thread::Builder::new().name("identity".into()).spawn(move || work(&worker, &received));
        spawned.map_err(|error| {
            Error::new(
                format!("the thread identity cannot be started: {error}"),
                "raise the limit of threads",
            )
        })?;
        Ok(Arc::new(Authenticator { shared, queue }))
    }

    /// Who has not said who it is.
    pub fn anonymous(&self) -> Arc<Identity> {
        self.shared.settled().anonymous.clone()
    }

    /// Looks at a token on the thread `identity`, where `then` is called. `then` must not wait. It is called at once, on this
    /// thread, if the token is not looked at.
    pub fn judge(&self, token: Secret, then: impl FnOnce(Result<Arc<Identity>, Refusal>) + Send + 'static) {
        let refusal = match token.expose() {
            "" => Some(Refusal::Missing),
            text if text.len() > TOKEN_BYTES_MAX => Some(Refusal::TooLong),
            text if text.starts_with(TICKET_PREFIX) => Some(Refusal::Ticket),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return then(Err(refusal));
        }
        match self.queue.try_send(Message::Judge(token, Box::new(then))) {
            Ok(()) => {}
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                if let Message::Judge(_, then) = message {
                    then(Err(Refusal::Busy));
                }
            }
        }
    }

    /// Whom a client certificate speaks for. `names` are its subject alternative names, such as `URI:spiffe://example.org/wall`,
    /// `DNS:wall.example.org` or `EMAIL:ann@example.org`; the first that is configured counts.
    pub fn of_certificate(&self, names: &[String]) -> Option<Arc<Identity>> {
        self.shared.settled().of_certificate(names)
    }

    /// Whether a text is a ticket, and not a token.
    pub fn is_ticket(token: &Secret) -> bool {
        token.expose().starts_with(TICKET_PREFIX)
    }

    /// Reads the configuration's secrets and keys again.
    ///
    /// # Errors
    /// The key of the configuration that cannot be used. What was there before stays at work.
    pub fn reload(&self, auth: &Auth) -> Result<(), Error> {
        let settled = Arc::new(Settled::read(auth, &self.shared.kept)?);
        *self.shared.settled.write().unwrap_or_else(PoisonError::into_inner) = settled;
        Ok(())
    }
}

impl Drop for Authenticator {
    fn drop(&mut self) {
        // If the queue is full, the thread ends when the queue does.
        let _ = self.queue.try_send(Message::Stop);
    }
}

fn work(shared: &Shared, received: &Receiver<Message>) {
    while let Ok(Message::Judge(token, then)) = received.recv() {
        match judge(&shared.settled(), &shared.kept, token.expose(), (shared.wall)()) {
            Verdict::Done(result) => then(result),
            Verdict::Wait => then(Err(Refusal::Busy)),
        }
    }
}
