//! `[[topic]]`: topics that clients publish to, and what else they offer.

use std::collections::BTreeSet;
use std::time::Duration;

use super::document::{Node, Value};
use super::feed::Feed;
use super::history::{self, History};
use super::problem::{Code, Origin};
use super::quantity::write_duration;
use super::reader::{boolean, string};
use super::section::{Refusal, Section};
use super::shown::quoted;
use tickerd_model::history::Depth;
use tickerd_model::topic::{self, Pattern, SERVER_SEGMENT, first_segment};
use tickerd_model::wire::frame::WEIGHT_MIN;

const TOPICS_MAX: usize = 1024;
/// Most different ages of rooms. The pulse looks at each of them when it drops what is too old.
const AGES_MAX: usize = 16;
/// Names that are offered where none can be guessed: the first that is free.
const EXAMPLES: [&str; 3] = ["rooms.lobby", "rooms.kitchen", "chat.lobby"];

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
    /// Range 0..=65_536; default as `history.count`. The bytes of all are limited by `[history]`.
    pub count: Option<usize>,
    /// Greatest age of a message that is kept for all. `[history]` limits the age of those for absent users.
    ///
    /// Range 1s..=168h, at most 16 different ones; default as `history.age`.
    pub age: Option<Duration>,
}

impl Topic {
    /// How much is kept of its messages.
    pub fn depth(&self, history: &History) -> Depth {
        Depth { count: self.count.unwrap_or(history.count), age: self.age.unwrap_or(history.age) }
    }

    /// The memory of as many messages as are kept, if none is longer than a digit.
    pub fn bytes_min(&self, history: &History) -> u64 {
        self.depth(history).count as u64 * WEIGHT_MIN as u64
    }

    /// Reads every `[[topic]]`. An incomplete one is left out, since its problems end the start in any case.
    pub(super) fn read_all(top: &mut Section<'_>, feeds: &[Feed]) -> Vec<Topic> {
        let sections = top.sections("topic");
        if let Some((_, header)) = sections.get(TOPICS_MAX) {
            let refusal = Refusal::placed(header, format!("this is one topic more than {TOPICS_MAX}"))
                .code(Code::TooMany)
                .allowed(format!("at most {TOPICS_MAX} topics that are declared one by one"));
            top.refuse("topic", refusal.change("let a feed say what has more topics"));
        }
        let mut names = BTreeSet::new();
        let mut topics: Vec<Topic> = Vec::new();
        for (mut section, header) in sections {
            let name = read_name(&mut section, &header, feeds, &mut names);
            let publish = section.take("publish", false, boolean);
            let presence = section.take("presence", false, boolean);
            let (count, age) = read_history(&mut section, &topics);
            if let Some(name) = name {
                topics.push(Topic { name, publish, presence, count, age });
            }
        }
        topics
    }
}

/// Reads `history = 100`, or `history = { count = 100, age = "24h" }`.
fn read_history(topic: &mut Section<'_>, earlier: &[Topic]) -> (Option<usize>, Option<Duration>) {
    match topic.ask("history").map(|node| (node, &node.value)) {
        None | Some((_, Value::Table(_))) => {}
        Some((node, Value::String(text))) if history::age()(node).is_ok() => {
            let refusal =
                Refusal::new(node, "an age stands in a table").code(Code::WrongType).allowed(HISTORY);
            topic.refuse("history", refusal.change(format!("write history = {{ age = {} }}", quoted(text))));
            return (None, None);
        }
        Some(_) => {
            let count = topic.take("history", None, |node| {
                history::count()(node).map(Some).map_err(|mut refusals| {
                    refusals.iter_mut().for_each(|refusal| refusal.allowed = HISTORY.to_owned());
                    refusals
                })
            });
            return (count, None);
        }
    }
    let mut section = topic.section("history");
    let count = section.take("count", None, |node| history::count()(node).map(Some));
    let age = section.take("age", None, |node| history::age()(node).map(Some));
    let ages: BTreeSet<Duration> = earlier.iter().filter_map(|topic| topic.age).collect();
    if let Some((node, age)) = section.ask("age").zip(age)
        && ages.len() >= AGES_MAX
        && !ages.contains(&age)
    {
        let near = ages.iter().min_by_key(|other| other.abs_diff(age)).copied().unwrap_or(age);
        let what = format!("this is one more age than {AGES_MAX} of other topics");
        let refusal = Refusal::new(node, what)
            .code(Code::TooMany)
            .allowed(format!("at most {AGES_MAX} different ages"));
        section.refuse("age", refusal.change(format!("write \"{}\", as others do", write_duration(near))));
        return (count, None);
    }
    (count, age)
}

const HISTORY: &str = "a whole number from 0 to 65536, or { count = 100, age = \"24h\" }";

fn read_name(
    section: &mut Section<'_>,
    header: &Origin,
    feeds: &[Feed],
    names: &mut BTreeSet<String>,
) -> Option<String> {
    const ALLOWED: &str = "a topic such as \"rooms.lobby\", whose first segment is no feed's and not tickerd";
    let Some(node) = section.ask("name") else {
        let refusal =
            Refusal::placed(header, "this topic has no name").code(Code::MissingKey).allowed(ALLOWED);
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

/// What was meant by a name with a wrong character, if that can be guessed and is free.
fn near_topic(name: &str, feeds: &[Feed], names: &BTreeSet<String>) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let right: String = name
        .trim()
        .chars()
        .map(|c| match c {
            ' ' | '.' | '/' | ':' => '.',
            c if fits(c) => c,
            _ => '_',
        })
        .collect();
    let first = first_segment(&right);
    let is_free = first != SERVER_SEGMENT && feeds.iter().all(|feed| feed.name != first);
    (topic::check(right.as_bytes()).is_ok() && is_free && !names.contains(&right)).then_some(right)
}

fn judge(
    node: &Node,
    name: String,
    feeds: &[Feed],
    names: &BTreeSet<String>,
) -> Result<String, Vec<Refusal>> {
    let refuse = |code: Code, what: String, change: &str| {
        Err(vec![Refusal::new(node, what).code(code).change(change)])
    };
    if Pattern::is_pattern(&name) {
        return refuse(
            Code::WrongName,
            "a declared topic is one topic, and this is a pattern".into(),
            "declare each by its name",
        );
    }
    if let Err(why) = topic::check(name.as_bytes()) {
        const FORM: &str = "A-Z a-z 0-9 _ - with a dot between two segments";
        let near = |name: &str| near_topic(name, feeds, names);
        let change = match near(&name) {
            Some(right) => format!("write \"{right}\""),
            None => match EXAMPLES.into_iter().find_map(near) {
                Some(example) => format!("write one such as \"{example}\": {FORM}"),
                None => format!("write {FORM}"),
            },
        };
        return refuse(Code::WrongName, format!("this is no topic: {why}"), &change);
    }
    let first = first_segment(&name);
    if first == SERVER_SEGMENT {
        return refuse(
            Code::WrongName,
            "topics that begin with tickerd are the server's own".into(),
            "choose another first segment",
        );
    }
    if feeds.iter().any(|feed| feed.name == first) {
        return refuse(
            Code::WrongName,
            format!("topics that begin with {first} are those of the feed"),
            "write rooms.… or the like",
        );
    }
    if names.contains(&name) {
        return refuse(Code::Duplicate, "this topic is declared twice".into(), "delete one of the two");
    }
    Ok(name)
}
