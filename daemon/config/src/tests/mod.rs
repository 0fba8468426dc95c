//! Tests of the whole crate: what is read, and from where. Beside it: mistakes, precedence, random texts, secrets.

mod addresses;
mod auth;
mod bars;
mod chance;
mod classes;
mod cluster;
mod codes;
mod folder;
mod offers;
mod offers_for_all;
mod precedence;
mod secrets;
mod slips;

use std::path::Path;
use std::time::Duration;

use super::*;
use tickerd_model::source::Pace;
use tickerd_model::web::host::Host;
use tickerd_model::web::network::{Network, Trusted};
use tickerd_model::web::origin::Listed;

fn load(text: &str) -> Result<Config, Problems> {
    Config::from_text("t.toml", text, Path::new("/etc/tickerd"))
}

fn message(text: &str) -> String {
    load(text).expect_err(text).to_string()
}

fn with_env(text: &str, env: &[(&str, &str)], flags: &Overrides) -> Result<Config, Problems> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    examine(Text::of("t.toml", text), Some(Path::new(".")), env, flags).checked()
}

fn tcp(text: &str) -> Listen {
    text.parse().unwrap()
}

#[test]
fn without_a_file_two_feeds_run() {
    let config = Config::load(None, std::iter::empty(), &Overrides::default()).unwrap();
    assert_eq!(config, Config::default());
    let names: Vec<&str> = config.feeds.iter().map(|feed| feed.name.as_str()).collect();
    assert_eq!(names, ["sim", "host"]);
    assert_eq!(config.server.listen, [tcp("127.0.0.1:8425").into()]);
}

#[test]
fn an_empty_file_runs_no_feed() {
    let config = load("").unwrap();
    assert_eq!(config, Config { feeds: Vec::new(), ..Config::default() });
}

