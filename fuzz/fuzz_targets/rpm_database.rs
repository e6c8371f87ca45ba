//! See `plim_fuzz::indexes::rpm`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::indexes::rpm(data));
