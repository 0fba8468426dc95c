//! A thread that floods gives way: where processors are busy, it comes last until it says less.
//!
//! A thread may always lower its own priority, and raise it only as far as RLIMIT_NICE allows (or with CAP_SYS_NICE). One that could
//! not come back stays as it is: it would be last for good after a single flood.

use std::cell::Cell;
use std::io;

use rustix::process::{getpriority_process, setpriority_process};

/// The lowest priority.
const LAST: i32 = 19;

thread_local! {
    /// What this thread has done.
    static WAY: Cell<Way> = const { Cell::new(Way::Own) };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It goes by the niceness that it was started with.
    Own,
    /// It gives way, and goes back to this niceness.
    Given(i32),
    /// It could not come back, so it gives no way.
    Refused,
}

/// Has the calling thread give way while it `floods`. Costs a look at a variable of the thread where nothing changes.
pub fn give_way(floods: bool) {
    WAY.with(|way| match (way.get(), floods) {
        (Way::Own, true) => way.set(lower().map_or(Way::Refused, Way::Given)),
        (Way::Given(own), false) => {
            // It was tried before, so this fails only if a limit was changed meanwhile.
            let _ = setpriority_process(None, own);
            way.set(Way::Own);
        }
        (Way::Own | Way::Refused, _) | (Way::Given(_), true) => {}
    });
}

/// Lowers this thread's priority, if it can come back; its niceness before. Linux counts niceness by thread, whatever its name says.
fn lower() -> io::Result<i32> {
    let own = getpriority_process(None)?;
    // Whoever may go one further up may come back.
    setpriority_process(None, own - 1)?;
    setpriority_process(None, LAST)?;
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads are done with afterwards: their priorities end with them.
    fn alone<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::Builder::new().name("alone".into()).spawn(what).unwrap().join().unwrap()
    }

    #[test]
    fn a_thread_that_floods_is_last_until_it_does_not_and_others_stay() {
        let own = getpriority_process(None).unwrap();
        let seen = alone(move || {
            [true, true, false, false, true].map(|floods| {
                give_way(floods);
                getpriority_process(None).unwrap()
            })
        });
        // Without the right to come back nothing changes.
        let may_return = alone(move || setpriority_process(None, own - 1).is_ok());
        let last = if may_return { LAST } else { own };
        assert_eq!(seen, [last, last, own, own, last]);
        assert_eq!(getpriority_process(None).unwrap(), own);
    }
}
