//! Several parts in a world that loses, repeats, delays, cuts, pauses and kills.

mod misfortune;
mod node;
mod schedules;
mod telling;
mod world;
