//! See `plim_fuzz::images::ssh_agent`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::images::ssh_agent(data));
