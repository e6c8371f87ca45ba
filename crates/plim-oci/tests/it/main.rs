//! Tests of plim-oci's public interface.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "these are tests, their helpers included")]

mod archives;
mod chunked;
mod conversions;
mod daemons;
mod encryption;
mod estargz;
mod http;
mod layers;
mod layouts;
mod peers;
mod references;
mod registries;
mod tars;
