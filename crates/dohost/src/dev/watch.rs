//! Looks for files that have changed.
//!
//! By looking at them again and again: that works on every file system, needs no handle for each directory, and a project
//! of usual size is looked through in a millisecond.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use ignore::WalkBuilder;

use super::sources::{Sources, Watched};

/// Between two looks, at least.
const PAUSE: Duration = Duration::from_millis(150);
/// Looking takes one part in so many of the time.
const SHARE: u32 = 20;
/// Nothing has changed for so long when a change is taken to be complete.
const SETTLING: Duration = Duration::from_millis(40);
/// Where tools put what they make, whether .gitignore says so or not.
const MADE: [&str; 2] = ["target", "node_modules"];

/// What tells whether a file is as it was.
type Mark = (Option<SystemTime>, u64);
type Marks = HashMap<PathBuf, Mark>;

/// Knows how the files were.
pub struct Watcher {
    sources: Sources,
    marks: Marks,
}

impl Watcher {
    /// Looks for the first time.
    pub fn new(mut sources: Sources) -> Watcher {
        let marks = look(sources.now());
        Watcher { sources, marks }
    }

    /// Takes the files as they are now.
    pub fn look_again(&mut self) {
        self.marks = look(self.sources.now());
    }

    /// Waits until a file has changed and all of them stay as they are; gives one that has.
    pub fn wait(&mut self) -> PathBuf {
        loop {
            let started = Instant::now();
            let marks = look(self.sources.now());
            if let Some(changed) = difference(&self.marks, &marks) {
                self.marks = marks;
                self.settle();
                return changed;
            }
            std::thread::sleep(PAUSE.max(started.elapsed() * SHARE));
        }
    }

    /// Looks until two looks show the same. An editor writes several files, a compiler one in several pieces.
    fn settle(&mut self) {
        loop {
            std::thread::sleep(SETTLING);
            let again = look(self.sources.now());
            if again == self.marks {
                return;
            }
            self.marks = again;
        }
    }
}

/// One that is in only one of them or differs. Where is looked may have changed too: one that differs is the likeliest cause, and then
/// one that is not there any more.
fn difference(before: &Marks, after: &Marks) -> Option<PathBuf> {
    let differs = || after.iter().find(|(path, mark)| before.get(*path).is_some_and(|was| was != *mark));
    let gone = || before.iter().filter(|(path, _)| !after.contains_key(*path));
    let really_gone = || gone().find(|(path, _)| !path.exists());
    let new = || after.iter().find(|(path, _)| !before.contains_key(*path));
    let found = differs().or_else(really_gone).or_else(new).or_else(|| gone().next());
    found.map(|(path, _)| path.clone())
}

fn look(watched: &Watched) -> Marks {
    let is_ignored = |path: &Path| watched.ignored.iter().any(|ignored| same(ignored, path));
    let mut marks = Marks::new();
    for path in &watched.paths {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        if path.is_file() {
            marks.extend(mark(path).map(|mark| (path.to_owned(), mark)));
            continue;
        }
        let ignored = watched.ignored.clone();
        let files = WalkBuilder::new(path)
            .require_git(false)
            .filter_entry(move |entry| {
                !MADE.iter().any(|made| entry.file_name() == *made)
                    && !ignored.iter().any(|ignored| same(ignored, entry.path()))
            })
            .build();
        // What cannot be read cannot be built from.
        for file in files.flatten().filter(|file| file.file_type().is_some_and(|kind| kind.is_file())) {
            if !is_ignored(file.path()) {
                marks.extend(mark(file.path()).map(|mark| (file.path().to_owned(), mark)));
            }
        }
    }
    marks
}

/// Whether two paths are the same but for how they are written.
fn same(one: &Path, other: &Path) -> bool {
    let plain =
        |path: &Path| -> PathBuf { path.components().filter(|part| *part != std::path::Component::CurDir).collect() };
    plain(one) == plain(other)
}

fn mark(path: &Path) -> Option<Mark> {
    let metadata = path.metadata().ok()?;
    if is_our_output(&metadata) {
        return None;
    }
    Some((metadata.modified().ok(), metadata.len()))
}

/// Whether this process itself writes there what it has to say, which would be a change each time.
fn is_our_output(file: &Metadata) -> bool {
    let is = |output: rustix::io::Result<rustix::fs::Stat>| {
        output.is_ok_and(|output| (output.st_dev, output.st_ino) == (file.dev(), file.ino()))
    };
    is(rustix::fs::fstat(std::io::stdout())) || is(rustix::fs::fstat(std::io::stderr()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, name: &str, text: &str) {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    #[test]
    fn changes_are_those_of_sources() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        let watched = || Watched { paths: vec![root.to_owned()], ignored: vec![root.join("./out.wasm")] };
        write(root, "src/a.js", "1");
        let before = look(&watched());
        for name in ["target/a", "node_modules/b/c.js", ".git/d", "out.wasm", "built/e"] {
            write(root, ".gitignore", "/built\n");
            write(root, name, "1");
            assert_eq!(difference(&before, &look(&watched())), None, "{name}");
        }
        write(root, "src/a.js", "12");
        assert_eq!(difference(&before, &look(&watched())), Some(root.join("src/a.js")));
        write(root, "src/a.js", "1");
        write(root, "src/b.js", "1");
        assert!(difference(&before, &look(&watched())).is_some());
        let before = look(&watched());
        std::fs::remove_file(root.join("src/b.js")).expect("it is there");
        // Now is looked elsewhere too.
        let elsewhere = tempfile::tempdir().expect("a directory");
        write(elsewhere.path(), "c.js", "1");
        let more = Watched { paths: vec![root.to_owned(), elsewhere.path().to_owned()], ignored: Vec::new() };
        assert_eq!(difference(&before, &look(&more)), Some(root.join("src/b.js")));
        assert_eq!(difference(&before, &look(&watched())), Some(root.join("src/b.js")));
    }

    #[test]
    fn a_file_that_is_named_counts_even_where_it_is_ignored() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("target/a.wasm");
        write(directory.path(), "target/a.wasm", "1");
        let watched = || Watched { paths: vec![file.clone()], ignored: Vec::new() };
        let before = look(&watched());
        assert_eq!(before.len(), 1);
        write(directory.path(), "target/a.wasm", "12");
        assert_eq!(difference(&before, &look(&watched())), Some(file.clone()));
    }
}
