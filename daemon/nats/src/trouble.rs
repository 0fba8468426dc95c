//! What goes wrong between this node and NATS, in words for an operator.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::{Server, ServerError};

use crate::settings::SignIn;

/// How long a refused message is told after it was last refused: the server does not say when it takes them again.
const REFUSED: Duration = Duration::from_secs(30);
/// Most that is kept of what a server says.
const LONGEST: usize = 200;

#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Kinds>);

#[derive(Debug, Default)]
struct Kinds {
    /// Why there is no connection.
    connection: Option<String>,
    /// Of the secret: why it cannot be read.
    secret: Option<String>,
    /// What may not be heard; until the next connection.
    unheard: Option<String>,
    /// What may not be sent.
    unsent: Option<(Instant, String)>,
    /// What the records lack.
    records: Option<String>,
}

impl Trouble {
    pub(crate) fn words(&self) -> Option<String> {
        let kinds = self.lock();
        let unsent = kinds.unsent.as_ref().filter(|(at, _)| at.elapsed() < REFUSED).map(|(_, words)| words);
        let first = kinds.secret.as_ref().or(kinds.connection.as_ref()).or(kinds.unheard.as_ref());
        first.or(unsent).or(kinds.records.as_ref()).cloned()
    }

    pub(crate) fn connected(&self) {
        let mut kinds = self.lock();
        *kinds = Kinds::default();
    }

    pub(crate) fn secret(&self, error: Option<String>) {
        self.lock().secret = error;
    }

    pub(crate) fn records(&self, error: Option<String>) {
        self.lock().records = error;
    }

    /// What the tries so far came to.
    pub(crate) fn tried(&self, servers: &[Server], sign_in: &SignIn) {
        let failed = servers.iter().filter_map(|server| Some((server, server.last_error.as_deref()?)));
        let said: Vec<String> =
            failed.map(|(server, error)| format!("{server}: {}", meant(error, sign_in))).collect();
        if !said.is_empty() {
            self.lock().connection = Some(format!("no NATS server can be used: {}", said.join("; ")));
        }
    }

    /// What a server says while it is connected. `Some` if it refused something.
    pub(crate) fn said(&self, error: &ServerError, sign_in: &SignIn) -> Option<String> {
        let said: String = match error {
            ServerError::AuthorizationViolation => meant("authorization violation", sign_in),
            ServerError::Other(text) => text.chars().filter(|c| !c.is_control()).take(LONGEST).collect(),
            ServerError::SlowConsumer(_) => return None,
        };
        let mut kinds = self.lock();
        let lower = said.to_ascii_lowercase();
        if lower.starts_with("permissions violation for subscription") {
            let words =
                format!("NATS refuses: {said}; allow it to {}, then restart this node", whom(sign_in));
            kinds.unheard = Some(words.clone());
            Some(words)
        } else if lower.starts_with("permissions violation") {
            let words = format!("NATS refuses: {said}; allow it to {}", whom(sign_in));
            kinds.unsent = Some((Instant::now(), words.clone()));
            Some(words)
        } else {
            let words = format!("NATS says: {said}");
            kinds.connection = Some(words.clone());
            Some(words)
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kinds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whom(sign_in: &SignIn) -> String {
    match sign_in {
        SignIn::Nobody => "clients that do not sign in".to_owned(),
        SignIn::Password { user, .. } => format!("the user {user:?}"),
        SignIn::Token(_) => "the token's user".to_owned(),
        SignIn::Credentials(_) => "the user of the credentials".to_owned(),
    }
}

/// What async-nats says, and what it comes from.
fn meant(error: &str, sign_in: &SignIn) -> String {
    if error.starts_with("authorization violation") || error.to_ascii_lowercase().contains("authentication") {
        return match sign_in {
            SignIn::Nobody => "it wants a user: set [cluster] user and password, or credentials".to_owned(),
            SignIn::Password { user, .. } => {
                format!("it refuses the user {user:?}: no such user, or a wrong password")
            }
            SignIn::Token(_) => "it refuses the token".to_owned(),
            SignIn::Credentials(_) => {
                "it refuses the credentials: revoked, expired, or of another account".to_owned()
            }
        };
    }
    let said: String =
        error.trim_start_matches("IO error: ").chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    let what = match said.as_str() {
        // What this node's own TLS says, and the alerts of the other's.
        own if own.contains("invalid peer certificate") => {
            "its certificate is not trusted: set [cluster] ca to the authority that signs it, and name the host in nats as the certificate does"
        }
        alert if alert.contains("CertificateRequired") => {
            "it wants a certificate of this node: set [cluster] certificate and key"
        }
        alert
            if ["BadCertificate", "UnknownCA", "CertificateUnknown"]
                .iter()
                .any(|word| alert.contains(word)) =>
        {
            "it refuses this node's certificate, or wants one: set [cluster] certificate and key to one of an authority that it trusts"
        }
        _ => return said,
    };
    format!("{what} ({said})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn user() -> SignIn {
        SignIn::Password { user: "edge".to_owned(), password: Secret::fixed("geheim".to_owned()) }
    }

    #[test]
    fn a_refused_subject_is_named_with_whom_to_allow_it() {
        let trouble = Trouble::default();
        let error =
            ServerError::Other("Permissions Violation for Publish to \"tickerd.prod.beat.sim\"".to_owned());
        let words = trouble.said(&error, &user()).expect("words");
        assert_eq!(Some(&words), trouble.words().as_ref());
        assert_eq!(
            words,
            "NATS refuses: Permissions Violation for Publish to \"tickerd.prod.beat.sim\"; allow it to the user \"edge\""
        );
        trouble.connected();
        assert_eq!(trouble.words(), None);
    }

    #[test]
    fn what_a_server_says_is_cut_and_has_no_control_characters() {
        let trouble = Trouble::default();
        let words = trouble
            .said(&ServerError::Other(format!("\x1b[2J{}", "x".repeat(9_000))), &user())
            .expect("words");
        assert!(words.len() < 300 && !words.contains('\x1b'), "{words}");
    }

    #[test]
    fn what_is_wrong_with_a_certificate_names_the_key_to_set() {
        for (error, key) in [
            ("IO error: invalid peer certificate: UnknownIssuer", "set [cluster] ca to"),
            ("TLS error: received fatal alert: CertificateRequired", "set [cluster] certificate and key"),
            ("TLS error: received fatal alert: UnknownCA", "an authority that it trusts"),
        ] {
            let words = meant(error, &user());
            assert!(words.contains(key) && words.contains(error.rsplit(": ").next().unwrap()), "{words}");
        }
    }

    #[test]
    fn a_secret_that_cannot_be_read_comes_first() {
        let trouble = Trouble::default();
        trouble.said(&ServerError::AuthorizationViolation, &user());
        assert!(trouble.words().is_some_and(|words| words.contains("\"edge\"") && !words.contains("geheim")));
        trouble.secret(Some("no file".to_owned()));
        assert_eq!(trouble.words().as_deref(), Some("no file"));
    }
}
