//! The mistakes, a row each.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tickerd_tests::author::program;

/// A configuration, variables as `NAME=VALUE`, the code, the place, and words of the remedy.
pub type Row = (String, &'static str, &'static str, &'static str, &'static str);

fn row(
    text: impl Into<String>,
    variable: &'static str,
    code: &'static str,
    place: &'static str,
    change: &'static str,
) -> Row {
    (text.into(), variable, code, place, change)
}

/// What is written: no machine and no plugin is needed to see it.
pub fn written() -> Vec<Row> {
    let server = |lines: &str| format!("[server]\n{lines}\n");
    let feed = |lines: &str| format!("[[feed]]\nname = \"a\"\nexec = [\"cat\"]\n{lines}\n");
    let token = |lines: &str| format!("[auth]\n[[auth.token]]\nname = \"wall\"\n{lines}\n");
    let issuer =
        |lines: &str| format!("[auth]\n[[auth.issuer]]\nissuer = \"i\"\naudience = \"a\"\n{lines}\n");
    let nats = |address: &str| format!("[cluster]\nname = \"p\"\nnode = \"a\"\nnats = [\"{address}\"]\n");
    vec![
        row("[server", "", "not-toml", "t.toml:1", "tables as [name]"),
        row(server("heartbeat = 15s"), "", "not-toml", "t.toml:2", "write heartbeat = \"15s\""),
        row(server("shards = 1\nshards = 2"), "", "not-toml", "t.toml:3", "keep one of the two"),
        row(server("heartbeet = \"1s\""), "", "unknown-key", "t.toml:2", "did you mean `heartbeat`?"),
        row(server("topics = 1"), "", "unknown-key", "t.toml:2", "belongs below [server.limits]"),
        row("[serve]\n", "", "unknown-key", "t.toml:1", "did you mean `server`?"),
        row(server("compression = { window = 9 }"), "", "unknown-key", "t.toml:2", "`window_bits`"),
        row("[[feed]]\nplugin = \"p\"\n", "", "missing-key", "t.toml:1", "add name = "),
        row("[[feed]]\nname = \"a\"\n", "", "missing-key", "t.toml:1", "add one of the two"),
        row(token(""), "", "missing-key", "t.toml:2", "add token = { file"),
        row(issuer("keys = \"/k\""), "", "missing-key", "t.toml:2", "add algorithms"),
        row(
            "",
            "TICKERD_SERVER_LISTEN=x",
            "wrong-variable",
            "TICKERD_SERVER_LISTEN",
            "TICKERD_SERVER__LISTEN",
        ),
        row("", "TICKERD_FEED__NAME=x", "wrong-variable", "TICKERD_FEED__NAME", "write a [[feed]]"),
        row("", "TICKERD_SERVER__LISTN=x", "unknown-key", "TICKERD_SERVER__LISTN", "TICKERD_SERVER__LISTEN"),
        row("", "TICKERD_SERVER__PING=20", "wrong-unit", "TICKERD_SERVER__PING", "write 20s"),
        row("", "TICKERD_LOG=banana", "wrong-log-level", "TICKERD_LOG", "info"),
        row("", "TICKERD_LOG_FORMAT=xml", "wrong-log-level", "TICKERD_LOG_FORMAT", "write text or json"),
        row(server("listen = \"127.0.0.1:1\""), "", "wrong-type", "t.toml:2", "write [\"127.0.0.1:1\"]"),
        row(server("shards = \"4\""), "", "wrong-type", "t.toml:2", "write 4"),
        row(server("echo = \"yes\""), "", "wrong-type", "t.toml:2", "write true, without quotes"),
        row("[feed]\nname = \"a\"\n", "", "wrong-type", "t.toml:1", "write [[feed]]"),
        row(
            "[[feed]]\nname = \"a\"\nexec = \"./f.py --x\"\n",
            "",
            "wrong-type",
            "t.toml:3",
            "[\"./f.py\", \"--x\"]",
        ),
        row(feed("interval = \"250\""), "", "wrong-unit", "t.toml:4", "write \"250ms\""),
        row(feed("max_age = \"never\""), "", "wrong-unit", "t.toml:4", "write \"168h\""),
        row(feed("heartbeat = \"never\""), "", "wrong-unit", "t.toml:4", "write \"off\""),
        row("[history]\nbytes = \"64mb\"\n", "", "wrong-unit", "t.toml:2", "write \"64MB\""),
        row("[history]\nage = \"30d\"\n", "", "out-of-range", "t.toml:2", "write \"168h\""),
        row(server("shards = -1"), "", "out-of-range", "t.toml:2", "write 0"),
        row("[bars]\nkeep = { \"7m\" = \"1h\" }\n", "", "out-of-range", "t.toml:2", "write \"6m\" or \"8m\""),
        row(feed("emit = \"on-change\""), "", "unknown-word", "t.toml:4", "did you mean \"on_change\"?"),
        row(
            token("token = { file = \"/t\" }\ngroups = [\"dsk\"]\n[[auth.group]]\nname = \"desk\""),
            "",
            "unknown-word",
            "t.toml:5",
            "did you mean \"desk\"?",
        ),
        row(
            server("listen = [\"localhost:8425\"]"),
            "",
            "wrong-address",
            "t.toml:2",
            "write \"127.0.0.1:8425\"",
        ),
        row(
            server("origins = [\"https://a.example/\"]"),
            "",
            "wrong-address",
            "t.toml:2",
            "write \"https://a.example\"",
        ),
        row(
            server("hosts = [\"https://a.example\"]"),
            "",
            "wrong-address",
            "t.toml:2",
            "write \"a.example\"",
        ),
        row(server("admin = \"unix:/run/a\""), "", "wrong-address", "t.toml:2", "write \"127.0.0.1:8426\""),
        row("[[topic]]\nname = \"rooms lobby\"\n", "", "wrong-name", "t.toml:2", "write \"rooms.lobby\""),
        row("[[feed]]\nname = \"a.b\"\nexec = [\"cat\"]\n", "", "wrong-name", "t.toml:2", "write \"a_b\""),
        row(
            server("tiers = [\"1s\", \"250ms\"]"),
            "",
            "wrong-value",
            "t.toml:2",
            "write tiers = [\"250ms\", \"1s\"]",
        ),
        row(feed("") + &feed(""), "", "duplicate", "t.toml:6", "such as \"a2\""),
        row(
            server("listen = [\"0.0.0.0:9\", \"127.0.0.1:9\"]\ninsecure_public = true"),
            "",
            "duplicate",
            "t.toml:2",
            "delete one",
        ),
        row(feed("plugin = \"p\""), "", "conflict", "t.toml:3", "delete one"),
        row(server("ping = \"1m\""), "", "conflict", "t.toml:2", "pong_timeout = \"2m\""),
        row(server("listen = []"), "", "too-many", "t.toml:2", "write listen"),
        row(server("listen = [\"0.0.0.0:0\"]"), "", "open-to-all", "t.toml:2", "insecure_public = true"),
        row(token("token = \"CANARY\""), "", "secret-in-file", "t.toml:4", "file of mode 0600"),
        row(server("admin_token = \"CANARY\""), "", "secret-in-file", "t.toml:2", "file of mode 0600"),
        row("[cluster]\nname = \"p\"\nnode = \"a\"\n", "", "missing-key", "t.toml:1", "add nats = "),
        row(nats("nats://u:CANARY@h"), "", "secret-in-file", "t.toml:4", "user = \"NAME\""),
        row(nats("h:4222"), "", "wrong-address", "t.toml:4", "write \"nats://h:4222\""),
        // Warnings.
        row(feed("nodes = [\"a\"]"), "", "no-effect", "t.toml:4", "add [cluster]"),
        row("[server.echo_limits]\nfragments = 5\n", "", "no-effect", "t.toml:1", "write echo = true"),
        row(
            server("listen = [{ address = \"0.0.0.0:0\", proxy = true }]\n[auth]"),
            "",
            "proxy-unnamed",
            "t.toml:2",
            "write trusted",
        ),
        row(
            feed("poll = \"5m\"\nmax_age = \"1m\""),
            "",
            "stale-between-polls",
            "t.toml:5",
            "write max_age = \"15m\"",
        ),
        row(
            "[history]\nbytes = \"64KiB\"\n[[topic]]\nname = \"r.a\"\npublish = true\nhistory = 50000\n",
            "",
            "too-little-room",
            "t.toml:6",
            "or more in [history]",
        ),
    ]
}

