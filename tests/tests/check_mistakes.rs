//! The mistakes that operators make, each with the code, the place and the remedy that `tickerd check` tells, and files
//! without any, which then run.

mod table;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tickerd_tests::daemon::{command, shell};
use tickerd_tests::*;

use table::{Row, of_the_machine, written};

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
    let elsewhere = [
        "unreadable-file",
        "address-taken",
        "address-of-tickerd",
        "few-descriptors",
        "file-in-use",
        "certificate-expires",
    ];
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
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{err}");
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

/// Goal: the file of a daemon that runs is a normal day, and a file that is none of its own is told.
#[tokio::test]
async fn the_file_of_the_past_is_looked_at() {
    let folder = TempDir::new().unwrap();
    let past = folder.path().join("past");
    let text = format!("[history]\npath = {}\n", json!(past));
    let running = daemon().config(&text).run().await;
    let (exit, report) = check(folder.path(), &text, "", &[]).await;
    assert!(exit == 0 && found(&report, "warnings", "file-in-use", "t.toml:2").is_some(), "{report:#}");
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1, "{report:#}");
    drop(running);
    std::fs::write(&past, "something of my own").unwrap();
    let (exit, report) = check(folder.path(), &text, "", &[]).await;
    assert!(exit == 0 && found(&report, "warnings", "unusable-file", "t.toml:2").is_some(), "{report:#}");
    assert_eq!(std::fs::read_to_string(past).unwrap(), "something of my own");
}

/// Goal: a certificate that ends soon is told before clients refuse it.
#[tokio::test]
async fn a_certificate_that_expires_soon_is_told() {
    let authority = crate::tls::Authority::new();
    let text = authority.daemon("").toml();
    let folder = TempDir::new().unwrap();
    let (exit, report) = check(folder.path(), &text, "", &[]).await;
    assert_eq!((exit, &report["warnings"]), (0, &json!([])), "{report:#}");
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let in_five_days = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400 * 5);
    params.not_after = in_five_days.into();
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(authority.path("chain.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(authority.path("key.pem"), key.serialize_pem()).unwrap();
    let (exit, report) = check(folder.path(), &text, "", &[]).await;
    let told = report["warnings"][0].clone();
    assert_eq!((exit, &told["code"]), (0, &json!("certificate-expires")), "{report:#}");
    assert!(told["message"].as_str().unwrap().contains("expires in 4 days"), "{told:#}");
    assert!(told["key"] == "server.tls.certificate", "{told:#}");
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
