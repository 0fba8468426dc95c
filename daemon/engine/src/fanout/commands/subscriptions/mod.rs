//! Subscriptions: what a client asks for, what it is granted, what it missed, and what it ends.

mod edits;
mod grants;
mod list;
mod recover;
mod subscribe;
mod unsubscribe;