#[test]
fn every_key_is_read() {
    let config = load(
        r#"
[server]
listen = ["0.0.0.0:0", "unix:/run/t.sock", { address = "[::]:0", tls = true, proxy = true }]
admin = "[::1]:9"
admin_socket = "unix:/run/admin.sock"
shards = 3
tiers = ["50ms", "2s"]
origins = ["https://Dash.Example", "http://a.example:8080"]
hosts = ["Ticks.Example.", "192.0.2.7", "2001:db8::7"]
page = "page"
trusted = ["unix", "10.0.0.0/8", "2001:db8::1"]
insecure_public = true
compression = { level = 9, window_bits = 10, threshold = "0B", members = 2, contexts = 3, every = "4s" }
echo = true
heartbeat = "1m"
ping = "5s"
pong_timeout = "11s"
drain = "0s"
[server.tls]
certificate = "tls/chain.pem"
key = "/run/key.pem"
client_ca = "clients.pem"
client_crl = "clients.crl"
client_required = true
admin = true
[server.echo_limits]
message = "1MB"
fragments = 7
[server.limits]
message = "1KiB"
topics = 1
patterns = 0
commands_per_s = 100
commands_burst = 0x64
history_bytes_per_s = "1MiB"
connections = 9
connections_per_address = 8
connections_per_user = 7
connections_unidentified = 6
handshakes_per_s = 5
memory = "75%"
pending = "64KiB"
dry_run = ["connections_per_user", "memory"]
handshake = "200ms"
[server.admin_token]
credential = "admin"
[server.signing]
key = { file = "ed25519.pem" }
previous = { env = "BEFORE" }
[cluster]
name = "prod"
node = "b"
nats = ["tls://Nats.Example", "tls://[::1]:4223"]
user = "tickerd"
password = { credential = "nats" }
ca = "nats/ca.pem"
certificate = "nats/node.pem"
key = "nats/node-key.pem"
role = "node"
join = "0ms"
feeds = ["stocks", "lines"]
[history]
count = 0
age = "1h"
bytes = "1MiB"
path = "past/history"
[bars]
keep = { "1h" = "31d", "15s" = "1h" }
bytes = "64MiB"
[[feed]]
name = "stocks"
plugin = "tickerd_feed_stocks"
isolation = "in-process"
sha256 = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
interval = "500ms"
pace = "beat"
poll = "2s"
emit = "always"
max_age = "6s"
heartbeat = "2m"
memory_max = "off"
topics_max = 5
sign = true
bars = { field = "price", volume = "size" }
nodes = ["a", "b"]
[feed.config]
symbols = ["AAPL"]
deep = { n = 1, f = 1.5, on = true, day = 2026-01-01, big = 18446744073709551615 }
[[feed]]
name = "lines"
exec = ["./feed.py", ""]
pace = "arrival"
[[topic]]
name = "rooms.a"
publish = true
presence = true
[[topic]]
name = "rooms.b"
history = 0
[[topic]]
name = "rooms.c"
history = { count = 500, age = "24h" }
[[topic]]
name = "rooms.d"
[topic.history]
age = "1h"
"#,
    )
    .unwrap();
    let expected = Server {
        listen: vec![
            tcp("0.0.0.0:0").into(),
            tcp("unix:/run/t.sock").into(),
            Listener { address: tcp("[::]:0"), tls: true, proxy: true },
        ],
        tls: Some(Tls {
            certificate: "/etc/tickerd/tls/chain.pem".into(),
            key: "/run/key.pem".into(),
            client_ca: Some("/etc/tickerd/clients.pem".into()),
            client_crl: Some("/etc/tickerd/clients.crl".into()),
            client_required: true,
            admin: true,
        }),
        admin: tcp("[::1]:9"),
        admin_token: Some(TokenSource::Secret(SecretSource::Credential("admin".into()))),
        admin_socket: AdminSocket::At("/run/admin.sock".into()),
        shards: 3,
        tiers: vec![Duration::from_millis(50), Duration::from_secs(2)],
        origins: ["https://dash.example", "http://a.example:8080"]
            .map(|text| Listed::parse(text).unwrap())
            .into(),
        hosts: ["ticks.example", "192.0.2.7", "[2001:db8::7]"].map(|text| Host::parse(text).unwrap()).into(),
        page: Some("/etc/tickerd/page".into()),
        chat: false,
        trusted: Some(Trusted {
            unix: true,
            networks: ["10.0.0.0/8", "2001:db8::1"].map(|text| Network::parse(text).unwrap()).into(),
        }),
        dev: false,
        insecure_public: true,
        compression: Some(tickerd_model::wire::deflate::Settings {
            level: 9,
            window_bits: 10,
            threshold: 0,
            shared: Some(tickerd_model::wire::deflate::Sharing {
                members: 2,
                contexts: 3,
                every: Duration::from_secs(4),
            }),
        }),
        echo: Some(EchoLimits { message: 1_000_000, fragments: 7 }),
        heartbeat: Duration::from_secs(60),
        ping: Duration::from_secs(5),
        pong_timeout: Duration::from_secs(11),
        drain: Duration::ZERO,
        limits: Limits {
            message: 1_024,
            topics: 1,
            patterns: 0,
            commands_per_s: 100,
            commands_burst: 100,
            history_bytes_per_s: 1 << 20,
            connections: 9,
            connections_per_address: 8,
            connections_per_user: 7,
            connections_unidentified: 6,
            handshakes_per_s: 5,
            memory: Some(75),
            pending: 64 << 10,
            dry_run: vec!["connections_per_user", "memory"],
            handshake: Duration::from_millis(200),
        },
        signing: Some(Signing {
            key: SecretSource::File("/etc/tickerd/ed25519.pem".into()),
            previous: Some(SecretSource::Env("BEFORE".into())),
        }),
    };
    assert_eq!(config.server, expected);
    let cluster = Cluster {
        name: "prod".into(),
        node: "b".into(),
        nats: vec![
            Nats { tls: true, host: "nats.example".into(), port: 4222 },
            Nats { tls: true, host: "::1".into(), port: 4223 },
        ],
        login: Some(Login::User {
            user: "tickerd".into(),
            password: SecretSource::Credential("nats".into()),
        }),
        ca: Some("/etc/tickerd/nats/ca.pem".into()),
        certificate: Some("/etc/tickerd/nats/node.pem".into()),
        key: Some("/etc/tickerd/nats/node-key.pem".into()),
        role: Role::Node,
        join: Duration::ZERO,
        feeds: Some(vec!["stocks".into(), "lines".into()]),
    };
    assert_eq!(config.cluster, Some(cluster));
    let path = Some(Path::new("/etc/tickerd/past/history").to_owned());
    let history = History { count: 0, age: Duration::from_secs(3_600), bytes: 1 << 20, path };
    assert_eq!(config.history, history);
    let keep = [(15, 3_600), (3_600, 31 * 86_400)]
        .map(|(period, age)| Keep { period: Duration::from_secs(period), age: Duration::from_secs(age) });
    assert_eq!(config.bars, Bars { keep: keep.into(), bytes: 64 << 20 });
    let stocks = Feed {
        name: "stocks".to_owned(),
        source: Source::Plugin { path: "tickerd_feed_stocks".into(), isolation: Isolation::InProcess },
        sha256: "00112233445566778899aabbccddeeff".repeat(2).parse().ok(),
        interval: Duration::from_millis(500),
        pace: Pace::Beat,
        poll: Some(Duration::from_secs(2)),
        emit: Emit::Always,
        max_age: Some(Duration::from_secs(6)),
        heartbeat: Some(Duration::from_secs(120)),
        memory_max: None,
        topics_max: 5,
        sign: true,
        bars: FeedBars::Field { field: "price".to_owned(), volume: Some("size".to_owned()) },
        nodes: Some(vec!["a".to_owned(), "b".to_owned()]),
        config: serde_json::json!({
            "symbols": ["AAPL"],
            "deep": {"n": 1, "f": 1.5, "on": true, "day": "2026-01-01", "big": u64::MAX},
        }),
        base_dir: "/etc/tickerd".into(),
    };
    assert_eq!(config.feeds[0], stocks);
    assert_eq!(config.feeds[1].source, Source::Exec(vec!["./feed.py".to_owned(), String::new()]));
    assert_eq!(config.feeds[1].config, serde_json::json!({}));
    assert_eq!(config.feeds[1].pace, Pace::Arrival);
    let hour = Some(Duration::from_secs(3_600));
    let depths = config.topics.iter().map(|topic| (topic.count, topic.age));
    assert_eq!(
        depths.collect::<Vec<_>>(),
        [(None, None), (Some(0), None), (Some(500), Some(Duration::from_secs(86_400))), (None, hour)]
    );
    let [none, _, both, _] = config.topics.as_slice() else { panic!("{:?}", config.topics) };
    assert!(none.publish && none.presence && !both.publish);
    assert_eq!(none.depth(&config.history), config.history.depth());
    assert_eq!(both.depth(&config.history).count, 500);
    assert_eq!(config.warnings, []);
}

