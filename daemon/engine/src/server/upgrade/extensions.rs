//! Negotiates permessage-deflate (RFC 7692 7.1) out of `Sec-WebSocket-Extensions`: the first offer that can be honoured
//! to the letter is taken, and no offer is no error.
//!
//! The client goes without context takeover, which a server may ask for unasked: an idle connection then holds no inflater.
//! The server keeps its context where contexts are shared, unless the client asks it not to: then a tick is compressed by
//! itself, once for all. A context costs the client its window, so the server tells a small one (7.1.2.1), unless the offer names
//! no window: some libraries take no answer then that names one (nhooyr's for Go), and any inflater reads a smaller window.

use hyper::header::{self, HeaderMap};

use tickerd_model::wire::deflate::{WINDOW_BITS_MAX, WINDOW_BITS_MIN};
use tickerd_model::wire::encoding::Window;

const NAME: &str = "permessage-deflate";

/// What may be agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The largest window in bits.
    pub window_bits: u8,
    /// Whether the server may keep its context between messages.
    pub is_shared: bool,
}

/// What the server keeps between messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing: each message is compressed by itself in this window.
    Nothing(Window),
    /// A window of so many bits.
    Window(u8),
}

/// What was agreed.
#[derive(Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What the server keeps.
    pub keeps: Keeps,
    /// Value for the answer's `Sec-WebSocket-Extensions`.
    pub answer: String,
}

/// One extension as the client offers it.
#[derive(Debug, PartialEq, Eq)]
struct Offer {
    name: String,
    parameters: Vec<(String, Option<String>)>,
}

/// Takes the client's first offer that these terms allow.
pub fn negotiate(headers: &HeaderMap, terms: Terms) -> Option<Agreed> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
    // A line that breaks the grammar offers nothing.
    let mut offers = lines.filter_map(|line| parse(line.as_bytes())).flatten();
    offers.find_map(|offer| agree(&offer, terms))
}

/// What is agreed on an offer; none if a parameter is unknown, repeated or has a value it may not have.
fn agree(offer: &Offer, Terms { window_bits, is_shared }: Terms) -> Option<Agreed> {
    if offer.name != NAME {
        return None;
    }
    let (mut most, mut may_keep, mut names_windows) = (None, is_shared, false);
    for (at, (name, value)) in offer.parameters.iter().enumerate() {
        if offer.parameters.iter().take(at).any(|(earlier, _)| earlier == name) {
            return None;
        }
        names_windows |= name.ends_with("_max_window_bits");
        match (name.as_str(), value.as_deref()) {
            ("server_no_context_takeover", None) => may_keep = false,
            ("client_no_context_takeover", None) => {}
            // What it sends fits the largest window whatever it says, and there is one inflater for all.
            ("client_max_window_bits", None) => {}
            ("client_max_window_bits", Some(value)) => drop(bits(value)?),
            ("server_max_window_bits", Some(value)) => most = Some(bits(value)?),
            _ => return None,
        }
    }
    if most.is_some_and(|most| most < WINDOW_BITS_MIN) {
        return None;
    }
    if may_keep {
        let bits = window_bits.min(most.unwrap_or(WINDOW_BITS_MAX));
        let mut answer = format!("{NAME}; client_no_context_takeover");
        if most.is_some() || (names_windows && bits < WINDOW_BITS_MAX) {
            answer += &format!("; server_max_window_bits={bits}");
        }
        return Some(Agreed { keeps: Keeps::Window(bits), answer });
    }
    let (window, used) = match most {
        None => (Window::Wide, None),
        Some(most) if most >= window_bits => (Window::Wide, Some(window_bits)),
        Some(_) => (Window::Narrow, Some(WINDOW_BITS_MIN)),
    };
    let mut answer = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
    if let Some(used) = used {
        answer += &format!("; server_max_window_bits={used}");
    }
    Some(Agreed { keeps: Keeps::Nothing(window), answer })
}

/// 8 to 15, without leading zeros.
fn bits(value: &str) -> Option<u8> {
    let bits = value.parse().ok().filter(|bits| (8..=WINDOW_BITS_MAX).contains(bits))?;
    (!value.starts_with(['0', '+'])).then_some(bits)
}

