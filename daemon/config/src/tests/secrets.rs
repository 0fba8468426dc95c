//! A text that may be a secret is never repeated, wherever in the file it was written.

use super::*;

/// Goal: a message names the place, and no value that may be a secret. Method: marked values in every part of a file
/// that is not tickerd's own, in files that are wrong in many ways.
#[test]
fn a_key_is_told_by_its_place_alone() {
    let feed = "[[feed]]\nname = \"a\"\nplugin = \"p\"\n";
    let cases: Vec<(String, &str)> = vec![
        (format!("{feed}[feed.config]\nkey = CANARY\n"), "t.toml:5:7: this is not a TOML value"),
        (format!("{feed}[feed.config]\nkey = \"CANARY\n"), "5 | key =…"),
        (format!("{feed}[feed.config]\nkey = nan # CANARY\n"), "feed[0].config.key: JSON has no such number"),
        (format!("{feed}[feed.config]\na = [\"CANARY\", nan, \"CANARY\"]\n"), "a = […, …, …]"),
        (format!("{feed}[feed.config]\na = [\n\"CANARY\",\nCANARY,\n]\n"), "t.toml:7:"),
        (format!("{feed}[feed.config]\na = \"\"\"\nCANARY\n\"\"\" CANARY\n"), "t.toml:7:"),
        (format!("{feed}[feed.config]\nkey = \"x\"\nkey = \"CANARY\"\n"), "duplicate key"),
        (format!("{feed}[feed.config] key = \"CANARY\"\n"), "4 | [feed.config]…"),
        (format!("{feed}[feed.config\nkey = \"CANARY\"\n"), "t.toml:4:"),
        (format!("{feed}[feed.config.deep]\nkey = CANARY\n"), "t.toml:5:7"),
        (format!("{feed}config = {{ key = CANARY }}\n"), "t.toml:4:"),
        (format!("{feed}config = \"CANARY\"\n"), "feed[0].config: a table is needed, and this is a string"),
        (format!("{feed}config = {{ key = \"CANARY\", n = nan }}\n"), "config = { key = …, n = … }"),
        (format!("{feed}key = \"CANARY\"\n"), "feed[0].key: there is no key `key` in feed"),
        (format!("{feed}key = CANARY\n"), "write key = \"…\""),
        (format!("{feed}[feed.conifg]\nkey = \"CANARY\"\n"), "there is no key `conifg`"),
        (format!("{feed}conifg = {{ key = \"CANARY\" }}\n"), "conifg = { key = … }"),
        (format!("{feed}interval = 5\n[feed.config]\nkey = \"CANARY\"\n"), "4 | interval = 5"),
        ("[server]\npassword = \"CANARY\"\n".into(), "there is no key `password` in server"),
        ("[server]\nlisten = { password = \"CANARY\" }\n".into(), "server.listen"),
        ("[auth]\ntoken = CANARY\n".into(), "write token = \"…\""),
        ("token = \"CANARY\"\n".into(), "there is no key `token` at the top"),
        // Lines that begin as a header does, in a list and in a text.
        (format!("{feed}[feed.config]\nh = [\n  [\"A\", \"CANARY\" \"x\"],\n]\n"), "t.toml:6:"),
        (format!("{feed}[feed.config]\nh = \"\"\"\n[CANARY]\nx\"\"\" [CANARY]\n"), "t.toml:7:"),
        (format!("{feed}[feed.config]\nh = \"\"\"\n[server]\nlisten = 1\"\"\" CANARY\n"), "t.toml:7:"),
        (format!("{feed}[feed.config]\nh = '''\n[server]\n''' CANARY\n"), "t.toml:7:"),
        (format!("{feed}[feed.config] key = \"CANARY]x\"\n"), "4 | [feed.config]…"),
        (format!("{feed}[feed.config key = \"CANARY]x\"\n"), "4 | [feed.config…"),
        (format!("{feed}[feed.config]\nkey = [\nCANARY=,\n]\n"), "t.toml:6:"),
        (format!("{feed}[feed.config]\nkey = \"x\nCANARY==\"\n"), "t.toml:5:"),
        (format!("{feed}[feed.config]\nkey = \nCANARY==\n"), "t.toml:5:"),
        ("[auth]\ntoken = [\n  [\"CANARY\" \"x\"],\n]\n".into(), "t.toml:3:"),
        // Tables in braces that hold one.
        ("feed = [{ name = \"a\" config = { key = \"CANARY\" } }]\n".into(), "1 | feed =…"),
        ("feed = [\n{ config = { key = \"CANARY\" \"x\" } }]\n".into(), "t.toml:2:"),
        ("server = { admin_token = \"CANARY\" x }\n".into(), "1 | server =…"),
        ("[server]\nsigning = { key = \"CANARY\" x }\n".into(), "2 | signing =…"),
        ("server = [\"CANARY\"]\n".into(), "server = […]"),
        (
            "feed = [{ name = 5, plugin = \"p\", config = { key = \"CANARY\" } }]\n".into(),
            "config = { key = … } }]",
        ),
    ];
    for (text, says) in cases {
        let message = message(&text);
        assert!(!message.contains("CANARY"), "{text}\nis told as\n{message}");
        assert!(message.contains(says), "{text}\nlacks {says}\n{message}");
    }
}

