//! Loads a plugin library and reads what it says about itself.
//!
//! A library stays loaded for ever: unloading code that may have left threads or thread-locals behind is never sound.
//! Everything is copied out of the descriptor and checked once, here; behind this file there are no raw strings.
#![expect(unsafe_code, reason = "dlopen, and reading a descriptor of the C ABI")]

use std::ffi::{CStr, c_char, c_int};
use std::fmt;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use tickerd_sdk::abi::{
    ENTRY_SYMBOL, TKR_ABI_MINOR, TKR_CLASS_EVENT, TKR_CLASS_STATE, TKR_MODE_POLL, TKR_MODE_PUSH, TkrEntry,
    TkrEventType, TkrFeed, TkrFeedType, TkrHost, TkrPlugin, TkrStatus,
};
use tickerd_sdk::tkr_read;

use crate::feed::descriptor::{EventTypeInfo, FeedTypeInfo, PluginInfo};
use crate::feed::report::{Failure, Mode};
use crate::feed::sealed::Sealed;
use crate::model::digest::Digest;
use crate::model::sample::Class;

/// Keeps the library mapped whatever happens. glibc and musl agree on the value (`bits/dlfcn.h`).
const RTLD_NODELETE: c_int = 0x1000;
/// Events one feed type may declare; more means that the array is not ended by NULL.
const EVENT_TYPES_MAX: usize = 256;
/// Feed types one plugin may offer.
const FEED_TYPES_MAX: u32 = 256;

/// Libraries that one process loads, counting each other content of a file as one: none is ever unloaded.
const LOADED_MAX: usize = 512;

/// How the `sdk` of a plugin begins whose author was promised that emitting, sleeping and asking whether to stop are
/// signs of life enough. A plugin written against the bare header was promised nothing.
const SDK_BEATS: &str = "tickerd-sdk";

/// `create` of the ABI.
pub type Create = unsafe extern "C" fn(*const TkrHost, *const c_char, usize, *mut *mut TkrFeed) -> TkrStatus;
/// `poll` and `run` of the ABI.
pub type Work = unsafe extern "C" fn(*mut TkrFeed) -> TkrStatus;
/// `interrupt` and `destroy` of the ABI.
pub type Signal = unsafe extern "C" fn(*mut TkrFeed);

/// A feed type of a loaded plugin, checked.
#[derive(Debug, Clone)]
pub struct FeedType {
    /// Reverse-DNS name.
    pub id: String,
    /// The plugin's version.
    pub version: String,
    /// Which of poll and run `work` is.
    pub mode: Mode,
    /// What it may emit.
    pub events: Vec<(String, Class)>,
    /// JSON Schema of its configuration, as it stands in the plugin; none: anything goes.
    pub config_schema: Option<String>,
    /// Whether its calls give signs of life by themselves; see [`SDK_BEATS`].
    pub beats: bool,
    /// How often it would like to be polled; 0: no wish.
    pub default_poll_ms: u32,
    /// How often it may be polled at most.
    pub min_poll_ms: u32,
    pub(super) create: Create,
    pub(super) work: Work,
    pub(super) interrupt: Option<Signal>,
    pub(super) destroy: Signal,
}

