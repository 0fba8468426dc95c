//! Plays back what `tickerd record` wrote.

fn main() {}
