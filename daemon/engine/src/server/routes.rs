//! What each path of the public listeners answers. Metrics and health are on the admin listener alone.
//!
//! Every request is judged in one order: the host it is for, the page it comes from, and then the rest. A strange host or
//! page learns nothing but that.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};

use crate::exchange::arrival::{Kind, Place as _};
use crate::exchange::limit::Tally;
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal::Missing;
use tickerd_model::access::rights::Verb;
use tickerd_model::web::host::Host;
use tickerd_model::web::origin::Listed;
use tickerd_model::wire::encoding::Encoding;

use super::access::{self, Access, TICKET_METHODS};
use super::answer::{Answer, Document, Documents, Visit, finished, secure};
use super::metrics::{Metrics, Outcome};
use super::peers::budgets::Budgets;
use super::peers::limits::{self, Place};
use super::peers::peer::outside;
use super::rest::api::{self, Api};
use super::rest::cors::{self, Page};
use super::rest::kept::{nothing, serve, serve_asset};
use super::rest::opening::{self, Pairs, Query};
use super::rest::page::{self, Found};
use super::rest::problem::problem;
use super::rest::reply;
use super::rest::spot::{BARS, VALUES};
use super::upgrade::credentials::Ways;
use super::upgrade::extensions;
use super::upgrade::handshake::{self, Refusal};
use super::upgrade::origin::Origins;
use crate::listen::hosts::Hosts;

/// Where the feeds are listed.
pub const FEEDS: &str = "/v1/feeds";
/// Where the keys are by which signed ticks are verified.
pub const KEYS: &str = "/v1/keys";
/// Where who has said who it is gets a ticket for a page's WebSocket.
const TICKET: &str = "/v1/ticket";
/// An echo that is compressed as what clients share.
pub const ECHO_SHARED: &str = "/echo/shared";
/// The type of documents.
const JSON: &str = "application/json";
/// What an event stream answers to.
const STREAM_METHODS: &str = "GET, OPTIONS";

pub struct Routes {
    pub(super) settings: Settings,
    hosts: Hosts,
    origins: Origins,
    pub(super) api: Arc<Api>,
    pub(super) budgets: Arc<Budgets>,
    /// Bytes of the past by address.
    pub(super) past: Arc<Budgets>,
    pub(super) access: Access,
    pub(super) metrics: Arc<Metrics>,
    documents: Documents,
}

/// What routes are told by the configuration.
pub struct Settings {
    pub hosts: Vec<Host>,
    pub origins: Vec<Listed>,
    /// Whether pages of every loopback Origin may connect.
    pub dev: bool,
    pub echo: bool,
    pub page: page::Page,
    /// On which terms permessage-deflate is to be had, if it is.
    pub deflate: Option<extensions::Terms>,
    /// How tokens may come.
    pub ways: Ways,
    pub tally: Arc<Tally>,
}

/// Where a request goes. The path is compared as it stands: nothing is decoded or normalised, so nothing traverses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Socket,
    Echo,
    Stream,
    Topics,
    /// The list of feeds.
    Feeds,
    /// The keys of signatures.
    Keys,
    /// What machines read: AsyncAPI and OpenAPI.
    Contract,
    /// Where tickets are to be had.
    Ticket,
    /// The page and documents.
    Other,
}

impl Routes {
    pub fn new(
        settings: Settings,
        api: Arc<Api>,
        budgets: Arc<Budgets>,
        past: Arc<Budgets>,
        access: Access,
        metrics: Arc<Metrics>,
        documents: Documents,
    ) -> Routes {
        Routes {
            hosts: Hosts::new(settings.hosts.clone()),
            origins: Origins::new(settings.origins.clone(), settings.dev),
            settings,
            api,
            budgets,
            past,
            access,
            metrics,
            documents,
        }
    }

