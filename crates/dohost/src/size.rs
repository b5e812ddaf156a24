//! Sizes of what the host has once, as an operator writes them: `64MiB`, or a number of bytes.

use std::ops::RangeInclusive;

use bytesize::ByteSize;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Memory for pages of the data file.
pub const STORE_CACHE: Size = Size(MIB..=1_024 * GIB);
/// A file of the log. A start after a crash reads both whole.
pub const STORE_LOG: Size = Size(MIB..=GIB);

/// What a size may be.
pub struct Size(RangeInclusive<u64>);

impl Size {
    /// Reads one, in bytes; an error says what would be right.
    pub fn parse(&self, text: &str) -> Result<u64, String> {
        let bytes = text.parse::<ByteSize>().ok().map(|size| size.as_u64());
        bytes.filter(|bytes| self.0.contains(bytes)).ok_or_else(|| {
            let (least, most) = (shown(*self.0.start()), shown(*self.0.end()));
            format!("a size such as 64MiB is expected, from {least} to {most}, not {text:?}")
        })
    }
}

/// As people write it.
pub fn shown(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_its_bounds_and_a_unit() {
        assert_eq!(STORE_LOG.parse("64MiB"), Ok(64 * MIB));
        assert_eq!(STORE_LOG.parse("1048576"), Ok(MIB));
        for wrong in ["1KiB", "2GiB", "much", "", "-1"] {
            let error = STORE_LOG.parse(wrong).unwrap_err();
            assert!(error.contains("from 1.0 MiB to 1.0 GiB"), "{wrong}: {error}");
        }
    }
}
