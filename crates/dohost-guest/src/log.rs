//! What an object prints becomes lines of the host's log.

use crate::bindings::wasi::{cli0_2_0 as cli, io::streams::OutputStream};

/// As much as one call takes.
const WRITE_BYTES: usize = 4096;

/// Writes a line to the host's log, with the arguments of `format!`.
#[macro_export]
macro_rules! console_log {
    ($($text:tt)*) => { $crate::__private::line(&::std::format!($($text)*)) };
}

/// Writes a line to the host's log as something that went wrong, with the arguments of `format!`.
#[macro_export]
macro_rules! console_error {
    ($($text:tt)*) => { $crate::__private::error(&::std::format!($($text)*)) };
}

/// A line of information.
pub fn line(text: &str) {
    print(&cli::stdout::get_stdout(), text);
}

/// A line about something that went wrong.
pub fn error(text: &str) {
    print(&cli::stderr::get_stderr(), text);
}

/// A panic ends this life of the object; the log should say why.
pub fn panics_too() {
    // On WASI the standard library prints it itself.
    #[cfg(not(target_os = "wasi"))]
    std::panic::set_hook(Box::new(|panic| error(&panic.to_string())));
}

fn print(stream: &OutputStream, text: &str) {
    let line = [text.as_bytes(), b"\n"].concat();
    for part in line.chunks(WRITE_BYTES) {
        // Nobody could be told.
        let _ = stream.blocking_write_and_flush(part);
    }
}
