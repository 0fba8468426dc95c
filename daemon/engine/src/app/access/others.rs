//! The other nodes of a cluster, for who judges at this one: what is revoked holds on all, and tickets are good at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use prometheus::IntCounterVec;
use tokio::sync::oneshot;

use super::{Keeper, judge, ticket_place};
use crate::cluster::{self, Command, Given, Keys};
use crate::exchange::access::{Redeemed, TicketPlace};
use tickerd_cluster::wire;
use tickerd_config::{self as config, Role};
use tickerd_identity::{Authenticator, Brought, Letterbox, Revocation, envelope};
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;

const USER: &str = "user";
const TOKEN: &str = "token";
const JTI: &str = "jti";
const ISSUED_BEFORE: &str = "issued_before";

/// How this daemon reaches the other nodes.
pub struct Others {
    /// This node's name.
    pub node: String,
    is_edge: bool,
    /// There once the cluster's thread runs.
    handle: OnceLock<cluster::Handle>,
    /// What others revoked is not in the file yet, and a thread is about to write it.
    is_unsaved: Arc<AtomicBool>,
}

impl Others {
    pub fn new(section: &config::Cluster) -> Others {
        let (node, is_edge) = (section.node.clone(), section.role == Role::Edge);
        Others { node, is_edge, handle: OnceLock::new(), is_unsaved: Arc::default() }
    }

    /// The cluster's thread runs from now on.
    pub fn begin(&self, handle: cluster::Handle) {
        drop(self.handle.set(handle));
    }

    /// Tells them of something that was revoked here. What the operator should know of that, if anything.
    pub(super) fn tell(&self, revoked: Revocation, at_s: u64) -> Option<&'static str> {
        if self.is_edge {
            return Some(
                "it holds on this edge alone; revoke it on a node that is no edge, and it holds on all",
            );
        }
        let is_told = self.handle.get().is_some_and(|handle| {
            let is_taken = handle.command(Command::Revoked(vec![written((revoked, at_s))]));
            is_taken && handle.standing().rows().connected
        });
        (!is_told).then_some("NATS is not reached; the other nodes hear of it from this node once it is")
    }

    /// Asks the node that gave a ticket out. It is as if nobody answered if that cannot be asked.
    fn ask(&self, node: String, ticket: [u8; 32], key: [u8; 32]) -> oneshot::Receiver<Given> {
        let (done, given) = oneshot::channel();
        if let Some(handle) = self.handle.get() {
            handle.command(Command::Redeem { node, ticket, key, done });
        }
        given
    }

    /// Takes back a ticket that another node gave out. What it was bought with is judged here.
    pub(super) fn redeem(
        &self,
        node: String,
        ticket: Secret,
        place: TicketPlace,
        authenticator: Arc<Authenticator>,
        judged: IntCounterVec,
    ) -> Redeemed {
        let Some(letterbox) = Letterbox::new() else { return Redeemed::Now(Err(Refusal::Busy)) };
        let given = self.ask(node, Authenticator::digest_of(&ticket), letterbox.key());
        Redeemed::Later(Box::pin(async move {
            let found = match given.await {
                Ok(Given { sealed, is_of_edge }) => {
                    let sealed = sealed.and_then(|closed| letterbox.open(&closed));
                    bought(&ticket, place, Given { sealed, is_of_edge })
                }
                Err(_) => Err(Refusal::TicketNode),
            };
            match found {
                Ok(Brought::Token(token)) => {
                    let (tell, told) = oneshot::channel();
                    judge(&authenticator, &judged, token, Box::new(|judgement| drop(tell.send(judgement))));
                    told.await.unwrap_or(Err(Refusal::Busy))
                }
                Ok(Brought::Certificate { names, until_ms }) => {
                    let who: Option<Arc<Identity>> = authenticator.of_certificate(&names, until_ms)?;
                    who.ok_or(Refusal::Ticket)
                }
                Err(refusal) => {
                    judged.with_label_values(&[refusal.code()]).inc();
                    Err(refusal)
                }
            }
        }))
    }
}

/// What a ticket was bought with. A token proves itself. That a certificate was shown is the word of the node, and an edge's does not
/// count: it stands where attackers are.
fn bought(ticket: &Secret, place: TicketPlace, given: Given) -> Result<Brought, Refusal> {
    let sealed = given.sealed.ok_or(Refusal::Ticket)?;
    match Authenticator::unseal(ticket, &ticket_place(place), sealed)? {
        Brought::Certificate { .. } if given.is_of_edge => Err(Refusal::Ticket),
        brought => Ok(brought),
    }
}

