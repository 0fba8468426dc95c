//! Loads a plugin library, once and for good.
//!
//! A library is never unloaded: it may have left threads or thread-locals behind, whose code would be gone.

use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use tickerd_sdk::abi::{ENTRY_SYMBOL, TkrEntry, TkrPlugin};

use crate::file::load_error::LoadError;
use crate::file::sealed::Sealed;
use crate::library::descriptor::PluginInfo;
use crate::library::feed_type::FeedType;
use crate::library::raw_descriptor::{read_info, read_plugin};
use tickerd_model::basics::digest::Digest;

/// Keeps the library mapped whatever happens. glibc and musl agree on the value (`bits/dlfcn.h`).
const RTLD_NODELETE: c_int = 0x1000;
/// Most libraries that one process loads. A file whose content has changed counts again, since none is ever unloaded.
const LOADED_MAX: usize = 512;

/// Loads a sealed copy, or else the library at `path` itself, for the rest of the process's life. Answers its first feed type,
/// which is the one that tickerd runs.
///
/// This runs the library's constructors, which are the plugin's code: call it on the feed's own thread.
pub fn load(path: &Path, sealed: Option<Arc<Sealed>>) -> Result<FeedType, LoadError> {
    let (path, plugin) = match sealed {
        Some(sealed) => open_sealed(sealed),
        None => open(path),
    }?;
    // SAFETY: `open` answers what the entry function did.
    unsafe { read_plugin(plugin) }.map_err(|fault| fault.at(path))
}

/// Loads the library at `path`, as [`load`] does, and answers all that it says about itself, with every feed type.
///
/// This runs the plugin's code, which may do anything: call it in a process that can be spared.
///
/// # Errors
/// It cannot be loaded, is no plugin, or breaks the ABI's rules.
pub fn describe(path: &Path) -> Result<PluginInfo, LoadError> {
    let (path, plugin) = open(path)?;
    // SAFETY: `open` answers what the entry function did.
    unsafe { read_info(plugin) }.map_err(|fault| fault.at(path))
}

/// Loads the library and calls its entry function. Answers the library's absolute path, and the descriptor.
fn open(path: &Path) -> Result<(PathBuf, *const TkrPlugin), LoadError> {
    // With a bare name dlopen would search LD_LIBRARY_PATH.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if !path.is_file() {
        return Err(LoadError::Missing(path));
    }
    let library = map(&path).map_err(|why| LoadError::NotLoadable { path: path.clone(), why })?;
    enter(&library, path)
}

/// As [`open`], for a copy. The same bytes are loaded once per process, as the same file would be, and the copy's file
/// descriptor stays open.
fn open_sealed(sealed: Arc<Sealed>) -> Result<(PathBuf, *const TkrPlugin), LoadError> {
    static LOADED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());
    // Held while the library is loaded: the system's loader loads one at a time anyway.
    let mut all = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let path = sealed.path().to_owned();
    let known = all.iter().find(|loaded| loaded.digest.is_some() && loaded.digest == sealed.digest());
    if let Some(loaded) = known {
        return enter(&loaded.library, path);
    }
    if all.len() >= LOADED_MAX {
        return Err(LoadError::TooMany { path, most: LOADED_MAX });
    }
    // The loader's message names the descriptor's path; people know the file's.
    let copy = sealed.loadable();
    let library = map(Path::new(&copy)).map_err(|why| {
        let why = why.replace(&copy, &path.display().to_string());
        LoadError::NotLoadable { path: path.clone(), why }
    })?;
    let entered = enter(&library, path);
    all.push(Loaded { digest: sealed.digest(), library, _sealed: sealed });
    entered
}

/// A library that was loaded from a copy.
struct Loaded {
    digest: Option<Digest>,
    library: ManuallyDrop<Library>,
    _sealed: Arc<Sealed>,
}

fn map(path: &Path) -> Result<ManuallyDrop<Library>, String> {
    // SAFETY: loading runs the library's constructors. The operator named this file as code to run.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) };
    library.map(ManuallyDrop::new).map_err(|e| reason(&e))
}

/// Calls the entry function.
fn enter(library: &Library, path: PathBuf) -> Result<(PathBuf, *const TkrPlugin), LoadError> {
    // SAFETY: by the ABI, a symbol of this name is a function of this type.
    let entry =
        unsafe { library.get::<TkrEntry>(ENTRY_SYMBOL) }.map_err(|_| LoadError::NoEntry(path.clone()))?;
    // SAFETY: as above; the ABI says it may be called from any thread.
    Ok((path, unsafe { entry() }))
}

/// The system loader's own message, without what libloading adds.
fn reason(e: &libloading::Error) -> String {
    std::error::Error::source(e).map_or_else(|| e.to_string(), ToString::to_string)
}
