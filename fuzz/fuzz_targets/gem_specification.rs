//! See `plim_fuzz::indexes::file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plim_fuzz::indexes::file("usr/lib/ruby/gems/3.3.0/specifications/x-1.gemspec", data));
