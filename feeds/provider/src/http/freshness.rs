//! What an answer's headers say about time: how long the answer holds, and when to ask again.
//!
//! RFC 9111 (caching) 5.2.2 and 5.3, RFC 9110 10.2.3 (Retry-After), read in November 2026.

use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;
use ureq::http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, RETRY_AFTER};

use crate::limiter::BLOCK_MAX;

/// Longest an answer is taken to hold.
const FRESH_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Shortest wait a Retry-After can ask for: `0` and a date just past mean "soon", not "at once".
const WAIT_MIN: Duration = Duration::from_secs(1);
/// A number in a rate limit's reset is a Unix time from this value on, and a number of seconds below it.
const UNIX_SECONDS_MIN: u64 = 1_000_000_000;

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

/// How long the answer may be used as it is, if it says so.
pub(super) fn fresh_for(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let directives = || {
        let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(|directive| directive.trim().to_ascii_lowercase())
    };
    if directives().any(|directive| directive == "no-store" || directive == "no-cache") {
        return None;
    }
    let max_age = directives()
        .find_map(|directive| directive.strip_prefix("max-age=")?.trim_matches('"').parse::<u64>().ok())
        .map(Duration::from_secs);
    let expires = || {
        let expires = httpdate::parse_http_date(text(headers, EXPIRES.as_str())?).ok()?;
        let date = text(headers, DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok());
        expires.duration_since(date.unwrap_or(now)).ok()
    };
    let age = text(headers, AGE.as_str())
        .and_then(|age| age.parse().ok())
        .map_or(Duration::ZERO, Duration::from_secs);
    let fresh = max_age.or_else(expires)?.saturating_sub(age).min(FRESH_MAX);
    (!fresh.is_zero()).then_some(fresh)
}

/// How long the provider asks to wait, 1 s to 24 h, if it says so.
///
/// Read from Retry-After, in seconds or as a date; without it, from the reset of a rate limit as Alpaca and Finnhub
/// send it.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let unix = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let until = |at: SystemTime| at.duration_since(now).unwrap_or(Duration::ZERO);
    let said = text(headers, RETRY_AFTER.as_str()).and_then(|value| match value.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok().map(until),
    });
    let reset = || {
        let number = text(headers, "x-ratelimit-reset")?.parse::<u64>().ok()?;
        if number < UNIX_SECONDS_MIN { Some(Duration::from_secs(number)) } else { unix(number).map(until) }
    };
    said.or_else(reset).map(|wait| wait.clamp(WAIT_MIN, BLOCK_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T12:00:00Z.
    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_435_200)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn an_answer_holds_as_long_as_it_says() {
        for (pairs, seconds) in [
            (&[("cache-control", "public, max-age=10")][..], Some(10)),
            (&[("cache-control", "max-age=300"), ("age", "290")], Some(10)),
            (&[("cache-control", "Max-Age=\"20\"")], Some(20)),
            (&[("cache-control", "max-age=0")], None),
            (&[("cache-control", "no-cache, max-age=10")], None),
            (&[("cache-control", "max-age=99999999999")], Some(86_400)),
            (&[("cache-control", "max-age=soon")], None),
            (&[("expires", "Mon, 23 Nov 2026 12:01:00 GMT")], Some(60)),
            (
                &[("expires", "Mon, 23 Nov 2026 12:01:00 GMT"), ("date", "Mon, 23 Nov 2026 12:00:30 GMT")],
                Some(30),
            ),
            (&[("expires", "-1")], None),
            (&[], None),
        ] {
            assert_eq!(fresh_for(&headers(pairs), noon()).map(|d| d.as_secs()), seconds, "{pairs:?}");
        }
    }

    #[test]
    fn a_wish_to_wait_is_read_in_all_its_forms_and_bounded() {
        for (pairs, seconds) in [
            (&[("retry-after", "30")][..], Some(30)),
            (&[("retry-after", " 30 ")], Some(30)),
            (&[("retry-after", "0")], Some(1)),
            (&[("retry-after", "999999999")], Some(86_400)),
            (&[("retry-after", "Mon, 23 Nov 2026 12:02:00 GMT")], Some(120)),
            (&[("retry-after", "Sun, 22 Nov 2026 12:02:00 GMT")], Some(1)),
            (&[("retry-after", "in a while")], None),
            (&[("retry-after", "-5")], None),
            (&[("retry-after", "1.5")], None),
            (&[("x-ratelimit-reset", "1795435245")], Some(45)),
            (&[("x-ratelimit-reset", "12")], Some(12)),
            (&[("retry-after", "7"), ("x-ratelimit-reset", "12")], Some(7)),
            (&[], None),
        ] {
            assert_eq!(retry_after(&headers(pairs), noon()).map(|d| d.as_secs()), seconds, "{pairs:?}");
        }
    }
}
