//! Certificates, secrets and keys: read as the daemon would read them.

use super::Report;
use super::feeds::CREDENTIALS;
use tickerd_config::{Auth, Config, Keys, Places, SecretSource, TokenSource};

/// Adds what is wrong with `[server.tls]` and `[auth]`. What was refused already is not looked at.
pub fn look(report: &mut Report, config: &Config, places: &Places) {
    if let Some(tls) = &config.server.tls
        && !report.is_refused("server.tls")
        && let Err(unusable) = tickerd_tls::Certificates::load(tls)
    {
        let text = unusable.to_string();
        let (what, change) = text.split_once("; ").unwrap_or((&text, "write another"));
        report.problem(places, &["server", "tls"], what, change);
    }
    let Some(auth) = config.auth.as_ref().filter(|_| !report.is_refused("auth")) else { return };
    if holds_credential(auth) && std::env::var_os(CREDENTIALS).is_none() {
        let what = "its credentials are there only inside tickerd's unit, so its secrets were not looked at";
        let change = format!("set {CREDENTIALS} for this command to look at them as well");
        report.warn(places, &["auth"], what, change);
    } else if let Err(error) = tickerd_identity::check(auth) {
        let path: Vec<&str> = error.path.iter().map(String::as_str).collect();
        report.problem(places, &path, error.what, error.change);
    }
}

fn holds_credential(auth: &Auth) -> bool {
    let tokens = auth.tokens.iter().filter_map(|token| match &token.token {
        TokenSource::Secret(source) => Some(source),
        TokenSource::Sha256(_) => None,
    });
    let issuers = auth.issuers.iter().filter_map(|issuer| match &issuer.keys {
        Keys::Secret(source) => Some(source),
        _ => None,
    });
    tokens.chain(issuers).any(|source| matches!(source, SecretSource::Credential(_)))
}
