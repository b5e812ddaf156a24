//! Migrations as they are written down, in `dohost.toml` and in requests.

use std::path::PathBuf;

use dohost_object::manage::{Migration, Step};
use serde::{Deserialize, Serialize};

/// One `[[migrations]]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// What it is known by, for ever.
    pub tag: String,
    /// Classes that are registered.
    #[serde(default)]
    pub new_classes: Vec<String>,
    /// Classes that go with all of their objects.
    #[serde(default)]
    pub deleted_classes: Vec<String>,
    /// Classes that get another name.
    #[serde(default)]
    pub renamed_classes: Vec<Renamed>,
    /// Classes that come from another data directory.
    #[serde(default)]
    pub transferred_classes: Vec<Transferred>,
}

/// A class that gets another name.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Renamed {
    /// The name that it has.
    pub from: String,
    /// The name that it gets.
    pub to: String,
}

/// A class that comes from another data directory.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Transferred {
    /// The name that it has there.
    pub from: String,
    /// The data directory that has it.
    pub from_data_dir: PathBuf,
    /// The name that it gets here.
    pub to: String,
}

impl From<Declared> for Migration {
    /// First the deletions, then the renames, then what comes from elsewhere, last what is new: each may use the names that
    /// those before it have left.
    fn from(declared: Declared) -> Migration {
        let deleted = declared.deleted_classes.into_iter().map(|class| Step::Deleted { class });
        let renamed = declared.renamed_classes.into_iter().map(|Renamed { from, to }| Step::Renamed { from, to });
        let transferred = declared.transferred_classes.into_iter();
        let transferred =
            transferred.map(|Transferred { from, from_data_dir, to }| Step::Transferred { from, from_data_dir, to });
        let new = declared.new_classes.into_iter().map(|class| Step::New { class });
        Migration { tag: declared.tag, steps: deleted.chain(renamed).chain(transferred).chain(new).collect() }
    }
}
