//! Whether a daemon would let the file run: the one test that is about where the file is and who may write it.

use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::Test;
use crate::plugin::check::verdict::{Tested, failed, passed};
use tickerd_host::trust;

pub const TESTS: &[Test] = &[Test::new(
    "trusted",
    "Nobody but root and this user can change it, or put another in its place.",
    trusted,
)
.within_s(10)];

fn trusted(subject: &Subject) -> Tested {
    let file = trust::look_at(&subject.path)
        .map_err(|e| failed(format!("it cannot be looked at: {e}"), "let this user reach it"))?;
    let Err(distrust) = trust::judge(&file, &subject.path) else { return passed() };
    let text = distrust.to_string();
    let (what, remedy) =
        text.split_once("; ").unwrap_or((&text, "put it where only root or this user may write"));
    Err(failed(format!("{what}: tickerd would not load it"), remedy))
}
