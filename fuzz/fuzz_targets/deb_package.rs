//! See `plim_fuzz::debian::package`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::debian::package(data));
