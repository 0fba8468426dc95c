//! Reads secrets and keys from where the configuration says they are.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use tickerd_config::{Login, SecretSource};
use tickerd_model::access::secret::Secret;

use crate::error::Error;

/// Largest file with a secret or keys, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 256 << 10;

/// What stands in a `.creds` file above each of its two parts.
const CREDENTIALS: [&str; 2] = ["BEGIN NATS USER JWT", "BEGIN USER NKEY SEED"];

/// Reads the secret with which a node of a cluster says to the NATS servers who it is: the text of a `.creds` file, or a password.
///
/// # Errors
/// What is wrong with it, at its key in `[cluster]`.
pub fn of_node(login: &Login) -> Result<Secret, Error> {
    let placed = |error: Error| error.at(&["cluster", login.key()]);
    let secret = read(login.source()).map_err(placed)?;
    let is_whole = CREDENTIALS.iter().all(|part| secret.expose().contains(part));
    if matches!(login, Login::Credentials(_)) && !is_whole {
        let what = "these are no credentials of NATS, which have a JWT and the seed of a key";
        return Err(placed(Error::new(what, "name the .creds file that `nsc generate creds` writes")));
    }
    Ok(secret)
}

/// Reads a secret. White space at its end does not count.
pub(crate) fn read(source: &SecretSource) -> Result<Secret, Error> {
    let text = match source {
        SecretSource::File(path) => file(path)?,
        SecretSource::Credential(name) => {
            let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") else {
                let change =
                    format!("write LoadCredential={name}:/PATH in the unit's [Service], or use file");
                return Err(Error::new(
                    "there is no $CREDENTIALS_DIRECTORY, as systemd gave no credentials",
                    change,
                ));
            };
            file(&PathBuf::from(folder).join(name))?
        }
        SecretSource::Env(name) => match std::env::var(name) {
            Ok(text) => text,
            Err(std::env::VarError::NotPresent) => {
                return Err(Error::new(
                    format!("the environment has no variable {name}"),
                    "set it, or use file",
                ));
            }
            Err(_) => return Err(Error::new(format!("the variable {name} is no UTF-8"), "write it as text")),
        },
    };
    let text = text.trim_end();
    match text.is_empty() {
        true => Err(Error::new("the secret is empty", "write it there")),
        false => Ok(Secret::new(text)),
    }
}

/// Reads a small text file. The error has its name, and nothing of what is in it.
pub(crate) fn file(path: &Path) -> Result<String, Error> {
    let shown = path.display();
    let unread = |error: std::io::Error| {
        let change = "name a file that the daemon's user may read";
        Error::new(format!("the file {shown} cannot be read: {error}"), change)
    };
    let mut bytes = Vec::new();
    let opened = File::open(path).map_err(unread)?;
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let what = format!("the file {shown} has more than {FILE_BYTES_MAX} bytes");
        return Err(Error::new(what, "name the file with the keys"));
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::new(format!("the file {shown} is no UTF-8"), "write it as text"))
}
