//! The mistakes that operators make, each with the code, the place and the remedy that `tickerd check` tells, and files
//! without any, which then run.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tickerd_tests::author::program;
use tickerd_tests::daemon::{command, shell};
use tickerd_tests::*;

/// A configuration, variables as `NAME=VALUE`, the code, the place, and words of the remedy.
type Row = (String, &'static str, &'static str, &'static str, &'static str);

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
fn written() -> Vec<Row> {
    let server = |lines: &str| format!("[server]\n{lines}\n");
    let feed = |lines: &str| format!("[[feed]]\nname = \"a\"\nexec = [\"cat\"]\n{lines}\n");
    let token = |lines: &str| format!("[auth]\n[[auth.token]]\nname = \"wall\"\n{lines}\n");
    let issuer =
        |lines: &str| format!("[auth]\n[[auth.issuer]]\nissuer = \"i\"\naudience = \"a\"\n{lines}\n");
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
        row("[auth]\n[[auth.group]]\nname = \"a\"\nadmin = true\n", "", "not-built", "t.toml:2", "delete it"),
        // Warnings.
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
fn of_the_machine(folder: &Path) -> Vec<Row> {
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
        row("[server]\nlisten = [\"192.0.2.1:9\"]\n", "", "address-unusable", "t.toml:2", "127.0.0.1"),
        row("[history]\npath = \"none/h\"\n", "", "missing-folder", "t.toml:2", "mkdir -p"),
        row("[history]\npath = \"folder\"\n", "", "unusable-file", "t.toml:2", "name a file in it"),
        row("[server]\npage = \"folder\"\n", "", "unusable-file", "t.toml:2", "index.html"),
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
            "variable",
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
        row("[[feed]]\nname = \"a\"\nexec = [\"./file\"]\n", "", "plugin-unusable", "t.toml:3", "chmod +x"),
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
            plugin("crypto\"\n[feed.config]\nprovider = \"krakn\""),
            "",
            "feed-wrong-value",
            "t.toml:5",
            "did you mean kraken?",
        ),
        row(
            plugin("stocks\"\n[feed.config]\nprovider = \"finnhub\"\nsymbols = [\"A\"]\nkey = \"CANARY\""),
            "",
            "feed-wrong-value",
            "t.toml:7",
            "correct the value",
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

/// Checks a file with this text. The exit code, and the report.
async fn check(folder: &Path, text: &str, variable: &str, flags: &[&str]) -> (i32, Value) {
    let file = folder.join("t.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = command();
    command.arg("check").args(flags).args(["--format", "json"]).arg(&file);
    // The usual ports may be taken here.
    for (key, name) in [("listen = ", "TICKERD_SERVER__LISTEN"), ("admin = ", "TICKERD_SERVER__ADMIN")] {
        if !text.contains(key) {
            command.env(name, "127.0.0.1:0");
        }
    }
    command.envs(variable.split_once('='));
    let output = within("the check", command.output()).await.unwrap();
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), report)
}

/// What is told with this code at this place.
fn found<'r>(report: &'r Value, severity: &str, code: &str, place: &str) -> Option<&'r Value> {
    let is_there = |one: &&Value| match (one["file"].as_str(), one["variable"].as_str()) {
        (Some(file), _) => format!("{file}:{}", one["line"]).ends_with(place),
        (None, variable) => variable == Some(place),
    };
    report[severity].as_array().unwrap().iter().find(|one| one["code"] == code && is_there(one))
}

const WARNINGS: [&str; 7] = [
    "no-effect",
    "proxy-unnamed",
    "stale-between-polls",
    "too-little-room",
    "credential-outside-unit",
    "missing-plugin-folder",
    "few-descriptors",
];

async fn hold(folder: &Path, (text, variable, code, place, change): &Row, flags: &[&str]) {
    let (exit, report) = check(folder, text, variable, flags).await;
    let is_warning = WARNINGS.contains(code);
    let severity = if is_warning { "warnings" } else { "problems" };
    let one = found(&report, severity, code, place)
        .unwrap_or_else(|| panic!("{text}{variable}\nlacks {code} at {place}: {report:#}"));
    assert!(one["change"].as_str().unwrap().contains(change), "{text}{variable}\nlacks {change}: {one:#}");
    assert_eq!(
        (exit, &report["ok"]),
        if is_warning { (0, &json!(true)) } else { (78, &json!(false)) },
        "{report:#}"
    );
    assert!(!report.to_string().contains("CANARY"), "{report:#}");
    if place.contains(':') {
        let line: usize = place.rsplit(':').next().unwrap().parse().unwrap();
        let source = text.lines().nth(line - 1).unwrap_or_default();
        let column = one["column"].as_u64().unwrap() as usize;
        assert!(column <= source.chars().count() + 1 && one["source"].is_string(), "{one:#}");
    }
}

/// Goal: each mistake that is written is told with its code, place and remedy, also where nothing of the machine is there.
#[tokio::test]
async fn each_written_mistake_has_its_code_place_and_remedy() {
    let folder = TempDir::new().unwrap();
    for row in written() {
        hold(folder.path(), &row, &["--no-environment"]).await;
    }
}

/// Goal: so is what this machine lacks; and `--no-environment` looks at none of it.
#[tokio::test]
async fn each_lack_of_the_machine_has_its_code_place_and_remedy() {
    let folder = TempDir::new().unwrap();
    for row in of_the_machine(folder.path()) {
        hold(folder.path(), &row, &[]).await;
        let (exit, report) = check(folder.path(), &row.0, "", &["--no-environment"]).await;
        assert_eq!((exit, &report["problems"]), (0, &json!([])), "{}{report:#}", row.0);
        assert!(report["notes"].to_string().contains("--no-environment"), "{report:#}");
    }
}

