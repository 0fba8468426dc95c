//! `tickerd feed-warden`: outlives the daemon for as long as it takes to end what its feeds started.

use std::process::ExitCode;

use crate::feed::warden;

/// Keeps watch until standard input closes; see [`warden`].
pub fn run() -> ExitCode {
    match warden::keep(std::io::stdin().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("tickerd feed-warden: {e}");
            ExitCode::FAILURE
        }
    }
}
