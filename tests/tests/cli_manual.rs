//! What packages make of the command line: completions that a shell takes, and manual pages that man takes.

use std::collections::BTreeSet;
use std::process::Stdio;

use tempfile::TempDir;
use tickerd_tests::cli::{said, say};
use tickerd_tests::*;

/// The commands that `tickerd --help` lists.
async fn commands() -> BTreeSet<String> {
    let help = say("", &["--help"]).await.out;
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let listed = listed
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    listed
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[tokio::test]
async fn bash_completes_each_command() {
    let script = say("", &["completions", "bash"]).await;
    assert_eq!(script.code, Some(0));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tickerd");
    std::fs::write(&file, script.out).unwrap();
    let ask = |words: &str, last: usize| {
        format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={last}; _tickerd tickerd \"${{COMP_WORDS[{last}]}}\" tickerd; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.display()
        )
    };
    let complete = async |words: &str, last: usize| {
        let mut bash = tokio::process::Command::new("bash");
        bash.args(["-ec", &ask(words, last)]).stdin(Stdio::null());
        let said = said(within("bash", bash.output()).await.unwrap());
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
        said.out.lines().map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let found = complete("tickerd ''", 1).await;
    for command in commands().await {
        assert!(found.contains(&command), "{command}: {found:?}");
    }
    assert!(!found.contains("feed-host"), "{found:?}");
    assert_eq!(complete("tickerd tai", 1).await, BTreeSet::from(["tail".to_owned()]));
    assert!(complete("tickerd tail --m", 2).await.contains("--mode"));
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(say("", &["completions", shell]).await.out.contains("tail"), "{shell}");
    }
}

#[tokio::test]
async fn each_command_has_a_page_without_a_warning_of_man() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man1");
    let made = say("", &["man", &pages.display().to_string()]).await;
    assert_eq!((made.code, made.err.as_str()), (Some(0), ""));
    let names: BTreeSet<String> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.contains("tickerd.1") && names.contains("tickerd-plugin-check.1"), "{names:?}");
    for command in commands().await {
        assert!(names.contains(&format!("tickerd-{command}.1")), "{command}: {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("feed-host")), "what is hidden has no page: {names:?}");
    assert!(say("", &["man"]).await.out.contains(".TH tickerd 1"));
    for name in names {
        let mut groff = tokio::process::Command::new("groff");
        groff.args(["-man", "-Tutf8", "-ww", "-K", "utf8"]).arg(pages.join(&name)).stdin(Stdio::null());
        let Ok(output) = within("groff", groff.output()).await else {
            eprintln!("skipped: there is no groff");
            return;
        };
        let said = said(output);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{name}");
        assert!(said.out.lines().count() > 10, "{name}: {}", said.out);
    }
}
