//! The lines that a process writes to a pipe.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;

use crate::GUARD;

/// The lines of a pipe: all so far, and a wait for those to come.
pub(crate) struct Lines {
    pub(crate) seen: Arc<watch::Sender<Vec<String>>>,
    ended: Arc<Mutex<bool>>,
}

impl Lines {
    pub(crate) fn read(pipe: impl AsyncRead + Unpin + Send + 'static) -> Lines {
        let lines = Lines { seen: Arc::new(watch::Sender::new(Vec::new())), ended: Arc::default() };
        let (seen, ended) = (lines.seen.clone(), lines.ended.clone());
        tokio::spawn(async move {
            let mut pipe = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = pipe.next_line().await {
                seen.send_modify(|seen| seen.push(line));
            }
            *ended.lock().unwrap() = true;
            seen.send_modify(|_| {});
        });
        lines
    }

    /// Waits for a line that contains all of these.
    pub(crate) async fn line(&self, texts: &[&str]) -> String {
        let is_it = |line: &&String| texts.iter().all(|text| line.contains(text));
        let found = |seen: &Vec<String>| seen.iter().find(is_it).cloned();
        let mut seen = self.seen.subscribe();
        let wait = seen.wait_for(|seen| found(seen).is_some() || *self.ended.lock().unwrap());
        let line = tokio::time::timeout(GUARD, wait).await.ok().and_then(|seen| found(&seen.unwrap()));
        line.unwrap_or_else(|| panic!("no line with {texts:?} among {:#?}", self.seen.borrow()))
    }
}
