//! Why something failed, and who can mend it.

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
