//! See `plim_fuzz::dockerfile::parse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::dockerfile::parse(data));