/// RFC 6455 9.1: `name *( ";" name [ "=" ( token | quoted token ) ] )`, separated by commas.
fn parse(line: &[u8]) -> Option<Vec<Offer>> {
    let mut rest = line.trim_ascii();
    let mut offers = Vec::new();
    loop {
        // RFC 9110 5.6.1: empty items are left out.
        while let Some(behind) = skip(rest, b',') {
            rest = behind;
        }
        if rest.is_empty() {
            return Some(offers);
        }
        let mut offer = Offer { name: token(&mut rest)?, parameters: Vec::new() };
        while let Some(behind) = skip(rest, b';') {
            rest = behind;
            let name = token(&mut rest)?;
            let value = match skip(rest, b'=') {
                Some(behind) => {
                    rest = behind;
                    Some(value(&mut rest)?)
                }
                None => None,
            };
            offer.parameters.push((name, value));
        }
        offers.push(offer);
        if !rest.is_empty() && skip(rest, b',').is_none() {
            return None;
        }
    }
}

/// What is behind `mark` and the blanks around it.
fn skip(rest: &[u8], mark: u8) -> Option<&[u8]> {
    Some(rest.trim_ascii_start().strip_prefix(&[mark])?.trim_ascii_start())
}

fn token(rest: &mut &[u8]) -> Option<String> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let len = rest.iter().position(|byte| !is_token(byte)).unwrap_or(rest.len());
    let (token, behind) = rest.split_at_checked(len).filter(|(token, _)| !token.is_empty())?;
    *rest = behind.trim_ascii_start();
    String::from_utf8(token.to_vec()).ok()
}

