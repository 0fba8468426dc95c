//! The steps from a name in a configuration to a feed that gives values, each with its result.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::finding::{find_program, not_found, remedy_of};
use super::life::{First, Sign, first_sign};
use super::observer::Observer;
use super::remedy::{of_failure, of_load};
use super::step::{Outcome, Step};
use crate::plugin::describe;
use crate::plugin::facts::{About, Facts, RunsAs};
use tickerd_config::{Feed, Source};
use tickerd_host::{
    DryRun, Plugin, PluginInfo, Schema, Spec, Violation, Warden, dry_run, find_plugin, in_a_line,
    nothing_came, trust,
};

/// How far an examination goes.
#[derive(Clone, Copy)]
pub enum Depth<'p> {
    /// The file, and what its code says about itself. The feed's own configuration is not looked at.
    Plugin,
    /// Until the feed is ready to work, without any work.
    Ready,
    /// A short life, in which the feed works.
    Life(&'p Observer),
}

/// All steps of one feed.
#[derive(Debug, Serialize)]
pub struct Examination {
    /// The feed's name.
    pub feed: String,
    /// What it runs, as it is configured.
    pub runs: String,
    /// True if no step has a problem.
    pub ok: bool,
    /// The steps that were taken, in order.
    pub steps: Vec<Step>,
    /// `plugin` or `exec`, whichever names what runs.
    #[serde(skip)]
    source_key: &'static str,
}

/// The steps that only look at the file, each with the problems that belong to it.
const LOOKS: [(&str, &[About]); 6] = [
    ("file", &[About::FileType]),
    ("machine", &[About::Machine]),
    ("may run", &[About::Executable]),
    ("libraries", &[About::Libraries]),
    ("glibc", &[About::Glibc]),
    ("entry", &[About::Entry, About::Abi]),
];

impl Examination {
    /// Examines a feed, up to `depth` or to the first step that makes the next ones useless.
    pub fn of(feed: &Feed, depth: Depth<'_>) -> Examination {
        let (source_key, runs) = match &feed.source {
            Source::Plugin { path, .. } => ("plugin", format!("plugin {}", path.display())),
            Source::Exec(argv) => ("exec", format!("exec {}", argv.join(" "))),
        };
        let mut examination =
            Examination { feed: feed.name.clone(), runs, ok: true, steps: Vec::new(), source_key };
        let Some(plugin) = examination.find(feed) else { return examination };
        let Some(facts) = examination.look(feed, &plugin) else { return examination };
        let mut info = None;
        if facts.runs_as == RunsAs::Library {
            info = examination.load(&facts.file);
            if !matches!(depth, Depth::Plugin) {
                examination.keys(feed, info.as_ref());
            }
        }
        match depth {
            Depth::Plugin => {}
            Depth::Ready => examination.dry_run(feed),
            Depth::Life(observer) => examination.live(feed, info.as_ref(), observer),
        }
        examination
    }

    fn step(
        &mut self,
        name: &'static str,
        outcome: Outcome,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.ok &= outcome != Outcome::Problem;
        let key = match name {
            "sha256" => "sha256",
            "configuration" | "ready" => "config",
            _ => self.source_key,
        };
        let (at, violations) = (vec![key.to_owned()], Vec::new());
        self.steps.push(Step { name, outcome, what: what.into(), remedy: remedy.into(), at, violations });
    }

    /// Adds details to the last step.
    fn detail(&mut self, violations: Vec<Violation>) {
        if let Some(step) = self.steps.last_mut() {
            step.violations = violations;
        }
    }

    fn skip(&mut self, name: &'static str) {
        self.step(name, Outcome::Skipped, "mend the above first", "");
    }

    fn find(&mut self, feed: &Feed) -> Option<Plugin> {
        let found = match &feed.source {
            Source::Plugin { path, .. } => find_plugin(&path.to_string_lossy(), &feed.base_dir)
                .map_err(|e| (not_found(&e, &feed.base_dir), remedy_of(&e))),
            Source::Exec(argv) => {
                let program = argv.first().map(String::as_str).unwrap_or_default();
                find_program(program, &feed.base_dir).map(Plugin::Program).ok_or_else(|| {
                    let place = if program.contains('/') {
                        feed.base_dir.display().to_string()
                    } else {
                        "PATH".into()
                    };
                    (
                        format!("the program {program} is not found from {place}"),
                        "install it, or write its whole path".to_owned(),
                    )
                })
            }
        };
        match found {
            Ok(plugin) => {
                let (Plugin::Library(path) | Plugin::Program(path)) = &plugin;
                self.step("found", Outcome::Ok, path.display().to_string(), "");
                Some(plugin)
            }
            Err((what, remedy)) => {
                self.step("found", Outcome::Problem, what, remedy);
                None
            }
        }
    }

