//! Finnhub's answer to `GET /stock/market-status?exchange=US`, by its documentation of 2026-11.

use serde::Deserialize;
use tickerd_feed_provider::{Fault, Session};

/// An answer.
#[derive(Deserialize)]
pub(crate) struct Answer {
    // `null` and a missing field are told apart: `null` is a closed market, a missing field is not an answer.
    #[serde(default, deserialize_with = "present")]
    session: Option<Option<String>>,
    error: Option<String>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Answer {
    /// The exchange's session. `None` if Finnhub uses a word that is not documented.
    ///
    /// # Errors
    /// [`Fault::Nonsense`] if the answer does not say.
    pub(crate) fn session(self) -> Result<Option<Session>, Fault> {
        if let Some(error) = self.error {
            let error: String = error.chars().take(200).collect();
            return Err(Fault::Nonsense {
                message: format!("Finnhub said `{error}` for the market's status"),
            });
        }
        match self.session {
            None => Err(Fault::Nonsense { message: "a market status without a session came".to_owned() }),
            Some(None) => Ok(Some(Session::Closed)),
            Some(Some(word)) => Ok(match word.as_str() {
                "pre-market" => Some(Session::Pre),
                "regular" => Some(Session::Regular),
                "post-market" => Some(Session::Post),
                _ => None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Result<Option<Session>, Fault> {
        crate::quoted::read::<Answer>(body, "a market status")?.session()
    }

    #[test]
    fn each_session_is_read_and_null_is_closed() {
        for (word, session) in [
            (r#""regular""#, Some(Session::Regular)),
            (r#""pre-market""#, Some(Session::Pre)),
            (r#""post-market""#, Some(Session::Post)),
            ("null", Some(Session::Closed)),
            (r#""lunch""#, None),
        ] {
            let body = include_str!("../../fixtures/finnhub/status.json").replace(r#""regular""#, word);
            assert_eq!(said(&body), Ok(session), "{word}");
        }
    }

    #[test]
    fn what_does_not_say_is_nonsense() {
        for body in ["{}", r#"{"error":"no"}"#, "<html>", r#"{"session":3}"#] {
            assert!(matches!(said(body), Err(Fault::Nonsense { .. })), "{body}");
        }
    }
}
