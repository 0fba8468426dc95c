//! Certificates, secrets and keys: read as the daemon would read them.

use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::feeds::CREDENTIALS;
use super::report::Report;
use tickerd_config::{Auth, Cluster, Code, Config, Keys, Places, SecretSource, Signing, Tls, TokenSource};
use tickerd_engine::app::App;
use tickerd_identity::{AdminToken, Keyring};

/// The files of `[server.tls]`.
const FILES: [&str; 4] = ["certificate", "key", "client_ca", "client_crl"];
/// How a certificate begins.
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";
const KEY: &[u8] = b"PRIVATE KEY-----";
const DAY_S: u64 = 86_400;
/// So long before its end a certificate should have been renewed.
const RENEWAL: Duration = Duration::from_secs(14 * DAY_S);

/// Adds what is wrong with `[server.tls]`, `[server.signing]`, `admin_token`, `[cluster]` and `[auth]`. What was refused already is not looked at.
pub fn look(report: &mut Report, config: &Config, places: &Places) {
    if let Some(tls) = config.server.tls.as_ref().filter(|_| !report.is_refused("server.tls")) {
        certificate(report, places, tls);
    }
    if let Some(keys) = config.server.signing.as_ref().filter(|_| !report.is_refused("server.signing")) {
        signing(report, places, keys);
    }
    let token = config.server.admin_token.as_ref();
    if let Some(token) = token.filter(|_| !report.is_refused("server.admin_token")) {
        admin_token(report, places, token);
    }
    if let Some(cluster) = config.cluster.as_ref().filter(|_| !report.is_refused("cluster")) {
        node(report, places, cluster);
    }
    let Some(auth) = config.auth.as_ref().filter(|_| !report.is_refused("auth")) else { return };
    if holds_credential(auth) && std::env::var_os(CREDENTIALS).is_none() {
        unseen(report, places, &["auth"]);
    } else if let Err(errors) = tickerd_identity::check(auth) {
        for error in errors {
            let path: Vec<&str> = error.path.iter().map(String::as_str).collect();
            report.problem(places, &path, Code::UnusableSecret, error.what, error.change);
        }
    }
}

fn certificate(report: &mut Report, places: &Places, tls: &Tls) {
    const KEY: [&str; 2] = ["server", "tls"];
    let files = [Some(&tls.certificate), Some(&tls.key), tls.client_ca.as_ref(), tls.client_crl.as_ref()];
    let mut are_there = true;
    for (key, file) in FILES.into_iter().zip(files).filter_map(|(key, file)| Some((key, file?))) {
        if let Err(error) = File::open(file) {
            are_there = false;
            let what = format!("{} cannot be read: {error}", file.display());
            let change = "let tickerd's user read it, or name another file";
            report.problem(places, &[KEY[0], KEY[1], key], Code::WrongCertificate, what, change);
        }
    }
    if !are_there {
        return;
    }
    let certificates = match tickerd_tls::Certificates::load(tls) {
        Ok(certificates) => certificates,
        Err(unusable) => {
            let text = unusable.to_string();
            let (what, change) = text.split_once("; ").unwrap_or((&text, "write another"));
            // The text begins with the key that it is about.
            let key = what.split(' ').next().filter(|key| FILES.contains(key));
            let path: Vec<&str> = KEY.into_iter().chain(key).collect();
            return report.problem(places, &path, Code::WrongCertificate, what, change);
        }
    };
    let ends = Duration::from_secs(certificates.standing().not_after);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if ends < now + RENEWAL {
        let left = ends.saturating_sub(now).as_secs() / DAY_S;
        let what = format!("the certificate expires in {left} days, and clients refuse it then");
        let path = [KEY[0], KEY[1], "certificate"];
        report.warn(places, &path, Code::CertificateExpires, what, "renew it, and see that a timer does it");
    }
}

fn signing(report: &mut Report, places: &Places, keys: &Signing) {
    let sources = std::iter::once(&keys.key).chain(&keys.previous);
    if sources.into_iter().any(is_credential) && std::env::var_os(CREDENTIALS).is_none() {
        return unseen(report, places, &["server", "signing"]);
    }
    if let Err(error) = Keyring::open(keys) {
        let path: Vec<&str> = error.path.iter().map(String::as_str).collect();
        report.problem(places, &path, Code::UnusableSecret, error.what, error.change);
    }
}

fn admin_token(report: &mut Report, places: &Places, token: &TokenSource) {
    const KEY: [&str; 2] = ["server", "admin_token"];
    if matches!(token, TokenSource::Secret(SecretSource::Credential(_)))
        && std::env::var_os(CREDENTIALS).is_none()
    {
        return unseen(report, places, &KEY);
    }
    if let Err(error) = AdminToken::open(token) {
        report.problem(places, &KEY, Code::UnusableSecret, error.what, error.change);
    }
}

/// Who this node is to the NATS servers, and whose certificates it trusts.
fn node(report: &mut Report, places: &Places, cluster: &Cluster) {
    if !cfg!(feature = "cluster") {
        let change = "install tickerd's package, or build it with --features cluster, or delete [cluster]";
        report.problem(places, &["cluster"], Code::UnknownKey, App::WITHOUT_CLUSTER, change);
    }
    if let Some(login) = &cluster.login {
        if is_credential(login.source()) && std::env::var_os(CREDENTIALS).is_none() {
            unseen(report, places, &["cluster", login.key()]);
        } else if let Err(error) = tickerd_identity::of_node(login) {
            report.problem(places, &["cluster", login.key()], Code::UnusableSecret, error.what, error.change);
        }
    }
    let files = [
        ("ca", &cluster.ca, "the certificate of who signs those of the NATS servers"),
        ("certificate", &cluster.certificate, "this node's own certificate"),
        ("key", &cluster.key, "the private key of certificate"),
    ];
    for (key, file, holds) in files {
        let Some(file) = file else { continue };
        // A key's kind stands before the words.
        let (sign, missing) = if key == "key" { (KEY, "private key") } else { (PEM, "certificate") };
        let what = match std::fs::read(file) {
            Err(error) => format!("{} cannot be read: {error}", file.display()),
            Ok(pem) if !pem.windows(sign.len()).any(|part| part == sign) => {
                format!("{} holds no {missing} in PEM", file.display())
            }
            Ok(_) => continue,
        };
        let change = format!("name the PEM file with {holds}");
        report.problem(places, &["cluster", key], Code::WrongCertificate, what, change);
    }
}

/// Credentials that only the unit has.
fn unseen(report: &mut Report, places: &Places, path: &[&str]) {
    let what = "its credentials are there only inside tickerd's unit, so its secrets were not looked at";
    let change = format!("set {CREDENTIALS} for this command to look at them as well");
    report.warn(places, path, Code::CredentialOutsideUnit, what, change);
}

fn is_credential(source: &SecretSource) -> bool {
    matches!(source, SecretSource::Credential(_))
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
    tokens.chain(issuers).any(is_credential)
}
