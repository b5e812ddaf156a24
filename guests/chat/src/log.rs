//! What goes wrong goes to the log of the host.

use crate::wasi::cli::stderr;
use crate::wit_stream;

/// Writes a line, without waiting for it.
pub fn line(text: &str) {
    let line = format!("{text}\n").into_bytes();
    let (mut lines_in, lines_out) = wit_stream::new();
    wit_bindgen::spawn_local(async move {
        lines_in.write_all(line).await;
    });
    drop(stderr::write_via_stream(lines_out));
}
