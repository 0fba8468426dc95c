//! Listening sockets that the service manager passes (sd_listen_fds(3)). It holds them while the daemon restarts, so clients
//! that connect meanwhile wait and are not refused.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use listenfd::ListenFd;
use socket2::SockRef;
use tickerd_config::Listen;

use super::error::Error;

/// A listening socket.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The sockets that were passed and that nobody has taken yet.
#[derive(Debug, Default)]
pub struct Passed(Vec<(Listen, Socket)>);

impl Passed {
    /// Takes them from the environment, so that feeds do not have them too. To be called before there is a second thread, for
    /// the environment is changed.
    ///
    /// # Errors
    /// One of them is no socket that listens.
    pub fn from_env() -> Result<Passed, Error> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut fds = ListenFd::from_env();
        let sockets = (0..fds.len()).map(|at| {
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown");
            let wrong = |what: String| {
                Error::Passed(format!(
                    "the service manager passed socket {} (from {name:?}), and {what}; write ListenStream= and Accept=no in \
                     its unit",
                    at + 1
                ))
            };
            take(&mut fds, at).map_err(|error| wrong(error.to_string()))?.ok_or_else(|| {
                wrong("it does not listen at an address and port or a path".to_owned())
            })
        });
        sockets.collect::<Result<_, _>>().map(Passed)
    }

    /// Takes the socket of this address, if it was passed.
    pub fn take(&mut self, listen: &Listen) -> Option<Socket> {
        let at = self.0.iter().position(|(own, _)| own == listen)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Whether all of them were taken: what is passed and not served would leave its clients waiting for ever.
    ///
    /// # Errors
    /// One that was not, with what to change.
    pub fn finish(self) -> Result<(), Error> {
        let Some((listen, _)) = self.0.first() else { return Ok(()) };
        Err(Error::Passed(format!(
            "the service manager passed a socket that listens on {listen}, and that is not in listen in [server]; add \
             \"{listen}\" there, or take its ListenStream= out of the unit (tickerd.socket)"
        )))
    }
}

fn take(fds: &mut ListenFd, at: usize) -> io::Result<Option<(Listen, Socket)>> {
    if let Ok(Some(socket)) = fds.take_tcp_listener(at) {
        socket.set_nonblocking(true)?;
        let listen = Listen::Tcp(socket.local_addr()?);
        return Ok(SockRef::from(&socket).is_listener()?.then_some((listen, Socket::Tcp(socket))));
    }
    let Some(socket) = fds.take_unix_listener(at)? else { return Ok(None) };
    socket.set_nonblocking(true)?;
    let Some(path) = socket.local_addr()?.as_pathname().map(PathBuf::from) else { return Ok(None) };
    Ok(SockRef::from(&socket).is_listener()?.then_some((Listen::Unix(path), Socket::Unix(socket))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_goes_to_its_listener_and_the_rest_is_told() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = Listen::Tcp(socket.local_addr().unwrap());
        let mut passed = Passed(vec![(listen.clone(), Socket::Tcp(socket))]);
        assert!(passed.take(&Listen::Tcp(([127, 0, 0, 1], 1).into())).is_none());
        let left = Passed(vec![(listen.clone(), passed.take(&listen).unwrap())]);
        assert!(passed.take(&listen).is_none());
        passed.finish().unwrap();
        let told = left.finish().unwrap_err().to_string();
        assert!(told.contains(&format!("add \"{listen}\"")), "{told}");
    }
}
