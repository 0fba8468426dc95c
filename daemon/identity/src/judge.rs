//! Judges one token, from its bytes to an identity. Nothing here waits.

use std::sync::Arc;
use std::time::Instant;

use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;

use crate::jwt::{Claims, Parts};
use crate::keys::{Key, KeySet, Looked};
use crate::rights::Kept;
use crate::settled::{KeysOf, Settled};

/// Longest token that is looked at, in bytes.
pub(crate) const TOKEN_BYTES_MAX: usize = 8_192;

/// What came of a token.
pub(crate) enum Verdict {
    /// It is known whose it is, or why not.
    Done(Result<Arc<Identity>, Refusal>),
    /// The issuer's keys have to be fetched first.
    Wait,
}

/// Judges a token. `now_ms` is in Unix milliseconds; `since` is when the token was first looked at.
pub(crate) fn judge(settled: &Settled, kept: &Kept, token: &str, now_ms: u64, since: Instant) -> Verdict {
    match try_judge(settled, kept, token, now_ms, since) {
        Ok(Some(identity)) => Verdict::Done(Ok(identity)),
        Ok(None) => Verdict::Wait,
        Err(refusal) => Verdict::Done(Err(refusal)),
    }
}

fn try_judge(
    settled: &Settled,
    kept: &Kept,
    token: &str,
    now_ms: u64,
    since: Instant,
) -> Result<Option<Arc<Identity>>, Refusal> {
    if token.is_empty() {
        return Err(Refusal::Missing);
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    if let Some(bearer) = settled.tokens.find(token).and_then(|at| settled.bearers.get(at)) {
        return Ok(Some(bearer.clone()));
    }
    if !Parts::is_jwt(token) {
        return Err(Refusal::Unknown);
    }
    let parts = Parts::read(token)?;
    // The token's issuer selects the keys, and nothing else does.
    let issuer = settled.issuers.get(parts.issuer()?).ok_or(Refusal::Issuer)?;
    if !issuer.algorithms.contains(&parts.algorithm) {
        return Err(Refusal::Algorithm);
    }
    match &issuer.keys {
        KeysOf::Fixed(set) => verify(set, &parts)?,
        KeysOf::Remote(remote) => match remote.look(parts.kid.as_deref(), parts.algorithm, since) {
            Looked::Found(set) => verify(&set, &parts)?,
            Looked::Missing => return Err(Refusal::Key),
            Looked::Busy => return Err(Refusal::Busy),
            Looked::Wait => return Ok(None),
        },
    }
    let claims = Claims::read(&parts.claims, &issuer.rules, now_ms / 1_000)?;
    let rights = settled.rights(&claims.user, &claims.groups, claims.rights);
    Ok(Some(Arc::new(Identity {
        user: Some(claims.user.into()),
        rights: kept.share(rights),
        ends_ms: claims.ends_ms,
        proof: claims.proof,
        info: claims.info,
        subscribe: claims.subscribe.into(),
    })))
}

/// Whether a key of the set signed the token.
fn verify(set: &KeySet, parts: &Parts<'_>) -> Result<(), Refusal> {
    let keys = set.fitting(parts.kid.as_deref(), parts.algorithm);
    if keys.is_empty() {
        return Err(Refusal::Key);
    }
    let is_signed = |key: &&Key| key.verify(parts.algorithm, parts.signed.as_bytes(), &parts.signature);
    keys.iter().any(is_signed).then_some(()).ok_or(Refusal::Signature)
}
