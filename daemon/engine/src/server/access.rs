//! Who asks over HTTP: finds the token of a request, has it judged, and gives out tickets.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::oneshot;

use super::answer::{Answer, Visit};
use super::rest::api::{self, Standing};
use super::rest::cors::Page;
use super::rest::opening::Pairs;
use super::rest::problem::problem;
use super::upgrade::credentials::{self, Ways};
use super::upgrade::handshake::Refusal;
use crate::exchange::access::{self, Brought, Judge, Redeemed, TicketPlace};
use crate::exchange::arrival::Kind;
use crate::server::metrics::Outcome;
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal as Why;
use tickerd_model::access::secret::Secret;
use tickerd_process::clock::now_unix_ms;

/// What the path of tickets answers to.
pub const TICKET_METHODS: &str = "POST, OPTIONS";

/// Who may come in, and as whom.
pub struct Access {
    judge: Option<Arc<dyn Judge>>,
}

impl Access {
    /// Without a judge everyone may do everything.
    pub fn new(judge: Option<Arc<dyn Judge>>) -> Access {
        Access { judge }
    }

    /// Who has not said who it is.
    pub fn anyone(&self) -> Arc<Identity> {
        access::anyone(self.judge.as_deref())
    }

    /// Whether there is `[auth]`, so that not everyone may do everything.
    pub fn is_closed(&self) -> bool {
        self.judge.is_some()
    }

    /// Whether someone has not said who it is, and may see nothing before that.
    pub fn is_shut_to(&self, who: &Identity) -> bool {
        who.is_anonymous() && who.rights.is_nothing()
    }

    /// Who asks: a token counts, and without one the certificate. The judge may take a while, if keys are to be had first.
    ///
    /// # Errors
    /// What is wrong with the token; never a part of it. That whom the certificate names was revoked, or that it has expired.
    pub async fn identify<B>(
        &self,
        request: &Request<B>,
        ways: &Ways,
        page: Option<&Page>,
        visit: &Visit<'_>,
    ) -> Result<Arc<Identity>, Refusal> {
        let Some(judge) = &self.judge else { return Ok(self.anyone()) };
        let said = Said::read(request.uri().query());
        let found = credentials::find(request, ways, page, (said.token.as_deref(), said.ticket.as_deref()))?;
        let Some(token) = found else {
            let by_certificate = match credentials::may_bring_certificate(request.headers(), page) {
                true => judge.of_certificate(visit.shown)?,
                false => None,
            };
            return Ok(by_certificate.unwrap_or_else(|| self.anyone()));
        };
        if said.ticket.is_some_and(|ticket| ticket == token.expose()) {
            let redeemed = judge.redeem(token, place(request.headers(), page, visit.client));
            return Ok(match redeemed {
                Redeemed::Now(who) => who,
                Redeemed::Later(who) => who.await,
            }?);
        }
        Ok(judged(&**judge, token).await?)
    }

    /// Asks again, later, whether this identity has ended or was revoked. A long poll or a body that comes slowly takes a while.
    pub fn standing(&self, who: &Arc<Identity>) -> Standing {
        let (judge, who) = (self.judge.clone(), who.clone());
        Box::new(move || {
            let why = match &judge {
                Some(judge) if judge.is_revoked(&who) => Why::Revoked,
                Some(_) if who.has_ended(now_unix_ms()) => Why::Expired,
                _ => return None,
            };
            Some(Refusal::from(why).into_response())
        })
    }

    /// Holds the name of an address against the token's.
    ///
    /// # Errors
    /// They differ.
    pub fn check_name(&self, who: &Identity, kind: &Kind) -> Result<(), Refusal> {
        let Kind::Ticker { name: Some(name), .. } = kind else { return Ok(()) };
        match who.user.as_deref() {
            Some(user) if user != &**name => {
                let detail = "name is not the token's user; leave name out of the address";
                Err(Refusal::new(Outcome::Forbidden, StatusCode::CONFLICT, detail))
            }
            _ => Ok(()),
        }
    }

