//! An instance made through a plugin's C entry, as tickerd makes it.

use std::ffi::CStr;

use super::TestHost;
use crate::abi::*;
use crate::tkr_read;

impl TestHost {
    /// Makes an instance of feed `id` through a plugin's entry, as tickerd does.
    ///
    /// # Errors
    /// The status of `create` and its text. `TKR_ERR_UNSUPPORTED` if the plugin has no such feed.
    pub fn load(
        &self,
        entry: extern "C" fn() -> *const TkrPlugin,
        id: &str,
        config_json: &str,
    ) -> Result<Loaded<'_>, (TkrStatus, String)> {
        let missing = || (TKR_ERR_UNSUPPORTED, format!("the plugin has no feed `{id}`"));
        let feed_type = feed_types(entry)
            .into_iter()
            // SAFETY: a descriptor's texts are ended by NUL and live as long as the process.
            .find(|t| unsafe { CStr::from_ptr(t.id) }.to_bytes() == id.as_bytes())
            .ok_or_else(missing)?;
        let create = feed_type.create.ok_or_else(missing)?;
        let mut feed = std::ptr::null_mut();
        // SAFETY: the table is valid for ever; the configuration and `feed` live until the call returns.
        let status =
            unsafe { create(self.table(), config_json.as_ptr().cast(), config_json.len(), &mut feed) };
        if status < TKR_OK {
            return Err((status, self.take_error().unwrap_or_default()));
        }
        Ok(Loaded { test: self, feed_type, feed })
    }
}

/// The feed types behind a plugin's entry.
pub fn feed_types(entry: extern "C" fn() -> *const TkrPlugin) -> Vec<&'static TkrFeedType> {
    let plugin = entry();
    assert!(!plugin.is_null(), "the plugin has no descriptor");
    // SAFETY: descriptors live as long as the process, and the array has as many entries as it says.
    unsafe {
        let count = tkr_read!(plugin, TkrPlugin, feed_type_count).unwrap_or(0) as usize;
        let types = tkr_read!(plugin, TkrPlugin, feed_types).unwrap_or(std::ptr::null());
        (0..count).map(|i| &**types.add(i)).collect()
    }
}

/// An instance made through a plugin's entry; destroyed when dropped.
pub struct Loaded<'a> {
    test: &'a TestHost,
    feed_type: &'static TkrFeedType,
    feed: *mut TkrFeed,
}

impl Loaded<'_> {
    /// Calls `poll`.
    ///
    /// # Errors
    /// Its status and text.
    pub fn poll(&mut self) -> Result<(), (TkrStatus, String)> {
        self.call(self.feed_type.poll)
    }

    /// Calls `run`; see [`TestHost::stop_after`].
    ///
    /// # Errors
    /// Its status and text.
    pub fn run(&mut self) -> Result<(), (TkrStatus, String)> {
        self.call(self.feed_type.run)
    }

    /// Calls `interrupt`.
    pub fn interrupt(&self) {
        if let Some(interrupt) = self.feed_type.interrupt {
            // SAFETY: the instance is alive until this is dropped.
            unsafe { interrupt(self.feed) }
        }
    }

    fn call(
        &mut self,
        call: Option<unsafe extern "C" fn(*mut TkrFeed) -> TkrStatus>,
    ) -> Result<(), (TkrStatus, String)> {
        let Some(call) = call else {
            return Err((TKR_ERR_UNSUPPORTED, "the feed is of the other mode".to_owned()));
        };
        // SAFETY: the instance is alive until this is dropped, and `&mut self` makes it one call at a time.
        match unsafe { call(self.feed) } {
            TKR_OK.. => Ok(()),
            status => Err((status, self.test.take_error().unwrap_or_default())),
        }
    }
}

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        if let Some(destroy) = self.feed_type.destroy {
            // SAFETY: the last call on the instance.
            unsafe { destroy(self.feed) }
        }
    }
}
