//! What the service manager is told: ready, alive, stopping. Without one (no `NOTIFY_SOCKET`) nothing is said.
//!
//! Telling never fails the daemon: a manager that went away is logged at debug level, and serving goes on.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// What the manager adds to `drain` before it kills: time to close what is left.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// Listeners are bound and feeds are started; `status` is the line `systemctl status` shows.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// Replaces the line `systemctl status` shows.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(&one_line(status))]);
}

/// A reload begins; to be followed by [`reloaded`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the service manager cannot be told of a reload"),
    }
}

/// The reload is done, well or not; `status` is the line `systemctl status` shows.
pub fn reloaded(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// The daemon is about to end, within `drain`; the unit's `TimeoutStopSec` is stretched to that if it is shorter.
pub fn stopping(drain: Duration) {
    let micros = u32::try_from(drain.saturating_add(STOP_MARGIN).as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)]);
}

/// One sign of life. Send it only when a beat has gone from the pulse through a shard since the last one.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] is due: half of the unit's `WatchdogSec` (sd_watchdog_enabled(3)); `None` without a watchdog,
/// or when it is meant for another process.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|timeout| timeout / 2).filter(|interval| !interval.is_zero())
}

fn tell(states: &[NotifyState<'_>]) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let message: String = states.iter().map(|state| format!("{state}\n")).collect();
    if let Err(error) = send(socket.as_bytes(), message.as_bytes()) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

/// Sends one datagram to a path, or to what has a name in the abstract namespace (`@name`), as sd_notify(3) says. The crate
/// takes paths alone.
fn send(socket: &[u8], message: &[u8]) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(OsStr::from_bytes(socket))?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &address).map(drop)
}

/// A line break would begin another assignment in the protocol of sd_notify(3).
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::process::Command;

    /// Says everything there is to say, to whom it may concern: the tests below run it as a process of its own.
    #[test]
    fn everything_is_said() {
        ready("3 feeds\nREADY=0");
        status("2 feeds");
        alive();
        reloading();
        reloaded("as it was");
        stopping(Duration::from_secs(7));
        let expected = std::env::var_os("WATCHDOG_USEC").map(|_| Duration::from_secs(15));
        assert_eq!(watchdog_interval(), expected);
    }

    fn say_everything_to(socket: &OsStr) {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "systemd::tests::everything_is_said"])
            .env("NOTIFY_SOCKET", socket)
            .env("WATCHDOG_USEC", "30000000")
            .env_remove("WATCHDOG_PID")
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.unwrap().success());
    }

    #[test]
    fn the_manager_hears_it() {
        let folder = tempfile::tempdir().unwrap();
        let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        say_everything_to(folder.path().join("notify").as_os_str());
        hears_everything(&manager);
    }

    #[test]
    fn a_manager_in_the_abstract_namespace_hears_it() {
        let name = format!("tickerd-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        say_everything_to(format!("@{name}").as_ref());
        hears_everything(&manager);
    }

    fn hears_everything(manager: &UnixDatagram) {
        manager.set_nonblocking(true).unwrap();
        let mut buffer = [0; 512];
        let heard: Vec<String> =
            std::iter::from_fn(|| manager.recv(&mut buffer).ok().map(|len| buffer[..len].to_vec()))
                .map(|message| String::from_utf8(message).unwrap())
                .map(|message| match message.split_once("MONOTONIC_USEC=") {
                    // A time that no test can know, followed by the line's end.
                    Some((before, time)) => {
                        assert!(time.trim_end().parse::<u64>().is_ok_and(|time| time > 0), "{time}");
                        before.to_owned()
                    }
                    None => message,
                })
                .collect();
        let expected = [
            "READY=1\nSTATUS=3 feeds READY=0\n",
            "STATUS=2 feeds\n",
            "WATCHDOG=1\n",
            "RELOADING=1\n",
            "READY=1\nSTATUS=as it was\n",
            "STOPPING=1\nEXTEND_TIMEOUT_USEC=12000000\n",
        ];
        assert_eq!(heard, expected);
    }

    #[test]
    fn a_manager_that_is_gone_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        say_everything_to(folder.path().join("gone").as_os_str());
        say_everything_to("@".as_ref());
        say_everything_to("".as_ref());
    }
}
