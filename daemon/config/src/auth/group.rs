//! `[[auth.group]]`: what those may do who are in it.

use tickerd_model::topic::{self, Pattern, bar};

use crate::document::Node;
use crate::problem::Code;
use crate::reader::{Read, boolean, list, string};
use crate::section::{Refusal, Section};
use crate::unknown::nearest;

use super::name::{at_most, name};

const GROUPS_MAX: usize = 256;
const PATTERNS_MAX: usize = 1_024;
/// Stands for the user's name, as a whole segment.
const SUB: &str = "{sub}";

/// One `[[auth.group]]`. What several groups grant is united; a denial wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// 1 to 64 characters of `A–Z a–z 0–9 _ - .`, unique.
    pub name: String,
    /// What may be subscribed; this and the following lists have at most 1024 entries, default none.
    pub subscribe: Vec<Template>,
    /// Where something may be said.
    pub publish: Vec<Template>,
    /// Of which topics it may be seen who is there.
    pub presence: Vec<Template>,
    /// Of which topics past ticks may be read.
    pub history: Vec<Template>,
    /// Whether the administration may be used. Default false.
    pub admin: bool,
    /// What is denied, whatever this and other groups grant.
    pub deny: Vec<Template>,
}

/// A pattern in which the segment `{sub}` stands for the user's name: `users.{sub}.**`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

impl Template {
    /// Reads a pattern, or a pattern with `{sub}` in place of segments.
    ///
    /// # Errors
    /// What is wrong with it as a pattern.
    pub fn parse(text: &str) -> Result<Template, topic::GrammarError> {
        Pattern::parse(&fill(text, "x")).map(|_| Template(text.to_owned()))
    }

    /// The pattern for a user whose name as a segment is this. `None` if no topic can have that segment, so that there is
    /// nothing to grant or to deny.
    pub fn filled(&self, segment: &str) -> Option<Pattern> {
        // A name is never a wildcard: `*` is percent-encoded in it.
        Pattern::parse(&fill(&self.0, segment)).ok()
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn fill(text: &str, with: &str) -> String {
    let segments = text.split('.').map(|segment| if segment == SUB { with } else { segment });
    segments.collect::<Vec<_>>().join(".")
}

impl Group {
    pub(super) fn read_all(parent: &mut Section<'_>) -> Vec<Self> {
        let sections = parent.sections("group");
        at_most(parent, "group", GROUPS_MAX, sections.get(GROUPS_MAX).map(|(_, header)| header));
        let mut names = Vec::new();
        let mut groups = Vec::new();
        for (mut section, header) in sections {
            let name = name(&mut section, &header, "group", &mut names);
            let mut list = |key| section.take(key, Vec::new(), templates);
            let (subscribe, publish, presence, history) =
                (list("subscribe"), list("publish"), list("presence"), list("history"));
            let deny = list("deny");
            let admin = section.take("admin", false, boolean);
            groups.extend(name.map(|name| Group {
                name,
                subscribe,
                publish,
                presence,
                history,
                admin,
                deny,
            }));
        }
        groups
    }
}

fn templates(node: &Node) -> Read<Vec<Template>> {
    let templates = list(node, |item| {
        let text = string(item)?;
        means_something(item, &text)?;
        Template::parse(&text).map_err(|error| misread(item, &text, &error))
    })?;
    few(node, templates)
}

/// Reads a list of patterns.
pub(super) fn patterns(node: &Node) -> Read<Vec<Pattern>> {
    let patterns = list(node, |item| {
        let text = string(item)?;
        means_something(item, &text)?;
        Pattern::parse(&text).map_err(|error| misread(item, &text, &error))
    })?;
    few(node, patterns)
}

/// Bars have no rights of their own, so that whoever names them means something else.
fn means_something(item: &Node, text: &str) -> Read<()> {
    if !bar::is_among_bars(text) {
        return Ok(());
    }
    let change = match bar::reach(text) {
        Some(reach) => format!("write \"{}\"", reach.topics),
        None => "name the topics that the bars are of, such as \"stocks.**\"".to_owned(),
    };
    let refusal = Refusal::new(item, "rights to bars are the rights to the topics that they are of")
        .code(Code::WrongName);
    Err(vec![refusal.allowed("topics that are none of bars").change(change)])
}

fn few<T>(node: &Node, patterns: Vec<T>) -> Read<Vec<T>> {
    if patterns.len() <= PATTERNS_MAX {
        return Ok(patterns);
    }
    let refusal =
        Refusal::new(node, format!("this is a list of {} patterns", patterns.len())).code(Code::TooMany);
    Err(vec![refusal.allowed(format!("at most {PATTERNS_MAX}")).change("use * and ** in their place")])
}

fn misread(item: &Node, text: &str, error: &topic::GrammarError) -> Vec<Refusal> {
    let what = format!("this is no pattern: {error}");
    let change = match topic::hint(text) {
        hint if text.contains(SUB) || hint.is_empty() => {
            "write one such as \"stocks.**\", or \"users.{sub}.**\" in a group".to_owned()
        }
        hint => hint.trim_start_matches([';', ',', ' ']).to_owned(),
    };
    vec![
        Refusal::new(item, what)
            .code(Code::WrongName)
            .allowed("segments joined by dots, with * and ** for any")
            .change(change),
    ]
}

/// Reads `groups`: names of `[[auth.group]]` that are there.
pub(super) fn groups(section: &mut Section<'_>, known: &[Group]) -> Vec<String> {
    section.take("groups", Vec::new(), |node| {
        list(node, |item| {
            let name = string(item)?;
            if known.iter().any(|group| group.name == name) {
                return Ok(name);
            }
            let names = || known.iter().map(|group| group.name.as_str());
            let change = match nearest(&name, names()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "add an [[auth.group]] of this name, or name another".to_owned(),
            };
            let refusal = Refusal::new(item, "there is no group of this name").code(Code::UnknownWord);
            Err(vec![refusal.allowed(names().collect::<Vec<_>>().join(", ")).change(change)])
        })
    })
}
