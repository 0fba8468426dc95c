//! Names in `[auth]`, and lists of them.

use tickerd_model::access::user::{NAMES_RESERVED, is_reserved};

use crate::document::Node;
use crate::problem::{Code, Origin};
use crate::reader::{Read, string};
use crate::section::{Refusal, Section};

const NAME_BYTES_MAX: usize = 64;
const ALLOWED: &str = "1 to 64 of A-Z a-z 0-9 _ - .";

/// Reads `name`. It is needed, and unlike all `earlier` ones of the same kind, to which it is added.
pub(super) fn name(
    section: &mut Section<'_>,
    header: &Origin,
    kind: &str,
    earlier: &mut Vec<String>,
) -> Option<String> {
    let Some(node) = section.ask("name") else {
        let refusal = Refusal::placed(header, format!("this {kind} has no name"))
            .code(Code::MissingKey)
            .allowed(ALLOWED);
        section.refuse("name", refusal.change(format!("add name = \"…\", by which the {kind} is known")));
        return None;
    };
    match string(node).and_then(|name| judge(node, name, kind, earlier)) {
        Ok(name) => {
            earlier.push(name.clone());
            Some(name)
        }
        Err(refusals) => {
            refusals.into_iter().for_each(|refusal| section.refuse("name", refusal));
            None
        }
    }
}

fn judge(node: &Node, name: String, kind: &str, earlier: &[String]) -> Read<String> {
    let refuse = |code: Code, what: String, change: String| {
        Err(vec![Refusal::new(node, what).code(code).allowed(ALLOWED).change(change)])
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        let what =
            format!("the name of a {kind} has 1 to {NAME_BYTES_MAX} bytes, and this has {}", name.len());
        return refuse(Code::WrongName, what, "choose another name".to_owned());
    }
    if let Some(wrong) = name.chars().find(|c| !fits(*c)) {
        let right: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
        return refuse(
            Code::WrongName,
            format!("{wrong:?} has no place in the name of a {kind}"),
            format!("write \"{right}\""),
        );
    }
    if earlier.contains(&name) {
        return refuse(
            Code::Duplicate,
            format!("another {kind} has this name"),
            "rename one of them, or delete it".to_owned(),
        );
    }
    Ok(name)
}

/// Refuses a name that is also the user's, if no user can be called so.
pub(super) fn refuse_reserved(section: &mut Section<'_>, header: &Origin, name: &str, change: &str) {
    if is_reserved(name) {
        let what = format!("no user may be called {name}: it would look like the server");
        let allowed = format!("{ALLOWED}, and none of {}", NAMES_RESERVED.join(", "));
        section.refuse(
            "name",
            Refusal::placed(header, what).code(Code::WrongName).allowed(allowed).change(change),
        );
    }
}

/// Refuses all items of a list behind the most that is read.
pub(super) fn at_most(parent: &Section<'_>, key: &str, max: usize, header: Option<&Origin>) {
    if let Some(header) = header {
        let refusal = Refusal::placed(header, format!("this is one more than {max}"))
            .code(Code::TooMany)
            .allowed(format!("at most {max}"));
        parent.refuse(key, refusal.change("delete those that nobody uses, or use an issuer of tokens"));
    }
}
