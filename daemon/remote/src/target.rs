//! A daemon to connect to: its address, the token for it, and whose certificates to trust.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::address::{Address, Way};
use crate::failure::Failure;

/// All that is needed to connect, as often as needed.
#[derive(Debug, Clone)]
pub struct Target {
    pub address: Address,
    /// How the address was found, in words: `named with --url`.
    pub found: String,
    pub token: Option<Token>,
    pub tls: Option<Arc<ClientConfig>>,
}

/// Says who the client is: a file that holds it, which is read for each connection, so that it may be renewed. It is never
/// shown.
#[derive(Clone)]
pub struct Token {
    path: PathBuf,
    text: String,
}

/// Longest token that a daemon reads.
const TOKEN_BYTES_MAX: u64 = 8192;

impl Target {
    /// `ca` is a file with certificates to trust besides the machine's own.
    ///
    /// # Errors
    /// [`Failure::Usage`] when a file cannot be used.
    pub fn new(
        address: Address,
        found: &str,
        token: Option<&Path>,
        ca: Option<&Path>,
    ) -> Result<Target, Failure> {
        let is_tls = matches!(address.way, Way::Tcp { tls: true, .. });
        let tls = if is_tls { Some(trusting(ca)?) } else { None };
        let token = token.map(Token::read).transpose()?;
        Ok(Target { address, found: found.to_owned(), token, tls })
    }

    /// Whether a token would go over a network as plain text.
    pub fn is_exposing(&self) -> bool {
        match &self.address.way {
            Way::Tcp { host, tls: false, .. } => {
                let is_local =
                    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
                self.token.is_some() && !is_local
            }
            _ => false,
        }
    }
}

/// As messages name it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.found)
    }
}

impl Token {
    /// Reads the file. Neither the file's name nor what is in it is repeated, since someone may have given the token itself
    /// in place of the name.
    fn read(path: &Path) -> Result<Token, Failure> {
        let wrong = |what: &str| {
            Failure::Usage(format!(
                "--token: {what}; --token names a file that holds the token and nothing else"
            ))
        };
        let size = std::fs::metadata(path)
            .map_err(|error| wrong(&format!("the file cannot be read: {}", error.kind())))?;
        if size.len() > TOKEN_BYTES_MAX + 2 {
            return Err(wrong("the file is longer than a token can be (8192 bytes)"));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(&format!("the file cannot be read: {}", error.kind())))?;
        let token = text.trim();
        match token {
            "" => Err(wrong("the file is empty")),
            token if token.chars().all(|c| c.is_ascii_graphic()) => {
                Ok(Token { path: path.to_owned(), text: token.to_owned() })
            }
            _ => Err(wrong("the file holds something that is no token")),
        }
    }

    /// The value of the header `Authorization`. If the file has become unusable, it is the token that was there.
    pub(crate) fn header(&self) -> String {
        let text = Token::read(&self.path).map_or_else(|_| self.text.clone(), |token| token.text);
        format!("Bearer {text}")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A client of TLS 1.2 and 1.3 that trusts the machine's own certificates, and those of this file.
fn trusting(ca: Option<&Path>) -> Result<Arc<ClientConfig>, Failure> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        let wrong = |what: &str| {
            Failure::Usage(format!(
                "--ca: {} {what}; name a file of PEM certificates (-----BEGIN CERTIFICATE-----)",
                path.display()
            ))
        };
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        if let (0, _) = store.add_parsable_certificates(certificates) {
            return Err(wrong("holds no certificate"));
        }
    }
    if store.is_empty() {
        return Err(Failure::Usage(
            "this machine trusts no certificates; install the package ca-certificates, or name the server's authority \
             with --ca FILE"
                .to_owned(),
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Usage(format!("TLS cannot be used: {error}")))?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret-name");
        let address: Address = "ws://127.0.0.1:1".parse().unwrap();
        std::fs::write(&path, "a-secret-token\n").unwrap();
        let target = Target::new(address.clone(), "for a test", Some(&path), None).unwrap();
        assert_eq!(target.token.as_ref().unwrap().header(), "Bearer a-secret-token");
        assert!(!format!("{target:?}").contains("secret"), "{target:?}");
        for bad in ["", "two words: secret\n", "a\nsecret", &"secret".repeat(2_000)] {
            std::fs::write(&path, bad).unwrap();
            let why = Target::new(address.clone(), "for a test", Some(&path), None).unwrap_err();
            assert_eq!(why.exit_code(), 64);
            assert!(!why.to_string().contains("secret"), "{why}");
        }
        let why = Target::new(address, "for a test", Some(Path::new("secret")), None).unwrap_err();
        assert!(!why.to_string().contains("secret"), "{why}");
    }

    #[test]
    fn a_token_over_a_network_wants_tls() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "t").unwrap();
        for (url, exposing) in [
            ("ws://localhost:1", false),
            ("ws://[::1]:1", false),
            ("ws://live.example", true),
            ("unix:/t", false),
        ] {
            let target = Target::new(url.parse().unwrap(), "", Some(&path), None).unwrap();
            assert_eq!(target.is_exposing(), exposing, "{url}");
        }
    }
}
