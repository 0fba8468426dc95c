//! Turns feed types into a plugin: the entry symbol, its descriptors, and a guard at every entry.
//!
//! Panics never cross the boundary: they become `TKR_ERR_PANIC` with their text, and the instance takes only
//! `destroy` from then on. A plugin built with `panic = "abort"` gives that up; then only process isolation protects.
#![expect(unsafe_code, reason = "the plugin's side of the C boundary")]

use std::any::Any;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::abi::*;
use crate::info::schema_of;
use crate::secrets;
use crate::{Error, EventClass, Feed, FeedInfo, Host, Interrupter, Level, PollFeed, PushFeed};

/// Makes a plugin of feed types: `export!(poll: [A, B], push: [C]);`, once per plugin, at the crate's root.
///
/// It writes the entry function `tickerd_plugin_v1`, the only symbol of the plugin, and a `.tickerd.meta` section
/// with `{"abi":"1.0","version":"…","feeds":["…"]}`, which can be read without running the plugin.
#[macro_export]
macro_rules! export {
    (poll: [$($poll:ty),+ $(,)?] $(,)?) => { $crate::export!(@ [$($poll),+] []); };
    (push: [$($push:ty),+ $(,)?] $(,)?) => { $crate::export!(@ [] [$($push),+]); };
    (poll: [$($poll:ty),+ $(,)?], push: [$($push:ty),+ $(,)?] $(,)?) => {
        $crate::export!(@ [$($poll),+] [$($push),+]);
    };
    (@ [$($poll:ty),*] [$($push:ty),*]) => {
        /// tickerd's way into this plugin.
        #[unsafe(no_mangle)]
        pub extern "C" fn tickerd_plugin_v1() -> *const $crate::abi::TkrPlugin {
            static PLUGIN: $crate::export::Plugin = $crate::export::Plugin::new();
            PLUGIN.descriptor(env!("CARGO_PKG_VERSION"), || {
                vec![
                    $($crate::export::poll_type::<$poll>(),)*
                    $($crate::export::push_type::<$push>(),)*
                ]
            })
        }

        const _: () = {
            const IDS: &[&str] = &[
                $(<$poll as $crate::Feed>::INFO.checked().id,)*
                $(<$push as $crate::Feed>::INFO.checked().id,)*
            ];
            const VERSION: &str = env!("CARGO_PKG_VERSION");
            #[used]
            #[cfg_attr(target_os = "linux", unsafe(link_section = ".tickerd.meta"))]
            static META: [u8; $crate::export::meta_len(VERSION, IDS)] =
                $crate::export::meta::<{ $crate::export::meta_len(VERSION, IDS) }>(VERSION, IDS);
        };
    };
}