/// Why a file is not a plugin that can be used here.
#[derive(Debug)]
pub enum LoadError {
    /// No file of this name.
    Missing(PathBuf),
    /// The system's loader refused it.
    NotLoadable { path: PathBuf, why: String },
    /// A library, but none of tickerd's plugins.
    NoEntry(PathBuf),
    /// Needs a newer tickerd.
    TooNew { path: PathBuf, needs: u32, version: String },
    /// Breaks the ABI's rules.
    Descriptor { path: PathBuf, why: String },
    /// The process has loaded [`LOADED_MAX`] libraries.
    TooMany(PathBuf),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Missing(path) => {
                write!(f, "there is no plugin file {}; correct `plugin` or build it", path.display())
            }
            LoadError::NotLoadable { path, why } => write!(
                f,
                "{} cannot be loaded: {why}; it must be a shared library (.so) built for this machine",
                path.display()
            ),
            LoadError::NoEntry(path) => write!(
                f,
                "{} is a library but no tickerd plugin: it does not export {}; use the SDK's export, or the right file",
                path.display(),
                ENTRY_SYMBOL.to_string_lossy()
            ),
            LoadError::TooNew { path, needs, version } => write!(
                f,
                "{} {version} needs tickerd ABI 1.{needs}, and this is tickerd {} with ABI 1.{TKR_ABI_MINOR}: upgrade \
                 tickerd, or use an older version of the plugin",
                path.display(),
                env!("CARGO_PKG_VERSION")
            ),
            LoadError::Descriptor { path, why } => {
                write!(f, "{} breaks the plugin ABI: {why}; tell its author", path.display())
            }
            LoadError::TooMany(path) => write!(
                f,
                "{} is not loaded: {LOADED_MAX} libraries are loaded in this process already, and none is ever unloaded; \
                 restart tickerd",
                path.display()
            ),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<LoadError> for Failure {
    fn from(e: LoadError) -> Failure {
        Failure::config(e.to_string())
    }
}

/// Loads a sealed copy, or else the library at `path` itself, for the rest of the process's life and reads its first feed
/// type.
///
/// Runs the library's constructors, which is the plugin's code: call it on the feed's own thread.
pub fn load(path: &Path, sealed: Option<Arc<Sealed>>) -> Result<FeedType, LoadError> {
    let (path, plugin) = match sealed {
        Some(sealed) => open_sealed(sealed),
        None => open(path),
    }?;
    // SAFETY: `open` answers what the entry function did.
    unsafe { read_plugin(plugin) }.map_err(|fault| fault.at(path))
}

/// Loads the library at `path` as [`load`] does, and reads all that it says about itself, of every feed type.
///
/// Runs the plugin's code, which may do anything: call it in a process that can be spared.
pub fn describe(path: &Path) -> Result<PluginInfo, LoadError> {
    let (path, plugin) = open(path)?;
    // SAFETY: `open` answers what the entry function did.
    unsafe { read_info(plugin) }.map_err(|fault| fault.at(path))
}

/// Loads the library and calls its entry function; answers the path it was loaded from with the descriptor.
fn open(path: &Path) -> Result<(PathBuf, *const TkrPlugin), LoadError> {
    // A bare name would make dlopen search LD_LIBRARY_PATH.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if !path.is_file() {
        return Err(LoadError::Missing(path));
    }
    let library = map(&path).map_err(|why| LoadError::NotLoadable { path: path.clone(), why })?;
    enter(&library, path)
}

/// As [`open`], of a copy. The same bytes are loaded once per process, as a file would be, and their descriptor stays open.
fn open_sealed(sealed: Arc<Sealed>) -> Result<(PathBuf, *const TkrPlugin), LoadError> {
    static LOADED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());
    // Held while it is loaded: the system's loader takes turns as well.
    let mut all = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let path = sealed.path().to_owned();
    let known = all.iter().find(|loaded| loaded.digest.is_some() && loaded.digest == sealed.digest());
    if let Some(loaded) = known {
        return enter(&loaded.library, path);
    }
    if all.len() >= LOADED_MAX {
        return Err(LoadError::TooMany(path));
    }
    // What is refused names the descriptor, and people know the file.
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
    // SAFETY: a symbol of this name is, by the ABI, a function of this type; that is what the name promises.
    let entry =
        unsafe { library.get::<TkrEntry>(ENTRY_SYMBOL) }.map_err(|_| LoadError::NoEntry(path.clone()))?;
    // SAFETY: as above; the ABI says it may be called from any thread.
    Ok((path, unsafe { entry() }))
}

/// The loader's own words without what libloading puts around them.
fn reason(e: &libloading::Error) -> String {
    std::error::Error::source(e).map_or_else(|| e.to_string(), ToString::to_string)
}

enum Fault {
    TooNew { needs: u32, version: String },
    Rule(String),
}

impl Fault {
    fn at(self, path: PathBuf) -> LoadError {
        match self {
            Fault::TooNew { needs, version } => LoadError::TooNew { path, needs, version },
            Fault::Rule(why) => LoadError::Descriptor { path, why },
        }
    }
}

impl<T: Into<String>> From<T> for Fault {
    fn from(why: T) -> Fault {
        Fault::Rule(why.into())
    }
}

/// Reads a member that ABI 1.0 has, or says which is missing.
macro_rules! need {
    ($ptr:expr, $ty:ty, $member:ident) => {
        tkr_read!($ptr, $ty, $member).ok_or(concat!(
            "the struct_size of a ",
            stringify!($ty),
            " does not cover `",
            stringify!($member),
            "`"
        ))
    };
}

