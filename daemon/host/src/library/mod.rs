//! A plugin library, driven through the C ABI. The only folder, but for one function of [`crate::file`], with unsafe code.
//!
//! [`load`] maps a library and calls its entry function; `raw_descriptor` checks what that answers and copies it into plain
//! data ([`descriptor`], `feed_type`). [`runner`] is the feed's thread: it gives the plugin a `host_table` to call, makes an
//! `instance`, and polls or runs it. [`host_profile`] lets `tickerd plugin check` change what a plugin sees of its host, and
//! [`c_state`] lets it compare what C keeps for the whole process.

#[expect(unsafe_code, reason = "calls into the C library")]
pub mod c_state;
pub mod descriptor;
mod feed_type;
pub mod host_profile;
#[expect(unsafe_code, reason = "functions of the C ABI get raw pointers from the plugin")]
mod host_table;
#[expect(unsafe_code, reason = "calls through the function pointers of the C ABI")]
mod instance;
#[expect(unsafe_code, reason = "dlopen, and calling the entry function of the C ABI")]
pub mod load;
#[expect(unsafe_code, reason = "reading a descriptor of the C ABI")]
mod raw_descriptor;
pub mod runner;
