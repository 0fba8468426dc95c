//! The front: everything that the rest of the daemon asks about identities. Nothing here waits for a network.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

use tickerd_config::Auth;
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;

use crate::error::Error;
use crate::judge::TOKEN_BYTES_MAX;
use crate::keys::{Pace, Remote};
use crate::revocations::{Merged, Revocation, Revocations};
use crate::rights::Kept;
use crate::sealed::{self, Brought};
use crate::settled::{KeysOf, Settled};
use crate::tickets::{self, PREFIX, TicketPlace, Tickets};
use crate::tokens::sha256;
use crate::worker::{Message, Shared};

/// Most tokens that wait to be looked at.
const QUEUE_MAX: usize = 1_024;

/// Finds out who clients are. It is shared; its threads end with it.
pub struct Authenticator {
    shared: Arc<Shared>,
    queue: SyncSender<Message>,
}

/// An issuer whose keys could not be fetched last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTrouble {
    /// Its name, as tokens have it in `iss`.
    pub issuer: String,
    /// What went wrong, as a sentence.
    pub what: String,
    /// Whether keys of an earlier fetch still verify its tokens.
    pub has_keys: bool,
}

impl Authenticator {
    /// Reads secrets, keys and revocations, and starts the threads that look at tokens and fetch keys. `revocations` is the file
    /// that keeps what was revoked; without one, a restart forgets it. `wall` gives Unix milliseconds.
    ///
    /// # Errors
    /// The key of the configuration that cannot be used, or the file of revocations that cannot be read.
    pub fn start(
        auth: &Auth,
        revocations: Option<PathBuf>,
        wall: fn() -> u64,
    ) -> Result<Arc<Authenticator>, Error> {
        Authenticator::begin(auth, revocations, wall, Pace::default()).map(Arc::new)
    }

    pub(crate) fn begin(
        auth: &Auth,
        revocations: Option<PathBuf>,
        wall: fn() -> u64,
        pace: Pace,
    ) -> Result<Authenticator, Error> {
        let revocations = Revocations::open(revocations, wall() / 1_000)?;
        let (queue, received) = sync_channel(QUEUE_MAX);
        let kept = Kept::default();
        let settled = Settled::read(auth, &kept, None, &|url, number| begin_keys(&queue, pace, url, number))?;
        let settled = RwLock::new(Arc::new(settled));
        let tickets = Tickets::default();
        let shared = Arc::new(Shared {
            settled,
            kept,
            tickets,
            revocations,
            pace,
            wall,
            is_over: AtomicBool::new(false),
        });
        let worker = shared.clone();
        let spawned =
            std::thread::Builder::new().name("identity".into()).spawn(move || worker.work(&received));
        spawned.map_err(|error| {
            let what = format!("the thread identity cannot be started: {error}");
            Error::new(what, "raise the limit of threads")
        })?;
        Ok(Authenticator { shared, queue })
    }

    /// Who has not said who it is.
    pub fn anonymous(&self) -> Arc<Identity> {
        self.shared.settled().anonymous.clone()
    }

    /// Looks at a token on the thread `identity`, where `then` is called. `then` must not wait. It is called at once, on this
    /// thread, if the token is not looked at: it is missing, too long, a ticket, or too many wait.
    pub fn judge(&self, token: Secret, then: impl FnOnce(Result<Arc<Identity>, Refusal>) + Send + 'static) {
        let refusal = match token.expose() {
            "" => Some(Refusal::Missing),
            text if text.len() > TOKEN_BYTES_MAX => Some(Refusal::TooLong),
            text if text.starts_with(PREFIX) => Some(Refusal::Ticket),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return then(Err(refusal));
        }
        match self.queue.try_send(Message::Judge(token, Box::new(then))) {
            Err(TrySendError::Full(Message::Judge(_, then)))
            | Err(TrySendError::Disconnected(Message::Judge(_, then))) => then(Err(Refusal::Busy)),
            _ => {}
        }
    }

