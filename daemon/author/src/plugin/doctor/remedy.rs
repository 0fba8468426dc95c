//! What to do about a plugin that does not load, or a feed that fails.

use std::path::Path;

use tickerd_config::{Feed, Source};
use tickerd_host::{Failure, Fault};

/// What to do when loading a library failed with this message.
pub fn of_load(why: &str, path: &Path) -> String {
    let path = path.display();
    let has = |text: &str| why.contains(text);
    if has("undefined symbol") {
        "link the library that has this symbol (-lNAME), and check the plugin with cc -Wl,-z,defs: a plugin may only use \
         what it brings"
            .into()
    } else if has("hangs") {
        "let constructors and the entry function return at once: work belongs into create, poll and run"
            .into()
    } else if has("crashed") {
        format!(
            "constructors and the entry function must do no more than name the feed types; look with: gdb --args tickerd \
             plugin describe {path}"
        )
    } else if has("upgrade tickerd") {
        "upgrade tickerd, or use an older version of the plugin".into()
    } else if has("server's own") {
        "rename that event: its name is a word of the protocol".into()
    } else if has("answered NULL") {
        "return the descriptor: &plugin, a static".into()
    } else if has("breaks the plugin ABI") {
        "correct the descriptor; tickerd.h says what each member must be".into()
    } else if has("cannot be loaded") {
        "build it again on this machine; `tickerd plugin inspect` shows what it needs".into()
    } else {
        format!("look at it with: tickerd plugin inspect {path} --load")
    }
}

/// What to do when a life ended with this failure.
pub fn of_failure(failure: &Failure, feed: &Feed) -> String {
    let plugin = match &feed.source {
        Source::Plugin { path, .. } => path.display().to_string(),
        Source::Exec(argv) => argv.first().cloned().unwrap_or_default(),
    };
    let has = |text: &str| failure.message.contains(text);
    if has("was not ready within") {
        "let create return sooner: what takes long belongs into poll or run, where it can be interrupted"
            .into()
    } else if has("was killed by SIG") {
        format!("look with: gdb --args tickerd plugin run {plugin} --isolation in-process")
    } else if has("poll has not returned") {
        "give what poll waits for a timeout shorter than the poll's deadline".into()
    } else if has("cannot run") {
        "make it executable, and install what its first line names".into()
    } else if failure.fault == Fault::Config {
        format!("change the feed's configuration; its keys: tickerd plugin inspect {plugin} --load")
    } else {
        format!("see its log and every life of it with: tickerd plugin run {plugin}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_a_remedy_of_its_own() {
        let path = Path::new("/x.so");
        let loads = [
            ("/x.so cannot be loaded: undefined symbol: foo; it must be", "-lNAME"),
            (
                "it did not say what it is within 5 s: loading it, or its entry function, hangs",
                "return at once",
            ),
            ("it crashed while it was loaded (SIGSEGV)", "gdb"),
            ("/x.so breaks the plugin ABI: its entry function answered NULL; tell its author", "&plugin"),
            ("/x.so breaks the plugin ABI: mode 7 is neither", "tickerd.h"),
            ("anything else", "inspect"),
        ];
        for (why, says) in loads {
            assert!(of_load(why, path).contains(says), "{why}");
        }
        let feed = Feed::of_plugin("x", "x");
        for (failure, says) in [
            (Failure::fatal("it was not ready within 10.0 s of its start; killed"), "create"),
            (Failure::transient("was killed by SIGSEGV"), "gdb"),
            (Failure::config("unknown field `a`"), "inspect x --load"),
            (Failure::transient("no route"), "plugin run x"),
        ] {
            assert!(of_failure(&failure, &feed).contains(says), "{failure:?}");
        }
    }
}
