//! The configuration file that the daemon runs with: read at the start, and again for each reload.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tickerd_config::{self as config, Config, Places, Problems, Reading};
use tickerd_engine::app::ConfigFile;

use crate::cli::RunArgs;

/// Most that is read of a file, in bytes; a longer one is no configuration.
const FILE_BYTES_MAX: u64 = 2 << 20;
/// Bytes of a hash that are shown.
const HASH_BYTES: usize = 8;

/// A file, and what was read of it at the start.
pub struct RunningFile {
    pub file: ConfigFile,
    pub places: Places,
    pub hash: Option<String>,
}

/// Reads the configuration that the arguments name, with how to read it again if it is a file.
///
/// # Errors
/// All that is wrong with it.
pub fn load(args: &RunArgs) -> Result<(Config, Option<RunningFile>), Problems> {
    let Some(path) = args.config.clone() else {
        return Ok((Config::load(None, config::environment(), &args.overrides())?, None));
    };
    let hash = hash_of(&path);
    let (config, places) = read(&path, args)?;
    let (hashed, args) = (path.clone(), args.clone());
    let file = ConfigFile {
        name: path.display().to_string(),
        read: Arc::new(move || {
            read(&path, &args).map_err(|problems| problems.to_string().trim_end().to_owned())
        }),
        hash: Arc::new(move || hash_of(&hashed)),
    };
    Ok((config, Some(RunningFile { file, places, hash })))
}

fn read(path: &Path, args: &RunArgs) -> Result<(Config, Places), Problems> {
    let Reading { problems, found } = Config::read(path, config::environment(), &args.overrides());
    match found {
        Some(found) if problems.is_empty() => Ok(found),
        _ => Err(Problems::sorted(problems)),
    }
}

/// The beginning of the SHA-256 of what a configuration's files hold, each with its name.
fn hash_of(path: &Path) -> Option<String> {
    let mut hasher = Sha256::new();
    for file in config::files_of(path) {
        let mut bytes = Vec::new();
        std::fs::File::open(&file).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        hasher.update(file.as_os_str().as_encoded_bytes());
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    let digest = hasher.finalize();
    Some(digest.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect())
}
