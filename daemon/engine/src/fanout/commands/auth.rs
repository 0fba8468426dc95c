//! `auth`: who a client is, and what that changes of what it has.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::exchange::ConnId;
use crate::exchange::access::Judge;
use crate::exchange::arrival::USER_FULL;
use crate::fanout::connection::phase::WaitsFor;
use crate::fanout::notices::TOPICS_MAX;
use crate::fanout::outbox::Reply;
use crate::fanout::shard::Shard;
use crate::fanout::table::Table;
use crate::fanout::table::asks::{Ask, Edit, What};
use tickerd_model::access::identity::{Identity, Proof};
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::rights::Verb;
use tickerd_model::access::secret::Secret;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event::{self, Notice};
use tickerd_model::wire::close::CloseCode;
use tickerd_process::clock::now_unix_ms;

/// When a user with too many connections may try again: by then one of them may have ended.
const USER_FULL_RETRY_MS: u64 = 5_000;

/// In how many milliseconds an identity ends.
pub fn expires_in_ms(who: &Identity) -> Option<u64> {
    who.ends_ms.map(|ends| ends.saturating_sub(now_unix_ms()))
}

impl Shard {
    /// Has a token judged. Until it is, the client is not listened to: what it says next depends on it.
    pub fn authenticate(&mut self, id: ConnId, request: Option<Id>, token: Secret) {
        let Some(judge) = self.settings.access.clone() else {
            let message = "this server asks nobody who they are: it has no [auth]; send no token";
            return self.tell_error(id, request, &ProtocolError::new(Code::UnknownEvent, message));
        };
        let Some(conn) = self.connection(id) else { return };
        conn.phase.ask(WaitsFor::Judgement);
        let generation = conn.generation;
        self.tasks.judge(&*judge, token, (id, generation), request);
    }

    /// Tells a client who it is now, or why its token is refused.
    pub fn tell_judgement(
        &mut self,
        id: ConnId,
        request: Option<Id>,
        judgement: Result<Arc<Identity>, Refusal>,
    ) {
        let must_say = self.must_say_who(id);
        let accepted = judgement.map_err(|refusal| (refused(refusal), refusal != Refusal::Busy));
        match accepted.and_then(|who| self.accept(id, who).map_err(|error| (error, true))) {
            Ok(before) => self.tell_identity(id, request, &before),
            Err((error, is_final)) => {
                self.tell_error(id, request, &error);
                if must_say && is_final {
                    let code = match error.code {
                        Code::RateLimited => CloseCode::ConnectionLimit,
                        _ => CloseCode::Unauthenticated,
                    };
                    self.close_with(id, &code.frame_saying(&error.message), code.code());
                }
            }
        }
    }

    /// Gives a connection its identity. Answers whom it spoke for before.
    fn accept(&mut self, id: ConnId, who: Arc<Identity>) -> Result<Arc<Identity>, ProtocolError> {
        let before = self.who(id);
        let conflict = |message: &'static str| Err(ProtocolError::new(Code::Conflict, message));
        // Since it was judged it may have been withdrawn.
        if self.settings.access.as_ref().is_some_and(|judge| judge.is_revoked(&who)) {
            return Err(refused(Refusal::Revoked));
        }
        let Some(conn) = self.connection(id) else { return Ok(before) };
        if before.user.is_some() && before.user != who.user {
            return conflict("this connection is another user's; connect anew for this token");
        }
        if conn.name.is_some() && conn.name.as_deref() != who.user.as_deref() {
            return conflict("name is not the token's user; leave name out of the address");
        }
        if let Some(user) = &who.user
            && conn.permit.count_for_user(user).is_err()
        {
            let mut error = ProtocolError::new(Code::RateLimited, USER_FULL);
            error.retry_after_ms = Some(USER_FULL_RETRY_MS);
            return Err(error);
        }
        conn.who = who;
        conn.is_warned = false;
        Ok(before)
    }

