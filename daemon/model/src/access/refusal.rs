//! Why a client is not who it says: one code each, the same in the log, in the metrics, in a close and in `WWW-Authenticate`.

use std::fmt;

/// What is wrong with a token. Each has a fixed code and a sentence that says what to change; neither holds a part of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is none, and one is needed.
    Missing,
    /// It is neither a known token nor a JWT.
    Unknown,
    /// It looks like a JWT, and cannot be read as one.
    Malformed,
    /// Longer than is looked at.
    TooLong,
    /// Its `iss` is none of the configured ones, or not there.
    Issuer,
    /// Its `aud` does not hold the configured one.
    Audience,
    /// Its `alg` is not among the issuer's algorithms.
    Algorithm,
    /// No key of the issuer's fits.
    Key,
    /// The signature is wrong.
    Signature,
    /// Its `exp` is over.
    Expired,
    /// Its `nbf` is still to come.
    NotYetValid,
    /// It says in `crit` that more must be understood than is.
    Critical,
    /// A claim is there with the wrong shape, or a needed one is not there.
    Claims,
    /// Its `exp` is further ahead than a token may last.
    Life,
    /// The name is none that a user may have.
    User,
    /// It was revoked.
    Revoked,
    /// A ticket that is used up, is over, or is of another place.
    Ticket,
    /// A ticket of another node of the cluster, which cannot be asked for it.
    TicketNode,
    /// Too many tokens wait to be looked at, or the issuer's keys cannot be had now.
    Busy,
}

impl Refusal {
    /// All of them, for metrics and documents.
    pub const ALL: [Refusal; 19] = [
        Refusal::Missing,
        Refusal::Unknown,
        Refusal::Malformed,
        Refusal::TooLong,
        Refusal::Issuer,
        Refusal::Audience,
        Refusal::Algorithm,
        Refusal::Key,
        Refusal::Signature,
        Refusal::Expired,
        Refusal::NotYetValid,
        Refusal::Critical,
        Refusal::Claims,
        Refusal::Life,
        Refusal::User,
        Refusal::Revoked,
        Refusal::Ticket,
        Refusal::TicketNode,
        Refusal::Busy,
    ];

    /// The code, as programs read it.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Missing => "token_missing",
            Refusal::Unknown => "token_unknown",
            Refusal::Malformed => "token_malformed",
            Refusal::TooLong => "token_too_long",
            Refusal::Issuer => "wrong_issuer",
            Refusal::Audience => "wrong_audience",
            Refusal::Algorithm => "wrong_algorithm",
            Refusal::Key => "no_such_key",
            Refusal::Signature => "wrong_signature",
            Refusal::Expired => "token_expired",
            Refusal::NotYetValid => "token_not_yet_valid",
            Refusal::Critical => "unknown_crit",
            Refusal::Claims | Refusal::Life => "wrong_claims",
            Refusal::User => "wrong_user",
            Refusal::Revoked => "token_revoked",
            Refusal::Ticket => "wrong_ticket",
            Refusal::TicketNode => "ticket_node_gone",
            Refusal::Busy => "busy",
        }
    }

    /// What to change, as a sentence for people.
    pub fn detail(self) -> &'static str {
        match self {
            Refusal::Missing => "say who you are: send a token",
            Refusal::Unknown => "the token is not known here; ask the operator for one",
            Refusal::Malformed => "the token is no JWT that can be read; send it whole, without \"Bearer\"",
            Refusal::TooLong => "the token is too long; at most 8192 bytes are read",
            Refusal::Issuer => "the token's iss is not one that this server trusts",
            Refusal::Audience => "the token's aud is not this server's",
            Refusal::Algorithm => "the token's alg is not one that its issuer signs with here",
            Refusal::Key => "no key of the token's issuer fits it; get a new token",
            Refusal::Signature => "the token's signature is wrong",
            Refusal::Expired => "the token has expired; get a new one",
            Refusal::NotYetValid => "the token is not valid yet; compare the clocks",
            Refusal::Critical => "the token's crit names something that this server does not know",
            Refusal::Claims => {
                "a claim of the token is missing or has the wrong shape; exp, aud and the user are needed"
            }
            Refusal::Life => "the token's exp is more than 400 days ahead; get one that ends sooner",
            Refusal::User => {
                "the token's user must be 1 to 128 bytes of visible text, and not called as the server is"
            }
            Refusal::Revoked => "the token was revoked; sign in again, or ask the operator for another",
            Refusal::Ticket => {
                "the ticket was used, has expired, or is for another page or network; get a new one"
            }
            Refusal::TicketNode => {
                "the node that gave the ticket out does not answer, so the ticket is lost; get a new one"
            }
            Refusal::Busy => "tokens cannot be looked at now; try again in a few seconds",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl std::error::Error for Refusal {}
