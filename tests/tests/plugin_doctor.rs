//! `tickerd plugin doctor`: every mistake of a newcomer is found at its step, and has its remedy.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use tickerd_tests::author::{compile, plugin, program};
use tickerd_tests::{Value, json, raw_c, sim};

/// A mistake: what is examined, at which step it shows, and words of what is seen and of the remedy.
struct Mistake {
    arguments: Vec<String>,
    step: &'static str,
    what: &'static str,
    remedy: &'static str,
}

fn mistakes(folder: &Path) -> Vec<Mistake> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let c = |name: &str| raw_c(name).to_str().unwrap().to_owned();
    let compiled = |name: &str, source: &str| {
        compile(Path::new(&path(name)), source, &[]);
        path(name)
    };
    const ENTRY: &str = "const void *tickerd_plugin_v1(void) { return 0; }\n";
    let constructor = |body: &str| {
        format!(
            "#include <stdlib.h>\n#include <unistd.h>\n\
             __attribute__((constructor)) static void start(void) {{ {body} }}\n{ENTRY}"
        )
    };
    let mut foreign = std::fs::read(raw_c("good")).unwrap();
    foreign[18..20].copy_from_slice(&183u16.to_ne_bytes());
    std::fs::write(path("foreign.so"), foreign).unwrap();
    std::fs::write(path("text.so"), "not a library\n").unwrap();
    std::fs::write(path("plain.py"), "#!/bin/sh\n").unwrap();
    let no_interpreter = program(folder, "lost", "#!/no/such/interpreter\n");
    let no_first_line = program(folder, "headless", "print('hello')\n");
    let chatty = program(folder, "chatty", "#!/bin/sh\necho hello\nexec cat >/dev/null\n");
    let undefined = compiled(
        "undefined.so",
        "int nowhere_to_be_found(void);\nconst void *tickerd_plugin_v1(void) { nowhere_to_be_found(); return 0; }",
    );
    let crash = compiled("crash.so", &constructor("abort();"));
    let endless = compiled("endless.so", &constructor("for (;;) pause();"));
    let mangled = compiled("mangled.so", "const void *_Z17tickerd_plugin_v1v(void) { return 0; }");
    let open = path("open.so");
    std::fs::copy(raw_c("good"), &open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o666)).unwrap();
    let of = |arguments: &[&str], step, what, remedy| Mistake {
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        step,
        what,
        remedy,
    };
    vec![
        of(&["no_such_feed_anywhere"], "found", "/usr/lib/tickerd/plugins (", "set TICKERD_PLUGIN_PATH"),
        of(
            &["tickerd_feed_simm"],
            "found",
            "no plugin \"tickerd_feed_simm\" here",
            "did you mean tickerd_feed_sim",
        ),
        of(&[&path("none.so")], "found", "there is no file", "build it, or correct its path"),
        of(&[&path("plain.py")], "found", "neither a shared library nor executable", "chmod +x"),
        of(&[&path("text.so")], "file", "it is no ELF file", "build it again"),
        of(&[&path("foreign.so")], "machine", "it is for aarch64", "build it on this machine"),
        of(&[no_interpreter.to_str().unwrap()], "may run", "/no/such/interpreter, is not here", "install it"),
        of(&[no_first_line.to_str().unwrap()], "file", "nor a script", "begin the file with"),
        of(&[&open], "trust", "may be written by everyone", "chmod go-w"),
        of(&[&c("no_entry")], "entry", "it does not export tickerd_plugin_v1", "the SDK's export"),
        of(&[&mangled], "entry", "it does not export", "extern \"C\""),
        of(&[&undefined], "load", "undefined symbol: nowhere_to_be_found", "-lNAME"),
        of(&[&c("null_descriptor")], "load", "answered NULL", "return the descriptor"),
        of(&[&c("future_host")], "load", "needs tickerd ABI 1.", "upgrade tickerd"),
        of(&[&c("reserved_event")], "load", "the server's own", "rename that event"),
        of(&[&c("no_feeds")], "load", "it offers 0 feed types", "correct the descriptor"),
        of(&[&crash], "load", "it crashed while it was loaded", "gdb"),
        of(&[&endless], "load", "hangs", "return at once"),
        of(
            &["tickerd_feed_sim", "--set", "sed=1"],
            "configuration",
            "sed is no key; did you mean seed?",
            "correct that",
        ),
        of(
            &["tickerd_feed_stocks"],
            "configuration",
            "provider is missing; add it: Who is asked: finnhub",
            "in the feed's configuration",
        ),
        of(
            &["tickerd_feed_weather", "--set", "places=[{\"name\":\"x\",\"latitude\":99,\"longitud\":1}]"],
            "configuration",
            "places[0].longitud is no key; did you mean longitude?",
            "in the feed's configuration",
        ),
        of(
            &["tickerd_feed_zoo", "--set", "behave=bad_config"],
            "ready",
            "`bad_config` was asked for",
            "inspect",
        ),
        of(
            &["tickerd_feed_zoo", "--set", "behave=abort", "--set", "after=1"],
            "goes on",
            "was killed by SIGABRT",
            "gdb",
        ),
        of(
            &[chatty.to_str().unwrap()],
            "first sample",
            "bad_line: not a line of a feed",
            "correct what the feed says",
        ),
    ]
}

