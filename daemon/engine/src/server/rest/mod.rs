//! What HTTP is answered: values, lists and histories of topics, messages that are posted, the documents and the page.

pub mod api;
pub mod bars;
pub mod cors;
pub mod kept;
pub mod opening;
pub mod page;
mod posted;
pub mod problem;
pub mod reply;
pub mod spot;
mod values;
