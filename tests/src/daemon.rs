//! The real daemon as a child process, and what an operator sees of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Once};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::client::Client;
use crate::feed::Feed;
use crate::lines::Lines;
use crate::raw::Raw;
use crate::space::Space;
use crate::{GUARD, within};

/// A daemon to be: without feeds, on free ports of the loopback.
pub fn daemon() -> Builder {
    raise_descriptors();
    Builder {
        listen: "127.0.0.1:0".into(),
        server: String::new(),
        limits: String::new(),
        rest: String::new(),
        env: Vec::new(),
        space: None,
    }
}

/// Hundreds of clients are in this process, and on many a machine it may have 1,024 descriptors unless it asks for more.
fn raise_descriptors() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    });
}

/// The executable under test.
pub fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("TICKERD_BIN") {
        return program.into();
    }
    let own = std::env::current_exe().expect("a process knows its executable");
    // target/debug/deps/behaviour-… → target/debug/tickerd
    let program = own.parent().and_then(Path::parent).expect("a test lies in target/…/deps").join("tickerd");
    assert!(
        program.is_file(),
        "there is no {}: run cargo build --workspace first, or name the daemon in TICKERD_BIN",
        program.display()
    );
    program
}

/// The folder of the executable under test, where the build leaves the plugins too.
pub fn target() -> PathBuf {
    program().parent().expect("the executable lies in a folder").to_owned()
}

/// A command of the daemon's executable, with no configuration from the environment.
pub fn command() -> Command {
    clean(Command::new(program()))
}

