//! See `plim_fuzz::projects::evidence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::projects::evidence(data));
