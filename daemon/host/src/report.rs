//! What a running feed tells its supervisor, the same from a thread and from a child process.

use serde::{Deserialize, Serialize};

use crate::event_doc::EventDocs;
use tickerd_model::sample::Class;

/// How a feed is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The host asks at intervals.
    Poll,
    /// The feed speaks when it has something to say.
    Push,
}

impl Mode {
    /// The word in a hello line.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Poll => "poll",
            Mode::Push => "push",
        }
    }
}

/// What a feed says about itself once it is ready to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The feed type's own id, such as `org.example.stocks`.
    pub feed: String,
    /// The plugin's version.
    pub version: String,
    /// How it is driven.
    pub mode: Mode,
    /// Whether it gives signs of life while it has nothing to say, so that their absence means something.
    pub beats: bool,
    /// The events it declares, with their class.
    pub events: Vec<(String, Class)>,
    /// What it says of their values.
    pub docs: EventDocs,
    /// How often it would like to be polled, in milliseconds; 0: as often as it is pushed.
    pub default_poll_ms: u32,
    /// The shortest poll interval it allows, in milliseconds.
    pub min_poll_ms: u32,
}

/// Whose move it is after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A person's: the configuration has to change.
    Config,
    /// Time's: trying again may help.
    Transient,
    /// The instance is of no more use; a new one may work.
    Fatal,
}

impl Fault {
    /// The word in a line.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Config => "config",
            Fault::Transient => "transient",
            Fault::Fatal => "fatal",
        }
    }

    /// The reverse of [`Fault::as_str`]; words of later versions count as transient.
    pub fn from_word(word: &str) -> Fault {
        match word {
            "config" => Fault::Config,
            "fatal" => Fault::Fatal,
            _ => Fault::Transient,
        }
    }
}

/// Why a call or a feed failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose move it is.
    pub fault: Fault,
    /// What happened, in words for a person.
    pub message: String,
}

impl Failure {
    /// The configuration has to change.
    pub fn config(message: impl Into<String>) -> Failure {
        Failure { fault: Fault::Config, message: message.into() }
    }

    /// Trying again may help.
    pub fn transient(message: impl Into<String>) -> Failure {
        Failure { fault: Fault::Transient, message: message.into() }
    }

    /// A new instance may work.
    pub fn fatal(message: impl Into<String>) -> Failure {
        Failure { fault: Fault::Fatal, message: message.into() }
    }
}

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
