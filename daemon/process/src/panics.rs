//! A panic on one of the daemon's own threads ends the process, so that the service manager starts it anew.
//!
//! Without this a daemon lives on as a ghost: tokio keeps a task's panic to itself, and a pulse or shard that is gone
//! leaves clients connected who hear nothing. Every thread that has a name counts, so that a new one cannot be forgotten;
//! clippy refuses threads without one. Feeds are another matter: theirs are caught where they happen, and supervised. So is
//! what a thread does inside [`caught`].

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::output;

/// What the names of feeds' threads begin with. A plugin's own have no name here.
const FEEDS: &str = "feed-";

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// From now on such a panic is told, and then the process aborts.
pub fn end_the_process() {
    panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        tell(info, thread.name());
        let is_own = |name: &&str| !name.starts_with(FEEDS) && !IS_CAUGHT.get();
        if let Some(name) = thread.name().filter(is_own) {
            output::tell(&format!(
                "tickerd: the thread {name:?} panicked; this is a bug, and the process ends\n"
            ));
            output::flush();
            // Nothing else runs: what a half-done change left behind is not to be written anywhere.
            std::process::abort();
        }
    }));
}

/// Runs what may panic without harm to anything else: a panic inside is told, and is an error with its message here.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    let before = IS_CAUGHT.replace(true);
    let ran = panic::catch_unwind(AssertUnwindSafe(run));
    IS_CAUGHT.set(before);
    ran.map_err(|panic| text(&*panic).to_owned())
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

/// As the standard library tells it, but without waiting for who reads it.
fn tell(info: &PanicHookInfo<'_>, thread: Option<&str>) {
    let thread = thread.unwrap_or("<unnamed>");
    let at = info.location().map(|place| format!(" at {place}")).unwrap_or_default();
    let mut told = format!("\nthread '{thread}' panicked{at}:\n{}\n", text(info.payload()));
    // With RUST_BACKTRACE alone.
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        told.push_str(&format!("stack backtrace:\n{trace}\n"));
    }
    output::tell(&told);
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Output};

    const THREAD: &str = "TICKERD_TEST_PANIC_ON";
    const CAUGHT: &str = "caught";

    /// The other test runs this in a process of its own.
    #[test]
    fn panic_on_a_thread() {
        let Ok(name) = std::env::var(THREAD) else { return };
        super::end_the_process();
        let is_caught = name == CAUGHT;
        let thread = std::thread::Builder::new().name(name).spawn(move || match is_caught {
            true => assert_eq!(super::caught(|| panic!("as {}", "asked")), Err::<(), _>("as asked".into())),
            false => panic!("as asked"),
        });
        assert_eq!(thread.expect("a thread").join().is_ok(), is_caught);
        crate::output::flush();
    }

    fn panic_on(name: &str) -> Output {
        let mut again = Command::new(std::env::current_exe().expect("the test's own program"));
        again.args(["--exact", "panics::tests::panic_on_a_thread"]).env(THREAD, name);
        again.output().expect("the program starts")
    }

    #[test]
    fn a_panic_of_its_own_ends_the_daemon_and_a_feeds_does_not() {
        for own in ["pulse", "shard-1", "server", "watch-sim", "history", "reload", "a-new-one"] {
            let ended = panic_on(own);
            assert_eq!(ended.status.signal(), Some(6), "{own}");
            let told = String::from_utf8_lossy(&ended.stderr);
            assert!(told.contains(&format!("thread '{own}' panicked at ")), "{told}");
            assert!(told.contains(":\nas asked\n"), "{told}");
        }
        assert!(panic_on("feed-sim").status.success());
        assert!(panic_on(CAUGHT).status.success());
    }
}
