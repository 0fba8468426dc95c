//! The configuration made ready to judge by: secrets read, keys parsed, groups at hand.

use std::collections::HashMap;
use std::sync::Arc;

use tickerd_config::{Algorithm, Auth, Family, Group, Issuer, Keys, StaticToken};
use tickerd_model::access::identity::{Identity, Proof, Token};
use tickerd_model::access::rights::{Rights, Verb};

use crate::error::Error;
use crate::jwt::Rules;
use crate::keys::{KeySet, Remote};
use crate::rights::{Kept, add_group};
use crate::secrets;
use crate::tokens::Tokens;

/// Shortest secret of HS256, HS384 and HS512, in bytes.
const SECRET_BYTES_MIN: usize = 32;

/// Everything that a token is judged by.
pub(crate) struct Settled {
    pub tokens: Tokens,
    /// Whom each static token speaks for, in the order of the configuration.
    pub bearers: Vec<Arc<Identity>>,
    pub issuers: HashMap<String, Trusted>,
    pub anonymous: Arc<Identity>,
    /// By the subject alternative name.
    certificates: HashMap<String, Arc<Identity>>,
    groups: HashMap<String, Group>,
    /// What everyone may do.
    open: Rights,
}

/// An issuer whose tokens are trusted.
pub(crate) struct Trusted {
    pub algorithms: Vec<Algorithm>,
    pub keys: KeysOf,
    pub rules: Rules,
}

/// Where an issuer's keys are.
pub(crate) enum KeysOf {
    /// Read when the configuration was.
    Fixed(KeySet),
    /// Fetched from an address.
    Remote(Arc<Remote>),
}

impl Settled {
    /// Reads everything that the configuration names. Keys that are fetched go on from `old`, or are begun by `begin`, which
    /// gets the address and the issuer's number.
    pub fn read(
        auth: &Auth,
        kept: &Kept,
        old: Option<&Settled>,
        begin: &dyn Fn(&str, usize) -> Result<Remote, Error>,
    ) -> Result<Settled, Error> {
        let tokens = Tokens::read(&auth.tokens)?;
        let mut issuers = HashMap::new();
        for (at, issuer) in auth.issuers.iter().enumerate() {
            issuers.insert(issuer.issuer.clone(), trusted(issuer, at, old, begin)?);
        }
        let mut open = Rights::none();
        auth.anonymous.iter().for_each(|pattern| open.grant(Verb::Subscribe, pattern.clone()));
        let anonymous = Arc::new(Identity::anonymous(kept.share(open.clone())));
        let groups = auth.groups.iter().map(|group| (group.name.clone(), group.clone())).collect();
        let mut settled = Settled {
            tokens,
            bearers: Vec::new(),
            issuers,
            anonymous,
            certificates: HashMap::new(),
            groups,
            open,
        };
        let lasting = |user: &str, groups: &[String], proof: Proof| {
            let rights = settled.rights(user, groups, Rights::none());
            Arc::new(Identity {
                user: Some(user.into()),
                rights: kept.share(rights),
                ends_ms: None,
                proof,
                info: None,
                subscribe: Box::default(),
            })
        };
        let bearer = |(token, value): (&StaticToken, [u8; 8])| {
            let proof = Proof::Token(Token { name: token.name.as_str().into(), value });
            lasting(&token.user, &token.groups, proof)
        };
        let bearers = auth.tokens.iter().zip(settled.tokens.values()).map(bearer).collect();
        let certificates = auth
            .certificates
            .iter()
            .map(|one| {
                let proof = Proof::Certificate(one.name.as_str().into());
                (one.san.clone(), lasting(&one.name, &one.groups, proof))
            })
            .collect();
        (settled.bearers, settled.certificates) = (bearers, certificates);
        Ok(settled)
    }

    /// The union of what everyone may do, what the groups grant and deny, and `own`. Groups that are not there grant nothing.
    pub fn rights(&self, user: &str, groups: &[String], mut own: Rights) -> Rights {
        own.unite(&self.open);
        for group in groups.iter().filter_map(|name| self.groups.get(name)) {
            add_group(&mut own, group, user);
        }
        own
    }

    /// Whether somebody was proved by a static token or a certificate that is there no longer. A token that was given another
    /// value is another one.
    pub fn has_lost(&self, who: &Identity) -> bool {
        let is_same = |one: &Arc<Identity>| one.proof == who.proof;
        match &who.proof {
            Proof::Token(_) => !self.bearers.iter().any(is_same),
            Proof::Certificate(_) => !self.certificates.values().any(is_same),
            Proof::None | Proof::Jwt { .. } => false,
        }
    }

    /// Whom a client certificate speaks for: the first of its names that is configured, written as `URI:…`, `DNS:…`, `EMAIL:…`.
    pub fn of_certificate(&self, names: &[String]) -> Option<Arc<Identity>> {
        names.iter().find_map(|name| {
            let (kind, rest) = name.split_once(':')?;
            let kind = kind.to_ascii_uppercase();
            let rest = if kind == "DNS" { rest.to_ascii_lowercase() } else { rest.to_owned() };
            self.certificates.get(&format!("{kind}:{rest}")).cloned()
        })
    }
}

fn trusted(
    issuer: &Issuer,
    number: usize,
    old: Option<&Settled>,
    begin: &dyn Fn(&str, usize) -> Result<Remote, Error>,
) -> Result<Trusted, Error> {
    let at = number.to_string();
    let placed = |key: &'static str| {
        let at = at.clone();
        move |error: Error| error.at(&["auth", "issuer", &at, key])
    };
    let keys = match &issuer.keys {
        Keys::Secret(source) => {
            let secret = secrets::read(source).map_err(placed("secret"))?;
            if secret.expose().len() < SECRET_BYTES_MIN {
                let what = format!("the secret has fewer than {SECRET_BYTES_MIN} bytes, and can be guessed");
                return Err(placed("secret")(Error::new(what, "make one with `openssl rand -base64 48`")));
            }
            KeysOf::Fixed(KeySet::of_secret(secret.expose().as_bytes()))
        }
        Keys::File(path) => {
            let text = secrets::file(path).map_err(placed("keys"))?;
            let set = KeySet::read(&text).map_err(|what| {
                let what = format!("{}: {what}", path.display());
                placed("keys")(Error::new(what, "write the JWK set that the issuer publishes"))
            })?;
            KeysOf::Fixed(set)
        }
        Keys::Url(url) => {
            let earlier =
                old.and_then(|old| old.issuers.get(&issuer.issuer)).and_then(|old| match &old.keys {
                    KeysOf::Remote(remote) if remote.url == *url => Some(remote.clone()),
                    _ => None,
                });
            KeysOf::Remote(match earlier {
                Some(remote) => remote,
                None => Arc::new(begin(url, number).map_err(placed("keys"))?),
            })
        }
    };
    debug_assert!(
        issuer.algorithms.iter().all(|algorithm| {
            (algorithm.family() == Family::Hmac) == matches!(issuer.keys, Keys::Secret(_))
        })
    );
    let rules = Rules {
        audience: issuer.audience.clone(),
        claims: issuer.claims.clone(),
        user_claim: issuer.user_claim.clone(),
        auto_subscribe: issuer.auto_subscribe,
    };
    Ok(Trusted { algorithms: issuer.algorithms.clone(), keys, rules })
}
