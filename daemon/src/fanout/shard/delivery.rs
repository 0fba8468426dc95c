//! What comes from the pulse, in order, with turns for the shard's other work in between.

use std::cell::RefCell;
use std::rc::Rc;

use super::Shard;
use crate::fanout::beat::Beat;
use crate::fanout::question::Downlink;

/// Answers taken between two turns of the shard's other work.
const ANSWERS_PER_TURN: usize = 16;

/// What comes from the pulse, with turns for reading in between.
pub async fn take(shard: &Rc<RefCell<Shard>>, item: Downlink) {
    match item {
        Downlink::Beat(beat) => deliver(shard, &beat).await,
        Downlink::Answers(answers) => {
            for (at, answer) in answers.into_iter().enumerate() {
                if at % ANSWERS_PER_TURN == 0 {
                    tokio::task::yield_now().await;
                    shard.borrow_mut().look_at_clock();
                }
                shard.borrow_mut().take_answer(answer);
            }
        }
    }
}

/// One beat, with turns for reading in between.
pub async fn deliver(shard: &Rc<RefCell<Shard>>, beat: &Beat) {
    shard.borrow_mut().begin(beat);
    loop {
        let more = shard.borrow_mut().walk_on();
        if !more {
            return;
        }
        tokio::task::yield_now().await;
    }
}
