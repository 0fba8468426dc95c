//! Whether a feed may run: its file is found, trusted, and the pinned one. A library is also copied, so that nobody can change
//! it any more.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::feed::spec::Spec;
use crate::file::find::located;
use crate::file::sealed::{self, Sealed};
use crate::file::trust;
use crate::report::Failure;
use tickerd_config::{Isolation, Source};
use tickerd_model::basics::digest::Digest;

/// Largest program that is hashed, in bytes. A larger one counts as unchanged.
const PROGRAM_BYTES_MAX: u64 = 256 << 20;

/// A feed that may run.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// What runs, with its path.
    pub source: Source,
    /// The copy of a library. None for a program, and for a library that looks for others beside its file.
    pub sealed: Option<Arc<Sealed>>,
    /// The file that runs.
    pub plugin: PathBuf,
    /// The SHA-256 of its bytes. None for a program that is looked up in PATH, or cannot be read.
    pub digest: Option<Digest>,
}

/// Admits a feed. Reads the whole file.
///
/// # Errors
/// Why it may not run, and what to change.
pub fn admit(spec: &Spec) -> Result<Admitted, Failure> {
    // Looked for each time: a file that was missing may have been installed since.
    let source = located(&spec.source, &spec.working_dir)?;
    match &source {
        Source::Plugin { path, isolation } => {
            let sealed = Sealed::admit(path, spec.sha256)?;
            let (plugin, digest) = (sealed.path().to_owned(), sealed.digest());
            let sealed = match sealed.looks_beside() {
                true => beside(spec, &plugin, *isolation)?,
                false => Some(Arc::new(sealed)),
            };
            Ok(Admitted { source, sealed, plugin, digest })
        }
        Source::Exec(argv) => {
            let program = argv.first().map(String::as_str).unwrap_or_default();
            if spec.sha256.is_some() {
                return Err(Failure::config(format!(
                    "{program} is a program, and sha256 is for libraries: a program is opened again by its name when it \
                     starts; delete sha256"
                )));
            }
            // A bare name is looked up in PATH, by which the operator says what may run.
            if !program.contains('/') {
                return Ok(Admitted { plugin: program.into(), sealed: None, digest: None, source });
            }
            let plugin = spec.working_dir.join(program);
            let digest = look_over(&plugin)?;
            Ok(Admitted { source, sealed: None, plugin, digest })
        }
    }
}

/// A library that looks for others beside its file has to be loaded from that file. That is refused where it would be a risk.
fn beside(spec: &Spec, path: &Path, isolation: Isolation) -> Result<Option<Arc<Sealed>>, Failure> {
    let path = path.display();
    let why = format!(
        "{path} has libraries of its own beside it ($ORIGIN), so that it cannot be loaded from a sealed copy"
    );
    if spec.sha256.is_some() {
        let change = "and sha256 would pin one file of several; link them into it, or delete sha256";
        return Err(Failure::config(format!("{why}, {change}")));
    }
    if isolation == Isolation::InProcess {
        let change =
            "and writing into its file would end tickerd; link them into it, or use isolation = \"process\"";
        return Err(Failure::config(format!("{why}, {change}")));
    }
    tracing::debug!(
        feed = spec.name,
        "{why}; it is loaded from its file: replace that by renaming a new one over it, and never write into it"
    );
    Ok(None)
}

/// Judges a program, and hashes it if it may be read. That it is missing is no error here: starting it will say so.
fn look_over(path: &Path) -> Result<Option<Digest>, Failure> {
    let Ok(seen) = trust::look_at(path) else { return Ok(None) };
    if seen.metadata().is_ok_and(|found| found.is_file()) {
        trust::judge(&seen, path).map_err(|distrust| Failure::config(distrust.to_string()))?;
    } else {
        return Ok(None);
    }
    let open = File::open(path)
        .ok()
        .filter(|open| open.metadata().is_ok_and(|f| f.is_file() && f.len() <= PROGRAM_BYTES_MAX));
    Ok(open.and_then(|open| sealed::hash(&open).ok()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::Fault;

    fn program(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed.sh");
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    fn spec(argv: &[&str], dir: &Path) -> Spec {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        Spec { working_dir: dir.to_owned(), ..crate::tests::spec(Source::Exec(argv)) }
    }

    #[test]
    fn programs_are_judged_where_they_are_named_by_a_path() {
        let (dir, _) = program(0o755);
        let admitted = admit(&spec(&["./feed.sh"], dir.path())).unwrap();
        assert!(admitted.plugin.ends_with("feed.sh") && admitted.digest.is_some());
        let (dir, path) = program(0o757);
        let failure = admit(&spec(&["./feed.sh"], dir.path())).unwrap_err();
        assert!(
            failure.fault == Fault::Config && failure.message.contains("(mode 0757); `chmod go-w"),
            "{failure:?}"
        );
        std::fs::remove_file(path).unwrap();
        assert!(
            admit(&spec(&["./feed.sh"], dir.path())).is_ok(),
            "that it is missing is told when it is started"
        );
        assert_eq!(admit(&spec(&["sh", "-c", "true"], dir.path())).unwrap().digest, None);
    }

    #[test]
    fn a_program_is_not_pinned() {
        let (dir, _) = program(0o755);
        let pinned = Spec { sha256: Some(Digest([0; 32])), ..spec(&["./feed.sh"], dir.path()) };
        assert!(admit(&pinned).unwrap_err().message.contains("delete sha256"));
    }
}
