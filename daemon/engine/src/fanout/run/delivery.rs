//! What comes from the pulse, in order, with turns for the shard's other work in between.

use std::cell::RefCell;
use std::rc::Rc;

use crate::exchange::beat::Beat;
use crate::exchange::question::Downlink;
use crate::fanout::shard::Shard;

/// Answers taken between two turns of the shard's other work.
const ANSWERS_PER_TURN: usize = 16;

/// Takes what comes from the pulse, with turns for reading in between. Replays wait until all of it is through: many clients
/// may be sent what they missed, and what is live goes first.
pub async fn take(shard: &Rc<RefCell<Shard>>, item: Downlink) {
    let is_beat = matches!(item, Downlink::Beat(_));
    shard.borrow_mut().is_taking = true;
    go_through(shard, item).await;
    let has_held_back = {
        let mut shard = shard.borrow_mut();
        shard.is_taking = false;
        is_beat && std::mem::take(&mut shard.has_held_back)
    };
    if has_held_back {
        // Also where beats come without a pause.
        tokio::task::yield_now().await;
    }
}

async fn go_through(shard: &Rc<RefCell<Shard>>, item: Downlink) {
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
