//! See `plim_fuzz::images::tar`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::images::tar(data));
