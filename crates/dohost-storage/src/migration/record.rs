//! An applied migration as bytes: the value of [`crate::Key::Migration`].
//!
//! ```text
//! applied_ms u64 | sources cleared u8 | tag | steps …       text: length u32 | UTF-8
//! step: kind u8 | one text (1 new, 2 deleted), two (3 renamed: from, to) or three (4 transferred: from, directory, to)
//! ```

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::{AppliedMigration, Migration, Step};
use crate::record::InvalidRecord;

impl AppliedMigration {
    /// See the module.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.applied_ms.to_be_bytes().to_vec();
        bytes.push(u8::from(self.sources_are_cleared));
        add(&mut bytes, self.migration.tag.as_bytes());
        for step in &self.migration.steps {
            let (kind, texts): (u8, Vec<&[u8]>) = match step {
                Step::New { class } => (1, vec![class.as_bytes()]),
                Step::Deleted { class } => (2, vec![class.as_bytes()]),
                Step::Renamed { from, to } => (3, vec![from.as_bytes(), to.as_bytes()]),
                Step::Transferred { from, from_data_dir, to } => {
                    (4, vec![from.as_bytes(), from_data_dir.as_os_str().as_bytes(), to.as_bytes()])
                }
            };
            bytes.push(kind);
            texts.into_iter().for_each(|text| add(&mut bytes, text));
        }
        bytes
    }

    /// The reverse of [`AppliedMigration::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<AppliedMigration, InvalidRecord> {
        decode(bytes).ok_or(InvalidRecord { what: "migration" })
    }
}

fn add(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
    bytes.extend_from_slice(text);
}

fn decode(bytes: &[u8]) -> Option<AppliedMigration> {
    let (applied_ms, rest) = bytes.split_first_chunk()?;
    let (cleared, mut rest) = rest.split_first()?;
    let tag = text(&mut rest)?;
    let mut steps = Vec::new();
    while let Some((kind, after)) = rest.split_first() {
        rest = after;
        steps.push(match kind {
            1 => Step::New { class: text(&mut rest)? },
            2 => Step::Deleted { class: text(&mut rest)? },
            3 => Step::Renamed { from: text(&mut rest)?, to: text(&mut rest)? },
            4 => Step::Transferred {
                from: text(&mut rest)?,
                from_data_dir: PathBuf::from(OsString::from_vec(take(&mut rest)?.to_vec())),
                to: text(&mut rest)?,
            },
            _ => return None,
        });
    }
    if *cleared > 1 {
        return None;
    }
    let migration = Migration { tag, steps };
    Some(AppliedMigration {
        migration,
        applied_ms: u64::from_be_bytes(*applied_ms),
        sources_are_cleared: *cleared == 1,
    })
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk()?;
    let (text, after) = after.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    *rest = after;
    Some(text)
}

fn text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take(rest)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            any::<String>().prop_map(|class| Step::New { class }),
            any::<String>().prop_map(|class| Step::Deleted { class }),
            any::<(String, String)>().prop_map(|(from, to)| Step::Renamed { from, to }),
            any::<(String, String, String)>().prop_map(|(from, directory, to)| Step::Transferred {
                from,
                from_data_dir: directory.into(),
                to
            }),
        ]
    }

    #[test]
    fn an_applied_migration_has_these_bytes_for_ever() {
        let steps = vec![
            Step::New { class: "A".into() },
            Step::Deleted { class: "B".into() },
            Step::Renamed { from: "C".into(), to: "D".into() },
            Step::Transferred { from: "E".into(), from_data_dir: "/x".into(), to: "F".into() },
        ];
        let migration = Migration { tag: "v1".into(), steps };
        let applied = AppliedMigration { migration, applied_ms: 258, sources_are_cleared: true };
        let bytes = b"\0\0\0\0\0\0\x01\x02\x01\0\0\0\x02v1\x01\0\0\0\x01A\x02\0\0\0\x01B\x03\0\0\0\x01C\0\0\0\x01D\
            \x04\0\0\0\x01E\0\0\0\x02/x\0\0\0\x01F";
        assert_eq!(applied.encode(), bytes);
        for len in 0..bytes.len() {
            // What is cut at a step is another migration, never a panic.
            drop(AppliedMigration::decode(&bytes[..len]));
        }
        assert!(AppliedMigration::decode(b"\0\0\0\0\0\0\x01\x02\x01\0\0\0\x02v1\x05").is_err());
        assert!(AppliedMigration::decode(b"\0\0\0\0\0\0\x01\x02\x02\0\0\0\x02v1").is_err());
    }

    proptest! {
        #[test]
        fn applied_migrations_survive_a_round_trip(tag: String, steps in prop::collection::vec(step(), 0..5), at: u64, cleared: bool) {
            let migration = Migration { tag, steps };
            let applied = AppliedMigration { migration, applied_ms: at, sources_are_cleared: cleared };
            prop_assert_eq!(AppliedMigration::decode(&applied.encode()).unwrap(), applied);
        }
    }
}