    /// Whom a client certificate speaks for, if anyone. `names` are its subject alternative names, such as
    /// `URI:spiffe://example.org/wall`, `DNS:wall.example.org` or `EMAIL:ann@example.org`; the first that is configured counts.
    /// Who it is ends with it: at `until_ms`, in Unix milliseconds.
    ///
    /// # Errors
    /// That was revoked, or the certificate has expired.
    pub fn of_certificate(&self, names: &[String], until_ms: u64) -> Result<Option<Arc<Identity>>, Refusal> {
        let found = self.shared.settled().of_certificate(names);
        let found = found.map(|who| Arc::new(Identity { ends_ms: Some(until_ms), ..(*who).clone() }));
        found.map(|who| self.check(&who).map(|()| who)).transpose()
    }

    /// Makes a ticket: whoever shows it at this place within 30 seconds, once, is who asked for it.
    ///
    /// # Errors
    /// [`Refusal::Missing`] for who is anonymous, [`Refusal::Busy`] if too many tickets are out.
    ///
    /// In a cluster, `at_node` is this node's name and what the client brought: the ticket can be shown at another node then.
    pub fn ticket(
        &self,
        who: &Arc<Identity>,
        place: TicketPlace,
        at_node: Option<(&str, &Brought)>,
    ) -> Result<Secret, Refusal> {
        if who.is_anonymous() {
            return Err(Refusal::Missing);
        }
        self.check(who)?;
        self.shared.tickets.give(who, place, at_node, (self.shared.wall)())
    }

    /// Takes a ticket back. It is used up, whatever comes of it.
    ///
    /// # Errors
    /// [`Refusal::Ticket`], or that the identity has ended or was revoked since.
    pub fn redeem(&self, ticket: &Secret, place: &TicketPlace) -> Result<Arc<Identity>, Refusal> {
        let who = self.shared.tickets.take(ticket, place, (self.shared.wall)())?;
        self.check(&who).map(|()| who)
    }

    /// The name of the node that gave a ticket out, as the ticket says. None: the ticket says nothing of a node.
    pub fn node_of(ticket: &Secret) -> Option<&str> {
        tickets::node_of(ticket)
    }

    /// By which the node that gave a ticket out finds it. It does not help to show the ticket.
    pub fn digest_of(ticket: &Secret) -> [u8; 32] {
        sha256(ticket.expose().as_bytes())
    }

    /// Takes back a ticket that is shown at another node: what it was bought with, for [`Authenticator::unseal`] there.
    pub fn give_up(&self, digest: &[u8; 32]) -> Option<Box<[u8]>> {
        self.shared.tickets.give_up(digest, (self.shared.wall)())
    }

    /// Seals what a ticket was bought with, as [`Authenticator::ticket`] does.
    pub fn seal(ticket: &Secret, place: &TicketPlace, brought: &Brought) -> Option<Box<[u8]>> {
        sealed::seal(ticket.expose(), place, brought)
    }

    /// What a ticket of another node was bought with.
    ///
    /// # Errors
    /// [`Refusal::Ticket`]: it is of another place, or this was not sealed with it.
    pub fn unseal(ticket: &Secret, place: &TicketPlace, sealed: Box<[u8]>) -> Result<Brought, Refusal> {
        let (given_at, brought) = sealed::open(ticket.expose(), sealed).ok_or(Refusal::Ticket)?;
        if given_at.is_same(place) { Ok(brought) } else { Err(Refusal::Ticket) }
    }

    fn check(&self, who: &Identity) -> Result<(), Refusal> {
        match () {
            () if self.is_revoked(who) => Err(Refusal::Revoked),
            () if who.has_ended((self.shared.wall)()) => Err(Refusal::Expired),
            () => Ok(()),
        }
    }

    /// Whether a text is a ticket, and not a token.
    pub fn is_ticket(token: &Secret) -> bool {
        token.expose().starts_with(PREFIX)
    }

    /// Revokes. It holds from now on for every token; for connections that stand, ask [`Authenticator::is_revoked`]. It writes a
    /// file, so it is not for a thread that serves.
    ///
    /// # Errors
    /// It does not hold, or it holds and cannot be written; the text says which.
    pub fn revoke(&self, revocation: Revocation) -> Result<(), Error> {
        self.shared.revocations.add(revocation, (self.shared.wall)() / 1_000)
    }

