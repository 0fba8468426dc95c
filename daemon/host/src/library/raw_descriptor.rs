//! Reads what a loaded plugin says about itself: the descriptor that its entry function answers, as the ABI lays it out.
//!
//! Everything is checked and copied once, here. No other file reads a raw string or struct of a plugin's descriptor.

use std::ffi::{CStr, c_char};
use std::path::PathBuf;

use tickerd_sdk::abi::{
    TKR_ABI_MINOR, TKR_CLASS_EVENT, TKR_CLASS_STATE, TKR_MODE_POLL, TKR_MODE_PUSH, TkrEventType, TkrFeedType,
    TkrPlugin,
};
use tickerd_sdk::tkr_read;

use crate::file::load_error::LoadError;
use crate::library::descriptor::{EventTypeInfo, FeedTypeInfo, PluginInfo};
use crate::library::feed_type::FeedType;
use crate::report::Mode;
use crate::report::event_doc::{EventDoc, EventDocs};
use tickerd_model::sample::Class;

/// Most events that one feed type may declare. With more, the array is probably not ended by NULL.
const EVENT_TYPES_MAX: usize = 256;
/// Most feed types that one plugin may offer.
const FEED_TYPES_MAX: u32 = 256;

/// How the `sdk` of a plugin begins that was made with tickerd's SDK. To those the SDK promises that emitting, sleeping and
/// asking whether to stop count as signs of life, so that a feed without any hangs. Plugins made with the bare header have no
/// such promise.
const SDK_BEATS: &str = "tickerd-sdk";

/// What is wrong with a descriptor.
pub enum DescriptorFault {
    TooNew { needs: u32, version: String },
    Rule(String),
}

impl DescriptorFault {
    pub fn at(self, path: PathBuf) -> LoadError {
        match self {
            DescriptorFault::TooNew { needs, version } => LoadError::TooNew { path, needs, version },
            DescriptorFault::Rule(why) => LoadError::Descriptor { path, why },
        }
    }
}