/// What a plugin says of itself as a whole, and where its feed types are.
struct Head {
    version: String,
    sdk: String,
    abi_minor: u32,
    needs: u32,
    count: u32,
    types: *const *const TkrFeedType,
}

/// # Safety
/// `plugin` is NULL or points to a descriptor of at least `struct_size` bytes, whose strings end with NUL, and all of
/// which lives as long as the process.
unsafe fn read_head(plugin: *const TkrPlugin) -> Result<Head, Fault> {
    if plugin.is_null() {
        return Err(Fault::Rule("its entry function answered NULL".into()));
    }
    // SAFETY: not NULL, and by the caller's promise readable for `struct_size` bytes, which tkr_read keeps to.
    let head = unsafe {
        let version = tkr_read!(plugin, TkrPlugin, version).unwrap_or(std::ptr::null());
        let sdk = tkr_read!(plugin, TkrPlugin, sdk).unwrap_or(std::ptr::null());
        Head {
            needs: need!(plugin, TkrPlugin, min_host_minor)?,
            abi_minor: need!(plugin, TkrPlugin, abi_minor)?,
            count: need!(plugin, TkrPlugin, feed_type_count)?,
            types: need!(plugin, TkrPlugin, feed_types)?,
            version: optional_text(version, "version")?.unwrap_or_default(),
            // For people otherwise, so no reason to refuse it.
            sdk: optional_text(sdk, "sdk").ok().flatten().unwrap_or_default(),
        }
    };
    if head.needs > TKR_ABI_MINOR {
        return Err(Fault::TooNew { needs: head.needs, version: head.version });
    }
    let Head { count, types, .. } = head;
    if count == 0 || count > FEED_TYPES_MAX || types.is_null() {
        return Err(Fault::Rule(format!("it offers {count} feed types; 1 to {FEED_TYPES_MAX} are possible")));
    }
    Ok(head)
}

/// # Safety
/// As for [`read_head`].
unsafe fn read_plugin(plugin: *const TkrPlugin) -> Result<FeedType, Fault> {
    // SAFETY: the caller's promise.
    let head = unsafe { read_head(plugin) }?;
    // SAFETY: the array has `count` entries, at least one.
    let first = unsafe { head.types.read() };
    if first.is_null() {
        return Err(Fault::Rule("its first feed type is NULL".into()));
    }
    // SAFETY: not NULL; the promise of the caller covers it.
    let feed_type = unsafe { read_feed_type(first, head.version) }?;
    Ok(FeedType { beats: head.sdk.starts_with(SDK_BEATS), ..feed_type })
}

/// # Safety
/// As for [`read_head`].
unsafe fn read_info(plugin: *const TkrPlugin) -> Result<PluginInfo, Fault> {
    // SAFETY: the caller's promise.
    let head = unsafe { read_head(plugin) }?;
    let mut feed_types = Vec::new();
    for at in 0..head.count as usize {
        // SAFETY: the array has `count` entries.
        let kind = unsafe { head.types.add(at).read() };
        if kind.is_null() {
            return Err(Fault::Rule(format!("its feed type {at} is NULL")));
        }
        // SAFETY: not NULL; the promise of the caller covers it.
        feed_types.push(unsafe { read_feed_type_info(kind) }?);
    }
    let Head { version, sdk, abi_minor, needs, .. } = head;
    Ok(PluginInfo { version, sdk, abi_minor, min_host_minor: needs, feed_types })
}

/// # Safety
/// `kind` points to a feed type as `read_plugin` promises.
unsafe fn read_feed_type_info(kind: *const TkrFeedType) -> Result<FeedTypeInfo, String> {
    /// Text of a member; none where it is NULL or older than the struct.
    macro_rules! said {
        ($member:ident) => {
            optional_text(
                tkr_read!(kind, TkrFeedType, $member).unwrap_or(std::ptr::null()),
                stringify!($member),
            )?
        };
    }
    // SAFETY: `kind` is readable for `struct_size` bytes, which tkr_read keeps to; its strings end with NUL.
    unsafe {
        // The whole of what a feed that runs would be held to.
        let checked = read_feed_type(kind, String::new())?;
        let event_types = need!(kind, TkrFeedType, event_types)?;
        let mut events = Vec::new();
        for (at, (name, class)) in checked.events.into_iter().enumerate() {
            let event = event_types.add(at).read();
            let description = tkr_read!(event, TkrEventType, description).unwrap_or(std::ptr::null());
            let schema = tkr_read!(event, TkrEventType, value_schema).unwrap_or(std::ptr::null());
            events.push(EventTypeInfo {
                description: optional_text(description, "event description")?.unwrap_or_default(),
                value_schema: optional_text(schema, "value_schema")?,
                name,
                class,
            });
        }
        Ok(FeedTypeInfo {
            id: checked.id,
            name: said!(name).unwrap_or_default(),
            description: said!(description).unwrap_or_default(),
            vendor: said!(vendor),
            license: said!(license),
            homepage: said!(homepage),
            config_schema: checked.config_schema,
            mode: checked.mode,
            interrupts: checked.interrupt.is_some(),
            default_poll_ms: checked.default_poll_ms,
            min_poll_ms: checked.min_poll_ms,
            events,
        })
    }
}

