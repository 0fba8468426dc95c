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
    /// It said something about values, though it is held and has not begun its work.
    Spoke,
    /// The poll of this number has returned.
    Done { poll: u64, result: Result<(), Failure> },
    /// It says that it cannot go on, and should be ended.
    Fail(Failure),
    /// It ends of itself and tidies up; it should be gone soon.
    Leaving,
    /// Nothing will be heard from it any more, though it runs.
    Mute,
    /// It is gone. `Ok` when it ended of itself without an error.
    Ended(Result<(), Failure>),
}

impl Report {
    /// The same with another text for what went wrong, if anything did.
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

/// Where reports go. Must not block for long; may be called after the receiver has gone.
pub type Reporter = std::sync::Arc<dyn Fn(Report) + Send + Sync>;
