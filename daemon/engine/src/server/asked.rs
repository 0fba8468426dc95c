//! What is asked of topics over HTTP: who may ask that often, and who may wait for the answer.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::{Method, Request};

use super::answer::{Answer, Visit};
use super::peers::peer::outside;
use super::rest::api::{self, Api, Wanted};
use super::rest::reply::{self, Looks, Reply, Written};
use super::routes::{Routes, Way};
use crate::exchange::limit::{self, Limit};
use tickerd_model::access::identity::Identity;

impl Routes {
    /// Answers what is asked of topics.
    pub(super) fn topics(&self, request: Request<Incoming>, who: Arc<Identity>, visit: &Visit<'_>) -> Answer {
        match *request.method() {
            Method::GET | Method::HEAD => self.value(&request, who, visit),
            Method::POST => {
                let paid = self.afford(visit.client);
                let is_closed = self.access.is_closed();
                match paid.and_then(|whose| Ok((whose, Api::read_post(&request, &who, is_closed)?))) {
                    Ok((whose, to)) => {
                        let standing = self.access.standing(&who);
                        let body = request.into_body();
                        Answer::Later(Box::pin(self.api.publish(&who, to, whose, standing, body)))
                    }
                    Err(response) => (*response).into(),
                }
            }
            _ if self.access.is_closed() => api::not_allowed(api::TOPIC_METHODS).into(),
            _ => Answer::Later(Box::pin(self.api.methods(&request))),
        }
    }

    fn value<B>(&self, request: &Request<B>, who: Arc<Identity>, visit: &Visit<'_>) -> Answer {
        let wanted = Api::read(request).and_then(|wanted| {
            // A list is a look at all topics, as are the values of patterns; all else is answered from what is at hand.
            let is_list = matches!(wanted, Wanted::Topics { .. } | Wanted::Values { .. });
            let whose = if is_list { self.afford(visit.client)? } else { None };
            let is_past = matches!(wanted, Wanted::History { .. } | Wanted::Bars { .. });
            let whose_past = if is_past { self.afford_past(visit.client)? } else { None };
            Ok((wanted, whose, whose_past))
        });
        match wanted {
            Ok((wanted, whose, whose_past)) => {
                let waits = matches!(&wanted, Wanted::Value { wait, .. } if !wait.is_zero());
                let counted = match (waits, visit.place) {
                    (true, Ok(place)) => {
                        place.long_poll(visit.client.and_then(outside), who.user.as_deref()).map(Some)
                    }
                    _ => Ok(None),
                };
                let counted = match counted {
                    Ok(counted) => counted,
                    Err(full) => return self.refuse(full.into(), Way::Topics),
                };
                let standing = self.access.standing(&who);
                let answered = self.api.answer(wanted, who, visit.stop.clone(), visit.gone.clone());
                let (budgets, past) = (self.budgets.clone(), self.past.clone());
                Answer::Later(Box::pin(async move {
                    let mut response = answered.await;
                    drop(counted);
                    if let (Some(address), Some(Looks(looks))) = (whose, response.extensions_mut().remove()) {
                        budgets.charge_looks(address, looks);
                    }
                    if let Some(address) = whose_past {
                        let sent = response.body().size_hint().exact().unwrap_or(0);
                        let sent = usize::try_from(sent).unwrap_or(usize::MAX);
                        let written = response.extensions_mut().remove().map_or(0, |Written(bytes)| bytes);
                        past.charge_past(address, sent.max(written));
                    }
                    standing().unwrap_or(response)
                }))
            }
            Err(response) => (*response).into(),
        }
    }

    /// Whose share of the past a request is to be taken from, if anyone's.
    fn afford_past(&self, client: Option<IpAddr>) -> Result<Option<IpAddr>, Box<Reply>> {
        let Some(address) = client.and_then(outside) else { return Ok(None) };
        match self.past.owed_ms(address).filter(|_| self.settings.tally.enforce(Limit::HistoryBytesPerS)) {
            None => Ok(Some(address)),
            Some(wait_ms) => {
                self.metrics.refuse_request();
                Err(Box::new(reply::limited(limit::PAST_SPENT, wait_ms)))
            }
        }
    }

    /// Takes a request out of its address's share. Whose that is, if anyone's.
    pub(super) fn afford(&self, client: Option<IpAddr>) -> Result<Option<IpAddr>, Box<Reply>> {
        self.budgets.take(client).or_else(|(wait_ms, why)| {
            if !self.settings.tally.enforce(Limit::CommandsPerS) {
                return Ok(None);
            }
            self.metrics.refuse_request();
            Err(Box::new(reply::limited(&why, wait_ms)))
        })
    }
}
