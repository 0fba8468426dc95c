//! Placeholder.
pub mod words {
    pub fn is_reserved(_k: &str) -> bool {
        _k == "error"
    }
}
