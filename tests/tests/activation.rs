//! Sockets that a service manager passes: what connects while the daemon restarts waits, and what does not fit is told.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tickerd_tests::{Builder, Client, Daemon, daemon};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;

/// A service manager as small as can be. It listens at the places that it is given, and starts the daemon twice with its sockets
/// from descriptor 3 on; the second time on SIGUSR1. In the configuration `PLACE0` is where the first one listens.
const MANAGER: &str = r#"
import os, signal, socket, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
folder, config, places, command = sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4:]
sockets = []
for at, place in enumerate(places):
    if place == "unix":
        one = socket.socket(socket.AF_UNIX)
        one.bind(folder + "/passed.sock")
        where = "unix:" + one.getsockname()
    else:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if place == "udp" else socket.SOCK_STREAM)
        one.bind(("0.0.0.0" if place == "every" else "127.0.0.1", 0))
        where = "127.0.0.1:%d" % one.getsockname()[1]
    if place in ("tcp", "every", "unix"):
        one.listen(64)
    sockets.append(one)
    config = config.replace("PLACE%d" % at, where)
    print("holds " + where, flush=True)
with open(folder + "/tickerd.toml", "w") as file:
    file.write(config)
for number in (1, 2):
    child = os.fork()
    if child == 0:
        # First out of the way of the numbers that they will have.
        high = [os.dup2(one.fileno(), 100 + at) for at, one in enumerate(sockets)]
        for at, one in enumerate(high):
            os.dup2(one, 3 + at)
        os.closerange(3 + len(high), 200)
        names = ":".join(["tickerd.socket"] * len(high))
        os.environ.update(LISTEN_FDS=str(len(high)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=names)
        os.execv(command[0], command + [folder + "/tickerd.toml"])
    print("daemon %d: %d" % (number, child), flush=True)
    _, status = os.waitpid(child, 0)
    print("ended", os.waitstatus_to_exitcode(status), flush=True)
    signal.sigwait([signal.SIGUSR1])
"#;

/// A manager that holds sockets of these kinds, and has started the daemon.
fn manager(places: &str, config: &Builder) -> Daemon {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", MANAGER]).arg(folder.path()).arg(config.toml()).arg(places);
    command.arg(tickerd_tests::daemon::program()).arg("--config");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TICKERD_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Daemon::start(command, folder)
}

/// The daemon's process; it ends with the test.
struct Child(Pid);

impl Child {
    async fn of(manager: &mut Daemon, number: u8) -> Child {
        let line = manager.printed(&format!("daemon {number}: ")).await;
        Child(Pid::from_raw(line["daemon 1: ".len()..].parse().unwrap()))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

async fn greeted(stream: impl tickerd_tests::client::Stream + 'static) -> Client {
    let mut client = Client::over(stream, "ws://localhost/ws").await;
    client.expect("connected").await;
    client
}

#[tokio::test]
async fn who_connects_while_the_daemon_restarts_waits() {
    let listen = "{ address = \"PLACE0\" }, { address = \"PLACE1\" }, { address = \"127.0.0.1:0\" }";
    let mut manager = manager("tcp,unix", &daemon().listen(listen));
    let tcp = manager.printed("holds ").await["holds ".len()..].to_owned();
    let unix = manager.printed("holds unix:").await["holds unix:".len()..].to_owned();
    let first = Child::of(&mut manager, 1).await;
    manager.printed(&format!("listening on http://{tcp}/")).await;
    manager.printed(&format!("listening on unix:{unix}")).await;
    manager.printed("admin on ").await;
    greeted(TcpStream::connect(&tcp).await.unwrap()).await;
    greeted(UnixStream::connect(&unix).await.unwrap()).await;
    kill(first.0, Signal::SIGTERM).unwrap();
    assert_eq!(manager.printed("ended ").await, "ended 0");

    // Nobody is there, and nobody is refused.
    let waiting = (TcpStream::connect(&tcp).await.unwrap(), UnixStream::connect(&unix).await.unwrap());
    manager.signal(Signal::SIGUSR1);
    let _second = Child::of(&mut manager, 2).await;
    greeted(waiting.0).await;
    greeted(waiting.1).await;
}

#[tokio::test]
async fn a_socket_that_is_passed_and_not_configured_ends_the_start() {
    let elsewhere = daemon();
    let other = daemon().listen("{ address = \"PLACE0\" }");
    for (places, config, says) in [
        ("tcp", &elsewhere, "that is not in listen in [server]; add \"127.0.0.1:"),
        ("unix", &elsewhere, "that is not in listen in [server]; add \"unix:/"),
        ("tcp,tcp", &other, "that is not in listen in [server]; add \"127.0.0.1:"),
        // It listens where the configuration wants to, and elsewhere.
        ("every", &other, "that is not in listen in [server]; add \"0.0.0.0:"),
        ("deaf", &other, "passed socket 1 (from \"tickerd.socket\"), and it does not listen"),
        ("udp", &other, "passed socket 1 (from \"tickerd.socket\"), and fd 3 is not a valid"),
    ] {
        let mut manager = manager(places, config);
        assert_eq!(manager.printed("ended ").await, "ended 78", "{places}");
        manager.logged(says).await;
    }
}

#[tokio::test]
async fn a_passed_address_stays_until_a_restart() {
    let listen = "{ address = \"PLACE0\" }, { address = \"127.0.0.1:0\" }";
    let mut manager = manager("tcp", &daemon().listen(listen));
    let tcp = manager.printed("holds ").await["holds ".len()..].to_owned();
    let first = Child::of(&mut manager, 1).await;
    manager.printed("admin on ").await;
    let file = manager.folder().join("tickerd.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    let less = good.replace(&format!("{{ address = \"{tcp}\" }}, "), "");
    assert_ne!(less, good);
    std::fs::write(&file, less).unwrap();
    kill(first.0, Signal::SIGHUP).unwrap();
    let says = format!("nothing was applied: server.listen: the service manager holds the socket of {tcp}");
    manager.logged(&says).await;
    greeted(TcpStream::connect(&tcp).await.unwrap()).await;
    std::fs::write(&file, good).unwrap();
    kill(first.0, Signal::SIGHUP).unwrap();
    manager.logged("the configuration is as it was").await;
    greeted(TcpStream::connect(&tcp).await.unwrap()).await;
}
