//! What commands print.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// Prints a line to stdout.
pub fn say(text: impl Display) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

/// Whether an error only says that nobody reads what is printed any more, as in `dohost objects list | head`.
pub fn nobody_reads(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == ErrorKind::BrokenPipe)
}
