//! The zoo does what it is asked, as far as that leaves the process alive; and the C sources beside it compile.

use std::path::PathBuf;
use std::process::Command;

use tickerd_feed_zoo::{Zoo, tickerd_plugin_v1};
use tickerd_sdk::abi::*;
use tickerd_sdk::testing::{Loaded, TestHost};

fn load<'a>(test: &'a TestHost, config: &str) -> Result<Loaded<'a>, (TkrStatus, String)> {
    test.load(tickerd_plugin_v1, "org.tickerd.test.zoo", config)
}

#[test]
fn create_may_fail() {
    let test = TestHost::of::<Zoo>();
    let status = |config| load(&test, config).err().expect("create fails");
    assert_eq!(status(r#"{"behave":"bad_config"}"#).0, TKR_ERR_CONFIG);
    assert_eq!(status(r#"{"behave":"panic_create"}"#).0, TKR_ERR_PANIC);
    let (code, text) = status(r#"{"behave":"purr"}"#);
    assert_eq!(code, TKR_ERR_CONFIG);
    assert!(text.contains("`hang_poll`"), "{text}");
}

#[test]
fn poll_may_fail_after_going_well() {
    for (behave, status) in
        [("panic_poll", TKR_ERR_PANIC), ("fatal", TKR_ERR_FATAL), ("transient", TKR_ERR_TRANSIENT)]
    {
        let test = TestHost::of::<Zoo>();
        let mut feed = load(&test, &format!(r#"{{"behave":"{behave}","after":2}}"#)).unwrap();
        feed.poll().unwrap();
        feed.poll().unwrap();
        assert_eq!(feed.poll().unwrap_err().0, status, "{behave}");
        assert_eq!(test.samples().len(), 3, "{behave}");
    }
}

#[test]
fn what_is_wrong_is_refused_and_the_feed_goes_on() {
    for (behave, reason, refused) in [
        ("invalid_json", "bad_json", 1),
        ("invalid_utf8", "bad_json", 1),
        ("bad_topic", "bad_topic", 7),
        ("undeclared_event", "bad_event", 1),
        ("reserved_event", "reserved_event", 1),
        ("too_large", "too_large", 1),
    ] {
        let test = TestHost::of::<Zoo>();
        let mut feed = load(&test, &format!(r#"{{"behave":"{behave}"}}"#)).unwrap();
        feed.poll().unwrap();
        feed.poll().unwrap();
        let rejects = test.rejects();
        assert_eq!(rejects.len(), 2 * refused, "{behave}");
        assert!(rejects.iter().all(|r| r.starts_with(reason)), "{behave}: {rejects:?}");
        assert!(test.samples().iter().all(|s| s.topic == "counter"), "{behave}");
    }
}

#[test]
fn floods_cover_their_topics() {
    let test = TestHost::of::<Zoo>();
    let config = r#"{"behave":"flood_events","topics":3,"burst":10}"#;
    load(&test, config).unwrap().poll().unwrap();
    let flood: Vec<_> = test.samples().into_iter().filter(|s| s.event == "tick").map(|s| s.topic).collect();
    assert_eq!(flood.len(), 10);
    assert_eq!(flood[..4], ["flood.0", "flood.1", "flood.2", "flood.0"]);
}

#[test]
fn hanging_ends_by_interrupt() {
    let test = TestHost::of::<Zoo>();
    let mut feed = load(&test, r#"{"behave":"hang_until_interrupted"}"#).unwrap();
    feed.interrupt();
    feed.poll().unwrap();
}

#[test]
fn c_sources_compile() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../raw-c");
    let include = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../plugins-sdk/include");
    let out = tempfile::tempdir().unwrap();
    let mut sources = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ext| ext != "c") {
            continue;
        }
        let cc = Command::new("cc")
            .args(["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-I"])
            .arg(&include)
            .arg("-o")
            .arg(out.path().join("out.so"))
            .arg(&path)
            .output()
            .unwrap();
        assert!(cc.status.success(), "{}:\n{}", path.display(), String::from_utf8_lossy(&cc.stderr));
        sources += 1;
    }
    assert!(sources > 5, "{sources} sources in {}", folder.display());
}