    /// Gives out a ticket: it is good for one connection of the same page and network, for 30 s.
    pub fn ticket<B>(
        &self,
        request: &Request<B>,
        who: &Arc<Identity>,
        ways: &Ways,
        page: Option<&Page>,
        visit: &Visit<'_>,
    ) -> Answer {
        if *request.method() != Method::POST {
            return api::not_allowed(TICKET_METHODS).into();
        }
        let Some(judge) = &self.judge else {
            return problem(StatusCode::NOT_FOUND, "this server asks nobody who they are: it has no [auth]")
                .into();
        };
        if who.is_anonymous() {
            return Refusal::from(Why::Missing).into_response().into();
        }
        let brought = || {
            let said = Said::read(request.uri().query());
            match credentials::find(request, ways, page, (said.token.as_deref(), None)) {
                Ok(Some(token)) => Brought::Token(token),
                // Who is known without a token has shown a certificate.
                _ => Brought::Certificate(visit.shown.clone()),
            }
        };
        match judge.ticket(who, place(request.headers(), page, visit.client), &brought) {
            Ok(ticket) => {
                let body = json!({ "ticket": ticket.expose(), "expires_in_ms": 30_000 }).to_string();
                let mut response = Response::new(bytes::Bytes::from(body).into());
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                Answer::Now(response)
            }
            Err(why) => Refusal::from(why).into_response().into(),
        }
    }
}

/// Checks that who asks for a ticket brings a token. A ticket that bought the next one would be good for ever.
///
/// # Errors
/// It brings a ticket, which is not used up.
pub fn check_no_ticket<B>(request: &Request<B>) -> Result<(), Refusal> {
    match Said::read(request.uri().query()).ticket {
        Some(_) => Err(Refusal::bad_request(
            "a ticket buys no other ticket; send the token, as Authorization: Bearer TOKEN",
        )),
        None => Ok(()),
    }
}

/// Where a request comes from, as far as a ticket is bound to it. A page of this server sends an Origin when it asks for the
/// ticket, and none when its EventSource shows it; so its place is the host, whichever of the two comes.
fn place(headers: &HeaderMap, page: Option<&Page>, client: Option<IpAddr>) -> TicketPlace {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = host.map(|host| format!("//{}", host.to_ascii_lowercase()));
    let origin = match page.and_then(|page| page.origin.to_str().ok()) {
        Some(origin) => {
            let origin = origin.to_ascii_lowercase();
            let rest = origin.strip_prefix("https:").or_else(|| origin.strip_prefix("http:"));
            Some(own.filter(|own| rest == Some(own)).unwrap_or(origin))
        }
        None => own.filter(|_| credentials::is_of_own_page(headers)),
    };
    TicketPlace { origin, address: client }
}

async fn judged(judge: &dyn Judge, token: Secret) -> Result<Arc<Identity>, Why> {
    let (tell, told) = oneshot::channel();
    judge.judge(token, Box::new(|judgement| drop(tell.send(judgement))));
    // A judge that ends without a word is about to stop.
    told.await.unwrap_or(Err(Why::Busy))
}

/// What an address says of who asks. What else is in it is read, and refused, by each path.
#[derive(Default)]
struct Said {
    token: Option<String>,
    ticket: Option<String>,
}

impl Said {
    fn read(query: Option<&str>) -> Said {
        Pairs::read_known(query, &["token", "ticket"]).map_or_else(
            |_| Said::default(),
            |pairs| {
                let one = |key| pairs.one(key).ok().flatten().map(str::to_owned);
                Said { token: one("token"), ticket: one("ticket") }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_this_server_is_one_place_with_and_without_an_origin() {
        let at = |origin: Option<&'static str>, site: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("Ticks.example:8443"));
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            let page = origin.map(|origin| Page { origin: HeaderValue::from_static(origin), trusted: true });
            place(&headers, page.as_ref(), None).origin
        };
        let own = at(Some("https://ticks.example:8443"), Some("same-origin"));
        assert!(own.is_some());
        assert_eq!(at(None, Some("same-origin")), own);
        for (origin, site) in [
            (None, None),
            (None, Some("none")),
            (None, Some("cross-site")),
            (None, Some("same-site")),
            (Some("https://other.example"), Some("cross-site")),
            (Some("https://ticks.example"), Some("same-site")),
            (Some("capacitor://ticks.example:8443"), None),
            (Some("null"), None),
        ] {
            assert_ne!(at(origin, site), own, "{origin:?} {site:?}");
        }
    }
}
