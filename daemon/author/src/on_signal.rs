//! How a command learns that the process is asked to end.

use std::io;

/// Has a function called, once, when the process is asked to end (SIGINT, SIGTERM).
///
/// The process's signals belong to `main`, which lends them to commands that run until they are told to stop.
pub type OnSignal<'a> = &'a dyn Fn(Box<dyn FnOnce() + Send>) -> io::Result<()>;
