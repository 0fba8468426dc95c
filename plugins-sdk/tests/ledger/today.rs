//! The ABI as Rust has it now, a line for each thing, with its types written as C writes them.

use std::ffi::{c_char, c_void};
use std::mem::offset_of;

use tickerd_sdk::abi::*;

/// A type of the boundary, as C names it.
trait CType {
    fn c() -> String;
    /// How a pointer to it reads: a pointer's own `const` stands behind it, every other type's before it.
    fn pointed_at(constant: bool) -> String {
        format!("{}{} *", if constant { "const " } else { "" }, Self::c())
    }
}

macro_rules! named {
    ($($rust:ty = $c:literal),* $(,)?) => { $(impl CType for $rust { fn c() -> String { $c.to_owned() } })* };
}

named! {
    u32 = "uint32_t", u64 = "uint64_t", i32 = "int32_t", usize = "size_t", () = "void", c_char = "char", c_void = "void",
    TkrFeed = "tkr_feed", TkrSample = "tkr_sample", TkrEventType = "tkr_event_type", TkrHost = "tkr_host",
    TkrFeedType = "tkr_feed_type", TkrPlugin = "tkr_plugin",
}

impl<T: CType> CType for *const T {
    fn c() -> String {
        T::pointed_at(true)
    }
    fn pointed_at(constant: bool) -> String {
        format!("{}{}", Self::c(), if constant { "const *" } else { "*" })
    }
}

impl<T: CType> CType for *mut T {
    fn c() -> String {
        T::pointed_at(false)
    }
    fn pointed_at(constant: bool) -> String {
        format!("{}{}", Self::c(), if constant { "const *" } else { "*" })
    }
}

macro_rules! functions {
    ($([$($arg:ident)*])*) => { $(
        impl<R: CType, $($arg: CType),*> CType for Option<unsafe extern "C" fn($($arg),*) -> R> {
            fn c() -> String {
                let args: &[String] = &[$($arg::c()),*];
                let args = if args.is_empty() { "void".to_owned() } else { args.join(", ") };
                let result = R::c();
                let space = if result.ends_with('*') { "" } else { " " };
                format!("{result}{space}(*)({args})")
            }
        }
    )* };
}

functions! { [] [A] [A B] [A B C] [A B C D] }

fn member<S, T: CType>(_: fn(&S) -> &T) -> (usize, String) {
    (size_of::<T>(), T::c())
}

/// Every line; the order is the header's.
pub fn lines() -> Vec<String> {
    let mut out = Vec::new();
    let symbol = ENTRY_SYMBOL.to_str().expect("a symbol is text");
    out.push(format!("entry {symbol} {}", Option::<TkrEntry>::c()));
    out.push(format!("type tkr_status {}", TkrStatus::c()));
    macro_rules! constants {
        ($($name:ident)*) => { $(out.push(format!("const {} {}", stringify!($name), i64::from($name)));)* };
    }
    constants! {
        TKR_OK TKR_DROPPED TKR_ERR_CONFIG TKR_ERR_TRANSIENT TKR_ERR_FATAL TKR_ERR_INVALID TKR_ERR_STOPPING TKR_ERR_PANIC
        TKR_ERR_UNSUPPORTED TKR_LOG_ERROR TKR_LOG_WARN TKR_LOG_INFO TKR_LOG_DEBUG TKR_LOG_TRACE TKR_HEALTH_UP
        TKR_HEALTH_DEGRADED TKR_HEALTH_STALE TKR_HEALTH_DOWN TKR_HEALTH_CLOSED TKR_MODE_POLL TKR_MODE_PUSH
        TKR_CLASS_STATE TKR_CLASS_EVENT
    }
    macro_rules! layout {
        ($ty:ident $c:literal: $($field:ident)*) => {
            // Does not compile when a member is left out.
            let _ = |s: $ty| { let $ty { $($field: _),* } = s; };
            out.push(format!("struct {} {} {}", $c, size_of::<$ty>(), align_of::<$ty>()));
            $(
                let (size, c) = member(|s: &$ty| &s.$field);
                out.push(format!("field {} {} {} {size} {c}", $c, stringify!($field), offset_of!($ty, $field)));
            )*
        };
    }
    layout!(TkrSample "tkr_sample": struct_size flags topic topic_len event event_len value value_len
        source_time_unix_ms);
    layout!(TkrEventType "tkr_event_type": struct_size event_class name description value_schema);
    layout!(TkrHost "tkr_host": struct_size abi_minor version instance emit log set_error should_stop heartbeat health
        retire now_unix_ms sleep_ms get_extension);
    layout!(TkrFeedType "tkr_feed_type": struct_size mode id name description vendor license homepage config_schema
        event_types default_poll_ms min_poll_ms create poll run interrupt destroy get_extension);
    layout!(TkrPlugin "tkr_plugin": struct_size abi_minor min_host_minor feed_type_count feed_types version sdk);
    out
}