    /// Looks at the file without running it. None: later steps would fail for the same reason.
    fn look(&mut self, feed: &Feed, plugin: &Plugin) -> Option<Facts> {
        let (Plugin::Library(path) | Plugin::Program(path)) = plugin;
        let facts = match Facts::of(plugin) {
            Ok(facts) => facts,
            Err(e) => {
                let remedy = format!("let this user read it: chmod a+r {}", path.display());
                self.step("file", Outcome::Problem, format!("it cannot be read: {e}"), remedy);
                return None;
            }
        };
        for (name, about) in LOOKS {
            let problems: Vec<_> =
                facts.problems.iter().filter(|problem| about.contains(&problem.about)).collect();
            for problem in &problems {
                self.step(name, Outcome::Problem, problem.what.clone(), problem.remedy.clone());
            }
            if problems.is_empty()
                && let Some(what) = seen(name, &facts)
            {
                self.step(name, Outcome::Ok, what, "");
            }
            // If it is the wrong kind of file, the other steps make no sense.
            if name == "file" && !problems.is_empty() {
                break;
            }
        }
        for note in &facts.notes {
            self.step("look", Outcome::Note, note.clone(), "");
        }
        if let (true, RunsAs::Program) = (self.ok && !facts.executable, facts.runs_as) {
            let remedy = format!("chmod +x {}", path.display());
            self.step("may run", Outcome::Problem, "it is not executable", remedy);
        }
        self.trust(feed, &facts);
        if !self.ok {
            self.skip("load");
            return None;
        }
        Some(facts)
    }

    /// Whether anybody else could have written the file, and whether it is the one that was pinned.
    fn trust(&mut self, feed: &Feed, facts: &Facts) {
        match &feed.source {
            // The program is found in PATH, by which the operator says what may run.
            Source::Exec(argv) if argv.first().is_some_and(|program| !program.contains('/')) => {}
            _ => match trust::look_at(&facts.file).map(|file| trust::judge(&file, &facts.file)) {
                Ok(Ok(())) => self.step("trust", Outcome::Ok, "nobody else can change it", ""),
                Ok(Err(distrust)) => {
                    let text = distrust.to_string();
                    let (what, remedy) = text.split_once("; ").unwrap_or((&text, ""));
                    self.step("trust", Outcome::Problem, what, remedy);
                }
                Err(e) => self.step("trust", Outcome::Problem, format!("it cannot be looked at: {e}"), ""),
            },
        }
        if let Some(pinned) = &feed.sha256 {
            let same = pinned.to_string() == facts.sha256;
            let what = if same {
                "it is the pinned file".to_owned()
            } else {
                format!("its SHA-256 is {}", facts.sha256)
            };
            let outcome = if same { Outcome::Ok } else { Outcome::Problem };
            let remedy =
                if same { "" } else { "if that file is meant, write this into sha256 of its [[feed]]" };
            self.step("sha256", outcome, what, remedy);
        }
    }

    fn load(&mut self, path: &Path) -> Option<PluginInfo> {
        match describe::ask(path) {
            Ok(info) => {
                let first = info.feed_types.first().map_or("", |feed| feed.id.as_str());
                let what =
                    format!("{first} {}, made with {}, ABI 1.{}", info.version, info.sdk, info.abi_minor);
                self.step("load", Outcome::Ok, what, "");
                Some(info)
            }
            Err(why) => {
                let remedy = of_load(&why, path);
                self.step("load", Outcome::Problem, why, remedy);
                None
            }
        }
    }

    fn keys(&mut self, feed: &Feed, info: Option<&PluginInfo>) {
        let Some(info) = info else { return self.skip("configuration") };
        let schema = info.feed_types.first().and_then(|feed| feed.config_schema.as_deref());
        let Some(schema) = schema else {
            return self.step("configuration", Outcome::Note, "it gives no schema to check it with", "");
        };
        let schema = match Schema::parse(schema) {
            Ok(schema) => schema,
            Err(why) => {
                let what = format!("its schema is broken: {why}");
                let remedy =
                    "that is for its author to mend; `tickerd plugin check` has the test config-schema";
                return self.step("configuration", Outcome::Problem, what, remedy);
            }
        };
        let (wrong, unnamed) = (schema.violations(&feed.config), schema.unnamed(&feed.config));
        match (wrong.as_slice(), unnamed.as_slice()) {
            ([], []) => self.step("configuration", Outcome::Ok, "its schema allows it", ""),
            ([], told) => {
                self.step("configuration", Outcome::Note, in_a_line(told), "");
                self.detail(unnamed);
            }
            (told, _) => {
                let remedy = "correct that in the feed's configuration";
                self.step("configuration", Outcome::Problem, in_a_line(told), remedy);
                self.detail(wrong);
            }
        }
    }

