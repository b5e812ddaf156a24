//! Where the data is, for commands that need to know no more of what is served.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The file that is looked for in the current directory.
const FILE: &str = "dohost.toml";

/// Where it is unless somebody says otherwise.
const DEFAULT: &str = ".dohost";

/// The data directory that is given, or that `dohost.toml` in the current directory names, or the default one.
pub fn data_dir(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let Ok(text) = std::fs::read_to_string(FILE) else { return Ok(DEFAULT.into()) };
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let help = "`dohost check` says what is wrong with it; or give --data-dir";
        Failure::new(format!("cannot read {FILE}: {}", error.message()), Some(help.into()))
    })?;
    Ok(table.get("data_dir").and_then(|value| value.as_str()).unwrap_or(DEFAULT).into())
}
