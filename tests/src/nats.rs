//! Real NATS servers, one or three as a cluster, on ports and in folders of their own.
//!
//! ```text
//! let mut nats = Nats::three().await;
//! let leader = nats.leader_of("KV_tickerd_prod").await;
//! nats.kill(leader).await;
//! nats.start(leader).await;
//! ```

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::GUARD;
use crate::space::Space;

/// A port that nobody else gets, although a server may listen on it: all servers of a cluster must know it before any starts,
/// and it stays when the server is killed.
struct Port {
    number: u16,
    _held: Socket,
}

impl Port {
    fn hold() -> Port {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        held.set_reuse_address(true).unwrap();
        held.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let number = held.local_addr().unwrap().as_socket_ipv4().unwrap().port();
        Port { number, _held: held }
    }
}

/// A port that is free now, for what can hold none.
pub fn free_port() -> u16 {
    Port::hold().number
}

struct Server {
    clients: Port,
    routes: Port,
    http: Port,
    child: Option<Child>,
    space: Option<Arc<Space>>,
}

impl Server {
    fn new(space: Option<&Arc<Space>>) -> Server {
        let _inside = space.map(|space| space.enter());
        Server {
            clients: Port::hold(),
            routes: Port::hold(),
            http: Port::hold(),
            child: None,
            space: space.cloned(),
        }
    }

    fn host(&self) -> Ipv4Addr {
        self.space.as_ref().map_or(Ipv4Addr::LOCALHOST, |space| space.address())
    }
}

/// They end when it is dropped.
pub struct Nats {
    servers: Vec<Server>,
    folder: TempDir,
    /// What every configuration ends with.
    rest: String,
}

impl Nats {
    /// One server alone.
    pub async fn one() -> Nats {
        Nats::with(1, "").await
    }

    /// Three as a cluster.
    pub async fn three() -> Nats {
        Nats::with(3, "").await
    }

    /// So many, whose configuration ends with these lines. They serve.
    pub async fn with(count: usize, rest: &str) -> Nats {
        Nats::of((0..count).map(|_| Server::new(None)).collect(), rest).serving().await
    }

    /// One in each of these network namespaces, as a cluster.
    pub async fn inside(spaces: &[Arc<Space>]) -> Nats {
        Nats::of(spaces.iter().map(|space| Server::new(Some(space))).collect(), "").serving().await
    }

    /// So many that do not run yet.
    pub fn stopped(count: usize) -> Nats {
        Nats::of((0..count).map(|_| Server::new(None)).collect(), "")
    }

    fn of(servers: Vec<Server>, rest: &str) -> Nats {
        Nats { servers, folder: TempDir::new().unwrap(), rest: rest.to_owned() }
    }

    async fn serving(mut self) -> Nats {
        for at in 0..self.count() {
            self.spawn(at);
        }
        self.ready().await;
        self
    }

    /// How many there are, running or not.
    pub fn count(&self) -> usize {
        self.servers.len()
    }

    /// Where clients connect.
    pub fn url(&self, at: usize) -> String {
        let server = &self.servers[at];
        format!("nats://{}:{}", server.host(), server.clients.number)
    }

    /// All of them.
    pub fn urls(&self) -> Vec<String> {
        (0..self.count()).map(|at| self.url(at)).collect()
    }

    /// kill -9.
    pub async fn kill(&mut self, at: usize) {
        let mut child = self.servers[at].child.take().expect("it runs");
        child.kill().await.unwrap();
    }

    /// All of them.
    pub async fn kill_all(&mut self) {
        for at in 0..self.count() {
            if self.servers[at].child.is_some() {
                self.kill(at).await;
            }
        }
    }

    /// Starts it again, with what it has stored, and waits until all that run serve.
    pub async fn start(&mut self, at: usize) {
        self.spawn(at);
        self.ready().await;
    }

