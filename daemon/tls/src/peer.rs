//! What a session knows of its client's certificate.

use crate::names;
use crate::session::{Broken, Session};

impl Session {
    /// The names in the client's certificate, if it has one that was verified: `URI:spiffe://…`, `DNS:…`, `email:…`.
    pub fn peer_names(&self) -> Vec<String> {
        self.peer_certificate().map(names::alternative_names).unwrap_or_default()
    }

    /// Until when the client's certificate is valid, in Unix seconds; 0 if that cannot be read. `None`: it has shown none.
    pub fn peer_until_s(&self) -> Option<u64> {
        self.peer_certificate()
            .map(|certificate| names::validity(certificate).map_or(0, |(_, until_s)| until_s))
    }

    /// A session that is taken up again brings its client's certificate along, which nobody judges anew.
    ///
    /// # Errors
    /// It has expired.
    pub(crate) fn check_peer(&self, now_s: u64) -> Result<(), Broken> {
        match self.peer_until_s() {
            Some(until_s) if until_s < now_s => {
                Err(Broken("the client's certificate has expired; it needs a new one".into()))
            }
            _ => Ok(()),
        }
    }
}
