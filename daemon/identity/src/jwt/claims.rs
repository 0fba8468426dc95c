//! What the claims of a verified token mean.

use std::sync::Arc;

use serde_json::{Map, Value};
use tickerd_model::access::identity::Proof;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::rights::{Rights, Verb};
use tickerd_model::access::user::is_user;
use tickerd_model::topic::Pattern;

use super::centrifugo;

/// How far clocks may be apart, in seconds.
const LEEWAY_S: u64 = 5;
/// Longest life of a token, in seconds. A revocation is kept as long.
pub(crate) const LIFE_MAX_S: u64 = 400 * 86_400;

/// Longest `info`, in bytes of JSON: everyone in a room gets that of everyone.
const INFO_BYTES_MAX: usize = 512;

/// What an issuer's tokens must say, and where.
pub(crate) struct Rules {
    pub audience: String,
    pub claims: String,
    pub user_claim: String,
    pub auto_subscribe: bool,
}

/// What a token says.
#[derive(Debug)]
pub(crate) struct Claims {
    pub user: String,
    pub ends_ms: Option<u64>,
    pub proof: Proof,
    pub info: Option<Arc<str>>,
    pub subscribe: Vec<String>,
    /// What the token grants by itself.
    pub rights: Rights,
    /// Names of groups, whether there are such groups or not.
    pub groups: Vec<String>,
}

impl Claims {
    /// Reads the claims of a token whose signature is right. `now_s` is in Unix seconds.
    pub fn read(claims: &Map<String, Value>, rules: &Rules, now_s: u64) -> Result<Claims, Refusal> {
        let is_audience = |one: &Value| one.as_str() == Some(&*rules.audience);
        match claims.get("aud") {
            Some(Value::Array(all)) if all.iter().any(is_audience) => {}
            Some(one) if is_audience(one) => {}
            _ => return Err(Refusal::Audience),
        }
        let expires_s = time(claims, "exp")?.ok_or(Refusal::Claims)?;
        if expires_s.saturating_add(LEEWAY_S) <= now_s {
            return Err(Refusal::Expired);
        }
        if expires_s > now_s.saturating_add(LIFE_MAX_S) {
            return Err(Refusal::Life);
        }
        if time(claims, "nbf")?.is_some_and(|begins_s| begins_s > now_s.saturating_add(LEEWAY_S)) {
            return Err(Refusal::NotYetValid);
        }
        // Revocations compare this with their own time.
        let issued_s = time(claims, "iat")?;
        if issued_s.is_some_and(|issued_s| issued_s > now_s.saturating_add(LEEWAY_S)) {
            return Err(Refusal::NotYetValid);
        }
        let ends_s = match time(claims, "expire_at")? {
            Some(0) => None,
            Some(ends_s) if ends_s.saturating_add(LEEWAY_S) <= now_s => return Err(Refusal::Expired),
            other => Some(other.unwrap_or(expires_s)),
        };
        let user = find(claims, &rules.user_claim).and_then(Value::as_str).ok_or(Refusal::Claims)?;
        if !is_user(user) {
            return Err(Refusal::User);
        }
        let jti = text(claims, "jti")?.map(Box::from);
        let (mut rights, mut groups) = (Rights::none(), Vec::new());
        match find(claims, &rules.claims) {
            None | Some(Value::Null) => {}
            Some(Value::Object(own)) => groups = read_own(own, &mut rights)?,
            Some(_) => return Err(Refusal::Claims),
        }
        centrifugo::read_caps(claims, &mut rights)?;
        Ok(Claims {
            user: user.to_owned(),
            // A token is accepted for the leeway, so what it proves lasts as long.
            ends_ms: ends_s.map(|ends_s| ends_s.saturating_add(LEEWAY_S).saturating_mul(1_000)),
            proof: Proof::Jwt { jti, issued_s },
            info: info(claims)?,
            subscribe: if rules.auto_subscribe { centrifugo::subscriptions(claims)? } else { Vec::new() },
            rights,
            groups,
        })
    }
}

/// What presence shows of a user.
fn info(claims: &Map<String, Value>) -> Result<Option<Arc<str>>, Refusal> {
    let info = claims.get("info").filter(|info| !info.is_null()).map(Value::to_string);
    match info {
        Some(long) if long.len() > INFO_BYTES_MAX => Err(Refusal::Claims),
        info => Ok(info.map(Arc::from)),
    }
}

/// Our own claim: lists of patterns, and groups.
fn read_own(own: &Map<String, Value>, rights: &mut Rights) -> Result<Vec<String>, Refusal> {
    for verb in Verb::ALL {
        for text in texts(own.get(verb.word()))? {
            rights.grant(verb, Pattern::parse(text).map_err(|_| Refusal::Claims)?);
        }
    }
    Ok(texts(own.get("groups"))?.into_iter().map(str::to_owned).collect())
}

/// A claim by its whole name, else by a path at whose dots objects are opened.
fn find<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

/// A time in Unix seconds, rounded down.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => Ok(Some(seconds)),
            (None, Some(seconds)) if (0.0..1e15).contains(&seconds) => Ok(Some(seconds as u64)),
            _ => Err(Refusal::Claims),
        },
        Some(_) => Err(Refusal::Claims),
    }
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Result<Option<&'c str>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::Claims),
    }
}

/// A list of texts; empty if there is none.
pub(super) fn texts(value: Option<&Value>) -> Result<Vec<&str>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().ok_or(Refusal::Claims)).collect(),
        Some(_) => Err(Refusal::Claims),
    }
}
