//! A plugin library, through the C ABI.

pub mod c_state;
pub mod descriptor;
mod feed_type;
pub mod host_profile;
mod host_table;
mod instance;
pub mod load;
mod raw_descriptor;
pub mod runner;
