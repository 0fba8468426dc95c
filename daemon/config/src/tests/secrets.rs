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

#[test]
fn variables_that_are_not_tickerds_keep_their_values() {
    for name in ["TICKERD_FEED__KEY", "TICKERD_FEED__CONFIG__KEY", "TICKERD_SERVER__TOKEN", "TICKERD_KEYS__A"]
    {
        let problems = with_env("", &[(name, "CANARY")], &Overrides::default()).unwrap_err().to_string();
        assert!(problems.contains(name) && !problems.contains("CANARY"), "{problems}");
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
