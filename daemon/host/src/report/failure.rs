//! Why something failed, and who can mend it.

/// Who can do something about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A person: the configuration has to change.
    Config,
    /// Nobody has to: trying again later may help.
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

    /// The fault of a word in a line. A word that is not known, as of a later version, counts as transient.
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
    /// Who can do something about it.
    pub fault: Fault,
    /// What happened, in words for a person.
    pub message: String,
}

impl Failure {
    /// A failure that only a changed configuration can mend.
    pub fn config(message: impl Into<String>) -> Failure {
        Failure { fault: Fault::Config, message: message.into() }
    }

    /// A failure that may pass by itself.
    pub fn transient(message: impl Into<String>) -> Failure {
        Failure { fault: Fault::Transient, message: message.into() }
    }

    /// A failure that ends the instance; a new one may work.
    pub fn fatal(message: impl Into<String>) -> Failure {
        Failure { fault: Fault::Fatal, message: message.into() }
    }
}
