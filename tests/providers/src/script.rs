//! What a mock provider answers before it does as usual.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Reply, Request, Server};

/// Planned answers, each given once, to the first request it is meant for. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Mutex<VecDeque<(String, Reply)>>>);

impl Script {
    /// Plans an answer to the next request.
    pub fn then(&self, reply: Reply) {
        self.then_to("", reply);
    }

    /// Plans an answer to the next request whose path and query hold `part`.
    pub fn then_to(&self, part: &str, reply: Reply) {
        self.planned().push_back((part.to_owned(), reply));
    }

    /// Takes the answer that is planned for `request`, if there is one.
    pub fn next(&self, request: &Request) -> Option<Reply> {
        let mut planned = self.planned();
        let at = planned.iter().position(|(part, _)| request.target.contains(part.as_str()))?;
        planned.remove(at).map(|(_, reply)| reply)
    }

    /// Whether every planned answer was given.
    pub fn is_done(&self) -> bool {
        self.planned().is_empty()
    }

    fn planned(&self) -> MutexGuard<'_, VecDeque<(String, Reply)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server whose planned answers come before its usual ones.
pub struct Scripted {
    server: Server,
    script: Script,
}

impl Scripted {
    /// Answers over plain HTTP.
    pub fn start(usual: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Scripted {
        let script = Script::default();
        let planned = script.clone();
        let server = Server::start(move |request| planned.next(request).unwrap_or_else(|| usual(request)));
        Scripted { server, script }
    }

    /// Its planned answers.
    pub fn script(&self) -> &Script {
        &self.script
    }
}

impl Deref for Scripted {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}
