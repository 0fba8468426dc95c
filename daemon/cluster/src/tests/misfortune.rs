//! What happens to nodes and to the lines between them.

use rand::RngExt;

use super::node::Node;
use super::world::{Event, World};
use crate::beat;

impl World {
    pub(super) fn misfortune(&mut self) {
        let now = self.now;
        if self.calm {
            return;
        }
        let count = self.nodes.len();
        let node = self.chance.random_range(0..count);
        match self.chance.random_range(0..10) {
            0 => {
                let long = self.chance.random_range(100..8_000);
                self.stop(node, long);
            }
            1 => self.kill(node),
            2 | 3 => {
                // Both ways, or one.
                let other = self.chance.random_range(0..=count);
                self.cut[node][other] = true;
                self.cut[other][node] |= self.chance.random_bool(0.7);
            }
            4 => {
                let sides: Vec<bool> = (0..=count).map(|_| self.chance.random_bool(0.5)).collect();
                for (from, row) in self.cut.iter_mut().enumerate() {
                    row.iter_mut().enumerate().for_each(|(to, cut)| *cut = sides[from] != sides[to]);
                }
            }
            5 | 6 => self.cut.iter_mut().flatten().for_each(|cut| *cut = false),
            7 | 8 => {
                if let Some(holder) = (0..count).find(|index| self.nodes[*index].runs && *index != node)
                    && self.nodes[holder].paused_until <= now
                    && self.nodes[node].may_hold
                {
                    self.hand_over(holder, node);
                }
            }
            _ => self.visit(),
        }
        let next = self.chance.random_range(50..1_500);
        self.plan(next, Event::Misfortune);
    }

    /// The process dies, and a new one begins; it may know its past, or not.
    fn kill(&mut self, index: usize) {
        let node = &self.nodes[index];
        let keeps = self.chance.random_bool(0.5);
        let past = node.part.past().cloned().filter(|_| keeps);
        let board = if keeps { node.board.clone() } else { Default::default() };
        let (name, may_hold) = (node.name.name.clone(), node.may_hold);
        let down = self.chance.random_range(200..5_000);
        self.lives[index] += 1;
        let life = self.lives[index];
        self.nodes[index] = Node::new(beat::Node { name, life }, may_hold, past, self.now + down);
        self.nodes[index].board = board;
        self.plan(down, Event::Look { node: index, life, count: 0 });
        let delay = self.chance.random_range(1..20);
        self.plan(down + delay, Event::Read { node: index, life });
    }
}
