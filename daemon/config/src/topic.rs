//! `[[topic]]`: topics that clients publish to, and what else they offer.

use std::collections::BTreeSet;

use super::document::Node;
use super::feed::Feed;
use super::problem::Origin;
use super::reader::{boolean, integer, string};
use super::section::{Refusal, Section};
use tickerd_model::topic::{self, Pattern, SERVER_SEGMENT, first_segment};

const TOPICS_MAX: usize = 1024;

/// One `[[topic]]`: a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its whole name. Its first segment may not be a feed's name; several rooms may share a first segment.
    pub name: String,
    /// Whether clients may publish to it. Default false: it then offers presence alone.
    pub publish: bool,
    /// Whether clients may see who is subscribed to it. Default false.
    pub presence: bool,
    /// Messages kept for all, and messages kept for each absent user.
    ///
    /// Range 0..=65_536; default as `history.count`. Their age and bytes are limited by `[history]`.
    pub history: Option<usize>,
}

impl Topic {
    /// Reads every `[[topic]]`. An incomplete one is left out, since its problems end the start in any case.
    pub(super) fn read_all(top: &mut Section<'_>, feeds: &[Feed]) -> Vec<Topic> {
        let sections = top.sections("topic");
        if let Some((_, header)) = sections.get(TOPICS_MAX) {
            let refusal = placed(header, format!("this is one topic more than {TOPICS_MAX}"))
                .allowed(format!("at most {TOPICS_MAX} topics that are declared one by one"));
            top.refuse("topic", refusal.change("let a feed say what has more topics"));
        }
        let mut names = BTreeSet::new();
        let mut topics = Vec::new();
        for (mut section, header) in sections {
            let name = read_name(&mut section, &header, feeds, &mut names);
            let publish = section.take("publish", false, boolean);
            let presence = section.take("presence", false, boolean);
            let history = section.take("history", None, |node| integer(0..=65_536)(node).map(Some));
            if let Some(name) = name {
                topics.push(Topic { name, publish, presence, history });
            }
        }
        topics
    }
}

fn placed(at: &Origin, what: String) -> Refusal {
    Refusal {
        at: at.clone(),
        suffix: String::new(),
        seen: Some(String::new()),
        what,
        allowed: String::new(),
        change: String::new(),
    }
}

fn read_name(
    section: &mut Section<'_>,
    header: &Origin,
    feeds: &[Feed],
    names: &mut BTreeSet<String>,
) -> Option<String> {
    const ALLOWED: &str = "a topic such as \"rooms.lobby\", whose first segment is no feed's and not tickerd";
    let Some(node) = section.ask("name") else {
        let refusal = placed(header, "this topic has no name".to_owned()).allowed(ALLOWED);
        section.refuse("name", refusal.change("add name = \"rooms.…\""));
        return None;
    };
    match string(node).and_then(|name| judge(node, name, feeds, names)) {
        Ok(name) => {
            names.insert(name.clone());
            Some(name)
        }
        Err(refusals) => {
            for refusal in refusals {
                section.refuse("name", refusal.allowed(ALLOWED));
            }
            None
        }
    }
}

fn judge(
    node: &Node,
    name: String,
    feeds: &[Feed],
    names: &BTreeSet<String>,
) -> Result<String, Vec<Refusal>> {
    let refuse = |what: String, change: &str| Err(vec![Refusal::new(node, what).change(change)]);
    if Pattern::is_pattern(&name) {
        return refuse(
            "a declared topic is one topic, and this is a pattern".into(),
            "declare each by its name",
        );
    }
    if let Err(why) = topic::check(name.as_bytes()) {
        return refuse(format!("this is no topic: {why}"), "correct it");
    }
    let first = first_segment(&name);
    if first == SERVER_SEGMENT {
        return refuse(
            "topics that begin with tickerd are the server's own".into(),
            "choose another first segment",
        );
    }
    if feeds.iter().any(|feed| feed.name == first) {
        return refuse(
            format!("topics that begin with {first} are those of the feed"),
            "write rooms.… or the like",
        );
    }
    if names.contains(&name) {
        return refuse("this topic is declared twice".into(), "delete one of the two");
    }
    Ok(name)
}
