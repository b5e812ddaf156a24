//! Migrations as they are written in requests: as those that were applied are shown, tag and steps.

use std::path::PathBuf;

use dohost_object::manage::{Migration, Step};
use serde::{Deserialize, Serialize};

/// A migration.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    tag: String,
    steps: Vec<DeclaredStep>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum DeclaredStep {
    New(String),
    Deleted(String),
    Renamed {
        from: String,
        to: String,
    },
    Transferred {
        from: String,
        #[serde(rename = "fromDataDir")]
        from_data_dir: PathBuf,
        to: String,
    },
}

impl From<Migration> for Declared {
    fn from(migration: Migration) -> Declared {
        let step = |step| match step {
            Step::New { class } => DeclaredStep::New(class),
            Step::Deleted { class } => DeclaredStep::Deleted(class),
            Step::Renamed { from, to } => DeclaredStep::Renamed { from, to },
            Step::Transferred { from, from_data_dir, to } => DeclaredStep::Transferred { from, from_data_dir, to },
        };
        Declared { tag: migration.tag, steps: migration.steps.into_iter().map(step).collect() }
    }
}

impl From<Declared> for Migration {
    fn from(declared: Declared) -> Migration {
        let step = |step| match step {
            DeclaredStep::New(class) => Step::New { class },
            DeclaredStep::Deleted(class) => Step::Deleted { class },
            DeclaredStep::Renamed { from, to } => Step::Renamed { from, to },
            DeclaredStep::Transferred { from, from_data_dir, to } => Step::Transferred { from, from_data_dir, to },
        };
        Migration { tag: declared.tag, steps: declared.steps.into_iter().map(step).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_written_as_it_is_read() {
        let text = r#"{"tag":"v1","steps":[{"new":"A"},{"deleted":"B"},{"renamed":{"from":"C","to":"D"}},{"transferred":{"from":"E","fromDataDir":"/x","to":"F"}}]}"#;
        let declared: Declared = serde_json::from_str(text).unwrap();
        let migration = Migration::from(declared.clone());
        assert_eq!(migration.steps.len(), 4);
        assert_eq!(serde_json::to_string(&Declared::from(migration)).unwrap(), text);
        for bad in [r#"{"tag":"v1"}"#, r#"{"tag":"v1","steps":[{"old":"A"}]}"#, r#"{"tag":"v1","steps":[],"x":1}"#] {
            assert!(serde_json::from_str::<Declared>(bad).is_err(), "{bad}");
        }
    }
}
