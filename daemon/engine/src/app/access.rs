//! `[auth]` at work: judges tokens for the server and the shards, and counts how that went.

mod others;

use std::fmt;
use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::{IntCounterVec, Opts, Registry};
use tokio::sync::oneshot;

use self::others::Others;
use crate::admin;
use crate::cluster;
use crate::control::Disconnected;
use crate::exchange::access::{Brought, Judge, Redeemed, Shown, Then, TicketPlace};
use tickerd_config::{Auth, Config};
use tickerd_identity::{AdminToken, Authenticator, KeyTrouble, Revocation};
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;
use tickerd_process::clock::now_unix_ms;

/// Most names of static tokens that a message lists.
const NAMES_MAX: usize = 16;
/// The label of a token that was accepted.
const OK: &str = "ok";

/// Judges as the configuration says.
pub struct Keeper {
    authenticator: Arc<Authenticator>,
    auth: ArcSwap<Auth>,
    judged: IntCounterVec,
    /// How often something was revoked since the start.
    revocations: AtomicU64,
    /// Whether they are kept over a restart.
    is_kept: bool,
    /// There where this daemon is a node of a cluster.
    others: Option<Others>,
}

/// Starts to judge, if there is `[auth]`.
///
/// # Errors
/// A secret or a key cannot be read.
pub fn open(
    config: &Config,
    registry: &Registry,
) -> Result<Option<Arc<Keeper>>, Box<dyn std::error::Error + Send + Sync>> {
    let opts = Opts::new(
        "tickerd_auth_total",
        "Tokens and client certificates that were judged, by how that ended.",
    );
    let judged = IntCounterVec::new(opts, &["result"])?;
    for result in Refusal::ALL.map(Refusal::code).into_iter().chain([OK]) {
        judged.with_label_values(&[result]);
    }
    registry.register(Box::new(judged.clone()))?;
    let Some(auth) = &config.auth else { return Ok(None) };
    let file = revocations(config);
    let is_kept = file.is_some();
    let authenticator = Authenticator::start(auth, file, now_unix_ms)?;
    Ok(Some(Arc::new(Keeper {
        authenticator,
        auth: ArcSwap::from_pointee(auth.clone()),
        judged,
        revocations: AtomicU64::new(0),
        is_kept,
        others: config.cluster.as_ref().map(Others::new),
    })))
}

/// Who may use the administration over HTTP: who brings its token, or one of a group with `admin = true`.
pub fn operators(own: Option<Arc<AdminToken>>, keeper: Option<Arc<Keeper>>) -> admin::Judge {
    Arc::new(move |token| {
        // Groups may change while this runs.
        let keeper =
            keeper.as_ref().filter(|keeper| keeper.auth.load().groups.iter().any(|group| group.admin));
        if own.is_none() && keeper.is_none() {
            return None;
        }
        let Some(token) = token else { return Some(Box::pin(ready(false))) };
        if own.as_ref().is_some_and(|own| own.is(&token)) {
            return Some(Box::pin(ready(true)));
        }
        let Some(keeper) = keeper else { return Some(Box::pin(ready(false))) };
        let (tell, told) = oneshot::channel();
        keeper.judge(token, Box::new(|judgement| drop(tell.send(judgement))));
        Some(Box::pin(async move { matches!(told.await, Ok(Ok(who)) if who.rights.is_admin()) }))
    })
}

/// Where revocations are kept: in the service's folder, or beside the past. Without either a restart forgets them.
fn revocations(config: &Config) -> Option<PathBuf> {
    // systemd joins several with colons; the first is the service's own.
    let state = std::env::var_os("STATE_DIRECTORY");
    let state = state.as_ref().and_then(|folders| std::env::split_paths(folders).next());
    let beside = || config.history.path.as_ref()?.parent().map(PathBuf::from);
    Some(state.or_else(beside)?.join("revocations.json"))
}

impl Keeper {
    /// Reads secrets and keys again. If one of them cannot be read, those before stay at work. Connections that came with the former
    /// value of a token are seen off within a second.
    pub fn reload(&self) {
        match self.authenticator.reload(&self.auth.load()) {
            Ok(()) => {
                self.revocations.fetch_add(1, Ordering::Release);
                tracing::info!("the secrets and keys of [auth] were read again");
            }
            Err(error) => tracing::error!(%error, "[auth] goes on with the secrets and keys from before"),
        }
    }

