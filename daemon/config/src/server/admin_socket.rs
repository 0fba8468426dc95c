//! Where commands of this machine reach the daemon: a unix socket, or nowhere.

use std::path::PathBuf;

use crate::document::Node;
use crate::problem::Code;
use crate::reader::string;
use crate::section::Refusal;

use super::listen::Listen;

/// `server.admin_socket`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AdminSocket {
    /// `"auto"`: `admin.sock` in `$RUNTIME_DIRECTORY`, else in `$XDG_RUNTIME_DIR/tickerd`, else in `/run/user/UID/tickerd`; where
    /// there is no such folder, in `/run/tickerd` for root and in `/tmp/tickerd-UID` for others.
    #[default]
    Auto,
    /// `"off"`.
    Off,
    /// `"unix:/PATH"`.
    At(PathBuf),
}

pub(super) fn admin_socket(node: &Node) -> Result<AdminSocket, Vec<Refusal>> {
    const ALLOWED: &str = "\"auto\", \"off\" or \"unix:/PATH\"";
    let text = string(node)?;
    match text.as_str() {
        "auto" => return Ok(AdminSocket::Auto),
        "off" => return Ok(AdminSocket::Off),
        _ => {}
    }
    let (what, change) = match text.parse::<Listen>() {
        Ok(Listen::Unix(path)) => return Ok(AdminSocket::At(path)),
        Ok(Listen::Tcp(_)) => (
            "who commands the daemon is known by a unix socket alone".to_owned(),
            "write \"unix:/run/tickerd/admin.sock\"".to_owned(),
        ),
        Err(error) if text.starts_with("unix:") || text.starts_with('/') => (error.what, error.change),
        Err(_) => (
            "this is no unix socket".to_owned(),
            "write \"unix:/run/tickerd/admin.sock\", or \"auto\"".to_owned(),
        ),
    };
    Err(vec![Refusal::new(node, what).code(Code::WrongAddress).allowed(ALLOWED).change(change)])
}