/// Every secret of this file has the mark, in each way to write one.
const MARKED: &str = r#"[server]
listen = "127.0.0.1:0"
admin_token = "CANARY"
signing = { key = "CANARY", previous = ["CANARY"] }

[[auth.token]]
name = "a"
token = "CANARY"

[[feed]]
name = "a"
plugin = "p"
[feed.config]
key = "CANARY"
headers = [
  ["Authorization", "CANARY"],
  ['b', 'CANARY'],
]
text = """
[CANARY]
a = CANARY
"""
deep = { list = ["CANARY", { key = "CANARY" }] }

[feed.config.more]
key = 'CANARY'

[cluster]
nats = ["nats://127.0.0.1:4222"]
password = "CANARY"
"#;

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// One or two slips of the pen.
    #[test]
    fn a_slip_shows_no_secret(
        slips in proptest::collection::vec((0..MARKED.len(), proptest::option::of("[\"'\\[\\]{}=#,\n x]")), 1..3),
    ) {
        let mut text = MARKED.to_owned();
        for (at, put) in slips {
            let at = at.min(text.len() - 1);
            match put {
                Some(put) => text.insert_str(at, &put),
                None => drop(text.remove(at)),
            }
        }
        if let Err(problems) = load(&text) {
            let message = problems.to_string();
            proptest::prop_assert!(!message.contains("CANARY"), "{}\nis told as\n{}", text, message);
        }
    }
}

#[test]
fn variables_that_are_not_tickerds_keep_their_values() {
    for name in ["TICKERD_FEED__KEY", "TICKERD_FEED__CONFIG__KEY", "TICKERD_SERVER__TOKEN", "TICKERD_KEYS__A"]
    {
        let problems = with_env("", &[(name, "CANARY")], &Overrides::default()).unwrap_err().to_string();
        assert!(problems.contains(name) && !problems.contains("CANARY"), "{problems}");
    }
}

/// What is written without quotes and is no text is offered without quotes.
#[test]
fn words_for_true_and_false_are_offered_as_such() {
    for (written, offered) in
        [("True", "true"), ("yes", "true"), ("ON", "true"), ("FALSE", "false"), ("no", "false")]
    {
        let message = message(&format!("[server]\necho = {written}\n"));
        assert!(message.contains(&format!("write echo = {offered}")), "{message}");
    }
}

/// tickerd's own keys are still shown as they were written.
#[test]
fn what_is_tickerds_own_is_shown() {
    let text = "[server]\nlisten = [\n  127.0.0.1:80,\n]\n";
    assert!(message(text).contains("3 |   127.0.0.1:80,"), "{}", message(text));
    let text = "[[feed]]\nname = \"a\"\nplugin = \"p\"\ninterval = 5s # soon\n";
    assert!(message(text).contains("`5s` is not a TOML value"), "{}", message(text));
}
