//! See `plim_fuzz::dockerfile::compose`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::dockerfile::compose(data));
