//! The command line and the configuration, as whoever types them sees their answers.

use std::process::Output;

use tempfile::TempDir;
use tickerd_tests::daemon::command;
use tickerd_tests::{daemon, within};

/// Runs the daemon's executable to its end.
async fn tickerd(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        within("an exit", command().args(arguments).output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().expect("no signal ends it"), text(stdout), text(stderr))
}

/// `tickerd check` of a file with this text.
async fn check(text: &str) -> (i32, String, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tickerd.toml");
    std::fs::write(&file, text).unwrap();
    tickerd(&["check", file.to_str().unwrap()]).await
}

#[tokio::test]
async fn a_good_file_is_summed_up() {
    // Whatever listens on tickerd's usual ports is none of this test's business.
    let server = "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n";
    let feed = "[[feed]]\nname = \"s\"\nexec = [\"/bin/cat\", \"/dev/null\"]\n";
    let (code, out, err) = check(&format!("{server}{feed}")).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.ends_with(": ok (1 feed, listens on 127.0.0.1:0, admin on 127.0.0.1:0)\n"), "{out}");
}

#[tokio::test]
async fn each_mistake_is_told_with_its_line_and_remedy() {
    let text = "[server]\nheartbeet = \"1s\"\ndrain = 5\n\n[[feed]]\nname = \"No Good\"\nexec = \"cat\"\n";
    let (code, out, err) = check(text).await;
    assert_eq!((code, out.as_str()), (78, ""));
    assert!(err.contains("did you mean `heartbeat`?"), "{err}");
    for line in [2, 3, 6, 7] {
        assert!(err.contains(&format!("tickerd.toml:{line}:")), "line {line} is not told of: {err}");
    }
}

#[tokio::test]
async fn a_wrong_file_does_not_start() {
    for arguments in [["--config", "/nowhere/tickerd.toml"], ["check", "/nowhere/tickerd.toml"]] {
        let (code, out, err) = tickerd(&arguments).await;
        assert_eq!((code, out.as_str()), (78, ""));
        assert!(err.contains("/nowhere/tickerd.toml") && err.contains("cannot be read"), "{err}");
    }
}

#[tokio::test]
async fn a_public_address_is_refused_unless_meant() {
    for (listen, admin) in
        [("0.0.0.0:0", "127.0.0.1:0"), ("[::]:0", "127.0.0.1:0"), ("127.0.0.1:0", "0.0.0.0:0")]
    {
        let key = format!("listen = [\"{listen}\"]\nadmin = \"{admin}\"");
        let (code, _, err) = check(&format!("[server]\n{key}\n")).await;
        assert_eq!(code, 78, "{key}");
        assert!(err.contains("insecure_public"), "{err}");
        let (code, _, err) = check(&format!("[server]\ninsecure_public = true\n{key}\n")).await;
        assert_eq!(code, 0, "{err}");
    }
    let (code, out, err) = tickerd(&["--listen", "0.0.0.0:0", "--admin", "127.0.0.1:0"]).await;
    assert_eq!((code, out.as_str()), (78, ""));
    assert!(err.contains("--listen") && err.contains("insecure_public"), "{err}");
}

#[tokio::test]
async fn usage_is_64_and_help_is_0() {
    for wrong in [&["--port", "80"][..], &["chekc"], &["check"], &["--listen", "nowhere"]] {
        let (code, out, err) = tickerd(wrong).await;
        assert_eq!((code, out.as_str()), (64, ""), "{wrong:?}");
        assert!(!err.is_empty());
    }
    let (code, out, err) = tickerd(&["--version"]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("tickerd 0."), "{out}");
    for help in [["--help"], ["run"]].map(|word| [word[0], "--help"]) {
        let (code, out, _) = tickerd(&help[..]).await;
        assert_eq!(code, 0, "{help:?}");
        assert!(out.contains("--config"), "{out}");
    }
}

#[tokio::test]
async fn the_environment_is_laid_over_the_file() {
    let daemon = daemon().server("heartbeat = \"20s\"").env("TICKERD_SERVER__HEARTBEAT", "7s").run().await;
    let mut client = daemon.client("/ws").await;
    assert_eq!(client.expect("connected").await.data["heartbeat_ms"], 7000);
}