/// Goal: no code is without a mistake here. Method: those of the rows and of the tests that need more than a file.
#[tokio::test]
async fn every_code_is_that_of_a_mistake() {
    let folder = TempDir::new().unwrap();
    let rows = written().into_iter().chain(of_the_machine(folder.path()));
    let rows: Vec<&str> = rows.map(|row| row.2).collect();
    assert!(rows.len() >= 60, "{}", rows.len());
    let elsewhere =
        ["unreadable-file", "address-taken", "address-of-tickerd", "few-descriptors", "certificate-expires"];
    let held: BTreeSet<&str> = rows.into_iter().chain(elsewhere).collect();
    let output = within("the list", command().arg("explain").output()).await.unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    let listed: BTreeSet<&str> = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(held, listed);
    for code in listed {
        let output = within("an explanation", command().args(["explain", code]).output()).await.unwrap();
        assert!(output.status.success() && output.stdout.len() > 100, "{code}");
    }
    let output = within("a refusal", command().args(["explain", "unknow-key"]).output()).await.unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean unknown-key?"));
}

#[tokio::test]
async fn what_needs_more_than_a_file_is_told_too() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("t.toml");
    let path = file.to_str().unwrap();
    // Few descriptors.
    std::fs::write(&file, "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n[server.limits]\nconnections = 5000\n").unwrap();
    let mut shell = shell();
    let program = tickerd_tests::daemon::program();
    shell.args(["-c", "ulimit -n 1000; exec \"$0\" check --deny-warnings \"$1\""]).arg(program).arg(path);
    let output = within("the check", shell.output()).await.unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b""[..]), "{err}");
    for part in [
        "t.toml:5:15: server.limits.connections",
        "1000 files",
        "connections = 900",
        "[few-descriptors]",
        "1 warning, denied",
    ] {
        assert!(err.contains(part), "lacks {part}: {err}");
    }
    // A file of conf.d that cannot be read, and what is in another.
    let conf = folder.path().join("conf.d");
    std::fs::create_dir_all(conf.join("a.toml")).unwrap();
    std::fs::write(conf.join("b.toml"), "[server]\nshards = 999\n").unwrap();
    let (exit, report) = check(folder.path(), "", "", &[]).await;
    assert_eq!(exit, 78);
    let unreadable =
        report["problems"].as_array().unwrap().iter().find(|one| one["code"] == "unreadable-file").unwrap();
    assert!(unreadable["file"].as_str().unwrap().ends_with("conf.d/a.toml"), "{report:#}");
    assert!(found(&report, "problems", "out-of-range", "conf.d/b.toml:2").is_some(), "{report:#}");
}

/// Goal: GitHub shows each at its line. Method: the words of its annotations, and what they must not hold as they are.
#[tokio::test]
async fn annotations_name_file_line_and_code() {
    let folder = TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("t.toml"),
        "[server]\nshards = -1\nlisten = [\"127.0.0.1:0\"]\n[server.echo_limits]\nfragments = 5\n",
    )
    .unwrap();
    let mut command = command();
    command.args(["check", "--no-environment", "--format", "github", "t.toml"]).current_dir(folder.path());
    let output = within("the check", command.output()).await.unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(78), &b""[..]), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].starts_with(
            "::error file=t.toml,line=2,col=10,endColumn=12,title=out-of-range::server.shards: this is below"
        ) && lines[0].contains("%0Achange: write 0"),
        "{out}"
    );
    assert!(
        lines[1].starts_with("::warning file=t.toml,line=4,") && lines[2].starts_with("::notice::"),
        "{out}"
    );
    assert_eq!(lines.len(), 3, "{out}");
}

/// Goal: ok is said only of what runs. Method: each file is checked, then run until it serves and every feed is up.
#[tokio::test]
async fn what_is_ok_runs() {
    let authority = crate::tls::Authority::new();
    let secret = |name: &str| {
        let path = authority.path(name);
        std::fs::write(&path, "0123456789abcdef0123456789abcdef").unwrap();
        path.display().to_string()
    };
    let auth = format!(
        "[auth]\nanonymous = [\"sim.**\"]\n[[auth.token]]\nname = \"wall\"\ntoken = {{ file = \"{}\" }}\n",
        secret("wall")
    );
    let rooms = "[[topic]]\nname = \"rooms.lobby\"\npublish = true\nhistory = { count = 10, age = \"1h\" }\n";
    let past = "[history]\npath = \"past.redb\"\n[bars]\nkeep = { \"1m\" = \"1h\" }\n";
    let folder = authority.path("").display().to_string();
    let builders = [
        daemon(),
        daemon()
            .feed(sim(1))
            .feed(exec("cat", ["sh", "-c", "echo '{\"topic\":\"a\",\"value\":1}'; exec cat"])),
        daemon().feed(sim(2).set("isolation = \"in-process\"")).config(rooms).config(past),
        authority.daemon("").config(&auth).feed(sim(3)),
        daemon()
            .server(&format!("admin_socket = \"unix:{folder}admin.sock\"\ncompression = {{ level = 1 }}"))
            .feed(sim(4)),
        daemon()
            .server("insecure_public = true")
            .listen("0.0.0.0:0")
            .limits("memory = \"off\"\ndry_run = [\"memory\"]"),
    ];
    for builder in builders {
        let folder = TempDir::new().unwrap();
        let toml = builder.toml();
        let (exit, report) = check(folder.path(), &toml, "", &["--deny-warnings"]).await;
        assert_eq!((exit, &report["problems"]), (0, &json!([])), "{toml}{report:#}");
        let running = builder.run().await;
        for feed in toml.split("[[feed]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let up = format!("tickerd_feed_state{{feed=\"{feed}\",state=\"up\"}}");
            running.metric_until(&up, |up| up == 1.0).await;
        }
    }
}