impl<T: Into<String>> From<T> for DescriptorFault {
    fn from(why: T) -> DescriptorFault {
        DescriptorFault::Rule(why.into())
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

/// What a plugin says about itself as a whole, and where its feed types are.
struct PluginHead {
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
unsafe fn read_head(plugin: *const TkrPlugin) -> Result<PluginHead, DescriptorFault> {
    if plugin.is_null() {
        return Err(DescriptorFault::Rule("its entry function answered NULL".into()));
    }
    // SAFETY: not NULL, and by the caller's promise readable for `struct_size` bytes, which tkr_read keeps to.
    let head = unsafe {
        let version = tkr_read!(plugin, TkrPlugin, version).unwrap_or(std::ptr::null());
        let sdk = tkr_read!(plugin, TkrPlugin, sdk).unwrap_or(std::ptr::null());
        PluginHead {
            needs: need!(plugin, TkrPlugin, min_host_minor)?,
            abi_minor: need!(plugin, TkrPlugin, abi_minor)?,
            count: need!(plugin, TkrPlugin, feed_type_count)?,
            types: need!(plugin, TkrPlugin, feed_types)?,
            version: optional_text(version, "version")?.unwrap_or_default(),
            // People read this; that it is broken is no reason to refuse the plugin.
            sdk: optional_text(sdk, "sdk").ok().flatten().unwrap_or_default(),
        }
    };
    if head.needs > TKR_ABI_MINOR {
        return Err(DescriptorFault::TooNew { needs: head.needs, version: head.version });
    }
    let PluginHead { count, types, .. } = head;
    if count == 0 || count > FEED_TYPES_MAX || types.is_null() {
        return Err(DescriptorFault::Rule(format!(
            "it offers {count} feed types; 1 to {FEED_TYPES_MAX} are possible"
        )));
    }
    Ok(head)
}

/// Reads the first feed type, which is the one that runs.
///
/// # Safety
/// The same promise as for `read_head`.
pub unsafe fn read_plugin(plugin: *const TkrPlugin) -> Result<FeedType, DescriptorFault> {
    // SAFETY: the caller's promise.
    let head = unsafe { read_head(plugin) }?;
    // SAFETY: the array has `count` entries, at least one.
    let first = unsafe { head.types.read() };
    if first.is_null() {
        return Err(DescriptorFault::Rule("its first feed type is NULL".into()));
    }
    // SAFETY: not NULL; the promise of the caller covers it.
    let feed_type = unsafe { read_feed_type(first, head.version) }?;
    Ok(FeedType { beats: head.sdk.starts_with(SDK_BEATS), ..feed_type })
}

/// Reads all that the plugin says, with every feed type.
///
/// # Safety
/// The same promise as for `read_head`.
pub unsafe fn read_info(plugin: *const TkrPlugin) -> Result<PluginInfo, DescriptorFault> {
    // SAFETY: the caller's promise.
    let head = unsafe { read_head(plugin) }?;
    let mut feed_types = Vec::new();
    for at in 0..head.count as usize {
        // SAFETY: the array has `count` entries.
        let kind = unsafe { head.types.add(at).read() };
        if kind.is_null() {
            return Err(DescriptorFault::Rule(format!("its feed type {at} is NULL")));
        }
        // SAFETY: not NULL; the promise of the caller covers it.
        feed_types.push(unsafe { read_feed_type_info(kind) }?);
    }
    let PluginHead { version, sdk, abi_minor, needs, .. } = head;
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
        // Checked as strictly as a feed type that is to run.
        let checked = read_feed_type(kind, String::new())?;
        let event_types = need!(kind, TkrFeedType, event_types)?;
        let mut events = Vec::new();
        for (at, (name, class)) in checked.events.into_iter().enumerate() {
            let (description, schema) = read_doc(event_types.add(at).read());
            let (description, value_schema) = (description?.unwrap_or_default(), schema?);
            events.push(EventTypeInfo { name, class, description, value_schema });
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
        let mut docs = EventDocs::new();
        for (at, (name, _)) in events.iter().enumerate() {
            // People read these; that one is not UTF-8 is no reason to refuse the plugin.
            let (description, schema) = read_doc(event_types.add(at).read());
            let description = description.ok().flatten().unwrap_or_default();
            docs.insert(name.clone(), EventDoc { description, schema: schema.ok().flatten() });
        }
        let config_schema = tkr_read!(kind, TkrFeedType, config_schema).unwrap_or(std::ptr::null());
        Ok(FeedType {
            id,
            version,
            mode,
            events,
            docs,
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
        tickerd_model::normalise::check_kind(name.as_bytes()).map_err(|e| format!("event {name:?}: {e}"))?;
        events.push((name, class));
    }
    Err(format!("it declares more than {EVENT_TYPES_MAX} events, or `event_types` is not ended by NULL"))
}

/// A text of a plugin, if it gives one; or why it cannot be read.
type Text = Result<Option<String>, String>;

/// An event's description and the schema of its values.
///
/// # Safety
/// `event` points to an event type of at least `struct_size` bytes, whose strings end with NUL.
unsafe fn read_doc(event: *const TkrEventType) -> (Text, Text) {
    // SAFETY: readable for `struct_size` bytes, which tkr_read keeps to; its strings end with NUL.
    unsafe {
        let description = tkr_read!(event, TkrEventType, description).unwrap_or(std::ptr::null());
        let schema = tkr_read!(event, TkrEventType, value_schema).unwrap_or(std::ptr::null());
        (optional_text(description, "event description"), optional_text(schema, "value_schema"))
    }
}

/// # Safety
/// `text` is NULL or ends with NUL and lives as long as the process.
unsafe fn text(text: *const c_char, what: &str) -> Result<String, String> {
    // SAFETY: the caller's promise.
    unsafe { optional_text(text, what) }?.ok_or_else(|| format!("`{what}` is NULL"))
}

/// # Safety
/// The same promise as for `text`.
unsafe fn optional_text(text: *const c_char, what: &str) -> Result<Option<String>, String> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and by the caller's promise ended by NUL.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(|text| Some(text.to_owned())).map_err(|_| format!("`{what}` is not UTF-8"))
}
