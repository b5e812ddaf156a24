//! The bytes of a record; see `docs/STORAGE_FORMAT.md`.

use bytes::{Buf, BufMut, Bytes};
use twox_hash::XxHash3_64;

use super::LogId;
use crate::rows::Layer;

/// A record begins with a sector of its own, so that no write touches a sector that is durable.
pub(super) const SECTOR_BYTES: usize = 512;

const MAGIC: &[u8; 8] = b"dohostL1";
const HEADER_BYTES: usize = 8 + 16 + 8 + 8 + 8 + 4 + 8;
/// Where the checksum is in the header: its last field.
const CHECKSUM_AT: usize = HEADER_BYTES - 8;

/// The length of a value that stands for "removed".
const REMOVED: u32 = u32::MAX;

/// The number of a record that says: the store was closed, and the file has everything of this generation.
pub(super) const CLOSED: u64 = u64::MAX;

/// Stands for the number of records of a generation that another process wrote.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// What stands before the rows of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) generation: u64,
    /// Which one of its generation it is, from 0; or [`CLOSED`].
    pub(super) number: u64,
    /// How many records the generation before had, and one more if rows went to the file that are in none; or [`UNKNOWN`].
    pub(super) before: u64,
}

/// Writes a record into `buffer`, replacing what it held.
pub(super) fn encode(buffer: &mut Vec<u8>, id: &LogId, header: Header, rows: &Layer) {
    buffer.clear();
    buffer.put_slice(MAGIC);
    buffer.put_slice(&id.0);
    buffer.put_u64(header.generation);
    buffer.put_u64(header.number);
    buffer.put_u64(header.before);
    // The length and the checksum, once they are known.
    buffer.put_bytes(0, 12);
    for (key, value) in rows {
        buffer.put_u32(len(key.len()));
        buffer.put_u32(value.as_ref().map_or(REMOVED, |value| len(value.len())));
        buffer.put_slice(key);
        buffer.put_slice(value.as_deref().unwrap_or_default());
    }
    let body = len(buffer.len() - HEADER_BYTES);
    buffer[CHECKSUM_AT - 4..CHECKSUM_AT].copy_from_slice(&body.to_be_bytes());
    let checksum = checksum(buffer);
    buffer[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&checksum.to_be_bytes());
    buffer.resize(buffer.len().next_multiple_of(SECTOR_BYTES), 0);
}

fn len(len: usize) -> u32 {
    u32::try_from(len).ok().filter(|len| *len != REMOVED).expect("a commit is far below 4 GiB")
}

/// Of everything but the checksum's own place.
fn checksum(record: &[u8]) -> u64 {
    let header = XxHash3_64::oneshot(&record[..CHECKSUM_AT]);
    XxHash3_64::oneshot_with_seed(header, &record[HEADER_BYTES..])
}

/// A record that was read.
pub(super) struct Record<'a> {
    pub(super) header: Header,
    rows: &'a [u8],
    /// How many bytes it takes in the file.
    pub(super) bytes: usize,
}

/// The record at the beginning of `bytes`, if it is whole and of this store.
pub(super) fn decode<'a>(bytes: &'a [u8], id: &LogId) -> Option<Record<'a>> {
    let (header, is_ours, fields) = parse(bytes, id)?;
    let record = bytes.get(..HEADER_BYTES + fields.body)?;
    if !is_ours || checksum(record) != fields.checksum {
        return None;
    }
    let bytes = record.len().next_multiple_of(SECTOR_BYTES);
    Some(Record { header, rows: &record[HEADER_BYTES..], bytes })
}

/// Whether there is a record of another store at the beginning of `bytes`.
pub(super) fn is_foreign(bytes: &[u8], id: &LogId) -> bool {
    parse(bytes, id).is_some_and(|(_, is_ours, fields)| {
        let record = bytes.get(..HEADER_BYTES + fields.body);
        !is_ours && record.is_some_and(|record| checksum(record) == fields.checksum)
    })
}

