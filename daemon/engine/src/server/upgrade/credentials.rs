//! Where a request says who it is: `Authorization`, a subprotocol, the address, a cookie. The first that is there counts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Request;
use hyper::header::{self, HeaderMap, HeaderValue};

use super::handshake::{Refusal, items};
use crate::server::rest::cors::Page;
use tickerd_model::access::secret::Secret;

/// What stands before the token in a subprotocol, which has no other way to carry one.
pub const BEARER: &[u8] = b"bearer.";
/// The header in which a browser says what kind of page asks.
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// How tokens may come, from the configuration.
#[derive(Debug, Clone, Default)]
pub struct Ways {
    /// The name of the cookie that holds a token.
    pub cookie: Option<String>,
    /// Whether `?token=` is read.
    pub query_token: bool,
}

/// The token or ticket of a request, if it has one. `token` and `ticket` are what its address says, if that is read.
///
/// # Errors
/// What holds a token is not written as it must be. No part of it is told.
pub fn find<B>(
    request: &Request<B>,
    ways: &Ways,
    page: Option<&Page>,
    (token, ticket): (Option<&str>, Option<&str>),
) -> Result<Option<Secret>, Refusal> {
    let headers = request.headers();
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().unwrap_or_default();
        let found = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let is_only = headers.get_all(header::AUTHORIZATION).iter().nth(1).is_none();
        return match found {
            Some((_, token)) if is_only => Ok(Some(Secret::new(token.trim()))),
            _ => Err(Refusal::bad_request("write Authorization once, as: Bearer TOKEN")),
        };
    }
    if let Some(encoded) =
        items(headers, header::SEC_WEBSOCKET_PROTOCOL).find_map(|item| item.strip_prefix(BEARER))
    {
        let decoded = std::str::from_utf8(encoded).ok().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        return match decoded.map(String::from_utf8) {
            Some(Ok(token)) => Ok(Some(Secret::new(token))),
            _ => Err(Refusal::bad_request(
                "the subprotocol bearer.… holds the token in base64url without padding",
            )),
        };
    }
    if let Some(ticket) = ticket {
        return Ok(Some(Secret::new(ticket)));
    }
    match token {
        Some(token) if ways.query_token => return Ok(Some(Secret::new(token))),
        Some(_) => {
            let detail = "this server reads no token in the address, where logs would keep it; send it as the first \
                          message, in Authorization, or as a ticket";
            return Err(Refusal::bad_request(detail));
        }
        None => {}
    }
    let Some(name) = ways.cookie.as_deref().filter(|_| may_bring_cookies(headers, page)) else {
        return Ok(None);
    };
    Ok(cookie(headers, name).map(Secret::new))
}

/// Whether a cookie counts: a browser sends it whatever page asks, so the page must be one that is trusted. The server's own
/// page is, as the browser says; the GET of its EventSource has no Origin.
fn may_bring_cookies(headers: &HeaderMap, page: Option<&Page>) -> bool {
    page.is_some_and(|page| page.trusted) || is_of_own_page(headers)
}

/// Whether a browser says that a page of this very server asks.
pub fn is_of_own_page(headers: &HeaderMap) -> bool {
    site(headers) == Some(b"same-origin")
}

/// Whether the client's certificate counts. A browser shows it whatever page asks, as with cookies. A program says nothing of
/// a site, and who typed the address says `none`.
pub fn may_bring_certificate(headers: &HeaderMap, page: Option<&Page>) -> bool {
    match page {
        Some(_) => may_bring_cookies(headers, page),
        None => site(headers).is_none_or(|site| site == b"same-origin" || site == b"none"),
    }
}

/// What the browser says of the page's site. A browser says it once: of two of them none counts, so the answer is empty, which
/// is no site that is let in.
fn site(headers: &HeaderMap) -> Option<&[u8]> {
    let mut said = headers.get_all(SEC_FETCH_SITE).iter().map(HeaderValue::as_bytes);
    let first = said.next()?;
    Some(if said.next().is_some() { b"" } else { first })
}

