//! TLS as clients and operators meet it: over WebSocket, HTTP and event streams; a certificate that is renewed; clients
//! that speak something else, have a certificate, or read slowly.

mod clients;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, date_time_ymd,
};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tickerd_tests::{Builder, Client, Daemon, Script, daemon, json, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, DEFAULT_VERSIONS, HandshakeKind, RootCertStore, SupportedProtocolVersion, version,
};

/// The name in the certificates of clients.
const WALL: &str = "spiffe://example.org/wall";

/// An authority of its own, and the files that it made.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // OpenSSL takes a certificate for its own issuer's if their names are the same.
        params.distinguished_name.push(DnType::CommonName, "an authority of these tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Authority { issuer, folder: TempDir::new().unwrap() }
    }

    /// A certificate and its key, both in PEM and DER.
    fn pair(&self, name: SanType) -> (String, KeyPair, CertificateDer<'static>) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names.push(name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key, certificate.der().clone())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the server's files; gives what a client then sees.
    pub fn renew(&self) -> CertificateDer<'static> {
        let (pem, key, der) = self.pair(SanType::DnsName("localhost".try_into().unwrap()));
        std::fs::write(self.path("chain.pem"), pem).unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(self.path("clients.pem"), self.issuer.pem()).unwrap();
        der
    }

    /// A daemon whose clients come over TLS; `more` is added to `[server.tls]`.
    pub fn daemon(&self, more: &str) -> Builder {
        self.renew();
        let folder = self.folder.path().display();
        daemon().listen("{ address = \"127.0.0.1:0\", tls = true }").config(&format!(
            "[server.tls]\ncertificate = \"{folder}/chain.pem\"\nkey = \"{folder}/key.pem\"\n{more}"
        ))
    }

    fn client(
        &self,
    ) -> tokio_rustls::rustls::ConfigBuilder<ClientConfig, tokio_rustls::rustls::client::WantsClientCert>
    {
        self.client_of(DEFAULT_VERSIONS)
    }

    fn client_of(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> tokio_rustls::rustls::ConfigBuilder<ClientConfig, tokio_rustls::rustls::client::WantsClientCert>
    {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        builder.unwrap().with_root_certificates(roots)
    }

    /// A client that shows a certificate with this name, made by `of`.
    fn showing(&self, of: &Authority, name: SanType) -> ClientConfig {
        let (_, key, der) = of.pair(name);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        self.client().with_client_auth_cert(vec![der], key).unwrap()
    }

    pub async fn over(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        shake(self.client().with_no_client_auth(), stream).await
    }

    pub async fn connect(&self, daemon: &Daemon) -> TlsStream<TcpStream> {
        self.over(daemon.connect().await).await.unwrap()
    }

    /// A WebSocket client that has read `connected`.
    async fn connected(&self, daemon: &Daemon) -> Client {
        greeted(self.connect(daemon).await).await
    }
}

