//! More output than anybody reads.

use crate::wasi::cli0_2_0::stdout::get_stdout;

/// As much as WASI takes in one call.
const WRITE_BYTES: usize = 4096;

/// Prints lines of a hundred letters; how many MiB.
pub fn print(mib: u32) -> u32 {
    let stdout = get_stdout();
    let line = [&[b'x'; 99][..], b"\n"].concat();
    let lines = line.repeat(WRITE_BYTES / line.len());
    let writes = ((mib as usize) << 20) / lines.len();
    for _ in 0..writes {
        if stdout.blocking_write_and_flush(&lines).is_err() {
            break;
        }
    }
    mib
}