impl Keys for Keeper {
    fn digest(&self) -> u64 {
        self.authenticator.revocations_digest()
    }

    fn revoked(&self) -> Vec<wire::Revocation> {
        self.authenticator.revocations().into_iter().map(written).collect()
    }

    fn revoke(&self, node: &str, list: Vec<wire::Revocation>) -> bool {
        let all = list.len();
        let read: Vec<_> = list.into_iter().filter_map(read).collect();
        let unread = all - read.len();
        let merged = self.authenticator.merge(read);
        let left_out = merged.left_out + unread;
        if left_out > 0 {
            tracing::error!(
                node,
                left_out,
                "another node revoked what does not hold here: there are too many revocations, or this node is too old to \
                 know their kind; revoke with issued-before, or upgrade this node"
            );
        }
        let is_whole = merged.left_out == 0 && merged.astray == 0;
        if merged.new == 0 {
            return is_whole;
        }
        tracing::info!(
            node,
            count = merged.new,
            "revoked at another node; connections that came with it end"
        );
        self.revocations.fetch_add(1, Ordering::Release);
        self.save_soon();
        is_whole
    }

    fn give_up(&self, ticket: &[u8; 32], key: &[u8]) -> Option<Box<[u8]>> {
        envelope::close(key, self.authenticator.give_up(ticket)?.into_vec())
    }
}

impl Keeper {
    /// Writes the file on another thread. At most one writes and one waits for it, whatever comes.
    fn save_soon(&self) {
        let Some(others) = self.others.as_ref().filter(|_| self.is_kept) else { return };
        if others.is_unsaved.swap(true, Ordering::AcqRel) {
            return;
        }
        let (authenticator, is_unsaved) = (self.authenticator.clone(), others.is_unsaved.clone());
        let save = move || {
            if let Err(error) = authenticator.save_revocations(|| is_unsaved.store(false, Ordering::Release))
            {
                tracing::error!(%error, "what other nodes revoked cannot be kept");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("revocations".into()).spawn(save) {
            others.is_unsaved.store(false, Ordering::Release);
            tracing::error!(%error, "what other nodes revoked cannot be written to the file");
        }
    }
}

/// As nodes write it.
fn written((revoked, at): (Revocation, u64)) -> wire::Revocation {
    let (kind, name, before) = match revoked {
        Revocation::User(name) => (USER, name, 0),
        Revocation::Token(name) => (TOKEN, name, 0),
        Revocation::Jti(name) => (JTI, name, 0),
        Revocation::IssuedBefore(before) => (ISSUED_BEFORE, String::new(), before),
    };
    wire::Revocation { kind: kind.into(), name: name.into(), before, at }
}

/// None: it is of a kind that this version does not know.
fn read(wire::Revocation { kind, name, before, at }: wire::Revocation) -> Option<(Revocation, u64)> {
    let name = String::from(name);
    let revoked = match &*kind {
        USER => Revocation::User(name),
        TOKEN => Revocation::Token(name),
        JTI => Revocation::Jti(name),
        ISSUED_BEFORE => Revocation::IssuedBefore(before),
        _ => return None,
    };
    Some((revoked, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_node_writes_another_reads() {
        let all = [
            Revocation::User("ann".into()),
            Revocation::Token("wall".into()),
            Revocation::Jti("j1".into()),
            Revocation::IssuedBefore(7),
        ];
        for revoked in all {
            assert_eq!(read(written((revoked.clone(), 5))), Some((revoked, 5)));
        }
        let newer = wire::Revocation { kind: "device".into(), ..wire::Revocation::default() };
        assert_eq!(read(newer), None);
    }

    #[test]
    fn an_edge_is_not_believed_that_a_certificate_was_shown() {
        let place = || TicketPlace { origin: None, address: None };
        let none = |is_of_edge| Given { sealed: None, is_of_edge };
        let ticket = Secret::new("tkt_x.a");
        assert_eq!(bought(&ticket, place(), none(false)), Err(Refusal::Ticket));
        for brought in [
            Brought::Token(Secret::new("t")),
            Brought::Certificate { names: vec!["URI:spiffe://a".into()], until_ms: 9 },
        ] {
            let is_token = matches!(brought, Brought::Token(_));
            let sealed = || Authenticator::seal(&ticket, &ticket_place(place()), &brought);
            let given = |is_of_edge| Given { sealed: sealed(), is_of_edge };
            assert_eq!(bought(&ticket, place(), given(false)), Ok(brought.clone()));
            assert_eq!(bought(&ticket, place(), given(true)).is_ok(), is_token);
        }
    }
}
