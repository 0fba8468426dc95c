//! Who may use the administration over HTTP: whoever brings the token. Wrong ones are limited and counted.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{self, HeaderMap};
use prometheus::{IntCounterVec, Opts, Registry};

use crate::listen::log_limit::LogLimit;
use tickerd_model::access::secret::Secret;
use tickerd_model::basics::bucket::Bucket;

/// Wrong tokens that one address may bring at once, and per second after that.
const WRONG_BURST: u32 = 10;
const WRONG_PER_S: u32 = 1;
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 1_024;

/// Judges a token, if there is any that would be good: else nobody may do anything. The answer may take a while, if keys are
/// to be had first.
pub type Judge = Arc<dyn Fn(Option<Secret>) -> Option<Judgement> + Send + Sync>;

/// Whether it is good, once that is known.
pub type Judgement = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Asks for the token.
pub struct Gate {
    judge: Judge,
    judged: IntCounterVec,
    started: Instant,
    wrong: Mutex<HashMap<IpAddr, Bucket>>,
    log: LogLimit,
}

/// Why someone may not use the administration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No token is configured, so that nobody may.
    Shut,
    /// No token came.
    Missing,
    /// It is none, or another.
    Wrong,
    /// Too many wrong ones came from this address.
    Limited,
    /// A browser would send this password to every page's form.
    PasswordNotTaken,
}

/// Whether the token may come as the password of HTTP Basic, as browsers send it once they have asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    Taken,
    NotTaken,
}

impl Gate {
    /// Asks this judge.
    ///
    /// # Errors
    /// The metric is there already.
    pub fn new(registry: &Registry, judge: Judge) -> prometheus::Result<Gate> {
        let opts = Opts::new(
            "tickerd_admin_auth_total",
            "Requests for the administration over HTTP, by what their token came to.",
        );
        let judged = IntCounterVec::new(opts, &["result"])?;
        for result in ["ok", "missing", "wrong", "limited"] {
            judged.with_label_values(&[result]);
        }
        registry.register(Box::new(judged.clone()))?;
        let (started, wrong) = (Instant::now(), Mutex::default());
        Ok(Gate { judge, judged, started, wrong, log: LogLimit::default() })
    }

    /// Lets in who brings the token.
    ///
    /// # Errors
    /// Why not.
    pub async fn pass(&self, headers: &HeaderMap, peer: IpAddr, password: Password) -> Result<(), Refused> {
        if (self.judge)(None).is_none() {
            return Err(Refused::Shut);
        }
        let passed = match token(headers) {
            None => Err(Refused::Missing),
            Some((_, true)) if password == Password::NotTaken => Err(Refused::PasswordNotTaken),
            Some(_) if self.owes(peer) => Err(Refused::Limited),
            Some((token, _)) => match (self.judge)(Some(token)) {
                Some(judgement) => judgement.await.then_some(()).ok_or(Refused::Wrong),
                None => Err(Refused::Wrong),
            },
        };
        let result = match passed {
            Ok(()) => "ok",
            Err(Refused::Wrong) => "wrong",
            Err(Refused::Limited) => "limited",
            Err(_) => "missing",
        };
        self.judged.with_label_values(&[result]).inc();
        if passed == Err(Refused::Wrong) {
            self.charge(peer);
            if let Some(suppressed) = self.log.pass(Instant::now()) {
                tracing::warn!(suppressed, "a wrong token for the administration came from {peer}");
            }
        }
        passed
    }

    /// Whether an address has brought too many.
    fn owes(&self, peer: IpAddr) -> bool {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now_ms();
        wrong
            .get_mut(&line(peer))
            .is_some_and(|bucket| bucket.owed_ms(WRONG_PER_S, WRONG_BURST, now).is_some())
    }

    fn charge(&self, peer: IpAddr) {
        let now = self.now_ms();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= ADDRESSES_MAX && !wrong.contains_key(&line(peer)) {
            // Who brings wrong ones from very many addresses is as slow as the network; nobody else waits for it.
            wrong.clear();
        }
        let bucket = wrong.entry(line(peer)).or_insert_with(|| Bucket::new(WRONG_BURST, now));
        let _ = bucket.take(WRONG_PER_S, WRONG_BURST, now);
    }

