//! Lines for the log.

use rquickjs::Result;
use rquickjs::function::Opt;

use super::Natives;
use crate::wasi::cli0_2_0::{stderr, stdout};

/// Bytes that the host takes at once.
const WRITE_BYTES_MAX: usize = 4 << 10;

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("print", |text: String, is_error: Opt<bool>| print(&text, is_error.unwrap_or(true)))
}

/// Prints a line, or several.
pub fn print(text: &str, is_error: bool) {
    let mut line = String::with_capacity(text.len() + 1);
    line.push_str(text);
    line.push('\n');
    // A stream for each line: one that is kept would be in the snapshot of a program that prints while it is loaded.
    let stream = if is_error { stderr::get_stderr() } else { stdout::get_stdout() };
    for part in line.as_bytes().chunks(WRITE_BYTES_MAX) {
        // Nobody could be told.
        let _ = stream.blocking_write_and_flush(part);
    }
}