/// A shell's, with no configuration of the daemon from the environment.
pub fn shell() -> Command {
    clean(Command::new("sh"))
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TICKERD_") {
            command.env_remove(name);
        }
    }
    // Nothing of the login session's: see `Daemon::start`.
    command.env_remove("RUNTIME_DIRECTORY").env_remove("XDG_RUNTIME_DIR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// See [`daemon`].
#[derive(Debug, Clone)]
pub struct Builder {
    listen: String,
    server: String,
    limits: String,
    rest: String,
    env: Vec<(String, String)>,
    space: Option<Arc<Space>>,
}

impl Builder {
    /// Adds a feed.
    pub fn feed(self, feed: Feed) -> Builder {
        self.config(&feed.toml())
    }

    /// Adds whole tables to the configuration.
    pub fn config(mut self, text: &str) -> Builder {
        self.rest += &format!("{text}\n");
        self
    }

    /// Adds lines to `[server]`.
    pub fn server(mut self, lines: &str) -> Builder {
        self.server += &format!("{lines}\n");
        self
    }

    /// Adds lines to `[server.limits]`.
    pub fn limits(mut self, lines: &str) -> Builder {
        self.limits += &format!("{lines}\n");
        self
    }

    /// No limit on commands that a test could meet.
    pub fn chatty(self) -> Builder {
        self.limits("commands_per_s = 10000\ncommands_burst = 100000")
    }

    /// Listens there instead.
    pub fn listen(mut self, address: impl ToString) -> Builder {
        self.listen = address.to_string();
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Builder {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Runs in that network namespace.
    pub fn inside(mut self, space: &Arc<Space>) -> Builder {
        self.space = Some(space.clone());
        self
    }

    /// The whole configuration file.
    pub fn toml(&self) -> String {
        let Builder { listen, server, limits, rest, .. } = self;
        // One with more than an address is a table.
        let listen = if listen.starts_with('{') { listen.clone() } else { format!("\"{listen}\"") };
        format!(
            "[server]\nlisten = [{listen}]\nadmin = \"127.0.0.1:0\"\n{server}\n[server.limits]\n{limits}\n{rest}"
        )
    }

    /// Starts it without waiting for anything.
    pub fn spawn(self) -> Daemon {
        self.spawn_to(Stdio::piped(), Stdio::piped())
    }

    /// The same, with its standard output and error there. What does not come to the harness it knows nothing of.
    pub fn spawn_to(self, out: impl Into<Stdio>, log: impl Into<Stdio>) -> Daemon {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("tickerd.toml");
        std::fs::write(&file, self.toml()).unwrap();
        let mut command = command();
        command.arg("--config").arg(&file).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdout(out).stderr(log);
        let inside = self.space.as_ref().map(|space| space.enter());
        let mut daemon = Daemon::start(command, folder);
        drop(inside);
        daemon.space = self.space;
        daemon
    }

    /// Starts it, and waits until it serves.
    pub async fn run(self) -> Daemon {
        let mut daemon = self.spawn();
        daemon.serves().await;
        daemon
    }
}

/// A running daemon; dropping it kills it.
pub struct Daemon {
    child: Child,
    out: Lines,
    log: Lines,
    address: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    folder: TempDir,
    space: Option<Arc<Space>>,
}

impl Daemon {
    /// Starts this command without waiting for anything.
    pub fn start(mut command: Command, folder: TempDir) -> Daemon {
        // A runtime folder of its own, so that daemons of several tests do not meet at an admin socket.
        if !command.as_std().get_envs().any(|(name, value)| name == "XDG_RUNTIME_DIR" && value.is_some()) {
            command.env("XDG_RUNTIME_DIR", folder.path());
        }
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take().map_or_else(|| Lines::read(tokio::io::empty()), Lines::read);
        let log = child.stderr.take().map_or_else(|| Lines::read(tokio::io::empty()), Lines::read);
        Daemon { child, out, log, address: None, admin: None, folder, space: None }
    }

    /// Waits until it serves, and learns its addresses from its stdout.
    pub async fn serves(&mut self) {
        let address = |line: String| {
            let url = line
                .rsplit("://")
                .next()
                .map(|rest| rest.split(' ').next().unwrap_or_default().trim_end_matches('/').to_owned());
            url.and_then(|url| url.parse().ok()).unwrap_or_else(|| panic!("no address: {line}"))
        };
        self.address = Some(address(self.out.line(&["listening on http"]).await));
        self.admin = Some(address(self.out.line(&["admin on "]).await));
    }

    /// Waits for a line on its stdout that contains `text`, and gives it.
    pub async fn printed(&mut self, text: &str) -> String {
        self.out.line(&[text]).await
    }

    /// All lines that it has printed so far.
    pub fn all_printed(&self) -> Vec<String> {
        self.out.seen.borrow().clone()
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("it serves")
    }

    /// Where operators look.
    pub fn admin(&self) -> SocketAddr {
        self.admin.expect("it serves")
    }

    /// A folder that lasts as long as the daemon.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process's number.
    pub fn pid(&self) -> i32 {
        self.child.id().expect("it runs") as i32
    }

    /// A connection.
    pub async fn connect(&self) -> TcpStream {
        let stream = within("a connection", self.reach(self.address())).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    async fn reach(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        match &self.space {
            Some(space) => space.connect(address).await,
            None => TcpStream::connect(address).await,
        }
    }

    /// A WebSocket client.
    pub async fn client(&self, path: &str) -> Client {
        Client::open(self.connect().await, path).await
    }

    /// A WebSocket client that has read `connected`.
    pub async fn connected(&self) -> Client {
        let mut client = self.client("/ws").await;
        client.expect("connected").await;
        client
    }

    /// A WebSocket client that has read `connected`, and whose socket takes little more before the client reads.
    pub async fn narrow(&self) -> Client {
        let socket = Socket::new(Domain::for_address(self.address()), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&self.address().into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut client = Client::open(TcpStream::from_std(socket.into()).unwrap(), "/ws").await;
        client.expect("connected").await;
        client
    }

    /// A connection that has said and read nothing.
    pub async fn raw(&self) -> Raw {
        Raw::new(self.connect().await)
    }

    /// A connection that is upgraded, and has read nothing since.
    pub async fn upgraded(&self, path: &str) -> Raw {
        let mut raw = self.raw().await;
        raw.say(Raw::handshake(path)).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        raw
    }

    /// Asks the admin listener; the status and the body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let stream = within("a connection", self.reach(self.admin())).await.unwrap();
        http_over(stream, self.admin(), path).await
    }

    /// All metrics, as Prometheus reads them.
    pub async fn metrics(&self) -> String {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200, "{text}");
        text
    }

    /// One metric, with its labels as they are written: `tickerd_connections`, `tickerd_closes_total{code="1000"}`.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.metrics().await;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        Some(value.parse().unwrap())
    }

    /// Waits until a metric is as it should be, and gives it.
    pub async fn metric_until(&self, name: &str, is_it: impl Fn(f64) -> bool) -> f64 {
        let wait = async {
            loop {
                match self.metric(name).await {
                    Some(value) if is_it(value) => return value,
                    // A gauge has no event to wait on, so it is asked again.
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        match tokio::time::timeout(GUARD, wait).await {
            Ok(value) => value,
            Err(_) => panic!("{name} stays {:?}", self.metric(name).await),
        }
    }

    /// Waits for a log line that contains `text`, and gives it.
    pub async fn logged(&self, text: &str) -> String {
        self.log.line(&[text]).await
    }

    /// Waits for a log line about this feed that contains `text`, and gives it.
    pub async fn logged_of(&self, feed: &str, text: &str) -> String {
        self.log.line(&[&format!("feed=\"{feed}\""), text]).await
    }

    /// All that was logged so far.
    pub fn log(&self) -> String {
        self.log.seen.borrow().join("\n")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub async fn exit(&mut self) -> ExitStatus {
        within("the daemon to end", self.child.wait()).await.unwrap()
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon logged:\n{}", self.log());
        }
    }
}

/// A request to a listener that closes after its answer; the status and the body.
pub async fn http(address: SocketAddr, path: &str) -> (u16, String) {
    let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
    http_over(stream, address, path).await
}

async fn http_over(mut stream: TcpStream, address: SocketAddr, path: &str) -> (u16, String) {
    let ask = async {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = within("an HTTP answer", ask).await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.unwrap_or_else(|| panic!("no answer: {answer}")), body.to_owned())
}
