//! See `plim_fuzz::images::cache_table`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::images::cache_table(data));