/// The value of a cookie. Of two with the same name the first counts, which browsers send for the longer path.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.into_iter().find(|(is, _)| *is == name)?.1.trim();
    Some(value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(cookie: Option<&str>, query_token: bool) -> Ways {
        Ways { cookie: cookie.map(str::to_owned), query_token }
    }

    fn found(headers: &[(&str, &str)], ways: &Ways, trusted: Option<bool>) -> Result<Option<String>, ()> {
        let mut request = Request::get("/ws");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let page =
            trusted.map(|trusted| Page { origin: HeaderValue::from_static("https://a.example"), trusted });
        let found = find(&request.body(()).unwrap(), ways, page.as_ref(), (None, None));
        found.map(|secret| secret.map(|secret| secret.expose().to_owned())).map_err(drop)
    }

    #[test]
    fn a_token_comes_in_one_of_four_ways() {
        let none = ways(None, false);
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(found(&[("Authorization", "bearer abc ")], &none, None), some("abc"));
        assert_eq!(found(&[("Authorization", "Basic abc")], &none, None), Err(()));
        let protocols = ("Sec-WebSocket-Protocol", "tickerd.v1.json, bearer.Zm9v");
        assert_eq!(found(&[protocols], &none, None), some("foo"));
        assert_eq!(found(&[("Sec-WebSocket-Protocol", "bearer.a=")], &none, None), Err(()));
        assert_eq!(found(&[], &none, None), Ok(None));
    }

    #[test]
    fn a_cookie_counts_on_trusted_pages_alone() {
        let (named, cookie) = (ways(Some("tickerd"), false), ("Cookie", "a=b; tickerd=abc; c"));
        assert_eq!(found(&[cookie], &named, Some(true)), Ok(Some("abc".into())));
        for (headers, trusted) in [
            (vec![cookie], Some(false)),
            (vec![cookie], None),
            (vec![cookie, ("Sec-Fetch-Site", "cross-site")], None),
            (vec![cookie, ("Sec-Fetch-Site", "same-site")], Some(false)),
            (vec![cookie, ("Sec-Fetch-Site", "none")], None),
        ] {
            assert_eq!(found(&headers, &named, trusted), Ok(None), "{headers:?} {trusted:?}");
        }
        let own = [cookie, ("Sec-Fetch-Site", "same-origin")];
        assert_eq!(found(&own, &named, None), Ok(Some("abc".into())));
        assert_eq!(found(&own, &named, Some(false)), Ok(Some("abc".into())), "the server's own page");
        assert_eq!(found(&own, &ways(None, false), None), Ok(None));
    }

    #[test]
    fn of_two_sites_none_counts() {
        let named = ways(Some("tickerd"), false);
        for sites in [["same-origin", "cross-site"], ["cross-site", "same-origin"], ["same-origin"; 2]] {
            let [first, second] = sites.map(|site| (SEC_FETCH_SITE, site));
            assert_eq!(
                found(&[("Cookie", "tickerd=abc"), first, second], &named, None),
                Ok(None),
                "{sites:?}"
            );
            let mut headers = HeaderMap::new();
            for site in sites {
                headers.append(SEC_FETCH_SITE, HeaderValue::from_static(site));
            }
            assert!(!may_bring_certificate(&headers, None), "{sites:?}");
        }
    }

    #[test]
    fn a_certificate_counts_for_programs_and_trusted_pages() {
        for (site, trusted, counts) in [
            (None, None, true),
            (None, Some(true), true),
            (None, Some(false), false),
            (Some("none"), None, true),
            (Some("none"), Some(false), false),
            (Some("same-origin"), None, true),
            (Some("same-origin"), Some(false), true),
            (Some("same-site"), None, false),
            (Some("cross-site"), None, false),
            (Some("cross-site"), Some(false), false),
            (Some("cross-site"), Some(true), true),
        ] {
            let headers = site.map(|site| (SEC_FETCH_SITE.parse().unwrap(), HeaderValue::from_static(site)));
            let page = trusted
                .map(|trusted| Page { origin: HeaderValue::from_static("https://a.example"), trusted });
            let found = may_bring_certificate(&headers.into_iter().collect(), page.as_ref());
            assert_eq!(found, counts, "{site:?} {trusted:?}");
        }
    }

    #[test]
    fn the_address_holds_a_token_only_where_that_is_on() {
        let request = Request::get("/ws").body(()).unwrap();
        let read = |query_token, said| find(&request, &ways(None, query_token), None, said);
        assert!(read(false, (Some("abc"), None)).is_err_and(|refusal| !refusal.detail.contains("abc")));
        assert_eq!(read(true, (Some("abc"), None)).unwrap().unwrap().expose(), "abc");
        assert_eq!(read(false, (None, Some("tkt"))).unwrap().unwrap().expose(), "tkt");
    }
}
