//! The engine's clock: the one thing that QuickJS needs of a system.

#![expect(unsafe_code, reason = "C calls this by name")]

/// Microseconds since 1970.
#[unsafe(no_mangle)]
extern "C" fn __rquickjs_host_now_us() -> f64 {
    crate::host::now_ms() * 1e3
}
