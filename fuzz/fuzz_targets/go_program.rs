//! See `plim_fuzz::indexes::go_program`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::indexes::go_program(data));
