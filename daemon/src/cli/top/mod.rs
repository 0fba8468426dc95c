//! `tickerd top`: the feeds, the busiest topics and the clients that lag, of a daemon that runs.

mod look;
#[cfg(feature = "top")]
mod screen;

use std::process::ExitCode;

use clap::Args;

use self::look::{look_twice, shown};
use super::operator::{EXIT_CODES, Reach, Unreached, failed, print};

#[derive(Debug, Clone, Args)]
#[command(after_help = EXIT_CODES)]
#[command(after_long_help = format!("{KEYS}\n\n{EXIT_CODES}"))]
pub struct TopArgs {
    /// Print it once, after a second in which the topics' rates are measured, and end
    #[arg(long)]
    once: bool,
    /// The same as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What can be pressed.
const KEYS: &str = "Keys: Tab and Shift-Tab or 1, 2, 3 show feeds, topics or clients; arrows, Page Up and Page Down select a row; r reloads \
                    the selected feed; d closes the selected client's connection, after a question; q ends.";

/// Shows it until it is told to end, or once.
pub fn run(args: &TopArgs) -> ExitCode {
    if args.once || args.json {
        return match look_twice(&args.reach) {
            Ok(answer) => print("top", &answer, args.json, shown),
            Err(why) => failed("top", &why),
        };
    }
    watch(&args.reach).unwrap_or_else(|why| failed("top", &why))
}

#[cfg(feature = "top")]
fn watch(reach: &Reach) -> Result<ExitCode, Unreached> {
    use std::io::IsTerminal;

    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Unreached::Usage("this is no terminal; write --once or --json".to_owned()));
    }
    // What is wrong from the beginning is told without a screen.
    look::look(reach)?;
    let refused = |error: std::io::Error| Unreached::Refused(format!("the terminal cannot be used: {error}"));
    screen::run(reach).map_err(refused)
}

#[cfg(not(feature = "top"))]
fn watch(_: &Reach) -> Result<ExitCode, Unreached> {
    Err(Unreached::Usage("this tickerd was built without its screen; write --once or --json".to_owned()))
}
