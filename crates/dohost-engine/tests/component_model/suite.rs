//! Where the suite is: in the source of a crate that is fetched for it, `conformance/vectors/Cargo.toml` says which.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The crate that has it.
const PACKAGE: &str = "wasm-tools";
/// Where in that crate it is.
const FOLDER: &str = "tests/component-model/test";

/// A file of the suite.
pub struct File {
    /// Its path in the suite.
    pub name: String,
    pub path: PathBuf,
}

/// All files of the suite, in order.
pub fn files() -> Vec<File> {
    let folder = folder();
    let mut files = Vec::new();
    collect(&folder, &folder, &mut files);
    files.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(!files.is_empty(), "there are no .wast files in {}", folder.display());
    files
}

/// The files that the suite itself lists as not implemented yet by wasmtime.
pub fn not_yet_implemented() -> BTreeSet<String> {
    let list = std::fs::read_to_string(folder().join("nyi.txt")).expect("the suite has a nyi.txt");
    list.lines().filter_map(|line| line.trim().strip_prefix("./")).map(str::to_string).collect()
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry of a directory").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "wast") {
            let name = path.strip_prefix(root).expect("it is below").display().to_string();
            files.push(File { name, path });
        }
    }
}

fn folder() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/vectors/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--format-version", "1", "--manifest-path"]).arg(&manifest);
    let output = cargo.output().expect("cargo can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the test vectors are not there; this gets them, and so does `cargo xtask test`:\n  \
         cargo fetch --locked --manifest-path conformance/vectors/Cargo.toml\n{said}"
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    let package = packages.iter().find(|package| package["name"] == PACKAGE).expect("the manifest names the package");
    let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
    manifest.parent().expect("a manifest is in a folder").join(FOLDER)
}