#[test]
fn warnings_do_not_stop_the_start() {
    let config = load(
        "[server.echo_limits]\nfragments = 5\n[[feed]]\nname = \"a\"\nplugin = \"p\"\npoll = \"5s\"\nmax_age = \"2s\"",
    )
    .unwrap();
    assert_eq!(config.server.echo, None);
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.contains("echo = true")), "{warnings:?}");
    assert!(
        warnings.iter().any(|warning| warning.contains(": server.echo_limits: these limits")),
        "{warnings:?}"
    );
    assert!(warnings.iter().any(|warning| warning.contains("max_age = \"15s\" or more")), "{warnings:?}");
}

/// With `[auth]`, a proxy may be anywhere. That everyone may then say who it is, is said.
#[test]
fn a_public_listener_behind_a_proxy_needs_to_know_which() {
    let public = "[server]\nlisten = [{ address = \"0.0.0.0:1\", proxy = true }]\n";
    let warnings = |lines: &str| -> Vec<String> {
        load(&format!("{lines}[auth]\n")).unwrap().warnings.iter().map(ToString::to_string).collect()
    };
    let said = warnings(public);
    assert!(
        said.iter().any(|said| said.contains("whoever reaches listen[0]") && said.contains("trusted = [")),
        "{said:?}"
    );
    for quiet in [
        format!("{public}trusted = [\"10.0.0.1\"]\n"),
        format!("{public}trusted = []\n"),
        public.replace("0.0.0.0", "127.0.0.1"),
    ] {
        let said = warnings(&quiet);
        assert!(!said.iter().any(|said| said.contains("PROXY")), "{said:?}");
    }
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let load = |file: &Path| Config::load(Some(file), std::iter::empty(), &Overrides::default());
    let missing = load(&folder.path().join("gone.toml")).unwrap_err().to_string();
    assert!(missing.contains("gone.toml: the file cannot be read: No such file"), "{missing}");
    assert!(missing.contains("name another file") && !missing.contains("--config"), "{missing}");
    assert!(load(folder.path()).unwrap_err().to_string().contains("this is a folder"));

    let file = folder.path().join("t.toml");
    std::fs::write(&file, b"[server]\nshards = \xff\n").unwrap();
    assert!(load(&file).unwrap_err().to_string().contains("line 2 is not valid UTF-8"));
    std::fs::write(&file, vec![b'\n'; 1_048_577]).unwrap();
    assert!(load(&file).unwrap_err().to_string().contains("more than 1048576 bytes"));

    std::fs::write(&file, "[[feed]]\nname = \"a\"\nexec = [\"./a\"]\n").unwrap();
    assert_eq!(load(&file).unwrap().feeds[0].base_dir, folder.path());
}

#[test]
fn known_keys_are_those_of_the_design() {
    let keys = known_keys();
    for key in [
        "server.listen",
        "server.hosts",
        "server.page",
        "server.echo_limits.fragments",
        "server.limits.handshake",
        "server.compression.contexts",
        "server.compression.every",
        "server.compression.level",
        "server.compression.members",
        "server.compression.shared",
        "history.bytes",
        "history.path",
        "bars.keep",
        "feed.bars.volume",
        "feed.exec",
        "feed.nodes",
        "cluster.nats",
    ] {
        assert!(keys.contains(key), "{key}: {keys:?}");
    }
    let (top, auth) = (7, 8 + 8 + 11 + 3 + 7);
    let cluster = 12 + 6;
    let server = 19 + 5 + 7 + 2 + 15 + 6 + 4 + 8;
    assert_eq!(keys.len(), top + auth + server + cluster + 4 + 2 + 16 + 3 + 4 + 2, "{keys:#?}");
}
