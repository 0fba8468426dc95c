//! What is shipped in `systemd/`: the unit is sound and tight, the configuration is the defaults and names every key.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tickerd_config::{Config, Overrides, known_keys};

/// Exposure the unit may have, in tenths as `systemd-analyze` takes it.
const EXPOSURE_MAX: &str = "20";

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").join(name)
}

fn shipped_text(name: &str) -> String {
    fs::read_to_string(shipped(name)).expect("a shipped file is there")
}

/// Runs a tool of systemd's, or says that it is not there.
fn run(tool: &str, args: &[&str]) -> Option<Output> {
    match Command::new(tool).args(args).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("{tool} is not installed: its part of this test has not run");
            None
        }
        Err(error) => panic!("{tool}: {error}"),
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The unit as it is shipped, but starting a program that exists here: `verify` looks for it.
fn unit_in(folder: &Path) -> String {
    let text = shipped_text("tickerd.service");
    let installed = "ExecStart=/usr/bin/tickerd run --config /etc/tickerd/tickerd.toml";
    assert!(text.contains(installed), "the unit starts something else:\n{text}");
    let daemon = env!("CARGO_BIN_EXE_tickerd");
    let unit = folder.join("tickerd.service");
    fs::write(&unit, text.replace("/usr/bin/tickerd", daemon)).expect("the folder is writable");
    unit.to_str().expect("temporary folders have plain names").to_owned()
}

#[test]
fn unit_verifies_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let Some(output) = run("systemd-analyze", &["verify", "--man=no", &unit_in(folder.path())]) else {
        return;
    };
    assert!(output.status.success() && said(&output).trim().is_empty(), "{}", said(&output));
}

/// Goal: systemd does not give up on a reload that `tickerd reload` still waits for.
#[test]
fn unit_waits_as_long_as_a_reload_may_take() {
    let unit = shipped_text("tickerd.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("TimeoutStartSec=")).expect("there is a bound");
    let bound: u64 = line.trim_end_matches('s').parse().expect("in seconds");
    let command = tickerd_engine::control::CONFIGURE_MAX.as_secs() + 15;
    assert!(bound > command, "{bound} s, and the command waits {command} s");
}

/// The socket's unit is sound beside the service's, and holds what a new installation listens on.
#[test]
fn socket_verifies_and_is_the_default_listener() {
    let text = shipped_text("tickerd.socket");
    let held: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("ListenStream=")).collect();
    let listen: Vec<String> =
        Config::default().server.listen.iter().map(|listener| listener.address.to_string()).collect();
    assert_eq!(held, listen);
    let folder = tempfile::tempdir().unwrap();
    unit_in(folder.path());
    let socket = folder.path().join("tickerd.socket");
    fs::copy(shipped("tickerd.socket"), &socket).expect("the folder is writable");
    let args = ["verify", "--man=no", socket.to_str().expect("temporary folders have plain names")];
    let Some(output) = run("systemd-analyze", &args) else { return };
    assert!(output.status.success() && said(&output).trim().is_empty(), "{}", said(&output));
}

#[test]
fn unit_is_hardened() {
    let folder = tempfile::tempdir().unwrap();
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let args = ["security", "--offline=true", "--no-pager", &threshold, &unit_in(folder.path())];
    let Some(output) = run("systemd-analyze", &args) else { return };
    assert!(output.status.success(), "{}", said(&output));
}

/// Goal: hardening never blinds the host feed, and a wrong configuration is not started again and again.
#[test]
fn unit_keeps_what_the_daemon_needs() {
    let unit = shipped_text("tickerd.service");
    for line in [
        "Type=notify",
        "KillMode=mixed",
        "ExecReload=/usr/bin/tickerd reload",
        "ProcSubset=all",
        "RestartPreventExitStatus=64 78",
        "User=tickerd",
        "WatchdogSec=30s",
        "LimitNOFILE=1048576",
        "LimitNICE=+4",
    ] {
        assert!(unit.lines().any(|written| written == line), "lacks {line}");
    }
    assert_eq!((tickerd_process::exit::EXIT_USAGE, tickerd_process::exit::EXIT_CONFIG), (64, 78));
}

