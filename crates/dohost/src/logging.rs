//! Logs: lines on stderr, for people or as JSON.
//!
//! A thread of its own writes them, so that a reader that is slow or stalled never stops an object. When it is too far behind,
//! lines are dropped and the number of those that were is said at the end.

use std::io::IsTerminal;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::failure::Failure;

/// Lines that may wait to be written.
const LINES_MAX: usize = 16_384;

/// Writes what is left when it is dropped.
#[must_use]
pub struct Logs {
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

impl Drop for Logs {
    fn drop(&mut self) {
        let dropped = self.dropped.dropped_lines();
        if dropped > 0 {
            eprintln!("{dropped} lines of the log were dropped because nobody read them fast enough");
        }
    }
}

/// Sets logging up for the process.
pub fn start(format: LogFormat, filter: &str) -> anyhow::Result<Logs> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        let help = "give a level (error, warn, info, debug, trace) or TARGET=LEVEL, separated by commas";
        Failure::new(format!("cannot read the log filter {filter:?}: {error}"), Some(help.into()))
    })?;
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(LINES_MAX).finish(std::io::stderr());
    let dropped = writer.error_counter();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(Logs { dropped, _writer: guard })
}
