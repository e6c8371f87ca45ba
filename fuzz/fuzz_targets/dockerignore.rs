//! See `plim_fuzz::dockerfile::ignore`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::dockerfile::ignore(data));
