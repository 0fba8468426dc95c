//! A provider's HTTP server that mostly behaves, and otherwise as a test says.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::{Reply, Request, Server};

/// Starts a server that answers as `special` says, told the request and how often the same was asked before; as
/// `usual` where that says nothing.
pub fn start(
    usual: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    special: impl Fn(&Request, usize) -> Option<Reply> + Send + Sync + 'static,
) -> Server {
    let asked = Mutex::new(HashMap::<String, usize>::new());
    Server::start(move |request| {
        let before = {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            let count = asked.entry(request.target.clone()).or_default();
            *count += 1;
            *count - 1
        };
        special(request, before).unwrap_or_else(|| usual(request))
    })
}