/// What this machine lacks. The folder has the files that the rows name.
pub fn of_the_machine(folder: &Path) -> Vec<Row> {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("file", "");
    write("short", "secret");
    write("chain.pem", "no certificate");
    write("text.so", "not a library\n");
    std::fs::create_dir_all(folder.join("folder/conf.d")).unwrap();
    std::fs::create_dir_all(folder.join("conf.d")).unwrap();
    let open = program(folder, "open.sh", "#!/bin/sh\n");
    std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let plugin = |lines: &str| format!("[[feed]]\nname = \"a\"\nplugin = \"tickerd_feed_{lines}\n");
    let zeros = "0".repeat(64);
    vec![
        row(
            "[server]\ninsecure_public = true\nlisten = [\"192.0.2.1:9\"]\n",
            "",
            "address-unusable",
            "t.toml:3",
            "127.0.0.1",
        ),
        row("[history]\npath = \"none/h\"\n", "", "missing-folder", "t.toml:2", "mkdir -p"),
        row("[history]\npath = \"folder\"\n", "", "unusable-file", "t.toml:2", "name a file in it"),
        row("[server]\npage = \"folder\"\n", "", "unusable-file", "t.toml:2", "put one there"),
        row(
            format!("[server]\nadmin_socket = \"unix:{}/file\"\n", folder.display()),
            "",
            "unusable-file",
            "t.toml:2",
            "another path",
        ),
        row(
            "[server]\nlisten = [{ address = \"127.0.0.1:0\", tls = true }]\n[server.tls]\ncertificate = \"chain.pem\"\nkey = \"none.pem\"\n",
            "",
            "wrong-certificate",
            "t.toml:5",
            "let tickerd's user read it",
        ),
        row(
            "[cluster]\nname = \"p\"\nnode = \"a\"\nnats = [\"tls://a\"]\nca = \"none.pem\"\n",
            "",
            "wrong-certificate",
            "t.toml:5",
            "name the PEM file",
        ),
        row(
            "[cluster]\nname = \"p\"\nnode = \"a\"\nnats = [\"tls://a\"]\ncertificate = \"chain.pem\"\nkey = \"chain.pem\"\n",
            "",
            "wrong-certificate",
            "t.toml:6",
            "the private key of certificate",
        ),
        row(
            "[cluster]\nname = \"p\"\nnode = \"a\"\nnats = [\"tls://a\"]\ncredentials = { file = \"short\" }\n",
            "",
            "unusable-secret",
            "t.toml:5",
            "nsc generate creds",
        ),
        row("[server]\nadmin_token = { file = \"none\" }\n", "", "unusable-secret", "t.toml:2", "read"),
        row("[server.signing]\nkey = { file = \"none.pem\" }\n", "", "unusable-secret", "t.toml:2", "read"),
        row(
            "[auth]\n[[auth.token]]\nname = \"w\"\ntoken = { file = \"short\" }\n",
            "",
            "unusable-secret",
            "t.toml:4",
            "openssl rand",
        ),
        row(
            "[auth]\n[[auth.token]]\nname = \"w\"\ntoken = { env = \"NO_SUCH\" }\n",
            "",
            "unusable-secret",
            "t.toml:4",
            "set it",
        ),
        row(
            "[auth]\n[[auth.token]]\nname = \"w\"\ntoken = { credential = \"w\" }\n",
            "",
            "credential-outside-unit",
            "t.toml:1",
            "CREDENTIALS_DIRECTORY",
        ),
        row(
            "",
            "TICKERD_PLUGIN_PATH=/nowhere/plugins",
            "missing-plugin-folder",
            "TICKERD_PLUGIN_PATH",
            "take it out",
        ),
        row(plugin("simm\""), "", "plugin-not-found", "t.toml:3", "did you mean tickerd_feed_sim"),
        row(
            "[[feed]]\nname = \"a\"\nexec = [\"no-such-program\"]\n",
            "",
            "plugin-not-found",
            "t.toml:3",
            "install it",
        ),
        row("[[feed]]\nname = \"a\"\nplugin = \"./text.so\"\n", "", "plugin-unusable", "t.toml:3", ""),
        row(
            "[[feed]]\nname = \"a\"\nexec = [\"./file\"]\n",
            "",
            "plugin-unusable",
            "t.toml:3",
            "#!/usr/bin/env",
        ),
        row(
            "[[feed]]\nname = \"a\"\nexec = [\"./open.sh\"]\n",
            "",
            "plugin-untrusted",
            "t.toml:3",
            "chmod go-w",
        ),
        row(plugin(&format!("sim\"\nsha256 = \"{zeros}\"")), "", "plugin-changed", "t.toml:4", "into sha256"),
        row(
            plugin("sim\"\n[feed.config]\nsede = 7"),
            "",
            "feed-unknown-key",
            "t.toml:5",
            "did you mean seed?",
        ),
        row(
            plugin("sim\"\n[feed.config]\nsymbols = \"A\""),
            "",
            "feed-wrong-value",
            "t.toml:5",
            "write symbols = [",
        ),
        row(
            plugin("sim\"\n[feed.config]\nseed = \"7\""),
            "",
            "feed-wrong-value",
            "t.toml:5",
            "write a number",
        ),
        row(
            plugin("crypto\"\n[feed.config]\nprovider = \"krakn\""),
            "",
            "feed-wrong-value",
            "t.toml:5",
            "did you mean kraken?",
        ),
        row(
            plugin("stocks\"\n[feed.config]\nprovider = \"finnhub\"\nsymbols = [\"A\"]\nkey = \"CANARY\""),
            "",
            "secret-in-file",
            "t.toml:7",
            "write key = { file = ",
        ),
        row(
            plugin("replay\"\n[feed.config]\nspeed = -1\nloop = 1\nsped = 1"),
            "",
            "feed-not-ready",
            "t.toml:5",
            "",
        ),
        row(
            plugin("replay\"\n[feed.config]\nspeed = -1\nloop = 1\nsped = 1"),
            "",
            "feed-not-ready",
            "t.toml:6",
            "",
        ),
        row(
            plugin("replay\"\n[feed.config]\nspeed = -1\nloop = 1\nsped = 1"),
            "",
            "feed-not-ready",
            "t.toml:7",
            "",
        ),
        row(plugin("replay\"\n[feed.config]\nfile = \"none.ndjson\""), "", "feed-not-ready", "t.toml:5", ""),
        row(
            plugin(
                "stocks\"\n[feed.config]\nprovider = \"finnhub\"\nsymbols = [\"A\"]\nkey = { env = \"TICKERD_NONE\" }",
            ),
            "",
            "feed-not-ready",
            "t.toml:7",
            "",
        ),
    ]
}