    /// Adds what another node revoked, each with the Unix second in which it did. It holds from now on;
    /// [`Authenticator::save_revocations`] writes it.
    pub fn merge(&self, list: impl IntoIterator<Item = (Revocation, u64)>) -> Merged {
        self.shared.revocations.merge(list, (self.shared.wall)() / 1_000)
    }

    /// Writes the file of revocations, so it is not for a thread that serves. `begins` is called once its turn has come: what is
    /// merged before that is written.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_revocations(&self, begins: impl FnOnce()) -> Result<(), Error> {
        self.shared.revocations.save(begins)
    }

    /// The Unix second in which this was revoked, if it is.
    pub fn revoked_at(&self, revoked: &Revocation) -> Option<u64> {
        self.shared.revocations.at(revoked)
    }

    /// All that was revoked, each with the Unix second in which it was.
    pub fn revocations(&self) -> Vec<(Revocation, u64)> {
        self.shared.revocations.all()
    }

    /// Names all that was revoked: the same at each node that knows the same. 0: nothing was.
    pub fn revocations_digest(&self) -> u64 {
        self.shared.revocations.digest()
    }

    /// Whether what an identity was proved by was revoked, or is configured no longer.
    pub fn is_revoked(&self, who: &Identity) -> bool {
        self.shared.revocations.has(who) || self.shared.settled().has_lost(who)
    }

    /// Reads the secrets and keys of a configuration, and judges by it from now on. Keys that are fetched from the same address
    /// stay. A static token or a certificate that is not in it any more is revoked, and so is the former value of a token.
    ///
    /// # Errors
    /// The key of the configuration that cannot be used. What was there before stays at work.
    pub fn reload(&self, auth: &Auth) -> Result<(), Error> {
        let (shared, old) = (&self.shared, self.shared.settled());
        let begin = |url: &str, number| begin_keys(&self.queue, shared.pace, url, number);
        let settled = Arc::new(Settled::read(auth, &shared.kept, Some(&old), &begin)?);
        *shared.settled.write().unwrap_or_else(PoisonError::into_inner) = settled;
        Ok(())
    }

    /// The issuers whose keys could not be fetched last time, by their names. Empty: all is well.
    pub fn health(&self) -> Vec<KeyTrouble> {
        let settled = self.shared.settled();
        let troubled = settled.issuers.iter().filter_map(|(issuer, trusted)| match &trusted.keys {
            KeysOf::Remote(remote) => {
                let (what, has_keys) = remote.trouble()?;
                Some(KeyTrouble { issuer: issuer.clone(), what, has_keys })
            }
            KeysOf::Fixed(_) => None,
        });
        let mut troubled: Vec<KeyTrouble> = troubled.collect();
        troubled.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        troubled
    }
}

/// Reads all secrets and keys of the configuration, but for those of an address, and starts nothing.
///
/// # Errors
/// Each key of the configuration that cannot be used.
pub fn check(auth: &Auth) -> Result<(), Vec<Error>> {
    let begin = |url: &str, _| Ok(Remote::idle(url, Pace::default(), || ()));
    let read = |auth: &Auth| Settled::read(auth, &Kept::default(), None, &begin).map(drop);
    let alone = Auth { tokens: Vec::new(), issuers: Vec::new(), ..auth.clone() };
    let tokens = auth.tokens.iter().map(|token| Auth { tokens: vec![token.clone()], ..alone.clone() });
    let issuers = auth.issuers.iter().map(|issuer| Auth { issuers: vec![issuer.clone()], ..alone.clone() });
    let of_each = tokens.enumerate().chain(issuers.enumerate());
    let errors: Vec<Error> =
        of_each.filter_map(|(at, one)| read(&one).err().map(|error| error.numbered(at))).collect();
    if errors.is_empty() {
        // What is wrong with several of them together.
        return read(auth).map_err(|error| vec![error]);
    }
    Err(errors)
}

fn begin_keys(queue: &SyncSender<Message>, pace: Pace, url: &str, number: usize) -> Result<Remote, Error> {
    let queue = queue.clone();
    Remote::start(url, number, pace, move || {
        // If the queue is full, the thread looks again within a second.
        let _ = queue.try_send(Message::Fetched);
    })
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Drop for Authenticator {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // It wakes the thread. If the queue is full, the thread is awake.
        let _ = self.queue.try_send(Message::Stop);
    }
}
