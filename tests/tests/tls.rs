//! TLS, from outside.
