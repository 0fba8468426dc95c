//! Which servers, and who this node is to them.

use std::fmt;
use std::path::PathBuf;

#[cfg(feature = "nats")]
use async_nats::ServerAddr;

use crate::secret::Secret;

#[derive(Debug, Clone)]
pub struct Settings {
    /// `nats://host:4222` or `tls://host:4222`; tried in turn by chance.
    pub servers: Vec<String>,
    /// Names the bucket of records, `tickerd_<cluster>`, and the inboxes.
    pub cluster: String,
    pub node: String,
    pub sign_in: SignIn,
    /// Who must have signed the servers' certificates; without it those whom the system trusts.
    pub ca: Option<PathBuf>,
    /// This node's certificate and key, where servers ask for one.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, Clone)]
pub enum SignIn {
    Nobody,
    Password {
        user: String,
        password: Secret,
    },
    Token(Secret),
    /// What a `.creds` file holds.
    Credentials(Secret),
}

/// What to change, or what was not to be had. Never with a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub(crate) String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

#[cfg(feature = "nats")]
impl Settings {
    pub(crate) fn addresses(&self) -> Result<Vec<ServerAddr>, Error> {
        let one = |url: &String| -> Result<ServerAddr, Error> {
            let shape = || {
                Error("[cluster] nats: write each server as nats://host:4222 or tls://host:4222".to_owned())
            };
            let address: ServerAddr = url.parse().map_err(|_| shape())?;
            if address.has_user_pass() {
                let error = "[cluster] nats: no user or password in an address; write user = \"…\" and password = { file = \"…\" }";
                return Err(Error(error.to_owned()));
            }
            if address.is_websocket() || address.host().is_empty() { Err(shape()) } else { Ok(address) }
        };
        if self.servers.is_empty() {
            return Err(Error(
                "[cluster] nats: name a server: nats = [\"nats://127.0.0.1:4222\"]".to_owned(),
            ));
        }
        self.servers.iter().map(one).collect()
    }

    /// That all which is read at each connection can be read now.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.sign_in {
            SignIn::Nobody => {}
            SignIn::Password { password: secret, .. } | SignIn::Token(secret) => {
                secret.read().map_err(|error| Error(format!("[cluster] password: {error}")))?;
            }
            SignIn::Credentials(secret) => {
                let named = |error| Error(format!("[cluster] credentials: {error}"));
                crate::credentials::parse(&secret.read().map_err(named)?).map_err(named)?;
            }
        }
        let certificate = self
            .certificate
            .iter()
            .flat_map(|(certificate, key)| [("certificate", certificate), ("key", key)]);
        for (name, path) in self.ca.iter().map(|path| ("ca", path)).chain(certificate) {
            let error = match std::fs::read_to_string(path) {
                Ok(text) if text.contains("-----BEGIN ") => continue,
                Ok(_) => "this is no PEM file: it has no line \"-----BEGIN …\"".to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(Error(format!("[cluster] {name}: {}: {error}", path.display())));
        }
        Ok(())
    }

    /// As the key-value store of JetStream names the stream of a bucket.
    pub(crate) fn stream(&self) -> String {
        format!("KV_tickerd_{}", self.cluster)
    }

    pub(crate) fn inboxes(&self) -> String {
        format!("_INBOX.tickerd.{}.{}", self.cluster, self.node)
    }
}
