//! What a path below `/v1/topics`, its query and its headers say.

use std::time::Duration;

use hyper::header::{self, HeaderMap};

use super::api::WAIT_MAX;

/// Tags of `If-None-Match` that are looked at.
const TAGS_MAX: usize = 16;

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
    whole(text).map(Duration::from_secs).filter(|seconds| *seconds <= WAIT_MAX)
}

/// The tags a client has, without quotes and the mark of weak ones (RFC 9110 13.1.2: they compare alike here).
pub fn tags(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let items = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let tags = items.filter_map(|item| {
        let tag = item.strip_prefix(b"W/").unwrap_or(item).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        String::from_utf8(tag.to_vec()).ok()
    });
    tags.take(TAGS_MAX).collect()
}
