//! Secrets, which are read when they are needed and never printed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Read at each connection, so that a file that was replaced counts without a restart.
#[derive(Clone)]
pub struct Secret(Arc<dyn Fn() -> Result<String, String> + Send + Sync>);

impl Secret {
    /// `read` says in its error what to change, without the secret.
    pub fn new(read: impl Fn() -> Result<String, String> + Send + Sync + 'static) -> Secret {
        Secret(Arc::new(read))
    }

    #[must_use]
    pub fn fixed(text: String) -> Secret {
        Secret::new(move || Ok(text.clone()))
    }

    /// What the file holds, without the end of its last line.
    #[must_use]
    pub fn file(path: PathBuf) -> Secret {
        Secret::new(move || match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        })
    }

    pub(crate) fn read(&self) -> Result<String, String> {
        (self.0)()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