/// What stands at the beginning of `bytes`, if it looks like a record of this store, be it whole or not.
pub(super) fn peek(bytes: &[u8], id: &LogId) -> Option<Header> {
    parse(bytes, id).filter(|(_, is_ours, _)| *is_ours).map(|(header, ..)| header)
}

/// What says whether a record is whole.
struct Fields {
    body: usize,
    checksum: u64,
}

fn parse(bytes: &[u8], id: &LogId) -> Option<(Header, bool, Fields)> {
    let mut header = bytes.get(..HEADER_BYTES)?.strip_prefix(MAGIC)?;
    let is_ours = header.starts_with(&id.0);
    header.advance(id.0.len());
    let (generation, number, before) = (header.get_u64(), header.get_u64(), header.get_u64());
    let fields = Fields { body: header.get_u32() as usize, checksum: header.get_u64() };
    Some((Header { generation, number, before }, is_ours, fields))
}

impl Record<'_> {
    /// Its rows; `None` if they have no shape that was ever written.
    pub(super) fn rows(&self) -> Option<Vec<(Bytes, Option<Bytes>)>> {
        let mut left = self.rows;
        let mut rows = Vec::new();
        while !left.is_empty() {
            let (key_len, value_len) = (left.try_get_u32().ok()?, left.try_get_u32().ok()?);
            let key = left.split_off(..key_len as usize)?;
            let value = match value_len {
                REMOVED => None,
                len => Some(Bytes::copy_from_slice(left.split_off(..len as usize)?)),
            };
            rows.push((Bytes::copy_from_slice(key), value));
        }
        Some(rows)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: LogId = LogId([7; 16]);
    const HEADER: Header = Header { generation: 3, number: 5, before: 2 };

    fn record(rows: &[(&str, Option<&str>)]) -> Vec<u8> {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let rows = rows.iter().map(|(key, value)| (bytes(key), value.map(bytes))).collect();
        let mut buffer = vec![1; 9];
        encode(&mut buffer, &ID, HEADER, &rows);
        buffer
    }

    #[test]
    fn a_record_has_these_bytes_for_ever() {
        let record = record(&[("a", Some("xy")), ("b", None)]);
        assert_eq!(record.len(), SECTOR_BYTES);
        assert_eq!(record[..24], *b"dohostL1\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07");
        assert_eq!(record[24..48], *b"\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x02");
        assert_eq!(record[48..52], *b"\0\0\0\x14");
        assert_eq!(record[52..60], CHECKSUM);
        assert_eq!(record[60..80], *b"\0\0\0\x01\0\0\0\x02axy\0\0\0\x01\xff\xff\xff\xffb");
        assert!(record[80..].iter().all(|byte| *byte == 0));
    }

    const CHECKSUM: [u8; 8] = [134, 84, 8, 100, 224, 49, 242, 70];

    #[test]
    fn a_record_with_any_bit_changed_is_none() {
        let record = record(&[("a", Some("xy")), ("b", None)]);
        for bit in 0..80 * 8 {
            let mut changed = record.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&changed, &ID).is_none() && !is_foreign(&changed, &ID), "bit {bit}");
        }
        assert!(decode(&record[..79], &ID).is_none());
        let other = LogId([8; 16]);
        assert!(decode(&record, &other).is_none() && is_foreign(&record, &other) && !is_foreign(&record, &ID));
    }

    proptest! {
        #[test]
        fn rows_survive_a_round_trip(
            rows: std::collections::BTreeMap<Vec<u8>, Option<Vec<u8>>>,
            generation: u64,
            number: u64,
            before: u64,
        ) {
            let rows: Layer = rows.into_iter().map(|(key, value)| (key.into(), value.map(Bytes::from))).collect();
            let header = Header { generation, number, before };
            let mut buffer = Vec::new();
            encode(&mut buffer, &ID, header, &rows);
            let record = decode(&buffer, &ID).unwrap();
            prop_assert_eq!((record.header, record.bytes), (header, buffer.len()));
            prop_assert_eq!(record.rows().unwrap().into_iter().collect::<Layer>(), rows);
        }
    }
}