/// A token, plain or in quotes: then backslashes escape, and what is left must be a token all the same.
fn value(rest: &mut &[u8]) -> Option<String> {
    let Some(mut quoted) = rest.strip_prefix(b"\"") else { return token(rest) };
    let mut text = Vec::new();
    loop {
        let (byte, behind) = quoted.split_first()?;
        quoted = behind;
        match byte {
            b'"' => break,
            b'\\' => {
                let (escaped, behind) = quoted.split_first()?;
                quoted = behind;
                text.push(*escaped);
            }
            byte => text.push(*byte),
        }
    }
    *rest = quoted.trim_ascii_start();
    token(&mut text.as_slice()).filter(|token| token.len() == text.len())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn offered(lines: &[&str], window_bits: u8) -> Option<(Window, String)> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_str(line).unwrap());
        }
        let Agreed { keeps, answer } = negotiate(&headers, Terms { window_bits, is_shared: false })?;
        let Keeps::Nothing(window) = keeps else { panic!("nothing is shared") };
        let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        Some((window, answer.strip_prefix(both).expect("the answer begins so").to_owned()))
    }

    #[test]
    fn an_offer_is_honoured_to_the_letter() {
        let wide = |rest: &str| Some((Window::Wide, rest.to_owned()));
        let narrow = Some((Window::Narrow, "; server_max_window_bits=9".to_owned()));
        for (line, expected) in [
            ("permessage-deflate", wide("")),
            ("permessage-deflate; client_max_window_bits", wide("")),
            ("permessage-deflate ;client_max_window_bits = 8; server_no_context_takeover", wide("")),
            (
                "permessage-deflate; client_no_context_takeover; server_max_window_bits=15",
                wide("; server_max_window_bits=12"),
            ),
            ("permessage-deflate; server_max_window_bits=12", wide("; server_max_window_bits=12")),
            ("permessage-deflate; server_max_window_bits=\"1\\2\"", wide("; server_max_window_bits=12")),
            ("permessage-deflate; server_max_window_bits=11", narrow.clone()),
            ("permessage-deflate; server_max_window_bits=9", narrow.clone()),
            (", x-other;a=b;c , permessage-deflate;server_max_window_bits=\"10\",", narrow),
        ] {
            assert_eq!(offered(&[line], 12), expected, "{line}");
        }
        assert_eq!(
            offered(&["permessage-deflate; server_max_window_bits=9"], 9),
            wide("; server_max_window_bits=9")
        );
    }

    #[test]
    fn the_server_keeps_its_window_unless_it_is_asked_not_to() {
        let agreed = |offer: &str, window_bits| {
            let mut headers = HeaderMap::new();
            let line = format!("permessage-deflate{offer}");
            headers.append(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_str(&line).unwrap());
            let Agreed { keeps, answer } = negotiate(&headers, Terms { window_bits, is_shared: true })?;
            Some((keeps, answer.strip_prefix("permessage-deflate; ").unwrap().to_owned()))
        };
        let kept =
            |bits, rest: &str| Some((Keeps::Window(bits), format!("client_no_context_takeover{rest}")));
        for offer in ["; client_max_window_bits", "; client_no_context_takeover; client_max_window_bits=9"] {
            assert_eq!(agreed(offer, 13), kept(13, "; server_max_window_bits=13"), "{offer}");
            assert_eq!(agreed(offer, 15), kept(15, ""), "{offer}");
        }
        for offer in ["", "; client_no_context_takeover"] {
            assert_eq!(agreed(offer, 13), kept(13, ""), "{offer}");
            assert_eq!(agreed(offer, 15), kept(15, ""), "{offer}");
        }
        for most in 9..=15 {
            let bits = most.min(13);
            let rest = format!("; server_max_window_bits={bits}");
            assert_eq!(agreed(&format!("; server_max_window_bits={most}"), 13), kept(bits, &rest), "{most}");
        }
        assert_eq!(agreed("; server_max_window_bits=8", 13), None);
        let nothing = |window, rest: &str| {
            let answer = format!("server_no_context_takeover; client_no_context_takeover{rest}");
            Some((Keeps::Nothing(window), answer))
        };
        assert_eq!(agreed("; server_no_context_takeover", 13), nothing(Window::Wide, ""));
        let both = "; server_max_window_bits=12; server_no_context_takeover";
        assert_eq!(agreed(both, 13), nothing(Window::Narrow, "; server_max_window_bits=9"));
    }

    #[test]
    fn what_cannot_be_honoured_is_declined() {
        for parameters in [
            "server_max_window_bits=8",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=010",
            "server_max_window_bits=+9",
            "server_max_window_bits=9.0",
            "server_max_window_bits=",
            "server_max_window_bits",
            "server_max_window_bits=\"\"",
            "server_max_window_bits=\"9 \"",
            "client_max_window_bits=7",
            "client_max_window_bits=16",
            "client_max_window_bits=08",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_no_context_takeover; server_no_context_takeover",
            "client_max_window_bits; client_max_window_bits=10",
            "server_max_window_bits=10; server_max_window_bits=10",
            "unknown",
            "Server_no_context_takeover",
            "a b",
            "=",
            "server_max_window_bits=\"9",
        ] {
            assert_eq!(offered(&[&format!("permessage-deflate; {parameters}")], 15), None, "{parameters}");
        }
        for line in [
            "",
            "x-webkit-deflate-frame",
            "permessage-deflate;",
            "permessage-deflate; ,",
            "permessage deflate",
        ] {
            assert_eq!(offered(&[line], 15), None, "{line}");
        }
    }

    #[test]
    fn the_first_offer_that_can_be_honoured_is_taken() {
        let declined = "permessage-deflate; server_max_window_bits=8";
        let last = "permessage-deflate; server_max_window_bits=10, permessage-deflate";
        let narrow = Some((Window::Narrow, "; server_max_window_bits=9".to_owned()));
        assert_eq!(offered(&[&format!("{declined}, {last}")], 15), narrow);
        assert_eq!(offered(&[declined, "not;;good", last], 15), narrow);
        assert_eq!(offered(&[declined, declined], 15), None);
        assert_eq!(offered(&[&vec![declined; 300].join(",")], 15), None);
    }

    proptest! {
        #[test]
        fn no_header_panics(line in "[ -~]{0,80}") {
            let _ = offered(&[&line], 15);
        }

        /// Whatever is agreed on, every value in the answer was allowed by the offer.
        #[test]
        fn no_answer_goes_beyond_its_offer(
            server in proptest::option::of(0u8..20),
            client in proptest::option::of(proptest::option::of(0u8..20)),
            flags in proptest::bits::u8::between(0, 2),
            configured in 9u8..=15,
        ) {
            let mut line = "permessage-deflate".to_owned();
            if flags & 1 > 0 { line += "; server_no_context_takeover"; }
            if flags & 2 > 0 { line += "; client_no_context_takeover"; }
            server.into_iter().for_each(|bits| line += &format!("; server_max_window_bits={bits}"));
            match client {
                Some(Some(bits)) => line += &format!("; client_max_window_bits={bits}"),
                Some(None) => line += "; client_max_window_bits",
                None => {}
            }
            let valid = server.is_none_or(|bits| (9..=15).contains(&bits))
                && client.flatten().is_none_or(|bits| (8..=15).contains(&bits));
            let agreed = offered(&[&line], configured);
            prop_assert_eq!(agreed.is_some(), valid);
            let Some((window, rest)) = agreed else { return Ok(()) };
            let used = rest.strip_prefix("; server_max_window_bits=").map(|bits| bits.parse::<u8>().unwrap());
            prop_assert_eq!(used.is_some(), server.is_some());
            prop_assert!(used.is_none_or(|used| used <= server.unwrap() && used <= configured));
            let actual = match window { Window::Wide => configured, Window::Narrow => WINDOW_BITS_MIN };
            prop_assert!(used.is_none_or(|used| used == actual));
        }
    }
}
