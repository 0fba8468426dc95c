//! What a running feed tells its supervisor, the same from a thread and from a child process.

pub mod event_doc;
mod failure;
mod hello;

pub use failure::{Failure, Fault};
pub use hello::{Hello, Mode};

/// One message from a running feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It was created and is ready.
    Hello(Hello),
    /// Its process is held, and has said something about values for the first time.
    Spoke,
    /// The poll of this number has returned.
    Done { poll: u64, result: Result<(), Failure> },
    /// It cannot go on, and should be ended.
    Fail(Failure),
    /// It ends of itself: the instance is being destroyed, and should be gone soon.
    Leaving,
    /// Its process has closed standard output, though it may still run.
    Mute,
    /// It is gone. `Ok` when it ended of itself, without an error.
    Ended(Result<(), Failure>),
}

impl Report {
    /// The same report; if it tells of a failure, `word` gets its text and answers another.
    pub fn reworded(mut self, word: impl FnOnce(&str) -> String) -> Report {
        if let Report::Done { result: Err(failure), .. }
        | Report::Fail(failure)
        | Report::Ended(Err(failure)) = &mut self
        {
            failure.message = word(&failure.message);
        }
        self
    }
}

/// Takes reports, on any thread. It must not block for long, and may be called when nobody listens any more.
pub type Reporter = std::sync::Arc<dyn Fn(Report) + Send + Sync>;
