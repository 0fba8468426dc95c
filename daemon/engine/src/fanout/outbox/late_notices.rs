//! Notices of topics and people that came and went, which wait for one client. Each is shared by all who wait for it.

use std::rc::Rc;

use crate::fanout::notices::subject::Subject;
use tickerd_model::wire::message::Message;

/// Most bytes of notices that wait for one client.
const BYTES_MAX: usize = 64 * 1024;

/// The notices that wait, in order. Whether the client still holds what they name is looked at when they are sent.
#[derive(Debug, Default)]
pub struct LateNotices {
    notices: Vec<(Rc<Subject>, Rc<Message>)>,
    bytes: usize,
    /// Some of them were about topics.
    of_topics: bool,
    /// Some of them were about people.
    of_people: bool,
    /// There were too many: the client has to list the topics.
    is_lost: bool,
}

/// What a client is told in the end.
#[derive(Debug, Default)]
pub struct ToTell {
    /// Notices, in order.
    pub notices: Vec<(Rc<Subject>, Rc<Message>)>,
    /// Some about topics were lost.
    pub lost_topics: bool,
    /// Some about people were.
    pub lost_people: bool,
}

impl LateNotices {
    /// Adds one.
    pub fn push(&mut self, subject: &Rc<Subject>, notice: &Rc<Message>) {
        match **subject {
            Subject::People(_) => self.of_people = true,
            Subject::Topics { .. } => self.of_topics = true,
        }
        self.bytes += notice.text().len();
        if self.bytes > BYTES_MAX {
            self.is_lost = true;
            self.notices = Vec::new();
        }
        if !self.is_lost {
            self.notices.push((subject.clone(), notice.clone()));
        }
    }

    /// Takes out what is to be told.
    pub fn take(&mut self) -> ToTell {
        let LateNotices { notices, is_lost, of_topics, of_people, .. } = std::mem::take(self);
        ToTell { notices, lost_topics: is_lost && of_topics, lost_people: is_lost && of_people }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanout::table::ids::SlotId;
    use tickerd_model::basics::slab::Key;

    #[test]
    fn notices_that_wait_have_a_bound_and_their_loss_is_told() {
        let notice = Rc::new(Message::new(&[b'x'; 20_000], Default::default()));
        let mut late = LateNotices::default();
        let people = Rc::new(Subject::People(SlotId::new(0)));
        let topics = Rc::new(Subject::Topics { added: Vec::new(), removed: Vec::new() });
        let mut told = |of: &[&Rc<Subject>]| {
            of.iter().for_each(|subject| late.push(subject, &notice));
            let ToTell { notices, lost_topics, lost_people } = late.take();
            (notices.len(), lost_topics, lost_people)
        };
        assert_eq!(told(&[&people, &topics, &people]), (3, false, false));
        assert_eq!(told(&[&topics; 5]), (0, true, false));
        assert_eq!(told(&[&people; 5]), (0, false, true));
        assert_eq!(told(&[&people, &topics, &people, &people]), (0, true, true));
        assert_eq!(told(&[&topics]), (1, false, false), "it begins anew");
    }
}
