//! See `plim_fuzz::images::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::images::frames(data));
