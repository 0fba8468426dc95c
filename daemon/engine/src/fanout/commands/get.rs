//! `get`: the newest value of each topic that is named, or that a pattern matches.

use crate::exchange::ConnId;
use crate::exchange::enquiry::{GET_PATTERNS_MAX, VALUES_MAX};
use crate::exchange::question::Quotes;
use crate::fanout::shard::Shard;
use crate::fanout::shard::turns::{Costly, Gathering};
use crate::fanout::table::edits::HINTS_MAX;
use tickerd_model::protocol::command::Id;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::event::{self, Failed};
use tickerd_model::topic::Pattern;

/// Bytes of envelopes that one `get` answers at most.
const GET_BYTES_MAX: usize = 1 << 20;

impl Shard {
    /// Tells the newest value of each topic; those of patterns in turns, if they are many.
    pub fn get(&mut self, id: ConnId, request: Option<Id>, asked: Vec<String>) {
        let who = self.who(id);
        let mut get = Gathering { request, ..Gathering::default() };
        for name in asked {
            if !get.named.insert(name.as_str().into()) {
                continue;
            }
            if !Pattern::is_pattern(&name) {
                get.names.push(name);
                continue;
            }
            let hinted = who.rights.is_open() && get.failed.len() < HINTS_MAX;
            match self.table.pattern(&who, &name, hinted) {
                Ok(_) if get.patterns.len() == GET_PATTERNS_MAX => {
                    let what = format!("one get takes at most {GET_PATTERNS_MAX} patterns; split it");
                    let error = ProtocolError::new(Code::TooLarge, what);
                    return self.tell_error(id, get.request, &error);
                }
                Ok(pattern) => get.patterns.push(pattern),
                Err(error) => get.failed.push(Failed::new(&name, &error)),
            }
        }
        self.undertake(id, Costly::Get(Box::new(get)));
    }

    /// Looks for what the patterns match, as far as the turn allows; whether that is done.
    pub fn gather(&mut self, id: ConnId, get: &mut Gathering) -> bool {
        let who = self.who(id);
        while let Some(pattern) = get.patterns.get(get.next) {
            if !self.turns.effort.take(self.table.topics.cost(pattern)) {
                return false;
            }
            get.next += 1;
            for (topic, _) in self.table.values(&who, pattern) {
                if get.named.contains(topic.name()) {
                    continue;
                }
                if get.found.len() == VALUES_MAX {
                    get.truncated = true;
                    break;
                }
                get.named.insert(topic.name().into());
                get.found.push(topic);
            }
        }
        // Each of them is looked at once more when it is told.
        self.turns.effort.take(get.found.len())
    }

    /// Tells what was named and found, as it is now.
    pub fn tell_values(&mut self, id: ConnId, get: Gathering) {
        let who = self.who(id);
        let Gathering { request, names, found, mut failed, mut truncated, .. } = get;
        let (mut frames, mut bytes) = (Vec::new(), 0);
        for name in &names {
            let hinted = who.rights.is_open() && failed.len() < HINTS_MAX;
            match self.table.value(&who, name, hinted) {
                Ok(frame) if bytes + frame.envelope().len() <= GET_BYTES_MAX => {
                    bytes += frame.envelope().len();
                    frames.push(frame);
                }
                Ok(_) => failed.push(Failed::new(
                    name,
                    &ProtocolError::new(
                        Code::TooLarge,
                        format!("one answer holds {GET_BYTES_MAX} bytes; ask for the rest in another get"),
                    ),
                )),
                Err(error) => failed.push(Failed::new(name, &error)),
            }
        }
        for topic in found {
            // It may have gone, or be refused by now.
            let Ok(frame) = self.table.value(&who, topic.name(), false) else { continue };
            bytes += frame.envelope().len();
            if bytes > GET_BYTES_MAX {
                truncated = true;
                break;
            }
            frames.push(frame);
        }
        self.charge_looks(id, frames.len());
        let quotes = Quotes::of(&frames, self.encoding(id));
        let values = event::Values { id: request, values: quotes.values(), failed, truncated };
        match frames.iter().any(|frame| frame.is_published()) {
            true => self.tell_said(id, &values),
            false => self.tell(id, &values),
        }
    }
}
