//! Who judges tokens, as the server and the shards ask for it.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;

/// What is done with a judgement. It may be called on another thread.
pub type Then = Box<dyn FnOnce(Result<Arc<Identity>, Refusal>) + Send>;

/// What came of a ticket.
pub enum Redeemed {
    Now(Result<Arc<Identity>, Refusal>),
    /// Another node gave it out, and is asked for it.
    Later(Pin<Box<dyn Future<Output = Result<Arc<Identity>, Refusal>> + Send>>),
}

/// What a client has brought to say who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brought {
    Token(Secret),
    Certificate(Shown),
}

/// Where a ticket is good: for pages of one Origin, or for programs, in one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketPlace {
    /// The page's Origin; none for a program.
    pub origin: Option<String>,
    /// Whoever asks; compared as /24 or /64. None for a unix socket.
    pub address: Option<IpAddr>,
}

/// What a client certificate says of who shows it. Without one: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The names of its owner, such as `URI:spiffe://example.org/wall`.
    pub names: Vec<String>,
    /// Until when it is valid, in Unix milliseconds.
    pub until_ms: u64,
}

/// Judges tokens. Nothing here waits for anything.
pub trait Judge: Send + Sync + fmt::Debug {
    /// Who has not said who it is.
    fn anonymous(&self) -> Arc<Identity>;

    /// How long a client may take to say who it is, if it may do nothing before.
    fn deadline(&self) -> Duration;

    /// Judges a token; `then` is called in any case, soon.
    fn judge(&self, token: Secret, then: Then);

    /// Whom a client certificate speaks for, if anyone: until it expires.
    ///
    /// # Errors
    /// That was revoked, or it has expired.
    fn of_certificate(&self, shown: &Shown) -> Result<Option<Arc<Identity>>, Refusal>;

    /// Gives out a ticket. `brought` is asked in a cluster alone.
    ///
    /// # Errors
    /// Too many are out.
    fn ticket(
        &self,
        who: &Arc<Identity>,
        place: TicketPlace,
        brought: &dyn Fn() -> Brought,
    ) -> Result<Secret, Refusal>;

    /// Takes a ticket back, once. It is refused if it is none, was used, or is of another place.
    fn redeem(&self, ticket: Secret, place: TicketPlace) -> Redeemed;

    /// Whether somebody's right to be here was withdrawn.
    fn is_revoked(&self, who: &Identity) -> bool;

    /// How often that was done so far: while it stands still, nobody has to be looked at again.
    fn revocations(&self) -> u64;
}

/// Who has not said who it is. Without `[auth]` that is anyone, who may do anything; all connections share it.
pub fn anyone(judge: Option<&dyn Judge>) -> Arc<Identity> {
    static ANYONE: LazyLock<Arc<Identity>> = LazyLock::new(|| Arc::new(Identity::anyone()));
    judge.map_or_else(|| ANYONE.clone(), Judge::anonymous)
}