/// # Safety
/// `kind` points to a feed type as `read_plugin` promises.
unsafe fn read_feed_type(kind: *const TkrFeedType, version: String) -> Result<FeedType, String> {
    // SAFETY: `kind` is readable for `struct_size` bytes, which tkr_read keeps to; its strings end with NUL.
    unsafe {
        let id = text(need!(kind, TkrFeedType, id)?, "id")?;
        let mode = need!(kind, TkrFeedType, mode)?;
        let event_types = need!(kind, TkrFeedType, event_types)?;
        let (mode, work) = match mode {
            TKR_MODE_POLL => {
                (Mode::Poll, need!(kind, TkrFeedType, poll)?.ok_or("a poll feed without `poll`")?)
            }
            TKR_MODE_PUSH => (Mode::Push, need!(kind, TkrFeedType, run)?.ok_or("a push feed without `run`")?),
            other => return Err(format!("mode {other} is neither poll (1) nor push (2)")),
        };
        let events = read_events(event_types)?;
        let config_schema = tkr_read!(kind, TkrFeedType, config_schema).unwrap_or(std::ptr::null());
        Ok(FeedType {
            id,
            version,
            mode,
            events,
            config_schema: optional_text(config_schema, "config_schema")?,
            beats: false,
            default_poll_ms: need!(kind, TkrFeedType, default_poll_ms)?,
            min_poll_ms: need!(kind, TkrFeedType, min_poll_ms)?,
            create: need!(kind, TkrFeedType, create)?.ok_or("`create` is NULL")?,
            work,
            interrupt: tkr_read!(kind, TkrFeedType, interrupt).flatten(),
            destroy: need!(kind, TkrFeedType, destroy)?.ok_or("`destroy` is NULL")?,
        })
    }
}

/// # Safety
/// `types` is NULL or a NULL-ended array of pointers to event types.
unsafe fn read_events(types: *const *const TkrEventType) -> Result<Vec<(String, Class)>, String> {
    if types.is_null() {
        return Err("`event_types` is NULL".into());
    }
    let mut events = Vec::new();
    for at in 0..=EVENT_TYPES_MAX {
        // SAFETY: every entry before this one was not NULL, so this one is still inside the array.
        let event = unsafe { types.add(at).read() };
        if event.is_null() {
            if events.is_empty() {
                return Err("it declares no events".into());
            }
            return Ok(events);
        }
        // SAFETY: not NULL, readable for `struct_size` bytes, its name ends with NUL.
        let (class, name) = unsafe {
            (need!(event, TkrEventType, event_class)?, text(need!(event, TkrEventType, name)?, "event name")?)
        };
        let class = match class {
            TKR_CLASS_STATE => Class::State,
            TKR_CLASS_EVENT => Class::Event,
            other => {
                return Err(format!("event {name:?} has class {other}, neither state (1) nor event (2)"));
            }
        };
        crate::model::normalise::check_kind(name.as_bytes()).map_err(|e| format!("event {name:?}: {e}"))?;
        events.push((name, class));
    }
    Err(format!("it declares more than {EVENT_TYPES_MAX} events, or `event_types` is not ended by NULL"))
}

/// # Safety
/// `text` is NULL or ends with NUL and lives as long as the process.
unsafe fn text(text: *const c_char, what: &str) -> Result<String, String> {
    // SAFETY: the caller's promise.
    unsafe { optional_text(text, what) }?.ok_or_else(|| format!("`{what}` is NULL"))
}

/// # Safety
/// As for `text`.
unsafe fn optional_text(text: *const c_char, what: &str) -> Result<Option<String>, String> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and by the caller's promise ended by NUL.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(|text| Some(text.to_owned())).map_err(|_| format!("`{what}` is not UTF-8"))
}
