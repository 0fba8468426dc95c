//! `tickerd explain CODE`: what a code that `check` names means, with an example and the remedy.

use std::process::ExitCode;

use clap::Args;

use super::stdout::print;
use tickerd_config::Code;
use tickerd_process::exit::EXIT_USAGE;

/// A section for each code; its first paragraph begins with one sentence that stands alone.
const CODES: &str = include_str!("../../../systemd/codes.md");

/// Words that are less alike than this are not meant.
const LIKENESS_MIN: f64 = 0.75;

/// `tickerd explain …`
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// The code, such as unknown-key; without it all are listed.
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// Prints the explanation.
pub fn run(args: &ExplainArgs) -> ExitCode {
    let told = match &args.code {
        None => list(),
        Some(name) => {
            let name = name.trim_matches(['[', ']']);
            match name.parse::<Code>() {
                Ok(code) => plain(code.name(), section(code)),
                Err(()) => {
                    eprintln!(
                        "tickerd explain: there is no code {}{}",
                        tickerd_host::printable(name),
                        meant(name)
                    );
                    return ExitCode::from(EXIT_USAGE);
                }
            }
        }
    };
    print("explain", &told)
}

fn list() -> String {
    let width = Code::ALL.iter().map(|code| code.name().len()).max().unwrap_or_default();
    let row = |code: &Code| {
        let text = section(*code);
        let first = text.split(['.', ':']).next().unwrap_or_default().replace('\n', " ");
        format!("{:<width$}  {}\n", code.name(), first.replace('`', ""))
    };
    let rows: String = Code::ALL.iter().map(row).collect();
    format!("{rows}\n`tickerd explain CODE` tells more of one.\n")
}

fn meant(name: &str) -> String {
    let likeness = |code: &Code| strsim::jaro_winkler(name, code.name());
    let near = Code::ALL.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match near.filter(|code| likeness(code) >= LIKENESS_MIN) {
        Some(near) => format!("; did you mean {near}?"),
        None => "; `tickerd explain` lists them".to_owned(),
    }
}

/// The text below a code's header.
fn section(code: Code) -> &'static str {
    let header = format!("\n## {code}\n");
    let text = CODES.split_once(header.as_str()).map_or("", |(_, rest)| rest);
    text.split("\n## ").next().unwrap_or_default().trim()
}

/// Markdown as a terminal shows it: blocks of code are indented.
fn plain(name: &str, text: &str) -> String {
    let mut plain = format!("{name}\n\n");
    let mut is_code = false;
    for line in text.lines() {
        match (line.starts_with("```"), is_code) {
            (true, _) => is_code = !is_code,
            (false, true) => plain.push_str(&format!("    {line}\n")),
            (false, false) => plain.push_str(&format!("{line}\n")),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: every code is explained, with an example and what to write instead, and nothing else is.
    #[test]
    fn each_code_has_its_section_and_each_section_its_code() {
        for code in Code::ALL {
            let text = section(*code);
            let first = text.split(['.', ':']).next().unwrap_or_default();
            assert!((10..110).contains(&first.len()), "{code}: {first:?}");
            assert!(text.matches("```").count() >= 2, "{code} has no example");
            assert!(plain(code.name(), text).contains("\n    "), "{code}");
        }
        let headers: Vec<&str> = CODES.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(headers, names, "in the same order");
        assert_eq!(list().lines().count(), names.len() + 2);
    }

    #[test]
    fn a_code_that_there_is_not_is_told_with_the_nearest() {
        assert_eq!(meant("unknown-keys"), "; did you mean unknown-key?");
        assert_eq!(meant("zzz"), "; `tickerd explain` lists them");
    }
}
