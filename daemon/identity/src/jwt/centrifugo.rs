//! Claims that Centrifugo's tokens have: `caps`, `channels`, `subs`. Its tokens for one subscription are not read.

use serde_json::{Map, Value};
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::rights::{Rights, Verb};
use tickerd_model::topic::{self, Pattern};

use super::claims::texts;

/// The words of `allow`, and what they grant here. Others grant nothing.
const ALLOW: [(&str, Verb); 4] =
    [("sub", Verb::Subscribe), ("pub", Verb::Publish), ("prs", Verb::Presence), ("hst", Verb::History)];

/// Adds what `caps` grants: `[{"channels": […], "match": "wildcard", "allow": ["sub"]}]`.
pub(super) fn read_caps(claims: &Map<String, Value>, rights: &mut Rights) -> Result<(), Refusal> {
    let caps = match claims.get("caps") {
        None | Some(Value::Null) => return Ok(()),
        Some(caps) => caps.as_array().ok_or(Refusal::Claims)?,
    };
    for cap in caps {
        let cap = cap.as_object().ok_or(Refusal::Claims)?;
        let is_exact = match cap.get("match").map(Value::as_str) {
            None | Some(Some("" | "exact")) => true,
            Some(Some("wildcard")) => false,
            // Other ways to match would grant something else than what was meant.
            Some(_) => return Err(Refusal::Claims),
        };
        let allow = texts(cap.get("allow"))?;
        for channel in texts(cap.get("channels"))? {
            if is_exact && topic::check(channel.as_bytes()).is_err() {
                return Err(Refusal::Claims);
            }
            let pattern = Pattern::parse(channel).map_err(|_| Refusal::Claims)?;
            for (_, verb) in ALLOW.iter().filter(|(word, _)| allow.contains(word)) {
                rights.grant(*verb, pattern.clone());
            }
        }
    }
    Ok(())
}

/// What is subscribed when the connection begins: `channels`, a list, and `subs`, whose names are the channels. Neither is a
/// permission.
pub(super) fn subscriptions(claims: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let mut channels = texts(claims.get("channels"))?;
    match claims.get("subs") {
        None | Some(Value::Null) => {}
        Some(Value::Object(subs)) => channels.extend(subs.keys().map(String::as_str)),
        Some(_) => return Err(Refusal::Claims),
    }
    let mut topics: Vec<String> = Vec::new();
    for channel in channels {
        Pattern::parse(channel).map_err(|_| Refusal::Claims)?;
        if !topics.iter().any(|known| known == channel) {
            topics.push(channel.to_owned());
        }
    }
    Ok(topics)
}