    /// Judges by this from now on. Connections that came with a token or a certificate that is not in it any more are seen off
    /// within a second.
    ///
    /// # Errors
    /// A secret or a key of it cannot be used: what was there before stays at work.
    pub fn change(&self, auth: &Auth) -> Result<(), String> {
        self.authenticator.reload(auth).map_err(|error| error.to_string())?;
        self.auth.store(Arc::new(auth.clone()));
        self.revocations.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// The issuers whose keys cannot be had now.
    pub fn trouble(&self) -> Vec<KeyTrouble> {
        self.authenticator.health()
    }

    /// The other nodes can be reached from now on.
    pub fn begin(&self, handle: cluster::Handle) {
        self.others.iter().for_each(|others| others.begin(handle.clone()));
    }

    /// Withdraws a right to be here: who has it is seen off within a second, and so on the other nodes. Answers whether that
    /// outlives a restart.
    ///
    /// # Errors
    /// It cannot be kept, or there is no static token of this name. The name is not repeated: it may be the token itself.
    pub fn revoke(&self, revocation: Revocation) -> Result<Disconnected, String> {
        let auth = self.auth.load();
        if let Revocation::Token(name) = &revocation
            && !auth.tokens.iter().any(|token| token.name == *name)
        {
            let names: Vec<&str> =
                auth.tokens.iter().take(NAMES_MAX).map(|token| token.name.as_str()).collect();
            let known = match &names[..] {
                [] => "it has none".to_owned(),
                names => format!("write one that is there, such as {}", names.join(", ")),
            };
            return Err(format!("this tickerd has no [[auth.token]] of that name; {known}"));
        }
        // Whom it names is not told: it may be a token by mistake.
        let kind = match &revocation {
            Revocation::User(_) => "user",
            Revocation::Token(_) => "token",
            Revocation::Jti(_) => "jti",
            Revocation::IssuedBefore(_) => "issued_before",
        };
        tracing::info!(kind, "revoked over the admin socket; connections that came with it end");
        let kept = self.authenticator.revoke(revocation.clone());
        self.revocations.fetch_add(1, Ordering::Release);
        // If it does not hold here, nobody else is told.
        let at_s = self.authenticator.revoked_at(&revocation);
        let warning = self.others.as_ref().zip(at_s).and_then(|(others, at_s)| others.tell(revocation, at_s));
        kept.map(|()| Disconnected { is_kept: self.is_kept, warning: warning.map(str::to_owned) })
            .map_err(|error| error.to_string())
    }
}

impl Judge for Keeper {
    fn anonymous(&self) -> Arc<Identity> {
        self.authenticator.anonymous()
    }

    fn deadline(&self) -> Duration {
        self.auth.load().deadline
    }

    fn judge(&self, token: Secret, then: Then) {
        judge(&self.authenticator, &self.judged, token, then);
    }

    fn of_certificate(&self, shown: &Shown) -> Result<Option<Arc<Identity>>, Refusal> {
        let found = self.authenticator.of_certificate(&shown.names, shown.until_ms);
        let result = match &found {
            Ok(None) => return found,
            Ok(Some(_)) => OK,
            Err(refusal) => refusal.code(),
        };
        self.judged.with_label_values(&[result]).inc();
        found
    }

    fn ticket(
        &self,
        who: &Arc<Identity>,
        place: TicketPlace,
        brought: &dyn Fn() -> Brought,
    ) -> Result<Secret, Refusal> {
        let Some(others) = &self.others else {
            return self.authenticator.ticket(who, ticket_place(place), None);
        };
        let brought = match brought() {
            Brought::Token(token) => tickerd_identity::Brought::Token(token),
            Brought::Certificate(Shown { names, until_ms }) => {
                tickerd_identity::Brought::Certificate { names, until_ms }
            }
        };
        self.authenticator.ticket(who, ticket_place(place), Some((&others.node, &brought)))
    }

    fn redeem(&self, ticket: Secret, place: TicketPlace) -> Redeemed {
        let node = Authenticator::node_of(&ticket);
        match self.others.as_ref().zip(node).filter(|(others, node)| others.node != *node) {
            Some((others, node)) => {
                let (node, authenticator) = (node.to_owned(), self.authenticator.clone());
                others.redeem(node, ticket, place, authenticator, self.judged.clone())
            }
            None => Redeemed::Now(self.authenticator.redeem(&ticket, &ticket_place(place))),
        }
    }

    fn is_revoked(&self, who: &Identity) -> bool {
        self.authenticator.is_revoked(who)
    }

    fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::Acquire)
    }
}

/// Judges a token, and counts how that went.
fn judge(authenticator: &Authenticator, judged: &IntCounterVec, token: Secret, then: Then) {
    let judged = judged.clone();
    authenticator.judge(token, move |judgement| {
        let result = judgement.as_ref().map_or_else(|refusal| refusal.code(), |_| OK);
        judged.with_label_values(&[result]).inc();
        then(judgement);
    });
}

fn ticket_place(place: TicketPlace) -> tickerd_identity::TicketPlace {
    tickerd_identity::TicketPlace { origin: place.origin, address: place.address }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper")
    }
}
