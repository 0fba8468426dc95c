//! Providers of data as they behave on good and on bad days, on loopback.
