//! What a path below `/v1/topics`, its query and its headers say.

use std::time::Duration;

use hyper::header::{self, HeaderMap};

use tickerd_model::protocol::WAIT_MAX_S;

/// Tags of `If-None-Match` that are looked at.
const TAGS_MAX: usize = 16;

/// What `If-None-Match` says in place of a tag when it means any. No tag is like it.
const ANY: &str = "*";

/// Where bars of several topics are.
pub const BARS: &str = "/v1/bars";
/// Where values of several topics are.
pub const VALUES: &str = "/v1/values";

/// What a path below `/v1/topics` names.
#[derive(Debug)]
pub enum Spot<'a> {
    List,
    Topic(&'a str),
    History(&'a str),
    Bars(&'a str),
    /// `/v1/bars`: bars of several topics.
    BarsOfMany,
    /// `/v1/values`: values of several topics.
    Values,
}

impl Spot<'_> {
    /// Reads a path.
    pub fn at(path: &str) -> Option<Spot<'_>> {
        if path == BARS {
            return Some(Spot::BarsOfMany);
        }
        if path == VALUES {
            return Some(Spot::Values);
        }
        let rest = path.strip_prefix("/v1/topics")?;
        let Some(rest) = rest.strip_prefix('/') else { return rest.is_empty().then_some(Spot::List) };
        match rest.split_once('/') {
            None if !rest.is_empty() => Some(Spot::Topic(rest)),
            Some((topic, "history")) => Some(Spot::History(topic)),
            Some((topic, "bars")) => Some(Spot::Bars(topic)),
            _ => None,
        }
    }
}

/// A number of ticks or bars: at least 1.
pub fn limit(text: Option<&str>, default: usize) -> Option<usize> {
    let limit = text.map_or(Some(default as u64), whole);
    let limit = limit.filter(|limit| (1..=u64::from(u32::MAX)).contains(limit));
    limit.and_then(|limit| usize::try_from(limit).ok())
}

/// A whole number, of digits alone.
pub fn whole(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// How long a long poll may wait.
pub fn seconds(text: &str) -> Option<Duration> {
    whole(text).filter(|seconds| *seconds <= WAIT_MAX_S).map(Duration::from_secs)
}

/// The tags a client has, without quotes and the mark of weak ones (RFC 9110 13.1.2: they compare alike here).
pub fn tags(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let items = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let tags = items.filter_map(|item| {
        if item == ANY.as_bytes() {
            return Some(ANY.to_owned());
        }
        let tag = item.strip_prefix(b"W/").unwrap_or(item).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        String::from_utf8(tag.to_vec()).ok().filter(|tag| tag != ANY)
    });
    tags.take(TAGS_MAX).collect()
}

/// Whether who has these tags has what this one is of (RFC 9110 13.1.2).
pub fn knows(tags: &[String], tag: &str) -> bool {
    tags.iter().any(|known| known == ANY || known == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_every_tag_and_a_tag_is_itself() {
        for (said, is_known) in [("*", true), ("\"a\", W/\"b\"", true), ("\"a\"", false), ("\"*\"", false)] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, said.parse().unwrap());
            assert_eq!(knows(&tags(&headers), "b"), is_known, "{said}");
        }
    }
}