    /// Starts all that do not run.
    pub async fn start_all(&mut self) {
        for at in 0..self.count() {
            if self.servers[at].child.is_none() {
                self.spawn(at);
            }
        }
        self.ready().await;
    }

    /// All that it stored is gone; it must not run.
    pub fn forget(&mut self, at: usize) {
        assert!(self.servers[at].child.is_none(), "it runs");
        std::fs::remove_dir_all(self.store(at)).unwrap();
    }

    /// Sends a signal, such as SIGSTOP and SIGCONT.
    pub fn signal(&self, at: usize, signal: Signal) {
        let pid = self.servers[at].child.as_ref().and_then(Child::id).expect("it runs") as i32;
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Other last lines for every configuration, from the next start on.
    pub fn set(&mut self, rest: &str) {
        rest.clone_into(&mut self.rest);
    }

    /// Other last lines for every configuration. Servers take it from a signal and say when they have.
    pub async fn reload(&mut self, rest: &str) {
        rest.clone_into(&mut self.rest);
        for at in 0..self.count() {
            let before = self.log(at).matches("Reloaded server configuration").count();
            std::fs::write(self.file(at), self.configuration(at)).unwrap();
            self.signal(at, Signal::SIGHUP);
            self.until("the server to reload", async |nats| {
                (nats.log(at).matches("Reloaded server configuration").count() > before).then_some(())
            })
            .await;
        }
    }

    /// Which server leads that stream.
    pub async fn leader_of(&self, stream: &str) -> usize {
        self.until(&format!("a leader of {stream}"), async |nats| {
            for (at, _) in nats.running() {
                let answer = nats.ask(at, "/jsz?accounts=true&streams=true").await;
                let leader = answer.as_ref().and_then(|answer| leader(answer, stream));
                let named: Option<usize> = leader.and_then(|name| name.strip_prefix('n')?.parse().ok());
                match named {
                    Some(leader) if nats.servers[leader].child.is_some() => return Some(leader),
                    _ => {}
                }
            }
            None
        })
        .await
    }

    /// How many servers keep that stream.
    pub async fn replicas_of(&self, stream: &str) -> u64 {
        self.until(&format!("the stream {stream}"), async |nats| {
            let (at, _) = nats.running().next()?;
            let answer = nats.ask(at, "/jsz?accounts=true&streams=true&config=true").await?;
            find(&answer, stream)?["config"]["num_replicas"].as_u64()
        })
        .await
    }

    /// Whom that server has as clients, by the names that they give.
    pub async fn clients(&self, at: usize) -> Vec<String> {
        let answer = self.ask(at, "/connz").await.unwrap_or_default();
        let all = answer["connections"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(|client| client["name"].as_str().map(str::to_owned)).collect()
    }

    /// What that client is subscribed to.
    pub async fn subjects(&self, at: usize, client: &str) -> BTreeSet<String> {
        let answer = self.ask(at, "/connz?subs=true").await.unwrap_or_default();
        let all = answer["connections"].as_array().cloned().unwrap_or_default();
        let its = all.iter().filter(|one| one["name"] == client);
        let subjects = its.filter_map(|one| one["subscriptions_list"].as_array()).flatten();
        subjects.filter_map(|subject| subject.as_str().map(str::to_owned)).collect()
    }

    /// What it has logged.
    pub fn log(&self, at: usize) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("n{at}.log"))).unwrap_or_default()
    }

    /// Waits until all that run serve, and have JetStream if most of them run.
    pub async fn ready(&self) {
        let most = self.running().count() * 2 > self.count();
        self.until("the servers to serve", async |nats| {
            let mut whole = self.count() == 1;
            for (at, _) in nats.running() {
                let health = nats.ask(at, if most { "/healthz" } else { "/varz" }).await?;
                if most && health["status"] != "ok" {
                    return None;
                }
                let replicas = nats.ask(at, "/jsz").await?["meta_cluster"]["replicas"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                let current = replicas.iter().filter(|replica| replica["current"] == true).count();
                whole |= current + 1 >= self.running().count();
            }
            (whole || !most).then_some(())
        })
        .await;
    }

    fn running(&self) -> impl Iterator<Item = (usize, &Server)> {
        self.servers.iter().enumerate().filter(|(_, server)| server.child.is_some())
    }

    fn spawn(&mut self, at: usize) {
        std::fs::write(self.file(at), self.configuration(at)).unwrap();
        let log = self.folder.path().join(format!("n{at}.log"));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut command = Command::new(tool());
        command
            .arg("-c")
            .arg(self.file(at))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        let server = &mut self.servers[at];
        let _inside = server.space.as_ref().map(|space| space.enter());
        server.child = Some(command.spawn().unwrap());
    }

    fn file(&self, at: usize) -> PathBuf {
        self.folder.path().join(format!("n{at}.conf"))
    }

    fn store(&self, at: usize) -> PathBuf {
        self.folder.path().join(format!("n{at}"))
    }

    fn configuration(&self, at: usize) -> String {
        let server = &self.servers[at];
        let (Server { clients, routes, http, .. }, host) = (server, server.host());
        let mut text = format!(
            "server_name: n{at}\nlisten: \"{host}:{}\"\nhttp: \"{host}:{}\"\nwrite_deadline: \"2s\"\n\
             jetstream {{ store_dir: {:?}, max_mem: 64M, max_file: 256M }}\n",
            clients.number,
            http.number,
            self.store(at)
        );
        if self.count() > 1 {
            let others = self
                .servers
                .iter()
                .map(|server| format!("\"nats-route://{}:{}\"", server.host(), server.routes.number));
            let others: Vec<String> = others.collect();
            text += &format!(
                "cluster {{ name: tests, listen: \"{host}:{}\", routes: [{}] }}\n",
                routes.number,
                others.join(", ")
            );
        }
        text + &self.rest + "\n"
    }

    /// What a server's own monitoring says.
    async fn ask(&self, at: usize, path: &str) -> Option<Value> {
        let server = &self.servers[at];
        let address = SocketAddr::from((server.host(), server.http.number));
        let ask = async {
            let mut stream = match &server.space {
                Some(space) => space.connect(address).await?,
                None => TcpStream::connect(address).await?,
            };
            stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: nats\r\n\r\n").as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        // A server that is stopped takes the connection and says nothing.
        let answer = tokio::time::timeout(Duration::from_secs(1), ask).await.ok()?.ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    /// Asks again until there is an answer: servers of another maker have no event to wait for.
    async fn until<T>(&self, what: &str, ask: impl AsyncFn(&Nats) -> Option<T>) -> T {
        let wait = async {
            loop {
                match ask(self).await {
                    Some(answer) => return answer,
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        match tokio::time::timeout(GUARD, wait).await {
            Ok(answer) => answer,
            Err(_) => panic!("waited for {what}; the servers logged:\n{}", self.logs()),
        }
    }

    fn logs(&self) -> String {
        (0..self.count()).map(|at| self.log(at)).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // One that a test has stopped would not end by the kill on drop before it goes on.
        for (at, server) in self.servers.iter().enumerate() {
            if server.child.is_some() {
                self.signal(at, Signal::SIGKILL);
            }
        }
    }
}

fn find<'a>(answer: &'a Value, stream: &str) -> Option<&'a Value> {
    let accounts = answer["account_details"].as_array()?;
    let streams = accounts.iter().filter_map(|account| account["stream_detail"].as_array()).flatten();
    streams.into_iter().find(|detail| detail["name"] == stream)
}

/// A stream on one server alone has no leader but that server, which does not say its name.
fn leader<'a>(answer: &'a Value, stream: &str) -> Option<&'a str> {
    find(answer, stream)?["cluster"]["leader"].as_str()
}

fn tool() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian puts servers, which is not in everyone's `PATH`.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join("nats-server")).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("nats-server is not installed: run make test-tools"))
}
