//! Why the server does not serve, and what to change.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tickerd_config::Listen;

/// Why the server does not serve.
#[derive(Debug)]
pub enum Error {
    /// Another process has the address.
    Taken { listen: Listen },
    /// The address cannot be bound for another reason.
    Bind { listen: Listen, source: io::Error },
    /// Something that is not a socket has the path of a unix socket.
    NotASocket { path: PathBuf },
    /// What the service manager passed does not fit.
    Passed(String),
    /// The certificate cannot be used.
    Tls(String),
    /// The folder of the page cannot be used.
    Page(String),
    /// The system gave no thread or no event queue.
    Start(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Taken { listen: listen @ Listen::Tcp(_) } => write!(
                f,
                "cannot listen on {listen}: another process listens there; stop it, or change server.listen \
                 (--listen), where port 0 takes any free port"
            ),
            Error::Taken { listen } => write!(
                f,
                "cannot listen on {listen}: another process listens there; stop it, or change server.listen (--listen)"
            ),
            Error::Bind { listen, source } => {
                let remedy = match source.kind() {
                    io::ErrorKind::AddrNotAvailable => "this machine has no such address",
                    io::ErrorKind::PermissionDenied => {
                        "ports below 1024 need CAP_NET_BIND_SERVICE, and a unix socket a folder that may be written"
                    }
                    io::ErrorKind::NotFound => "the folder of the socket must exist",
                    _ => "see the reason given",
                };
                write!(f, "cannot listen on {listen}: {source}; {remedy}; change server.listen (--listen)")
            }
            Error::NotASocket { path } => write!(
                f,
                "cannot listen on unix:{}: a file that is not a socket is there; remove it, or change server.listen \
                 (--listen)",
                path.display()
            ),
            Error::Tls(why) | Error::Passed(why) => f.write_str(why),
            Error::Page(why) => write!(f, "server.page: {why}"),
            Error::Start(source) => {
                write!(f, "cannot start the server: {source}; see the limits of this process")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Bind { source, .. } | Error::Start(source) => Some(source),
            Error::Taken { .. }
            | Error::NotASocket { .. }
            | Error::Tls(_)
            | Error::Page(_)
            | Error::Passed(_) => None,
        }
    }
}
