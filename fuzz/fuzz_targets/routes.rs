//! See `dohost_fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dohost_fuzz::target("routes")(bytes));