/// The first step that is a problem, and whether all before it went well.
fn problem(findings: &Value) -> &Value {
    let steps = findings["feeds"][0]["steps"].as_array().unwrap();
    let at = steps.iter().position(|step| step["outcome"] == "problem");
    let at = at.unwrap_or_else(|| panic!("no problem: {findings}"));
    assert!(
        steps[at + 1..].iter().all(|step| step["outcome"] != "ok" || step["name"] != "load"),
        "{findings}"
    );
    &steps[at]
}

#[tokio::test]
async fn every_mistake_is_found_at_its_step_and_has_its_remedy() {
    let folder = TempDir::new().unwrap();
    let mistakes = mistakes(folder.path());
    // Side by side: some of them take their time.
    let examined: Vec<_> = mistakes
        .iter()
        .map(|mistake| {
            let arguments = mistake.arguments.clone();
            tokio::spawn(async move {
                let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
                plugin(&[&["doctor", "--json"], &words[..]].concat()).await
            })
        })
        .collect();
    for (mistake, answer) in mistakes.iter().zip(examined) {
        let answer = answer.await.unwrap();
        let Mistake { arguments, step, what, remedy } = mistake;
        assert_eq!(answer.code, 1, "{arguments:?}: {answer:?}");
        let findings = answer.json();
        assert_eq!(findings["ok"], false);
        let found = problem(&findings);
        assert_eq!(found["name"], *step, "{arguments:?}: {found}");
        if arguments[0].ends_with("text.so") {
            let steps = findings["feeds"][0]["steps"].as_array().unwrap();
            assert!(steps.iter().all(|step| step["name"] != "entry"), "nothing is in it: {findings}");
        }
        let has = |key: &str, words: &str| found[key].as_str().unwrap().contains(words);
        assert!(has("what", what) && has("remedy", remedy), "{arguments:?}: {found}");
    }
}

/// Goal: who forgets to flush, or writes under keys of his own, is told so.
#[tokio::test]
async fn a_program_without_a_value_is_told_why() {
    let folder = TempDir::new().unwrap();
    let mute = program(folder.path(), "mute", "#!/bin/sh\nexec sleep 60\n");
    let keys = "#!/bin/sh\necho '{\"name\":\"AAPL\",\"price\":1}'\nexec sleep 60\n";
    let keys = program(folder.path(), "keys", keys);
    let (mute, keys) = (mute.to_str().unwrap(), keys.to_str().unwrap());
    let of = async |words: Vec<&str>| plugin(&words).await;
    let flush = "nothing came for 10 s: does it flush after each line?";
    let known = "a line has none of the known keys; a value needs event and data";
    let (mute_doctor, keys_doctor, mute_run, keys_run) = tokio::join!(
        of(["doctor", mute].to_vec()),
        of(["doctor", keys].to_vec()),
        of(["run", mute, "--for", "11s"].to_vec()),
        of(["run", keys, "--for", "500ms"].to_vec()),
    );
    assert!(mute_doctor.out.contains(flush) && !mute_doctor.out.contains(known), "{mute_doctor:?}");
    assert!(keys_doctor.out.contains(known) && !keys_doctor.out.contains(flush), "{keys_doctor:?}");
    assert!(mute_run.err.contains(flush), "{mute_run:?}");
    assert!(keys_run.err.contains(known), "{keys_run:?}");
}

