//! Begins the reload of feeds, for who commands it.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::feeds::Feed;
use crate::control::{ReloadRow, Reloading};
use tickerd_host::Reloaded;

/// Begins reloads, for who commands them.
pub fn begin(feeds: &[Arc<Feed>], name: Option<&str>) -> Result<Vec<Reloading>, String> {
    let names = || feeds.iter().map(|feed| feed.configured.name.as_str());
    if let Some(name) = name.filter(|name| !names().any(|known| known == *name)) {
        let known: Vec<&str> = names().collect();
        return Err(format!("there is no feed {name:?}; the feeds are: {}", known.join(", ")));
    }
    let wanted = feeds.iter().filter(|feed| name.is_none_or(|name| name == feed.configured.name));
    Ok(wanted
        .map(|feed| {
            let (tell, told) = oneshot::channel();
            let (reloading, answered) = (feed.configured.name.clone(), feed.configured.name.clone());
            // Nobody may wait for it any more.
            let answer = move |reloaded: Reloaded| drop(tell.send(outcome(answered, &reloaded)));
            feed.supervisor.reload(name.is_some(), Box::new(answer));
            (reloading, told)
        })
        .collect())
}

fn outcome(feed: String, reloaded: &Reloaded) -> ReloadRow {
    let result = reloaded.as_str().to_owned();
    ReloadRow { feed, result, done: reloaded.is_done(), detail: reloaded.to_string() }
}