    fn tell_identity(&mut self, id: ConnId, request: Option<Id>, before: &Identity) {
        let who = self.who(id);
        let user = who.user.as_deref().unwrap_or_default();
        self.tell(id, &event::Authenticated { id: request, user, expires_in_ms: expires_in_ms(&who) });
        if before.user.is_none() {
            self.rename(id);
        }
        if before.rights != who.rights {
            self.judge_again(id, &who);
        }
        let opening = self.connection(id).and_then(|conn| conn.opening.take()).map(|opening| *opening);
        if before.user.is_none() {
            self.open(id, opening);
        }
    }

    /// Who has not said who it is has what such clients have now.
    pub fn renew_anonymous(&mut self, id: ConnId, judge: &dyn Judge) {
        let (before, now) = (self.who(id), judge.anonymous());
        let is_anonymous = before.is_anonymous() && before.proof == Proof::None;
        if !is_anonymous || before.rights == now.rights {
            return;
        }
        self.serve_early(id);
        let now_s = self.now_s;
        if let Some(conn) = self.connection(id) {
            conn.who = now.clone();
            // It has as long to say who it is as one that comes now.
            conn.unknown_since_s = now_s;
        }
        self.judge_again(id, &now);
    }

    /// Ends the subscriptions that these rights do not grant, and tells which; a pattern that they grant in part stays as far
    /// as they do.
    fn judge_again(&mut self, id: ConnId, who: &Identity) {
        let cohort = self.cohort_of(id).and_then(|id| self.table.cohorts.held(id));
        let asks: Vec<Ask> = cohort.map(|cohort| cohort.asks().to_vec()).unwrap_or_default();
        let (mut edits, mut ended) = (Vec::new(), BTreeSet::new());
        for ask in asks {
            match ask.what {
                What::Exact(slot) => {
                    let Some(slot) = self.table.topics.slot(slot) else { continue };
                    if !who.rights.allow(Verb::Subscribe, &slot.name) {
                        edits.push(Edit::Clear(ask.what));
                        ended.insert(slot.name.to_string());
                    }
                }
                What::Pattern(pattern) => {
                    let Some(scope) = self.table.cohorts.patterns.get(pattern).cloned() else { continue };
                    match Table::scope(who, scope.pattern().clone()) {
                        Ok(same) if same == scope => {}
                        Ok(other) => {
                            let what = What::Pattern(self.table.cohorts.patterns.intern(&other));
                            edits.push(Edit::Clear(ask.what));
                            edits.push(Edit::Set(Ask { what, ..ask }));
                        }
                        Err(_) => {
                            edits.push(Edit::Clear(ask.what));
                            ended.insert(scope.pattern().to_string());
                        }
                    }
                }
            }
        }
        if edits.is_empty() {
            return;
        }
        let changes = self.edit(id, &edits);
        let lost = changes.iter().filter(|change| change.now.is_none());
        ended.extend(lost.filter_map(|change| Some(self.table.topics.slot(change.slot)?.name.to_string())));
        self.charge_looks(id, changes.len());
        let snapshots = self.snapshots_after(id, &changes, true);
        let ended: Vec<&str> = ended.iter().map(String::as_str).collect();
        let mut bytes = Vec::new();
        for topics in ended.chunks(TOPICS_MAX) {
            self.write(id, &Notice::Revoked { topics: topics.to_vec() }, &mut bytes);
        }
        self.send_reply(id, Reply { bytes, snapshots, ..Reply::default() });
    }

    /// Whether a client can do nothing before it has said who it is.
    pub fn must_say_who(&self, id: ConnId) -> bool {
        let conn = self.connections.get(id).filter(|conn| !conn.echo && conn.who.is_anonymous());
        conn.is_some_and(|conn| conn.who.rights.is_nothing())
    }
}

/// What a client is told whose token is refused: the code that programs read, and what to change.
fn refused(refusal: Refusal) -> ProtocolError {
    let code = match refusal {
        Refusal::Busy => Code::Internal,
        _ => Code::Unauthenticated,
    };
    let mut error = ProtocolError::new(code, format!("{}: {refusal}", refusal.code()));
    error.retry_after_ms = (refusal == Refusal::Busy).then_some(1000);
    error
}