#[test]
fn user_of_the_unit_is_created() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("usr/lib/sysusers.d");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::copy(shipped("tickerd.sysusers"), folder.join("tickerd.conf")).unwrap();
    let root = format!("--root={}", root.path().display());
    let Some(output) = run("systemd-sysusers", &["--dry-run", &root]) else { return };
    assert!(
        output.status.success() && said(&output).contains("Creating user 'tickerd'"),
        "{}",
        said(&output)
    );
}

#[test]
fn shipped_configuration_is_the_defaults() {
    let mut config =
        Config::load(Some(&shipped("tickerd.toml")), std::iter::empty(), &Overrides::default()).unwrap();
    let folder = shipped("tickerd.toml").parent().map(Path::to_owned);
    for feed in &mut config.feeds {
        assert_eq!(Some(&feed.base_dir), folder.as_ref());
        feed.base_dir = PathBuf::from(".");
    }
    assert_eq!(config, Config::default());
}

/// Goal: no key is missing, none is invented. Method: walk the file's headers and keys, switched off or not, and
/// compare with the keys the daemon asks for.
#[test]
fn shipped_configuration_names_every_key() {
    let mut named = BTreeSet::new();
    let mut table = String::new();
    for line in shipped_text("tickerd.toml").lines() {
        let Some(line) = switched_on(line) else { continue };
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_matches(['[', ']']).to_owned();
            named.insert(table.clone());
        } else if let Some((key, _)) = line.split_once(" = ")
            && table != "feed.config"
        {
            named.insert(format!("{table}.{key}"));
        }
    }
    // What stands in braces is explained where it stands: the places of a secret, and the entries of listen.
    let in_braces = |key: &String| {
        let owners = [
            "server.listen.",
            "server.admin_token.",
            "feed.bars.",
            "topic.history.",
            "server.signing.key.",
            "server.signing.previous.",
            "auth.token.token.",
            "auth.issuer.secret.",
            "cluster.credentials.",
            "cluster.password.",
        ];
        owners.iter().any(|owner| key.starts_with(owner))
    };
    let known: BTreeSet<String> = known_keys().into_iter().filter(|key| !in_braces(key)).collect();
    assert_eq!(named, known);
}

#[test]
fn every_switched_off_setting_works() {
    let shipped = shipped_text("tickerd.toml");
    // A node has a file of credentials, or a user and a password.
    let logins = [
        &["credentials = { file = \"/etc/tickerd/secrets/node.creds\" }"][..],
        &["user = \"tickerd\"", "password = { file = \"/etc/tickerd/secrets/nats\" }"],
    ];
    for without in logins {
        let (left_out, lines): (Vec<&str>, Vec<&str>) =
            shipped.lines().filter_map(switched_on).partition(|line| without.contains(line));
        assert_eq!(left_out, without);
        let config = Config::from_text("tickerd.toml", &lines.join("\n"), Path::new("/etc/tickerd"))
            .unwrap_or_else(|problems| panic!("{problems}"));
        let names: Vec<&str> = config.feeds.iter().map(|feed| feed.name.as_str()).collect();
        assert_eq!(names, ["sim", "host", "stocks", "lines"]);
    }
}

/// A setting without its `#`; `None` for prose and empty lines.
fn switched_on(line: &str) -> Option<&str> {
    let setting = line.strip_prefix('#').unwrap_or(line);
    (!setting.is_empty() && !setting.starts_with([' ', '#'])).then_some(setting)
}

/// Goal: the example of each key stands with what it may be. Method: a comment stands right above each key, or above
/// the key right above it.
#[test]
fn every_key_is_commented() {
    let text = shipped_text("tickerd.toml");
    let mut before = "";
    let mut uncommented = Vec::new();
    for line in text.lines() {
        let is_key = switched_on(line).is_some_and(|setting| !setting.starts_with('['));
        if is_key && before.is_empty() {
            uncommented.push(line);
        }
        before = line;
    }
    assert!(uncommented.is_empty(), "{uncommented:?}");
}