async fn shake(config: ClientConfig, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    within("a handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

async fn greeted(stream: TlsStream<TcpStream>) -> Client {
    let mut client = Client::over(stream, "ws://localhost/ws").await;
    client.expect("connected").await;
    client
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

async fn get(stream: TlsStream<TcpStream>, path: &str) -> String {
    get_with(stream, path, "").await
}

/// The answer, unless the server ends the connection without one.
async fn try_to_get(config: &ClientConfig, daemon: &Daemon, path: &str) -> Option<String> {
    let mut stream = shake(config.clone(), daemon.connect().await).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    within("an answer", stream.read_to_end(&mut answer)).await.ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

async fn get_with(mut stream: TlsStream<TcpStream>, path: &str, headers: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // It ends with a farewell: an end without one would be an error here.
    within("an answer", stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn websocket_pages_and_documents_come_over_tls() {
    let authority = Authority::new();
    let script = Script::new("s");
    let daemon = authority.daemon("").feed(script.feed()).run().await;
    let mut client = authority.connected(&daemon).await;
    client.subscribe(json!({"topics": ["s.*"]})).await;
    for round in 1..=3 {
        script.tick("a", json!(round)).await;
        assert_eq!(client.tick().await.seq(), round);
    }
    for path in ["/", "/v1/openapi.json", "/v1/feeds"] {
        let answer = get(authority.connect(&daemon).await, path).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    let (status, ready) = daemon.get("/readyz?verbose").await;
    assert_eq!(status, 200, "{ready}");
    assert!(ready.contains("certificate"), "{ready}");
    assert!(daemon.metric("tickerd_tls_handshakes_total{result=\"ok\"}").await >= Some(4.0));
    assert!(daemon.metric("tickerd_tls_not_after_seconds").await > Some(1_700_000_000.0));
}

/// The admin listener speaks it too where that is asked for, and its client certificates count there.
#[tokio::test]
async fn metrics_come_over_tls() {
    let authority = Authority::new();
    let ca = authority.path("clients.pem");
    let builder =
        authority.daemon(&format!("admin = true\nclient_ca = \"{}\"\nclient_required = true", ca.display()));
    let mut daemon = builder.spawn();
    let told = daemon.printed("admin on https://").await;
    let address = told.trim().rsplit("https://").next().unwrap().trim_end_matches('/').to_owned();
    let config = || authority.showing(&authority, SanType::URI(WALL.try_into().unwrap()));
    let connect = || async { TcpStream::connect(&address).await.unwrap() };
    let answer = get(shake(config(), connect().await).await.unwrap(), "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("tickerd_build_info"), "{answer}");
    if let Ok(mut stream) = authority.over(connect().await).await {
        let read = within("an alert", stream.read(&mut [0; 64])).await;
        assert!(read.is_err(), "without a certificate: {read:?}");
    }
    let mut plain = connect().await;
    plain.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    drop(within("the end", plain.read_to_end(&mut said)).await);
    assert!(!String::from_utf8_lossy(&said).contains("tickerd_build_info"));
}

#[tokio::test]
async fn event_streams_come_over_tls() {
    let authority = Authority::new();
    let script = Script::new("s");
    let daemon = authority.daemon("").feed(script.feed()).run().await;
    let mut stream = authority.connect(&daemon).await;
    let request = "GET /v1/sse?topics=s.a HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut heard = String::new();
    let mut ticked = false;
    within("the tick", async {
        while !heard.contains("\"over sse\"") {
            let mut part = vec![0; 4096];
            let count = stream.read(&mut part).await.unwrap();
            assert!(count > 0, "it ended: {heard}");
            heard += &String::from_utf8_lossy(&part[..count]);
            if !ticked && heard.contains("subscribed") {
                ticked = true;
                script.tick("a", json!("over sse")).await;
            }
        }
    })
    .await;
    assert!(heard.lines().next().unwrap().contains(" 200 "), "{heard}");
}

#[tokio::test]
async fn a_certificate_is_renewed_while_clients_stay() {
    let authority = Authority::new();
    let script = Script::new("s");
    let daemon = authority.daemon("").feed(script.feed()).run().await;
    let mut client = authority.connected(&daemon).await;
    client.subscribe(json!({"topics": ["s.*"]})).await;
    let before = shown(&authority.connect(&daemon).await);
    let renewed = authority.renew();
    assert_ne!(before, renewed);
    daemon.signal(Signal::SIGHUP);
    daemon.metric_until("tickerd_tls_reload_total{result=\"ok\"}", |count| count == 1.0).await;
    assert_eq!(shown(&authority.connect(&daemon).await), renewed);

    // A key for another certificate, no key, and half a certificate: the one before stays.
    let (other, key) =
        (KeyPair::generate().unwrap(), std::fs::read_to_string(authority.path("key.pem")).unwrap());
    let half = std::fs::read_to_string(authority.path("chain.pem")).unwrap()[..200].to_owned();
    for (at, (file, text)) in
        [("key.pem", other.serialize_pem()), ("key.pem", String::new()), ("chain.pem", half)]
            .iter()
            .enumerate()
    {
        write(&authority.path(file), text);
        daemon.signal(Signal::SIGHUP);
        let refused = (at + 1) as f64;
        daemon.metric_until("tickerd_tls_reload_total{result=\"refused\"}", |count| count == refused).await;
        assert_eq!(shown(&authority.connect(&daemon).await), renewed);
        let (_, ready) = daemon.get("/readyz?verbose").await;
        assert!(ready.contains("the one before is used"), "{ready}");
    }
    daemon.logged("does not fit certificate").await;
    for line in key.lines().filter(|line| !line.starts_with("---")) {
        assert!(!daemon.log().contains(line), "the key is in the log");
    }
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.seq(), 1, "who was there has noticed nothing");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let authority = Authority::new();
    let daemon = authority.daemon("").run().await;
    let (status, body) = tickerd_tests::daemon::http(daemon.address(), "/").await;
    assert_eq!(status, 400);
    assert!(body.contains("https://"), "{body}");
    daemon.metric_until("tickerd_tls_handshakes_total{result=\"plain_http\"}", |count| count == 1.0).await;
    // Garbage is closed without a word.
    let mut stream = daemon.connect().await;
    stream.write_all(b"\x00\x01\x02").await.unwrap();
    let mut rest = Vec::new();
    drop(within("the end", stream.read_to_end(&mut rest)).await);
    assert_eq!(rest, b"");
    // What begins like TLS and is none is refused, with an alert at most.
    let mut stream = daemon.connect().await;
    stream.write_all(b"\x16\x03\x01\x00\x05hello").await.unwrap();
    drop(within("the end", stream.read_to_end(&mut rest)).await);
    assert!(rest.first().is_none_or(|first| *first == 0x15), "{rest:?}");
    daemon.metric_until("tickerd_tls_handshakes_total{result=\"failed\"}", |count| count == 1.0).await;
}

#[tokio::test]
async fn a_slow_client_over_tls_gets_the_newest_in_order() {
    const PADDING: usize = 40_000;
    let authority = Authority::new();
    let script = Script::new("s");
    let daemon = authority.daemon("").server("shards = 1").feed(script.feed()).run().await;
    let mut fast = authority.connected(&daemon).await;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&daemon.address().into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut slow = greeted(authority.over(TcpStream::from_std(socket.into()).unwrap()).await.unwrap()).await;
    for client in [&mut fast, &mut slow] {
        client.subscribe(json!({"topics": ["s.*"]})).await;
    }
    let mut last = 0;
    let mut lagging = 0;
    while lagging < 5 {
        last += 1;
        assert!(last < 2_000, "the socket never fills");
        let value = json!({"round": last, "padding": "x".repeat(PADDING)});
        script.lines(&[Script::state("a", &value), Script::state("b", &value)]).await;
        for _ in 0..2 {
            assert_eq!(fast.tick().await.value()["round"], last);
        }
        lagging += u64::from(daemon.metric("tickerd_connections_lagging").await == Some(1.0));
    }
    let mut newest = [0, 0];
    let mut skipped = 0;
    while newest != [last, last] || skipped == 0 {
        let event = slow.next().await;
        if event.is_notice("lag") {
            skipped += event.data["skipped"].as_u64().unwrap();
        } else if event.is_tick() {
            assert_eq!(event.value()["padding"].as_str().unwrap().len(), PADDING);
            let before = &mut newest[usize::from(event.topic() == "s.b")];
            assert!(event.seq() > *before, "{} after {before}", event.seq());
            *before = event.seq();
        }
    }
    // Level again, it gets what comes.
    daemon.metric_until("tickerd_connections_lagging", |count| count == 0.0).await;
    script.tick("a", json!("after")).await;
    assert_eq!(slow.until_tick("s.a").await, last + 1);
}

#[tokio::test]
async fn half_handshakes_disturb_nobody() {
    let authority = Authority::new();
    let script = Script::new("s");
    let daemon = authority.daemon("").limits("handshake = \"60s\"").feed(script.feed()).run().await;
    let mut halves = Vec::new();
    for at in 0..200_usize {
        let mut stream = daemon.connect().await;
        // The beginning of a record, or none at all.
        stream.write_all(&b"\x16\x03\x01\x02\x00\x01"[..at % 7]).await.unwrap();
        halves.push(stream);
    }
    let mut client = authority.connected(&daemon).await;
    client.subscribe(json!({"topics": ["s.*"]})).await;
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.seq(), 1);
    drop(halves);
    daemon.metric_until("tickerd_tls_handshakes_total{result=\"gone\"}", |count| count == 200.0).await;
}

#[tokio::test]
async fn without_a_usable_certificate_it_does_not_start_and_says_why() {
    let authority = Authority::new();
    let builder = authority.daemon("");
    write(&authority.path("key.pem"), &KeyPair::generate().unwrap().serialize_pem());
    let mut daemon = builder.spawn();
    assert!(!daemon.exit().await.success());
    assert!(daemon.logged("does not fit certificate").await.contains("key.pem"));
}
