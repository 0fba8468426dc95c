//! tickerd behind the real nginx and haproxy, which are configured as the examples in `systemd/` show: what users do works, and
//! each client is known by its own address. `make test-tools` installs both.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tickerd_tests::{Client, Daemon, Incoming, Raw, Script, json, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_rustls::client::TlsStream;

use crate::proxied::v2;
use crate::tls::Authority;

const TOKEN: &str = "READER-CANARY-0123456789-0123456789";
/// The public name of the examples.
const NAME: &str = "ticks.example.org";
const AUTH: &str = r#"
[auth]
anonymous = ["s.**"]
[[auth.token]]
name = "reader"
token = { env = "READER" }
groups = ["readers"]
[[auth.group]]
name = "readers"
subscribe = ["s.**"]
history = ["s.**"]
"#;

/// Where distributions put servers, which is not in everyone's `PATH`.
fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: run make test-tools"))
}

fn example(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").join(name)).unwrap()
}

/// The example with what differs between its machine and this one.
fn changed(mut text: String, changes: &[(&str, String)]) -> String {
    for (before, after) in changes {
        assert!(text.contains(before), "the example has no {before:?}");
        text = text.replace(before, after);
    }
    text
}

/// A proxy that runs; it ends when dropped.
struct Front {
    ports: [u16; 2],
    _child: Child,
}

impl Front {
    /// Starts what `command` gives for two free ports, until it listens at the first.
    async fn start(folder: &TempDir, command: impl Fn([u16; 2]) -> Command) -> Front {
        let said = folder.path().join("said");
        // Another process may take a port before the proxy does: then it ends, and is started with others.
        for _ in 0..10 {
            let held = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
            let ports = held.each_ref().map(|listener| listener.local_addr().unwrap().port());
            drop(held);
            let file = std::fs::File::create(&said).unwrap();
            let mut command = command(ports);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).kill_on_drop(true);
            let mut child = command.spawn().unwrap();
            let listens = async {
                while child.try_wait().unwrap().is_none() {
                    if TcpStream::connect(("127.0.0.1", ports[0])).await.is_ok() {
                        return true;
                    }
                    // A proxy does not say when it listens.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                false
            };
            if within("the proxy to listen", listens).await {
                return Front { ports, _child: child };
            }
        }
        panic!("the proxy does not start: {}", std::fs::read_to_string(said).unwrap());
    }
}

/// One way to tickerd. Its proxy is told for each connection which address it comes from.
struct Way<'a> {
    authority: &'a Authority,
    port: u16,
}