/// A plugin's descriptor, made at the first call and kept for ever.
pub struct Plugin(OnceLock<Option<&'static TkrPlugin>>);

impl Plugin {
    /// Not made yet.
    #[expect(clippy::new_without_default, reason = "only the macro makes one, in a static")]
    pub const fn new() -> Self {
        Plugin(OnceLock::new())
    }

    /// The descriptor; NULL only if a feed's schema panics.
    pub fn descriptor(&self, version: &str, types: impl FnOnce() -> Vec<TkrFeedType>) -> *const TkrPlugin {
        let made = self.0.get_or_init(|| {
            catch_unwind(AssertUnwindSafe(|| {
                let types: Vec<*const TkrFeedType> =
                    types().into_iter().map(|t| &raw const *Box::leak(Box::new(t))).collect();
                &*Box::leak(Box::new(TkrPlugin {
                    struct_size: size_of::<TkrPlugin>() as u32,
                    abi_minor: TKR_ABI_MINOR,
                    min_host_minor: 0,
                    feed_type_count: types.len() as u32,
                    feed_types: types.leak().as_ptr(),
                    version: text(version),
                    sdk: text(concat!("tickerd-sdk ", env!("CARGO_PKG_VERSION"))),
                }))
            }))
            .ok()
        });
        made.map_or(std::ptr::null(), |plugin| plugin)
    }
}

/// Describes a poll feed.
pub fn poll_type<F: PollFeed>() -> TkrFeedType {
    let info = const { F::INFO.checked() };
    TkrFeedType {
        mode: TKR_MODE_POLL,
        default_poll_ms: info.default_poll_ms,
        min_poll_ms: info.min_poll_ms,
        poll: Some(poll::<F>),
        ..feed_type::<F>(&info)
    }
}

/// Describes a push feed.
pub fn push_type<F: PushFeed>() -> TkrFeedType {
    TkrFeedType { mode: TKR_MODE_PUSH, run: Some(run::<F>), ..feed_type::<F>(&const { F::INFO.checked() }) }
}

fn feed_type<F: Feed>(info: &FeedInfo) -> TkrFeedType {
    let mut events: Vec<*const TkrEventType> = info
        .events
        .iter()
        .map(|event| {
            &raw const *Box::leak(Box::new(TkrEventType {
                struct_size: size_of::<TkrEventType>() as u32,
                event_class: match event.class {
                    EventClass::State => TKR_CLASS_STATE,
                    EventClass::Event => TKR_CLASS_EVENT,
                },
                name: text(event.name),
                description: text(event.description),
                value_schema: event.schema.map_or(std::ptr::null(), |schema| text(&schema())),
            }))
        })
        .collect();
    events.push(std::ptr::null());
    TkrFeedType {
        struct_size: size_of::<TkrFeedType>() as u32,
        mode: 0,
        id: text(info.id),
        name: text(info.name),
        description: text(info.description),
        vendor: info.vendor.map_or(std::ptr::null(), text),
        license: info.license.map_or(std::ptr::null(), text),
        homepage: info.homepage.map_or(std::ptr::null(), text),
        config_schema: text(&schema_of::<F::Config>()),
        event_types: events.leak().as_ptr(),
        default_poll_ms: 0,
        min_poll_ms: 0,
        create: Some(create::<F>),
        poll: None,
        run: None,
        interrupt: Some(interrupt::<F>),
        destroy: Some(destroy::<F>),
        get_extension: None,
    }
}

/// What is behind a `tkr_feed`. Never borrowed as a whole: `interrupt` overlaps `poll`, so each call borrows the
/// fields it needs, and only `poll`, `run` and `destroy` touch `feed`.
struct Instance<F> {
    feed: F,
    interrupter: Option<Interrupter>,
    host: Host,
    poisoned: AtomicBool,
}

unsafe extern "C" fn create<F: Feed>(
    h: *const TkrHost,
    config_json: *const c_char,
    len: usize,
    out: *mut *mut TkrFeed,
) -> TkrStatus {
    // SAFETY: `h` comes from tickerd, which keeps it valid for ever.
    let host = unsafe { Host::new(h) };
    let config: &[u8] = if config_json.is_null() || len == 0 {
        b"{}"
    } else {
        // SAFETY: tickerd gives `len` readable bytes that live until this returns.
        unsafe { std::slice::from_raw_parts(config_json.cast(), len) }
    };
    let made = guard(&host, || {
        // An array would do for a struct, key by key, if it were let.
        if !config.trim_ascii_start().starts_with(b"{") {
            return Err(Error::config("a configuration is a JSON object"));
        }
        let config =
            serde_json::from_slice(config).map_err(|e| Error::config(secrets::of_serde(config, &e)))?;
        let feed = F::create(config, host.clone())?;
        let interrupter = feed.interrupter();
        Ok(Box::new(Instance { feed, interrupter, host: host.clone(), poisoned: AtomicBool::new(false) }))
    });
    match made {
        Ok(_) if out.is_null() => TKR_ERR_INVALID,
        Ok(instance) => {
            // SAFETY: `out` is tickerd's, writable, and not NULL.
            unsafe { *out = Box::into_raw(instance).cast() };
            TKR_OK
        }
        Err(status) => {
            host.close(); // a clone may live on in a thread that `create` had started
            status
        }
    }
}

unsafe extern "C" fn poll<F: PollFeed>(f: *mut TkrFeed) -> TkrStatus {
    // SAFETY: tickerd passes what `create` of the same type gave, one call at a time.
    unsafe { enter(f, |feed: &mut F, host| feed.poll(host)) }
}

unsafe extern "C" fn run<F: PushFeed>(f: *mut TkrFeed) -> TkrStatus {
    // SAFETY: tickerd passes what `create` of the same type gave, one call at a time.
    unsafe { enter(f, |feed: &mut F, host| feed.run(host)) }
}

/// # Safety
/// `f` came from `create::<F>`, is not destroyed, and no other call has `feed` now.
unsafe fn enter<F>(f: *mut TkrFeed, call: impl FnOnce(&mut F, &Host) -> Result<(), Error>) -> TkrStatus {
    let instance: *mut Instance<F> = f.cast();
    if instance.is_null() {
        return TKR_ERR_INVALID;
    }
    // SAFETY: the instance is alive; three different fields, of which only `feed` is borrowed for writing.
    let (feed, host, poisoned) = unsafe { (&mut (*instance).feed, &(*instance).host, &(*instance).poisoned) };
    if poisoned.load(Ordering::Acquire) {
        host.set_error("the feed panicked before; it takes only destroy");
        return TKR_ERR_PANIC;
    }
    match guard(host, || call(feed, host)) {
        Ok(()) => TKR_OK,
        Err(status) => {
            if status == TKR_ERR_PANIC {
                poisoned.store(true, Ordering::Release);
            }
            status
        }
    }
}

unsafe extern "C" fn interrupt<F: Feed>(f: *mut TkrFeed) {
    let instance: *mut Instance<F> = f.cast();
    if instance.is_null() {
        return;
    }
    // SAFETY: tickerd never overlaps this with `destroy`, so the instance is alive; these fields are only read, and
    // `feed`, which `poll` may have borrowed, is not touched.
    let (interrupter, host, poisoned) =
        unsafe { (&(*instance).interrupter, &(*instance).host, &(*instance).poisoned) };
    if let (Some(interrupter), false) = (interrupter, poisoned.load(Ordering::Acquire))
        && let Err(panic) = catch_unwind(AssertUnwindSafe(interrupter))
    {
        host.log(Level::Error, format_args!("panic in interrupt: {}", panic_text(panic)));
    }
}

unsafe extern "C" fn destroy<F: Feed>(f: *mut TkrFeed) {
    if f.is_null() {
        return;
    }
    // SAFETY: the last call on what `create` of the same type gave.
    let instance = unsafe { Box::from_raw(f.cast::<Instance<F>>()) };
    let host = instance.host.clone();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(instance))) {
        host.log(Level::Error, format_args!("panic in destroy: {}", panic_text(panic)));
    }
    host.close();
}

