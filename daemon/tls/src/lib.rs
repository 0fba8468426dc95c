//! TLS for tickerd's sockets. `session` is rustls without its buffers: bytes in, bytes out. `stream` puts one under HTTP,
//! and gives it away afterwards. `certificates` reads the files, again when they change. `settings` puts rustls together.
//! `names` reads the few things of a certificate that rustls does not show, and `peer` those of a client's.
#![forbid(unsafe_code)]

mod certificates;
mod names;
mod peer;
mod session;
mod settings;
mod stream;

pub use certificates::{Certificates, Standing, Unusable};
pub use session::{Broken, Opened, PLAIN_MAX, SEALED_MAX, Session};
pub use stream::{Failed, Flight, Parts, Stream};