impl Way<'_> {
    async fn connect(&self, from: &str) -> TlsStream<TcpStream> {
        let mut stream = within("the proxy", TcpStream::connect(("127.0.0.1", self.port))).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&v2(Some(from))).await.unwrap();
        self.authority.over(stream).await.unwrap()
    }

    async fn client(&self, from: &str) -> Client {
        let mut client = Client::over(self.connect(from).await, &format!("ws://{NAME}/ws")).await;
        client.expect("connected").await;
        client
    }

    /// The status of an answer, with its head and as much of the rest as comes until `enough`.
    async fn ask(&self, from: &str, request: &str, lines: &str) -> (u16, String) {
        let mut stream = self.connect(from).await;
        let request = format!(
            "{request} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\nContent-Length: 0\r\n{lines}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        drop(within("an answer", stream.read_to_end(&mut answer)).await);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (status(&answer), answer)
    }

    /// The status of a handshake, and its connection.
    async fn shake(&self, from: &str, host: &str, lines: &str) -> (u16, TlsStream<TcpStream>) {
        let mut stream = self.connect(from).await;
        let request = Raw::handshake("/ws").replace("localhost\r\n", &format!("{host}\r\n{lines}"));
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        within("an answer", async {
            while !head.contains("\r\n\r\n") {
                head.push(char::from(stream.read_u8().await.unwrap()));
            }
        })
        .await;
        (status(&head), stream)
    }

    /// Does all that users do, from addresses that begin like this, with a topic of its own.
    async fn walk(&self, script: &Script, addresses: &str, topic: &str) {
        let address = |n: u8| format!("{addresses}.{n}");
        // WebSocket.
        let mut client = self.client(&address(1)).await;
        client.subscribe(json!({ "topics": [format!("s.{topic}")] })).await;
        script.tick(topic, json!("by socket")).await;
        assert_eq!(*client.tick().await.value(), json!("by socket"));

        // Events come one by one, and the stream goes on.
        let mut events = self.connect(&address(2)).await;
        let request = format!(
            "GET /v1/sse?topics=s.{topic} HTTP/1.1\r\nHost: {NAME}\r\nAccept: text/event-stream\r\n\r\n"
        );
        events.write_all(request.as_bytes()).await.unwrap();
        let mut heard = String::new();
        for say in ["by socket", "first event", "second event"] {
            if say != "by socket" {
                script.tick(topic, json!(say)).await;
            }
            within("the event", async {
                while !heard.contains(say) {
                    let mut part = vec![0; 4096];
                    let count = events.read(&mut part).await.unwrap();
                    assert!(count > 0, "it ended: {heard}");
                    heard += &String::from_utf8_lossy(&part[..count]);
                }
            })
            .await;
        }

        // The page and documents; a token in its header.
        let (status, page) = self.ask(&address(3), "GET /", "").await;
        assert!(status == 200 && page.contains("<html"), "{page}");
        let (status, value) = self.ask(&address(3), &format!("GET /v1/topics/s.{topic}"), "").await;
        assert!(status == 200 && value.contains("second event"), "{value}");
        let past = format!("GET /v1/topics/s.{topic}/history");
        assert_eq!(self.ask(&address(3), &past, "").await.0, 401);
        let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
        let (status, past) = self.ask(&address(3), &past, &bearer).await;
        assert!(status == 200 && past.contains("first event"), "{past}");

        // Pages of this name connect and foreign ones do not, and neither does a strange name.
        for (host, origin, status) in [
            (NAME, format!("https://{NAME}"), 101),
            (NAME, "https://evil.example".into(), 403),
            ("evil.example", "https://evil.example".into(), 403),
            (NAME, "null".into(), 403),
        ] {
            let got = self.shake(&address(4), host, &format!("Origin: {origin}\r\n")).await.0;
            assert_eq!(got, status, "{host} {origin}");
        }

        // Limits hold for the client, whatever it claims.
        let mut held = Vec::new();
        for _ in 0..2 {
            let (status, stream) = self.shake(&address(5), NAME, "").await;
            assert_eq!(status, 101);
            held.push(stream);
        }
        assert_eq!(self.shake(&address(5), NAME, "").await.0, 429);
        assert_eq!(self.shake(&address(5), NAME, "X-Forwarded-For: 203.0.113.9\r\n").await.0, 429);
        assert_eq!(self.shake(&address(6), NAME, "X-Forwarded-For: 198.51.100.5\r\n").await.0, 101);

        // A ticket is good for who asked, and not for others behind the same proxy.
        for (user, status) in [(address(7), 101), ("203.0.113.1".to_owned(), 401)] {
            let (_, answer) = self.ask(&address(7), "POST /v1/ticket", &bearer).await;
            let ticket = answer.split("\"ticket\":\"").nth(1).and_then(|rest| rest.split('"').next());
            let ticket = ticket.unwrap_or_else(|| panic!("{answer}")).to_owned();
            let mut stream = self.connect(&user).await;
            let request = Raw::handshake(&format!("/ws?ticket={ticket}")).replace("localhost", NAME);
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut head = [0; 12];
            within("an answer", stream.read_exact(&mut head)).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&head), format!("HTTP/1.1 {status}"));
        }

        script.tick(topic, json!("still there")).await;
        while *client.tick().await.value() != json!("still there") {}
    }
}

/// A close reaches clients with its code, whichever way they came.
async fn see_off(authority: &Authority, ways: &[&Way<'_>]) {
    let mut clients = Vec::new();
    for way in ways {
        let mut client = way.client("203.0.113.77").await;
        client.send(json!({"event": "auth", "data": {"token": TOKEN}})).await;
        client.expect("authenticated").await;
        clients.push(client);
    }
    let mut command = tickerd_tests::daemon::command();
    command.args(["disconnect", "--token", "reader", "--socket"]).arg(authority.path("admin.sock"));
    let told = within("tickerd disconnect", command.output()).await.unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    for mut client in clients {
        let code = loop {
            match client.incoming().await {
                Incoming::Close(code, _) => break code,
                Incoming::End => panic!("it ended without a close"),
                _ => {}
            }
        };
        assert_eq!(code, 4001);
    }
}

fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no status: {answer}"))
}

/// A daemon with this in `listen` and in `trusted`, which is not waited for.
fn behind(authority: &Authority, listen: &str, trusted: &str) -> (Script, Daemon) {
    let script = Script::new("s");
    let socket = authority.path("admin.sock");
    let daemon = authority
        .daemon("")
        .listen(listen)
        .server(&format!(
            "hosts = [\"{NAME}\"]\ntrusted = [{trusted}]\nadmin_socket = \"unix:{}\"",
            socket.display()
        ))
        .limits("connections_per_address = 2")
        .config(AUTH)
        .env("READER", TOKEN)
        .feed(script.feed());
    (script, daemon.spawn())
}

