//! See `plim_fuzz::indexes::stacks::tars`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::indexes::stacks::tars(data));
