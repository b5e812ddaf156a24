//! The text of what dohost offers, as it is in `wit/`.

use wit_parser::{InterfaceId, Resolve, SourceMap};

/// The packages, each after those that it uses.
const PACKAGES: &[&[(&str, &str)]] = &[
    &[("clocks.wit", include_str!("../../../../wit/deps/clocks.wit"))],
    &[("random.wit", include_str!("../../../../wit/deps/random.wit"))],
    &[("filesystem.wit", include_str!("../../../../wit/deps/filesystem.wit"))],
    &[("sockets.wit", include_str!("../../../../wit/deps/sockets.wit"))],
    &[("cli.wit", include_str!("../../../../wit/deps/cli.wit"))],
    &[("http.wit", include_str!("../../../../wit/deps/http.wit"))],
    &[
        ("alarms.wit", include_str!("../../../../wit/alarms.wit")),
        ("dynamic.wit", include_str!("../../../../wit/dynamic.wit")),
        ("mixed.wit", include_str!("../../../../wit/mixed.wit")),
        ("object.wit", include_str!("../../../../wit/object.wit")),
        ("streaming.wit", include_str!("../../../../wit/streaming.wit")),
        ("websockets.wit", include_str!("../../../../wit/websockets.wit")),
        ("worker.wit", include_str!("../../../../wit/worker.wit")),
    ],
];

/// See the module.
pub struct Offered {
    pub resolve: Resolve,
}

impl Offered {
    pub fn new() -> Offered {
        let mut resolve = Resolve { all_features: true, ..Resolve::default() };
        for files in PACKAGES {
            let mut sources = SourceMap::default();
            files.iter().for_each(|(name, text)| sources.push_str(name, *text));
            let package = sources.parse().map_err(|(_, error)| error).expect("the text in wit/ is WIT");
            resolve.push_group(package).expect("what the text in wit/ uses is there");
        }
        Offered { resolve }
    }

    /// The interface of this name. A patch version is as good as another: they only add.
    pub fn interface(&self, name: &str) -> Option<InterfaceId> {
        let wanted = without_patch(name);
        let mut interfaces = self.resolve.interfaces.iter();
        interfaces.find_map(|(id, _)| (without_patch(&self.resolve.id_of(id)?) == wanted).then_some(id))
    }
}

/// `a:b/c@0.1.2` as `a:b/c@0.1`.
fn without_patch(name: &str) -> &str {
    let Some((_, version)) = name.split_once('@') else { return name };
    match version.match_indices('.').nth(1) {
        Some((at, _)) => &name[..name.len() - version.len() + at],
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_package_is_there() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let mut files: Vec<String> = Vec::new();
        for folder in [folder.join("deps"), folder] {
            for entry in std::fs::read_dir(&folder).expect("wit/ is there") {
                let name = entry.expect("an entry of a directory").file_name().to_string_lossy().into_owned();
                files.extend(name.ends_with(".wit").then_some(name));
            }
        }
        files.sort();
        let mut known: Vec<&str> = PACKAGES.iter().flat_map(|files| files.iter().map(|(name, _)| *name)).collect();
        known.sort();
        assert_eq!(files, known);
    }

    #[test]
    fn interfaces_are_found_in_any_patch_version() {
        let offered = Offered::new();
        for name in ["dohost:object/storage@0.1.0", "dohost:object/storage@0.1.7", "wasi:http/types@0.3.0"] {
            assert!(offered.interface(name).is_some(), "{name}");
        }
        for name in ["dohost:object/storage@0.2.0", "dohost:object/storage", "wasi:http/types@0.2.0", "a:b/c@1.0.0"] {
            assert!(offered.interface(name).is_none(), "{name}");
        }
    }
}
