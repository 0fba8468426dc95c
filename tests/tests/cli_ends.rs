//! How commands end that cannot do what was asked: what is typed, what the environment has, and where the output goes.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tickerd_tests::cli::{Said, said, say, url};
use tickerd_tests::daemon::command;
use tickerd_tests::{Daemon, Script, json, scripted, within};

/// Runs a command against this daemon, which it finds by itself.
async fn told(daemon: &Daemon, arguments: &[&str], env: &[(&str, &str)]) -> Said {
    let mut command = command();
    command.args(arguments).env("XDG_RUNTIME_DIR", daemon.folder()).envs(env.iter().copied());
    said(within("the command", command.output()).await.unwrap())
}

/// A daemon that is ready: its feed has spoken.
async fn ready() -> (Script, Daemon) {
    let (script, daemon) = scripted().await;
    script.tick("a", json!(1)).await;
    daemon.connected().await.catch_up(&script).await;
    (script, daemon)
}

/// Goal: a script does not take half a file for the whole. A reader that has gone is none of that.
#[tokio::test]
async fn output_that_cannot_be_written_is_a_failure() {
    let (_script, daemon) = ready().await;
    let file = daemon.folder().join("t.toml");
    std::fs::write(&file, "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n").unwrap();
    let file = file.to_str().unwrap();
    for arguments in [
        &["status", "--json"][..],
        &["feed", "list", "--json"],
        &["connections"],
        &["loglevel"],
        &["check", "--format", "json", file],
        &["check", file],
        &["config", "show", file],
        &["config", "schema"],
        &["config", "init"],
        &["explain"],
        &["plugin", "list"],
        &["plugin", "list", "--json"],
        &["plugin", "check", "--list"],
        &["plugin", "inspect", "tickerd_feed_sim"],
        &["--help"],
    ] {
        let run = |stdout: Stdio| {
            let mut command = command();
            command.args(arguments).env("XDG_RUNTIME_DIR", daemon.folder()).stdout(stdout);
            let child = command.spawn().unwrap();
            within("the command", async move { said(child.wait_with_output().await.unwrap()) })
        };
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let full = run(full.into()).await;
        assert_eq!(full.code, Some(1), "{arguments:?}: {}", full.err);
        let why = "standard output cannot be written: No space left";
        assert!(full.err.contains(why), "{arguments:?}: {}", full.err);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let gone = run(writer.into()).await;
        assert_eq!((gone.code, gone.err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

/// Goal: a variable that is set and empty is none, as deployment templates write it.
#[tokio::test]
async fn an_empty_variable_is_none() {
    let (_script, daemon) = ready().await;
    let file = [("TICKERD_CONFIG", "")];
    let shown = told(&daemon, &["config", "show"], &file).await;
    assert!(shown.code == Some(0) && shown.out.contains("tickerd_feed_sim"), "{}", shown.err);
    let token = [("TICKERD_ADMIN_TOKEN_FILE", "")];
    for arguments in [&["status"][..], &["feed", "reload"]] {
        let asked = told(&daemon, arguments, &token).await;
        assert_eq!(asked.code, Some(0), "{arguments:?}: {}", asked.err);
    }
    let listen = daemon.address().to_string();
    let empty =
        [("TICKERD_URL", ""), ("TICKERD_TOKEN_FILE", ""), ("TICKERD_SERVER__LISTEN", listen.as_str())];
    let topics = told(&daemon, &["topics"], &empty).await;
    assert_eq!(topics.code, Some(0), "{}", topics.err);

    let mut run = command();
    run.args(["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    run.envs([("TICKERD_CONFIG", ""), ("TICKERD_LOG", ""), ("TICKERD_LOG_FORMAT", "")]);
    Daemon::start(run, TempDir::new().unwrap()).serves().await;
}

/// Goal: what the admin socket alone takes does not offer another way, and says so where it is meant.
#[tokio::test]
async fn what_the_socket_alone_takes_is_said() {
    let (_script, daemon) = ready().await;
    let listener = format!("http://{}", daemon.admin());
    for arguments in [&["loglevel"][..], &["cluster", "status"], &["cluster", "drain"]] {
        let wrong = told(&daemon, &[arguments, &["--admin", &listener]].concat(), &[]).await;
        assert!(wrong.code == Some(64) && wrong.err.contains("--admin"), "{arguments:?}: {}", wrong.err);
        let help = told(&daemon, &[arguments, &["--help"]].concat(), &[]).await;
        assert!(help.out.contains("--socket") && !help.out.contains("--admin"), "{}", help.out);
    }
    let all = told(&daemon, &["feed", "reload", "--admin", &listener], &[]).await;
    assert!(all.code == Some(64) && all.err.contains("admin socket alone"), "{}", all.err);
    // A token's file that is there for other commands is no reason to ask the listener.
    let token = [("XDG_RUNTIME_DIR", "/nowhere"), ("TICKERD_ADMIN_TOKEN_FILE", "/nowhere/token")];
    // Where this machine runs a tickerd of its own, that one would answer, and read its feeds again.
    if !Path::new("/run/tickerd/admin.sock").exists() {
        let away = told(&daemon, &["feed", "reload"], &token).await;
        assert!(!away.err.contains("/nowhere/token") && away.err.contains("--socket PATH"), "{}", away.err);
        assert!(matches!(away.code, Some(1 | 3)), "{:?}", away.code);
    }

    let socket = format!("unix:{}", daemon.folder().join("tickerd/admin.sock").display());
    let found = told(&daemon, &["status", "--socket", &socket], &[]).await;
    assert_eq!(found.code, Some(0), "{}", found.err);
    let level = told(&daemon, &["loglevel", "--socket", &socket], &[]).await;
    assert_eq!(level.code, Some(0), "{}", level.err);
}

#[tokio::test]
async fn a_rate_has_no_meaning_where_every_tick_comes() {
    let (_script, daemon) = scripted().await;
    let arguments = ["tail", "s.a", "--mode", "all", "--rate", "1s"];
    let tail = say(&url(&daemon), &arguments).await;
    assert!(tail.code == Some(64) && tail.err.contains("--rate: with --mode all"), "{}", tail.err);
}

/// Goal: a prompt begins on a line of its own.
#[tokio::test]
async fn a_wrong_configuration_ends_with_a_newline() {
    for arguments in [&["run"][..], &["demo"]] {
        let mut command = command();
        command.args(arguments).env("TICKERD_SERVER__SHARDS", "many");
        let wrong = said(within("the command", command.output()).await.unwrap());
        assert!(wrong.code == Some(78) && wrong.err.ends_with(" in the configuration\n"), "{:?}", wrong.err);
    }
}