/// nginx with the example, whose front says for each connection where it comes from: its clients are all on this machine.
async fn nginx(authority: &Authority, folder: &TempDir, changes: &[(&str, String)]) -> Front {
    let at = |name: &str| folder.path().join(name).display().to_string();
    let start = |ports: [u16; 2]| {
        let mut all = vec![
            (
                "listen 443 ssl;",
                format!(
                    "listen 127.0.0.1:{} ssl proxy_protocol; set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;",
                    ports[0]
                ),
            ),
            ("/etc/nginx/tls/chain.pem", authority.path("chain.pem").display().to_string()),
            ("/etc/nginx/tls/key.pem", authority.path("key.pem").display().to_string()),
            ("/var/log/nginx/tickerd.log", at("access.log")),
        ];
        all.extend(changes.iter().cloned());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", at(kind)))
            .concat();
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log stderr warn;\nevents {{}}\nhttp {{\n{temporary}{}\n}}\n",
            at("pid"),
            changed(example("nginx.conf.example"), &all)
        );
        std::fs::write(at("nginx.conf"), whole).unwrap();
        let mut command = Command::new(tool("nginx"));
        command.args(["-e", "stderr", "-p", &at(""), "-c", &at("nginx.conf")]);
        command
    };
    Front::start(folder, start).await
}

#[tokio::test]
async fn nginx_passes_everything_on_over_a_unix_socket() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let socket = authority.path("t.sock").display().to_string();
    let listen = format!("{{ address = \"unix:{socket}\" }}, \"127.0.0.1:0\"");
    let (script, mut daemon) = behind(&authority, &listen, "\"unix\"");
    daemon.serves().await;
    let front = nginx(&authority, &folder, &[("/run/tickerd/tickerd.sock", socket)]).await;
    let way = Way { authority: &authority, port: front.ports[0] };
    way.walk(&script, "198.51.100", "a").await;
    see_off(&authority, &[&way]).await;
    // Neither log holds what came in an address or a header.
    let access = std::fs::read_to_string(folder.path().join("access.log")).unwrap();
    assert!(access.contains("198.51.100.3") && access.contains("/v1/sse"), "{access}");
    assert!(
        !access.contains("ticket=") && !access.contains("CANARY") && !daemon.log().contains("CANARY"),
        "{access}"
    );
}

#[tokio::test]
async fn nginx_passes_everything_on_over_tls() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let (script, mut daemon) =
        behind(&authority, "{ address = \"127.0.0.1:0\", tls = true }", "\"127.0.0.1\"");
    daemon.serves().await;
    let changes = [
        ("server unix:/run/tickerd/tickerd.sock;", format!("server {};", daemon.address())),
        ("proxy_pass http://", "proxy_pass https://".into()),
        ("# proxy_ssl_verify on", "proxy_ssl_verify on".into()),
        ("# proxy_ssl_server_name on", "proxy_ssl_server_name on".into()),
        ("# proxy_ssl_name ticks.example.org", "proxy_ssl_name localhost".into()),
        (
            "# proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt",
            format!("proxy_ssl_trusted_certificate {}", authority.path("clients.pem").display()),
        ),
    ];
    let front = nginx(&authority, &folder, &changes).await;
    let way = Way { authority: &authority, port: front.ports[0] };
    way.walk(&script, "198.51.100", "a").await;
    see_off(&authority, &[&way]).await;
}

#[tokio::test]
async fn haproxy_passes_everything_on_with_the_proxy_protocol_and_by_http() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let listen = "{ address = \"127.0.0.1:0\", tls = true, proxy = true }, \"127.0.0.1:0\"";
    let (script, mut daemon) = behind(&authority, listen, "\"127.0.0.1\"");
    daemon.serves().await;
    let raw = daemon.address();
    let plain = daemon.printed("listening on http://").await;
    let plain = plain["listening on http://".len()..].trim_end_matches('/').to_owned();
    let both = folder.path().join("both.pem");
    let pem =
        ["chain.pem", "key.pem"].map(|name| std::fs::read_to_string(authority.path(name)).unwrap()).concat();
    std::fs::write(&both, pem).unwrap();
    let file = folder.path().join("haproxy.cfg");
    let front = Front::start(&folder, |ports| {
        let changes = [
            ("bind :443", format!("bind 127.0.0.1:{} accept-proxy", ports[0])),
            ("bind :8443", format!("bind 127.0.0.1:{} accept-proxy", ports[1])),
            ("server tickerd 127.0.0.1:8500", format!("server tickerd {raw}")),
            ("server tickerd 127.0.0.1:8425", format!("server tickerd {plain}")),
            ("/etc/haproxy/tls/both.pem", both.display().to_string()),
        ];
        std::fs::write(&file, changed(example("haproxy.cfg.example"), &changes)).unwrap();
        let mut command = Command::new(tool("haproxy"));
        command.arg("-db").arg("-f").arg(&file);
        command
    })
    .await;
    let [tcp, http] = front.ports.map(|port| Way { authority: &authority, port });
    tcp.walk(&script, "198.51.100", "a").await;
    http.walk(&script, "192.0.2", "b").await;
    see_off(&authority, &[&tcp, &http]).await;
    // Its checks speak for nobody.
    daemon.metric_until("tickerd_proxy_headers_total{result=\"local\"}", |count| count > 0.0).await;
}
