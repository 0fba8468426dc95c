//! Words for what goes wrong between this machine and a provider.

use std::io::ErrorKind;

use crate::{Fault, tls};

/// How far a request came before the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The answer's head was not there yet.
    Asking,
    /// The head was there, the body not in full.
    Reading,
}

/// What `error` means, for a reader who does not know TCP. `host` is the provider's host. The text may still hold a
/// key.
pub(super) fn fault(error: &ureq::Error, stage: Stage, source: &str, host: &str, seconds: u64) -> Fault {
    let message = match error {
        ureq::Error::HostNotFound => no_such_host(host),
        ureq::Error::Timeout(ureq::Timeout::Resolve) => {
            format!("looking up {host} took too long: is there a network?")
        }
        ureq::Error::Timeout(ureq::Timeout::Connect) => {
            format!("{host} could not be connected to within 4 s: is there a network?")
        }
        ureq::Error::Timeout(_) => match stage {
            Stage::Asking => format!("{host} did not answer within {seconds} s"),
            Stage::Reading => format!("{host} did not finish its answer within {seconds} s"),
        },
        ureq::Error::Io(e) => io_words(e, stage, host),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
            format!("{host}: {}", tls::words(error_of(error)).unwrap_or_else(|| error.to_string()))
        }
        ureq::Error::Protocol(e) => format!("{host} does not speak HTTP as it should ({e})"),
        ureq::Error::LargeResponseHeader(..) => format!("{host} answered with a head that is too large"),
        ureq::Error::Decompress(..) => format!("{host} sent a compressed answer that is broken"),
        other => format!("{host}: {other}"),
    };
    Fault::Unavailable { message: format!("{source}: {message}") }
}

/// The error itself, or the TLS error within it.
fn error_of(error: &ureq::Error) -> &(dyn std::error::Error + 'static) {
    match error {
        ureq::Error::Rustls(inner) => inner,
        other => other,
    }
}

/// The words for a name that does not exist.
pub(crate) fn no_such_host(host: &str) -> String {
    format!("there is no address for {host}: is there a network, and is base_url right?")
}

/// What an error of the connection to `host` means.
pub(crate) fn io_words(error: &std::io::Error, stage: Stage, host: &str) -> String {
    if let Some(words) = tls::words(error) {
        return format!("{host}: {words}");
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            format!("{host} refused the connection: is it running, is base_url right?")
        }
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
            format!("there is no way to {host}: is there a network?")
        }
        ErrorKind::TimedOut | ErrorKind::WouldBlock => format!("{host} did not answer in time"),
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected => match stage {
            Stage::Asking => format!("{host} closed the connection without an answer"),
            Stage::Reading => format!("{host} broke off in the middle of its answer"),
        },
        // The resolver's errors have no kind of their own.
        _ if error.to_string().contains("lookup address") => no_such_host(host),
        _ => format!("{host}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn what_cannot_be_tried_on_loopback_has_words_too() {
        let io = |kind: ErrorKind| ureq::Error::Io(io::Error::from(kind));
        let lookup =
            io::Error::other("failed to lookup address information: Temporary failure in name resolution");
        for (error, says) in [
            (ureq::Error::HostNotFound, "there is no address for a.example:443"),
            (ureq::Error::Io(lookup), "there is no address for a.example:443"),
            (ureq::Error::Timeout(ureq::Timeout::Resolve), "looking up a.example:443 took too long"),
            (ureq::Error::Timeout(ureq::Timeout::Connect), "could not be connected to within 4 s"),
            (io(ErrorKind::NetworkUnreachable), "there is no way to a.example:443"),
            (io(ErrorKind::BrokenPipe), "closed the connection without an answer"),
        ] {
            let Fault::Unavailable { message } = fault(&error, Stage::Asking, "mock", "a.example:443", 8)
            else {
                panic!("{error}")
            };
            assert!(message.starts_with("mock: ") && message.contains(says), "{message}");
        }
    }
}
