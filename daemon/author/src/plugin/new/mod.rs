//! `tickerd plugin new`: a project that builds, is tested and checked, and serves a moving value, in any of seven languages.
//!
//! The projects are the SDK's examples (`plugins-sdk/examples`), renamed. What they need of tickerd, which is the header or the
//! whole SDK, is written into them, so that a new project needs neither a checkout nor a network.

mod language;
mod manifest;
mod name;
mod project;
mod templates;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::stdout;
use language::Language;
use name::Name;
use project::Project;
use templates::Template;
use tickerd_host::Mode;
use tickerd_process::exit::{EXIT_FAILED, EXIT_USAGE};

/// `tickerd plugin new`
#[derive(Debug, Clone, Args)]
pub struct NewArgs {
    /// What it is written in.
    #[arg(long, value_enum)]
    lang: Language,
    /// tickerd asks it for values at each interval; the default, but for cpp, go and node.
    #[arg(long, conflicts_with = "push")]
    poll: bool,
    /// It tells values by itself, when there are any.
    #[arg(long)]
    push: bool,
    /// The folder to make, in place of ./NAME.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The feed's name: the first segment of its topics, and what its file is called.
    #[arg(value_name = "NAME")]
    name: String,
}

/// Writes the project, and prints what to do next.
pub fn run(args: &NewArgs) -> ExitCode {
    match make(args) {
        Ok(next) => stdout::print("plugin new", &next, ExitCode::SUCCESS),
        Err((code, what)) => {
            eprintln!("tickerd plugin new: {what}");
            ExitCode::from(code)
        }
    }
}

/// Writes the project. Answers what to print; or the exit code, and what is wrong.
fn make(args: &NewArgs) -> Result<String, (u8, String)> {
    let name = Name::new(&args.name, args.lang).map_err(|why| (EXIT_USAGE, why))?;
    let asked = match (args.poll, args.push) {
        (true, _) => Some(Mode::Poll),
        (_, true) => Some(Mode::Push),
        _ => None,
    };
    let template = Template::of(args.lang, asked);
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
    Project::of(&template, &name).write(&folder).map_err(|why| (EXIT_FAILED, why))?;
    Ok(next(&template, &name, &folder, std::env::var_os("PATH").as_deref()))
}

/// The commands that lead to a moving value in the browser, and the tools for them that this machine lacks.
fn next(template: &Template, name: &Name, folder: &Path, path: Option<&std::ffi::OsStr>) -> String {
    let (language, tool, from) = template.language.tool();
    let mut text = format!(
        "{} is a {} feed in {language}, in {}\n\nNext:\n  cd {}\n  make\n  make run\nand open http://127.0.0.1:8425/ in a \
         browser.\n\nThen: make test, make check, and README.md.\n",
        name.as_str(),
        template.mode.as_str(),
        folder.display(),
        quoted(folder)
    );
    let there =
        |tool: &str| std::env::split_paths(path.unwrap_or_default()).any(|dir| dir.join(tool).is_file());
    for (tool, from) in [("make", "Debian: apt install make"), (tool, from)] {
        if !there(tool) {
            writeln!(text, "\n{tool} is not in PATH, and is needed: {from}")
                .expect("a string takes any text");
        }
    }
    if !there("tickerd")
        && let Ok(own) = std::env::current_exe()
    {
        let own = quoted(&own);
        writeln!(text, "\ntickerd is not in PATH: write make run TICKERD={own}")
            .expect("a string takes any text");
    }
    text
}

/// The path, quoted for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        new: NewArgs,
    }

    fn new(words: &str) -> Result<String, (u8, String)> {
        make(&Cli::try_parse_from(format!("new {words}").split_whitespace()).unwrap().new)
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tide");
        let words = format!("--lang sh tide --dir {}", folder.display());
        std::fs::create_dir(&folder).unwrap();
        new(&words).expect("an empty folder will do");
        std::fs::write(folder.join("tide.sh"), "mine").unwrap();
        let (code, what) = new(&words).unwrap_err();
        assert_eq!(code, EXIT_FAILED);
        assert!(what.contains("tide") && what.contains("--dir"), "{what}");
        assert_eq!(std::fs::read_to_string(folder.join("tide.sh")).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_comes_next_fits_the_machine() {
        let template = Template::of(Language::Rust, None);
        let name = Name::new("tide", Language::Rust).unwrap();
        let bare = next(&template, &name, Path::new("my feeds/tide"), None);
        for said in ["cd 'my feeds/tide'\n", "cargo is not in PATH", "make is not in PATH", "TICKERD="] {
            assert!(bare.contains(said), "{bare}");
        }
    }

    #[test]
    fn wrong_words_are_refused_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (code, what) = new(&format!("--lang c Tide --dir {}/x", dir.path().display())).unwrap_err();
        assert_eq!(code, EXIT_USAGE);
        assert!(what.contains("tide"), "{what}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        for words in ["--lang cobol x", "x", "--lang c", "--lang c --poll --push x"] {
            assert!(Cli::try_parse_from(format!("new {words}").split_whitespace()).is_err(), "{words}");
        }
    }
}