/// Runs feed code; a failure or panic has its text told to the host and becomes a status.
fn guard<T>(host: &Host, call: impl FnOnce() -> Result<T, Error>) -> Result<T, TkrStatus> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            host.set_error(&error.to_string());
            Err(error.status())
        }
        Err(panic) => {
            host.set_error(&format!("panic: {}", panic_text(panic)));
            Err(TKR_ERR_PANIC)
        }
    }
}

/// A panic's text. The payload is leaked, for its own drop could panic again.
fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let panic = Box::leak(panic);
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "no text".to_owned()
    }
}

/// Text that lives as long as the process, as C wants it.
fn text(s: &str) -> *const c_char {
    CString::new(s.replace('\0', "")).unwrap_or_default().into_raw()
}

const META: [&str; 3] = ["{\"abi\":\"1.0\",\"version\":\"", "\",\"feeds\":[", "]}"];
// `META` names the minor version it was written for.
const _: () = assert!(TKR_ABI_MINOR == 0);

/// Length of [`meta`].
pub const fn meta_len(version: &str, ids: &[&str]) -> usize {
    let mut len = META[0].len() + version.len() + META[1].len() + META[2].len();
    let mut i = 0;
    while i < ids.len() {
        len += ids[i].len() + 2 + (i > 0) as usize;
        i += 1;
    }
    len
}

/// The text of the `.tickerd.meta` section. `TKR_META` of the C header writes the same and a NUL behind it. Ids and versions need no escapes: both are checked or Cargo's.
pub const fn meta<const LEN: usize>(version: &str, ids: &[&str]) -> [u8; LEN] {
    let mut out = [0; LEN];
    let mut at = put(&mut out, 0, META[0]);
    at = put(&mut out, at, version);
    at = put(&mut out, at, META[1]);
    let mut i = 0;
    while i < ids.len() {
        at = put(&mut out, at, if i > 0 { ",\"" } else { "\"" });
        at = put(&mut out, at, ids[i]);
        at = put(&mut out, at, "\"");
        i += 1;
    }
    put(&mut out, at, META[2]);
    out
}

const fn put(out: &mut [u8], at: usize, text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        out[at + i] = bytes[i];
        i += 1;
    }
    at + bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_is_json_with_abi_version_and_feeds() {
        let ids = ["org.a", "org.b"];
        let meta = meta::<{ meta_len("1.2.3", &["org.a", "org.b"]) }>("1.2.3", &ids);
        let json: serde_json::Value = serde_json::from_slice(&meta).unwrap();
        assert_eq!(json, serde_json::json!({"abi": "1.0", "version": "1.2.3", "feeds": ["org.a", "org.b"]}));
    }
}
