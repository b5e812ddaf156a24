//! The sources of a guest: whether they changed, and a copy to build in, so that what tools leave behind is not among them.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Tells two states of these folders and of the tools apart.
pub fn stamp(folders: &[PathBuf], tools: &str) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for folder in folders {
        for file in files(folder)? {
            let content = fs::read(folder.join(&file)).with_context(|| format!("failed to read {}", file.display()))?;
            hasher.write(file.as_os_str().as_encoded_bytes());
            hasher.write_usize(content.len());
            hasher.write(&content);
        }
    }
    hasher.write(tools.as_bytes());
    Ok(format!("{:016x}\n", hasher.finish()))
}

/// Copies a folder to where nothing else is.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.is_dir() {
        fs::remove_dir_all(to).with_context(|| format!("failed to empty {}", to.display()))?;
    }
    for file in files(from)? {
        copy_file(&from.join(&file), &to.join(&file))?;
    }
    Ok(())
}

/// The WIT packages of dohost and of WASI, the way a project has them that depends on them.
pub fn lay_out_wit(wit: &Path, deps: &Path) -> Result<()> {
    for file in files(wit)?.iter().filter(|file| file.extension().is_some_and(|extension| extension == "wit")) {
        // One folder or file is one package; those of WASI are files.
        let to = file.strip_prefix("deps").map_or_else(|_| Path::new("dohost").join(file), Path::to_path_buf);
        copy_file(&wit.join(file), &deps.join(to))?;
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    fs::copy(from, to).with_context(|| format!("failed to copy {}", from.display()))?;
    Ok(())
}

/// All files below a folder, relative to it, in order. What tools leave behind there when they are run by hand is none of it.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(inside) = open.pop() {
        let entries = fs::read_dir(folder.join(&inside));
        for entry in entries.with_context(|| format!("failed to list {}", folder.join(&inside).display()))? {
            let entry = entry?;
            let path = inside.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true if !["node_modules", "target", "__pycache__"].contains(&&*entry.file_name().to_string_lossy()) => {
                    open.push(path)
                }
                true => {}
                false => found.push(path),
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_with_sources_and_tools() {
        let folder = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        fs::create_dir_all(folder.join("inner")).unwrap();
        let write = |name: &str, content: &str| fs::write(folder.join(name), content).unwrap();
        let stamp = |tools: &str| stamp(std::slice::from_ref(&folder), tools).unwrap();
        write("inner/a", "1");
        let first = stamp("zig 1");
        assert_eq!(stamp("zig 1"), first);
        assert_ne!(stamp("zig 2"), first);
        write("inner/a", "2");
        let second = stamp("zig 1");
        assert_ne!(second, first);
        write("b", "");
        assert_ne!(stamp("zig 1"), second);
        fs::remove_dir_all(&folder).unwrap();
    }
}