    /// Answers one request.
    pub async fn answer(&self, mut request: Request<Incoming>, visit: &Visit<'_>) -> Answer {
        let way = self.way(request.uri().path());
        let page = match self.admit(&request, way, visit) {
            Ok(page) => page,
            Err(refusal) => return finished(self.refuse(refusal, way), secure),
        };
        let is_socket = matches!(way, Way::Socket | Way::Echo);
        // Who has no place costs no look at a token.
        // A browser asks in advance without saying for whom, and the ticket in the address is for what it asks then.
        let is_in_advance = !is_socket && way != Way::Other && *request.method() == Method::OPTIONS;
        let who = match visit.place {
            Ok(_) if is_in_advance => Ok(self.access.anyone()),
            Ok(_) => self.identify(&request, way, page.as_ref(), visit).await,
            Err(full) => Err(full.into()),
        };
        let answer = match (way, visit.place) {
            // Who has no place learns nothing else, and only a page's handshake is told it by a close.
            (way, Err(full)) if page.is_none() || !is_socket || handshake::check(&request).is_err() => {
                self.refuse(full.into(), way)
            }
            (Way::Socket | Way::Echo, _) => self.upgrade(&mut request, page.is_some(), |request| {
                self.check_room(visit)?;
                let kind = match way {
                    Way::Echo => Kind::Echo,
                    _ => {
                        let query = opening::parse(request.uri().query());
                        let Query { opening, name } = query.map_err(Refusal::bad_request)?;
                        Kind::Ticker { opening, name }
                    }
                };
                let who = who?;
                self.access.check_name(&who, &kind)?;
                let place = count(visit, &who)?;
                if kind != Kind::Echo && self.access.is_shut_to(&who) {
                    place.count_unidentified()?;
                }
                Ok((kind, who))
            }),
            (way, _) => match who {
                _ if is_in_advance => self.options(&request, way, page.is_some()),
                Err(refusal) => self.refuse(refusal, way),
                Ok(who) => match way {
                    Way::Stream => self.stream(&request, who, visit),
                    Way::Topics => self.topics(request, who, visit),
                    Way::Feeds | Way::Keys | Way::Contract => self.listed(&request, &who, way),
                    Way::Ticket => match self.afford(visit.client) {
                        Ok(_) => {
                            self.access.ticket(&request, &who, &self.settings.ways, page.as_ref(), visit)
                        }
                        Err(response) => (*response).into(),
                    },
                    Way::Socket | Way::Echo | Way::Other => self.kept(&request, &who),
                },
            },
        };
        let has_pages = !matches!(way, Way::Socket | Way::Echo | Way::Other);
        finished(answer, move |response| {
            if has_pages {
                cors::allow(page.as_ref(), response);
            }
            secure(response);
        })
    }

    fn way(&self, path: &str) -> Way {
        match path {
            "/ws" => Way::Socket,
            "/echo" | ECHO_SHARED if self.settings.echo => Way::Echo,
            "/v1/sse" => Way::Stream,
            path if path.starts_with("/v1/topics") || path == BARS || path == VALUES => Way::Topics,
            FEEDS => Way::Feeds,
            KEYS => Way::Keys,
            "/v1/asyncapi.json" | "/v1/openapi.json" => Way::Contract,
            TICKET => Way::Ticket,
            _ => Way::Other,
        }
    }