    /// They wrap, and only differences are taken.
    fn now_ms(&self) -> u32 {
        self.started.elapsed().as_millis() as u32
    }
}

/// What one subscriber line owns.
fn line(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// The token that a request brings, and whether it is a password.
fn token(headers: &HeaderMap) -> Option<(Secret, bool)> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let (line, None) = (lines.next()?.to_str().ok()?, lines.next()) else { return None };
    let (scheme, rest) = line.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return (!rest.is_empty()).then(|| (Secret::new(rest), false));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    // The name says nothing.
    let (_, password) = pair.split_once(':')?;
    (!password.is_empty()).then(|| (Secret::new(password), true))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (header::AUTHORIZATION, HeaderValue::from_str(line).unwrap())).collect()
    }

    fn gate() -> Gate {
        let judge = |token: Option<Secret>| -> Option<Judgement> {
            let is_right = token.is_some_and(|token| token.expose() == "right");
            Some(Box::pin(async move { is_right }))
        };
        Gate::new(&Registry::new(), Arc::new(judge)).unwrap()
    }

    #[tokio::test]
    async fn the_token_comes_as_bearer_and_for_what_is_read_as_a_password() {
        let peer = "192.0.2.1".parse().unwrap();
        // `ops:right`, `:right`, `right`, `ops:`.
        let (basic, unnamed, whole, none) =
            ("Basic b3BzOnJpZ2h0", "basic OnJpZ2h0", "Basic cmlnaHQ=", "Basic b3BzOg==");
        for (lines, password, expected) in [
            (&["Bearer right"][..], Password::NotTaken, Ok(())),
            (&["bearer  right "], Password::Taken, Ok(())),
            (&[basic], Password::Taken, Ok(())),
            (&[unnamed], Password::Taken, Ok(())),
            (&[basic], Password::NotTaken, Err(Refused::PasswordNotTaken)),
            (&["Bearer wrong"], Password::Taken, Err(Refused::Wrong)),
            (&[], Password::Taken, Err(Refused::Missing)),
            (&["Bearer"], Password::Taken, Err(Refused::Missing)),
            (&["Bearer "], Password::Taken, Err(Refused::Missing)),
            (&["Digest right"], Password::Taken, Err(Refused::Missing)),
            (&[whole], Password::Taken, Err(Refused::Missing)),
            (&[none], Password::Taken, Err(Refused::Missing)),
            (&["Basic %%%"], Password::Taken, Err(Refused::Missing)),
            (&["Bearer right", "Bearer right"], Password::Taken, Err(Refused::Missing)),
        ] {
            assert_eq!(gate().pass(&headers(lines), peer, password).await, expected, "{lines:?}");
        }
        let shut = Gate::new(&Registry::new(), Arc::new(|_| None)).unwrap();
        assert_eq!(shut.pass(&headers(&["Bearer right"]), peer, Password::Taken).await, Err(Refused::Shut));
    }

    #[tokio::test]
    async fn wrong_tokens_are_limited_for_each_address_alone() {
        let gate = gate();
        let (bad, good) = ("2001:db8::1".parse().unwrap(), "2001:db8:0:1::1".parse().unwrap());
        for _ in 0..WRONG_BURST {
            assert_eq!(gate.pass(&headers(&["Bearer no"]), bad, Password::Taken).await, Err(Refused::Wrong));
        }
        let same_line = "2001:db8::2".parse().unwrap();
        for peer in [bad, same_line] {
            let right = headers(&["Bearer right"]);
            assert_eq!(gate.pass(&right, peer, Password::Taken).await, Err(Refused::Limited), "{peer}");
        }
        assert_eq!(gate.pass(&headers(&["Bearer right"]), good, Password::Taken).await, Ok(()));
        for n in 0..3 * ADDRESSES_MAX as u32 {
            gate.charge(IpAddr::from(n.to_be_bytes()));
            assert!(gate.wrong.lock().unwrap().len() <= ADDRESSES_MAX);
        }
        assert_eq!(gate.judged.with_label_values(&["limited"]).get(), 2);
    }
}
