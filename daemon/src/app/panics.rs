//! A panic on one of the daemon's own threads ends the process, so that the service manager starts it anew.
//!
//! Without this a daemon lives on as a ghost: tokio keeps a task's panic to itself, and a pulse or shard that is gone
//! leaves clients connected who hear nothing. Feeds are another matter: theirs are caught where they happen, and
//! supervised.

use std::panic;

/// What the names of the daemon's own threads begin with. Those of feeds begin with `feed-`, and a plugin's own have no
/// name here.
const OWN: [&str; 7] = ["main", "pulse", "shard-", "server", "admin", "signals", "watch"];

/// From now on such a panic is printed, and then the process aborts.
pub fn end_the_process() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        print(info);
        let thread = std::thread::current();
        if let Some(name) = thread.name().filter(|name| OWN.iter().any(|own| name.starts_with(own))) {
            // Nothing else runs: what a half-done change left behind is not to be written anywhere.
            eprintln!("tickerd: the thread {name:?} panicked; this is a bug, and the process ends");
            std::process::abort();
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus, Stdio};

    const THREAD: &str = "TICKERD_TEST_PANIC_ON";

    /// The other test runs this in a process of its own.
    #[test]
    fn panic_on_a_thread() {
        let Ok(name) = std::env::var(THREAD) else { return };
        super::end_the_process();
        let thread = std::thread::Builder::new().name(name).spawn(|| panic!("as asked"));
        assert!(thread.expect("a thread").join().is_err());
    }

    fn panic_on(name: &str) -> ExitStatus {
        let mut again = Command::new(std::env::current_exe().expect("the test's own program"));
        again.args(["--exact", "app::panics::tests::panic_on_a_thread"]).env(THREAD, name);
        again.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the program starts")
    }

    #[test]
    fn a_panic_of_its_own_ends_the_daemon_and_a_feeds_does_not() {
        for own in ["pulse", "shard-1", "server", "watch-sim"] {
            assert_eq!(panic_on(own).signal(), Some(6), "{own}");
        }
        assert!(panic_on("feed-sim").success());
    }
}