    /// Under which of the metrics' routes a request is counted.
    pub(super) fn route(&self, path: &str) -> &'static str {
        match self.way(path) {
            Way::Socket => "/ws",
            Way::Echo => "/echo",
            Way::Stream => "/v1/sse",
            Way::Topics if path == BARS => BARS,
            Way::Topics if path == VALUES => VALUES,
            Way::Topics => "/v1/topics",
            Way::Feeds => FEEDS,
            Way::Keys => KEYS,
            Way::Contract => "/v1/contract",
            Way::Ticket => TICKET,
            Way::Other => "other",
        }
    }

    /// Whether a request may come in: the page it is from, if it is from one.
    fn admit<B>(&self, request: &Request<B>, way: Way, visit: &Visit<'_>) -> Result<Option<Page>, Refusal> {
        let target = self.hosts.check(request, visit.door)?;
        if way == Way::Other {
            return Ok(None);
        }
        let origin = handshake::check_origin(request.headers(), &self.origins, &target)?;
        let said = request.headers().get(header::ORIGIN);
        Ok(origin
            .zip(said)
            .map(|(origin, said)| Page { origin: said.clone(), trusted: self.origins.trusts(&origin) }))
    }

    /// Refuses whatever was asked.
    pub(super) fn refuse(&self, refusal: Refusal, way: Way) -> Answer {
        let is_handshake = matches!(way, Way::Socket | Way::Echo | Way::Stream);
        if is_handshake
            || matches!(refusal.outcome, Outcome::OverCapacity | Outcome::AddressLimit | Outcome::UserLimit)
        {
            refusal.log();
            self.metrics.handshake(refusal.outcome);
        }
        refusal.into_response().into()
    }

    /// Who asks, as its token says; who brings none is anonymous.
    async fn identify<B>(
        &self,
        request: &Request<B>,
        way: Way,
        page: Option<&Page>,
        visit: &Visit<'_>,
    ) -> Result<Arc<Identity>, Refusal> {
        // Whoever gets a signed tick may verify it, so the keys are for all, as the page is.
        if way == Way::Keys || way == Way::Other && self.settings.page.find(request.uri().path()).is_some() {
            return Ok(self.access.anyone());
        }
        if way == Way::Ticket {
            access::check_no_ticket(request)?;
        }
        self.access.identify(request, &self.settings.ways, page, visit).await
    }

    /// Answers OPTIONS.
    fn options(&self, request: &Request<Incoming>, way: Way, is_page: bool) -> Answer {
        match way {
            Way::Stream => cors::options(STREAM_METHODS).into(),
            Way::Ticket => cors::options(TICKET_METHODS).into(),
            // What then comes is told why it is refused, which a page can only read behind this. With [auth] nothing is said
            // of a topic to who may not have it.
            Way::Topics if self.access.is_closed() || is_page && cors::is_preflight(request) => {
                cors::options(api::TOPIC_METHODS).into()
            }
            Way::Topics => Answer::Later(Box::pin(self.api.methods(request))),
            _ => cors::options(cors::METHODS).into(),
        }
    }

    /// The page, or a document.
    fn kept<B>(&self, request: &Request<B>, who: &Identity) -> Answer {
        let path = request.uri().path();
        match (self.settings.page.find(path), (self.documents)(path, &who.rights)) {
            (Some(Found::BuiltIn(asset)), _) => serve_asset(asset, request).into(),
            (Some(Found::InFolder(folder)), _) => {
                let mut asked = Request::new(());
                (*asked.method_mut(), *asked.uri_mut()) = (request.method().clone(), request.uri().clone());
                asked.headers_mut().clone_from(request.headers());
                Answer::Later(Box::pin(folder.answer(asked)))
            }
            (None, Some(Document { bytes, etag })) => match self.access.is_shut_to(who) {
                true => reply::refused(&who.refusal(Verb::Subscribe)).into(),
                false => serve(bytes, JSON, etag, request).into(),
            },
            (None, None) => nothing().into(),
        }
    }

    /// The list of feeds, or of keys, or what is told to machines.
    fn listed<B>(&self, request: &Request<B>, who: &Identity, way: Way) -> Answer {
        match *request.method() {
            Method::GET | Method::HEAD => {}
            _ => return api::not_allowed(cors::METHODS).into(),
        }
        let is_keys = way == Way::Keys;
        if !is_keys && self.access.is_shut_to(who) {
            return reply::refused(&who.refusal(Verb::Subscribe)).into();
        }
        let documents = (self.documents)(request.uri().path(), &who.rights);
        match (Pairs::read(request.uri().query(), &[]), documents) {
            (Err(why), _) => problem(StatusCode::BAD_REQUEST, &why).into(),
            (Ok(_), Some(Document { bytes, etag })) => serve(bytes, JSON, etag, request).into(),
            (Ok(_), None) => {
                let detail = "this server signs no ticks: its configuration has no [server.signing]";
                problem(StatusCode::NOT_FOUND, detail).into()
            }
        }
    }

    /// Answers who asks for an event stream.
    fn stream<B>(&self, request: &Request<B>, who: Arc<Identity>, visit: &Visit<'_>) -> Answer {
        match *request.method() {
            Method::GET => {}
            _ => {
                self.metrics.handshake(Outcome::Method);
                return api::not_allowed(STREAM_METHODS).into();
            }
        }
        let kind = self.check_room(visit).and_then(|()| {
            let kind = opening::events(request).map_err(Refusal::bad_request)?;
            if self.access.is_shut_to(&who) {
                return Err(Missing.into());
            }
            self.access.check_name(&who, &kind)?;
            count(visit, &who)?;
            Ok(kind)
        });
        let kind = match kind {
            Ok(kind) => kind,
            Err(refusal) => return self.refuse(refusal, Way::Stream),
        };
        self.metrics.handshake(Outcome::Ok);
        let mut response = Response::new(Full::default());
        for (name, value) in [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-store"),
            // nginx would gather events before it passes them on.
            (HeaderName::from_static("x-accel-buffering"), "no"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        // It ends with the connection. hyper says so in a response of HTTP/1.0 alone; in one of 1.1 it would cut what
        // shards write into chunks.
        *response.version_mut() = Version::HTTP_10;
        Answer::Upgrade(response, kind, who, Encoding::Sse)
    }

    /// Whether there is room for one more, here and now.
    fn check_room(&self, visit: &Visit<'_>) -> Result<(), Refusal> {
        if visit.stop.is_requested() {
            // The shards see off those whom they have; who comes now is better off elsewhere at once.
            return Err(Refusal::stopping());
        }
        visit.place.map(drop).map_err(Refusal::from)
    }
}

/// Counts a connection that will stay for whom it is: an address, and a user.
fn count<'p>(visit: &Visit<'p>, is: &Identity) -> Result<&'p Place, Refusal> {
    let place = visit.place?;
    place.count_for(visit.client.and_then(outside))?;
    if let Some(user) = &is.user {
        place.count_for_user(user).map_err(limits::Full::from)?;
    }
    Ok(place)
}
