//! The exit codes of tickerd's commands.

/// Something else went wrong; the message says what.
pub const EXIT_FAILED: u8 = 1;
/// `tickerd check --deny-warnings` has warnings, and nothing is wrong.
pub const EXIT_WARNINGS: u8 = 2;
/// The command line is wrong (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;
/// The configuration is wrong (`EX_CONFIG`); the unit does not restart on it.
pub const EXIT_CONFIG: u8 = 78;
