//! What a URL asks for: `/ws?topics=a,b&rate=1s&name=ann`, `/v1/topics/a?wait=25`.

use crate::fanout::arrival::Opening;
use crate::model::rooms;

/// What a query asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// The first subscription.
    pub opening: Option<Opening>,
    /// What the client calls itself.
    pub name: Option<Box<str>>,
}

/// Reads the query. Unknown parameters are left alone; `topics` may be repeated.
///
/// # Errors
/// What is wrong, for the client's author.
pub fn parse(query: Option<&str>) -> Result<Query, &'static str> {
    let mut topics = Vec::new();
    let (mut rate, mut name): (Option<String>, Option<Box<str>>) = (None, None);
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match decode(key)?.as_str() {
            "topics" => {
                let value = decode(value)?;
                topics.extend(value.split(',').filter(|topic| !topic.is_empty()).map(String::from));
            }
            "rate" => {
                let value = Some(decode(value)?).filter(|rate| !rate.is_empty());
                if rate.is_some() && rate != value {
                    return Err("the query says two different rates; keep one");
                }
                rate = value;
            }
            "name" => {
                let value = decode(value)?;
                if !rooms::is_name(&value) {
                    return Err(
                        "a name is 1 to 64 of A-Z a-z 0-9 _ -, and not one of the server's: tickerd, server, \
                                system, admin",
                    );
                }
                if name.as_deref().is_some_and(|name| name != value) {
                    return Err("the query says two different names; keep one");
                }
                name = Some(value.into());
            }
            _ => {}
        }
    }
    Ok(Query { opening: (!topics.is_empty()).then_some(Opening { topics, rate, last: None }), name })
}

/// The value of one parameter, if it is there.
///
/// # Errors
/// As [`parse`], or it is there twice.
pub fn parameter(query: Option<&str>, name: &str) -> Result<Option<String>, &'static str> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(key)? == name && found.replace(decode(value)?).is_some() {
            return Err("the query says one thing twice; keep one");
        }
    }
    Ok(found)
}

/// Percent-decoding as in `application/x-www-form-urlencoded`, which is what browsers' `URLSearchParams` writes.
fn decode(text: &str) -> Result<String, &'static str> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match (bytes.next().and_then(digit), bytes.next().and_then(digit)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err("the query has a % without two hexadecimal digits; write % itself as %25"),
            },
            byte => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| "the query, percent-decoded, is not UTF-8")
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opening(topics: &[&str], rate: Option<&str>) -> Result<Query, &'static str> {
        let topics = topics.iter().map(ToString::to_string).collect();
        Ok(Query { opening: Some(Opening { topics, rate: rate.map(String::from), last: None }), name: None })
    }

    #[test]
    fn a_name_is_read_or_refused() {
        assert_eq!(parse(Some("name=ann&x=1&name=ann")).unwrap().name.as_deref(), Some("ann"));
        for bad in ["name=", "name=a%20b", "name=Tickerd", "name=a&name=b", "name=user%3Aann"] {
            assert!(parse(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn topics_and_rate_are_read() {
        assert_eq!(parse(Some("topics=a.b,c&rate=1s")), opening(&["a.b", "c"], Some("1s")));
        assert_eq!(parse(Some("topics=a&x=1&topics=,b,&rate=")), opening(&["a", "b"], None));
        assert_eq!(parse(Some("t%6Fpics=w.%2A%2Cd.%C3%BC+x")), opening(&["w.*", "d.ü x"], None));
        assert_eq!(parse(Some("rate=1s&rate=1s&topics=a")), opening(&["a"], Some("1s")));
    }

    #[test]
    fn without_topics_there_is_no_opening() {
        for query in [None, Some(""), Some("topics="), Some("topics"), Some("topics=,"), Some("rate=1s&&")] {
            assert_eq!(parse(query), Ok(Query::default()), "{query:?}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        let bad =
            ["topics=%", "topics=%4", "topics=%zz", "topics=%+1", "topics=%ff", "%f=", "rate=1s&rate=2s"];
        for query in bad {
            assert!(parse(Some(query)).is_err(), "{query}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_out(topic in "[^,]{1,40}") {
            let encoded: String = topic.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(parse(Some(&format!("topics={encoded}"))), opening(&[&topic], None));
        }

        #[test]
        fn no_query_panics(query in ".{0,80}") {
            let _ = parse(Some(&query));
        }
    }
}
