//! See `plim_fuzz::debian::indexes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::debian::indexes(data));
