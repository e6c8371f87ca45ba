//! See `plim_fuzz::indexes::file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::indexes::file("etc/token", data));