#[tokio::test]
async fn a_good_plugin_goes_all_the_way() {
    let folder = TempDir::new().unwrap();
    let script = program(
        folder.path(),
        "feed",
        "#!/bin/sh\necho '{\"event\":\"tick\",\"data\":1}'\nexec cat >/dev/null\n",
    );
    let good = raw_c("good");
    for (arguments, steps) in [
        (
            vec!["tickerd_feed_sim", "--set", "symbols=[\"ACME\"]"],
            vec![
                "found",
                "file",
                "machine",
                "libraries",
                "glibc",
                "entry",
                "load",
                "configuration",
                "ready",
                "first sample",
            ],
        ),
        (
            vec![good.to_str().unwrap()],
            vec!["found", "file", "machine", "entry", "load", "ready", "first sample"],
        ),
        (vec![script.to_str().unwrap()], vec!["found", "file", "may run", "first sample"]),
    ] {
        let answer = plugin(&[&["doctor", "--json"], &arguments[..]].concat()).await;
        assert_eq!(answer.code, 0, "{answer:?}");
        let findings = answer.json();
        let all = findings["feeds"][0]["steps"].as_array().unwrap();
        for name in steps {
            let step = all.iter().find(|step| step["name"] == name && step["outcome"] == "ok");
            assert!(step.is_some(), "{arguments:?}: {name}: {findings}");
        }
    }
    let answer = plugin(&["doctor", "tickerd_feed_sim"]).await;
    assert!(answer.out.starts_with("feed sim (plugin tickerd_feed_sim)\n  ok       found "), "{answer:?}");
    assert!(!answer.out.contains("do:"), "{answer:?}");
}

#[tokio::test]
async fn every_feed_of_a_configuration_is_examined() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tickerd.toml");
    let rest = "[[feed]]\nname = \"gone\"\nexec = [\"./gone.py\"]\n\
                [[feed]]\nname = \"lines\"\nexec = [\"sh\", \"-c\", \"echo '{\\\"event\\\":\\\"tick\\\",\\\"data\\\":1}'; exec cat >/dev/null\"]\n";
    std::fs::write(&file, format!("{}\n{rest}", sim(7).toml())).unwrap();
    let answer = plugin(&["doctor", "--json", "--config", file.to_str().unwrap()]).await;
    assert_eq!(answer.code, 1, "{answer:?}");
    let findings = answer.json();
    let feeds: Vec<(&Value, &Value)> =
        findings["feeds"].as_array().unwrap().iter().map(|feed| (&feed["feed"], &feed["ok"])).collect();
    let [yes, no] = [json!(true), json!(false)];
    assert_eq!(feeds, [(&json!("sim"), &yes), (&json!("gone"), &no), (&json!("lines"), &yes)], "{findings}");
    let gone = findings["feeds"][1]["steps"][0]["what"].as_str().unwrap();
    assert!(gone.contains("./gone.py is not found from"), "{gone}");

    std::fs::write(&file, "[[feed]]\nname = \"x\"\nplugn = \"y\"\n").unwrap();
    let answer = plugin(&["doctor", "--config", file.to_str().unwrap()]).await;
    assert!(answer.code == 78 && answer.err.contains("did you mean `plugin`?"), "{answer:?}");
}
