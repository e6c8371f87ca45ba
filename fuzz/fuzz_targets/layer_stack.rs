//! See `plim_fuzz::indexes::stacks::entries`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::indexes::stacks::entries(data));