    /// Gets the feed ready, without any work.
    fn dry_run(&mut self, feed: &Feed) {
        if !self.ok {
            return self.skip("ready");
        }
        let program = match std::env::current_exe() {
            Ok(program) => program,
            Err(e) => return self.step("ready", Outcome::Problem, format!("it cannot be started: {e}"), ""),
        };
        let spec = Spec::new(feed, &program, &Arc::new(Warden::new(program.clone())));
        match dry_run(&spec) {
            DryRun::Ready => self.step("ready", Outcome::Ok, "", ""),
            DryRun::NotBegun => {
                let what = "a program: its own configuration is looked at only when it runs";
                self.step("ready", Outcome::Skipped, what, "`tickerd plugin doctor` runs it");
            }
            DryRun::Failed(failure) => {
                let remedy = of_failure(&failure, feed);
                self.step("ready", Outcome::Problem, failure.message, remedy);
            }
            DryRun::Later(failure) => self.step("ready", Outcome::Note, failure.message, ""),
        }
    }

    fn live(&mut self, feed: &Feed, info: Option<&PluginInfo>, observer: &Observer) {
        if !self.ok {
            self.skip("ready");
            return self.skip("first sample");
        }
        let first = match first_sign(feed, info.is_none(), observer) {
            Ok(first) => first,
            Err(e) => return self.step("ready", Outcome::Problem, format!("it cannot be started: {e}"), ""),
        };
        match (&first.hello, info) {
            (Some(after), _) => {
                self.step("ready", Outcome::Ok, format!("after {} ms", after.as_millis()), "")
            }
            (None, None) if !matches!(first.sign, Sign::Failure(_)) => {
                self.step("ready", Outcome::Skipped, "a program need not say that it is", "");
            }
            (None, _) => {}
        }
        if let Some((after, what)) = &first.sample {
            let what = format!("after {} ms: {what}", after.as_millis());
            self.step("first sample", Outcome::Ok, what, "");
        }
        let degraded = first.degraded.clone();
        self.conclude(feed, first);
        if let Some(degraded) = degraded {
            self.step("health", Outcome::Note, degraded, "");
        }
    }

    /// The step that ended a life.
    fn conclude(&mut self, feed: &Feed, first: First) {
        let spoke = first.sample.is_some();
        let log: String = first.log.iter().map(|line| format!("\nlog: {line}")).collect();
        match first.sign {
            Sign::Steady => self.step("goes on", Outcome::Ok, "it did not fall over", ""),
            Sign::Failure(failure) => {
                let name = match (spoke, first.hello) {
                    (true, _) => "goes on",
                    (false, Some(_)) => "first sample",
                    (false, None) => "ready",
                };
                let remedy = of_failure(&failure, feed);
                self.step(name, Outcome::Problem, format!("{}{log}", failure.message), remedy);
            }
            Sign::Refused(why) => self.step(
                if spoke { "goes on" } else { "first sample" },
                Outcome::Problem,
                why,
                "correct what the feed says; `tickerd plugin run` shows each refusal",
            ),
            Sign::Over if spoke => self.step(
                "goes on",
                Outcome::Note,
                "it ended of itself",
                "keep it running: a daemon starts it again, after a wait that grows",
            ),
            Sign::Over => self.step(
                "first sample",
                Outcome::Problem,
                "it ended of itself, and had said nothing",
                "print a line of JSON per sample, and flush it; `tickerd plugin run` shows what it prints",
            ),
            Sign::Silence(after) => self.step(
                "first sample",
                Outcome::Note,
                format!("no value came in {} s{log}", after.as_secs()),
                "nothing, if its source is quiet; else `tickerd plugin run` shows its log",
            ),
            Sign::Mute(after) => self.step(
                "first sample",
                Outcome::Note,
                format!("{}{log}", nothing_came(after)),
                "nothing, if its source is quiet; else flush its output, as Python's print(…, flush=True) does",
            ),
            Sign::Interrupted => self.step("first sample", Outcome::Skipped, "interrupted", ""),
        }
    }
}

/// What a step without problems has seen. None: the step does not apply to this file.
fn seen(name: &str, facts: &Facts) -> Option<String> {
    let elf = facts.elf.as_ref();
    match name {
        "file" => Some(match (facts.runs_as, &facts.script) {
            (RunsAs::Library, _) => "a shared library".to_owned(),
            (RunsAs::Program, Some(script)) => format!("a script for {}", script.interpreter),
            (RunsAs::Program, None) => "a program".to_owned(),
        }),
        "machine" => elf.map(|elf| elf.head.machine.to_string()),
        "may run" => {
            (facts.runs_as == RunsAs::Program && facts.executable).then(|| "it is executable".to_owned())
        }
        "libraries" => facts.libraries.as_ref().map(|libraries| format!("all {} are here", libraries.len())),
        "glibc" => {
            let needs = elf?.glibc_needed.as_ref()?;
            let here = facts.glibc_here.as_ref()?;
            Some(format!("needs {needs}, this machine has {here}"))
        }
        "entry" if facts.runs_as == RunsAs::Library => {
            let abi =
                facts.meta.as_ref().map_or(String::new(), |meta| format!(", built with ABI {}", meta.abi));
            Some(format!("{}{abi}", tickerd_host::elf::ENTRY))
        }
        _ => None,
    }
}
