//! What a URL asks for: `/ws?topics=a,b&rate=1s&mode=all&name=ann`, `/v1/topics/a?wait=25`.
//!
//! Each path knows its keys. One that it does not know is refused, as one of a command is: a misspelt key that was passed
//! over would be a subscription to nothing.

use hyper::Request;

use crate::exchange::arrival::{Kind, Opening, TickId};
pub use crate::listen::query::Pairs;
use tickerd_model::protocol::command::{self, Mode};
use tickerd_model::rooms;

/// What a query of `/ws` or `/v1/sse` may say.
pub const OPENING: [&str; 6] = ["topics", "rate", "mode", "name", "token", "ticket"];

/// What a query of `/v1/sse` may say. The last but two is what libraries write that cannot send the header.
const STREAM: [&str; 7] = ["topics", "rate", "mode", "name", "lastEventId", "token", "ticket"];

/// What the first subscription is, and who it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pub opening: Option<Opening>,
    /// What the client calls itself.
    pub name: Option<Box<str>>,
}

impl Pairs {
    /// The topics of all `topics`, which may be repeated.
    fn topics(&self) -> Vec<String> {
        self.all("topics")
            .flat_map(|value| value.split(','))
            .filter(|topic| !topic.is_empty())
            .map(String::from)
            .collect()
    }

    /// The name of who asks.
    ///
    /// # Errors
    /// It is none that anyone may have.
    pub fn name(&self) -> Result<Option<Box<str>>, String> {
        let Some(name) = self.one("name")? else { return Ok(None) };
        if rooms::is_name(name) {
            return Ok(Some(name.into()));
        }
        let change = "a name is 1 to 64 of A-Z a-z 0-9 _ -, and not one of the server's: tickerd, server, system, admin";
        Err(change.into())
    }

    /// The first subscription, if there is one.
    ///
    /// # Errors
    /// Its terms are none.
    pub fn opening(&self) -> Result<Option<Opening>, String> {
        let said = |key| self.one(key).map(|value| value.filter(|value| !value.is_empty()));
        let mode = match said("mode")? {
            None => None,
            Some("latest") => Some(Mode::Latest),
            Some("all") => Some(Mode::All),
            Some(_) => return Err("mode is latest, the newest at each push, or all, every tick".into()),
        };
        let terms = command::terms(said("rate")?, mode).map_err(|error| error.message.into_owned())?;
        let topics = self.topics();
        Ok((!topics.is_empty()).then_some(Opening { topics, terms, last: None }))
    }
}

/// Reads the query of `/ws` and the like.
///
/// # Errors
/// What is wrong, for the client's author.
pub fn parse(query: Option<&str>) -> Result<Query, String> {
    let pairs = Pairs::read(query, &OPENING)?;
    Ok(Query { opening: pairs.opening()?, name: pairs.name()? })
}

/// What an event stream is to bring, and to whom.
pub fn events<B>(request: &Request<B>) -> Result<Kind, String> {
    let pairs = Pairs::read(request.uri().query(), &STREAM)?;
    let opening = pairs.opening()?.ok_or("name the topics: /v1/sse?topics=feed.name,feed.*")?;
    // What is no id of this server's is an id of another, whose past is not had here either.
    let last = match request.headers().get("last-event-id") {
        Some(id) => Some(id.to_str().unwrap_or("?")),
        None => pairs.one("lastEventId")?,
    };
    let last = last.filter(|id| !id.is_empty()).map(|id| TickId::parse(id).unwrap_or_default());
    Ok(Kind::Ticker { opening: Some(Opening { last, ..opening }), name: pairs.name()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opening(topics: &[&str], rate: Option<&str>, mode: Mode) -> Result<Query, String> {
        let topics = topics.iter().map(ToString::to_string).collect();
        let terms = command::terms(rate, Some(mode)).unwrap();
        Ok(Query { opening: Some(Opening { topics, terms, last: None }), name: None })
    }

    #[test]
    fn a_name_is_read_or_refused() {
        assert_eq!(parse(Some("name=ann&name=ann")).unwrap().name.as_deref(), Some("ann"));
        for bad in ["name=", "name=a%20b", "name=Tickerd", "name=a&name=b", "name=user%3Aann"] {
            assert!(parse(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn topics_and_terms_are_read() {
        let latest = |topics: &[&str], rate| opening(topics, rate, Mode::Latest);
        assert_eq!(parse(Some("topics=a.b,c&rate=1s")), latest(&["a.b", "c"], Some("1s")));
        assert_eq!(parse(Some("topics=a&topics=,b,&rate=&mode=")), latest(&["a", "b"], None));
        assert_eq!(parse(Some("t%6Fpics=w.%2A%2Cd.%C3%BC+x")), latest(&["w.*", "d.ü x"], None));
        assert_eq!(parse(Some("rate=1s&rate=1s&topics=a&mode=latest")), latest(&["a"], Some("1s")));
        assert_eq!(parse(Some("mode=all&topics=a&rate=1s")), opening(&["a"], Some("1s"), Mode::All));
    }

    #[test]
    fn without_topics_there_is_no_opening() {
        for query in [None, Some(""), Some("topics="), Some("topics"), Some("topics=,"), Some("rate=1s&&")] {
            assert_eq!(parse(query), Ok(Query::default()), "{query:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_remedy() {
        for (query, says) in [
            ("topics=%", "%25"),
            ("topics=%4", "%25"),
            ("topics=%zz", "%25"),
            ("topics=%+1", "%25"),
            ("topics=%ff", "UTF-8"),
            ("%f=", "%25"),
            ("rate=1s&rate=2s", "keep one"),
            ("rate=5", "with its unit"),
            ("mode=every", "latest"),
            ("topic=sim.AAPL", "did you mean topics?"),
            ("topics=a&foo=1", "it has topics, rate, mode, name, token, ticket"),
            ("=1", "a key that is not known"),
            ("Topics=a", "did you mean topics?"),
        ] {
            let why = parse(Some(query)).unwrap_err();
            assert!(why.contains(says), "{query}: {why}");
        }
        assert!(Pairs::read(Some("x=1"), &[]).unwrap_err().contains("no query"));
        let long = format!("{}=1", "x".repeat(4000));
        assert!(parse(Some(&long)).unwrap_err().len() < 200);
    }

    #[test]
    fn a_token_in_the_place_of_a_key_is_not_repeated() {
        for query in
            ["CANARY", "CANARY=1", "topics=a&CANARY-0123456789-0123456789", "%43ANARY", "token_CANARY=1"]
        {
            for known in [&OPENING[..], &STREAM, &["wait"], &[]] {
                let why = Pairs::read(Some(query), known).unwrap_err();
                assert!(!why.contains("CANARY"), "{query}: {why}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_out(topic in "[^,]{1,40}") {
            let encoded: String = topic.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(parse(Some(&format!("topics={encoded}"))), opening(&[&topic], None, Mode::Latest));
        }

        #[test]
        fn no_query_panics(query in ".{0,80}") {
            let _ = parse(Some(&query));
        }
    }
}
