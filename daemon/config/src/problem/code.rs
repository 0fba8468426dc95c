//! The kinds of mistakes, each with a name that stays the same: `unknown-key`. `systemd/codes.md` explains them.

use std::fmt;
use std::str::FromStr;

macro_rules! codes {
    ($($(#[$meta:meta])* $code:ident = $name:literal,)*) => {
        /// What kind of mistake it is. Once released, a name is neither changed nor given to another kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub enum Code {
            $($(#[$meta])* $code,)*
        }

        impl Code {
            /// All of them: first those of what is written, then those of the machine, then those of feeds.
            pub const ALL: &[Code] = &[$(Code::$code,)*];

            /// As it is told.
            pub fn name(self) -> &'static str {
                match self {
                    $(Code::$code => $name,)*
                }
            }
        }
    };
}

codes! {
    /// A file cannot be read.
    UnreadableFile = "unreadable-file",
    /// It is not TOML.
    NotToml = "not-toml",
    /// There is no such key.
    UnknownKey = "unknown-key",
    /// A required key is not there.
    MissingKey = "missing-key",
    /// A variable `TICKERD_…` sets nothing.
    WrongVariable = "wrong-variable",
    /// A value of another type.
    WrongType = "wrong-type",
    /// A duration or size without a unit, or with one that there is not.
    WrongUnit = "wrong-unit",
    /// Below the least, or above the most.
    OutOfRange = "out-of-range",
    /// None of a few words.
    UnknownWord = "unknown-word",
    /// No address, Origin, host or network.
    WrongAddress = "wrong-address",
    /// No name of a feed, topic, user or pattern.
    WrongName = "wrong-name",
    /// Another value that cannot be.
    #[default]
    WrongValue = "wrong-value",
    /// Twice what may be there once.
    Duplicate = "duplicate",
    /// Two keys that do not go together.
    Conflict = "conflict",
    /// More or fewer items than a list may have.
    TooMany = "too-many",
    /// Everyone could read it.
    OpenToAll = "open-to-all",
    /// A secret where its place belongs.
    SecretInFile = "secret-in-file",
    /// A setting without effect.
    NoEffect = "no-effect",
    /// Whoever connects may say who it is.
    ProxyUnnamed = "proxy-unnamed",
    /// Topics are stale between two polls.
    StaleBetweenPolls = "stale-between-polls",
    /// It asks for more of the past than there is room for.
    TooLittleRoom = "too-little-room",
    /// `TICKERD_LOG` says nothing.
    WrongLogLevel = "wrong-log-level",
    /// A folder in `TICKERD_PLUGIN_PATH` is not there.
    MissingPluginFolder = "missing-plugin-folder",
    /// It cannot be listened on.
    AddressUnusable = "address-unusable",
    /// Another program listens there.
    AddressTaken = "address-taken",
    /// A tickerd listens there.
    AddressOfTickerd = "address-of-tickerd",
    /// A folder is not there.
    MissingFolder = "missing-folder",
    /// A file or folder is of another kind, or may not be read or written.
    UnusableFile = "unusable-file",
    /// Another process has a file.
    FileInUse = "file-in-use",
    /// A certificate or its key cannot be used.
    WrongCertificate = "wrong-certificate",
    /// A certificate expires soon, or has expired.
    CertificateExpires = "certificate-expires",
    /// A secret or key cannot be read, or is none.
    UnusableSecret = "unusable-secret",
    /// Credentials are there only inside the unit.
    CredentialOutsideUnit = "credential-outside-unit",
    /// Fewer descriptors than connections.
    FewDescriptors = "few-descriptors",
    /// A plugin or program is not found.
    PluginNotFound = "plugin-not-found",
    /// A plugin or program cannot run here.
    PluginUnusable = "plugin-unusable",
    /// Somebody else could change a plugin.
    PluginUntrusted = "plugin-untrusted",
    /// A plugin is not the one that was pinned.
    PluginChanged = "plugin-changed",
    /// A plugin has no such key.
    FeedUnknownKey = "feed-unknown-key",
    /// A plugin refuses a value, or lacks one.
    FeedWrongValue = "feed-wrong-value",
    /// A plugin was created, and would not run.
    FeedNotReady = "feed-not-ready",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Code {
    type Err = ();

    fn from_str(name: &str) -> Result<Code, ()> {
        Code::ALL.iter().copied().find(|code| code.name() == name).ok_or(())
    }
}
