//! A thread that speaks while its feed floods gives way: where processors are busy, it comes last until it speaks after the flood.
//!
//! A thread may always lower its own priority, and raise it only as far as RLIMIT_NICE allows (or with CAP_SYS_NICE). One that could
//! not come back stays as it is: it would be last for good after a single flood. A thread inherits the priority of the one that
//! started it, so one that was born in a flood goes to the priority of the process as well.

use std::cell::Cell;

use rustix::process::{getpriority_process, setpriority_process};

/// The lowest priority.
const LAST: i32 = 19;

thread_local! {
    /// What is known of this thread.
    static WAY: Cell<Way> = const { Cell::new(Way::Unknown) };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nothing: it has not been looked at.
    Unknown,
    /// It has the niceness of its process.
    Own,
    /// It gives way.
    Given,
    /// It could not come back, so it gives no way.
    Refused,
}

/// The niceness that threads go back to.
#[derive(Debug, Clone, Copy)]
pub struct Niceness(i32);

impl Niceness {
    /// That of the calling thread, which has given no way.
    pub fn own() -> Niceness {
        // Where it cannot be read, no thread gives way.
        Niceness(getpriority_process(None).unwrap_or(LAST))
    }

    /// Has the calling thread give way while its feed `floods`. Costs a look at a variable of the thread where nothing changes.
    pub fn give_way(self, floods: bool) {
        WAY.with(|way| {
            if way.get() == Way::Unknown {
                let is_last = getpriority_process(None) == Ok(LAST) && self.0 != LAST;
                way.set(if is_last { Way::Given } else { Way::Own });
            }
            match (way.get(), floods) {
                (Way::Own, true) => way.set(if self.lower() { Way::Given } else { Way::Refused }),
                (Way::Given, false) => {
                    // Only threads that may come back went; a limit may have been changed meanwhile.
                    let _ = setpriority_process(None, self.0);
                    way.set(Way::Own);
                }
                _ => {}
            }
        });
    }

    /// Lowers this thread's priority, if it can come back. Linux counts niceness by thread, whatever its name says.
    fn lower(self) -> bool {
        // Whoever may go one further up may come back.
        setpriority_process(None, self.0 - 1).is_ok() && setpriority_process(None, LAST).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads are done with afterwards: their priorities end with them.
    fn alone<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::Builder::new().name("alone".into()).spawn(what).unwrap().join().unwrap()
    }

    #[test]
    fn a_thread_is_last_while_its_feed_floods_also_if_it_was_born_then_and_others_stay() {
        let own = Niceness::own();
        let now = || getpriority_process(None).unwrap();
        let (seen, child) = alone(move || {
            let seen = [true, true, false, false, true].map(|floods| {
                own.give_way(floods);
                now()
            });
            let child = alone(move || {
                let born = now();
                own.give_way(false);
                (born, now())
            });
            (seen, child)
        });
        // Without the right to come back nothing changes.
        let may_return = alone(move || setpriority_process(None, own.0 - 1).is_ok());
        let last = if may_return { LAST } else { own.0 };
        assert_eq!((seen, child), ([last, last, own.0, own.0, last], (last, own.0)));
        assert_eq!(now(), own.0);
    }
}
