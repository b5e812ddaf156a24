//! All modules of a program: the one where it begins, and what that imports, near and far.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use dohost_engine::program::Module;
use oxc_resolver::{ResolveError, ResolveOptions, Resolver};

use crate::problem::{Problem, Problems};
use crate::source::{self, Source};

/// Modules that a program may have.
const MODULES_MAX: usize = 10_000;
/// Bytes that they may have together.
const BYTES_MAX: usize = 64 << 20;

/// What the runtime itself provides.
const BUILT_IN: [&str; 1] = ["cloudflare:workers"];

/// What Node.js provides under a name of its own, `node:` or not.
const NODE: &str = "assert async_hooks buffer child_process cluster console crypto dgram diagnostics_channel dns events \
                    fs http http2 https module net os path perf_hooks process punycode querystring readline stream \
                    string_decoder timers tls tty url util worker_threads zlib";

/// The modules of a program.
pub(crate) struct Modules {
    /// What the runtime gets, the beginning first.
    pub modules: Vec<Module>,
    /// Their files, in the same order.
    pub files: Vec<PathBuf>,
    /// What is in the files.
    pub texts: Vec<Arc<str>>,
}

/// Finds and reads them all.
pub(crate) fn collect(entry: &Path) -> Result<Modules, Problems> {
    let unreadable = |error: std::io::Error| Problem::new(format!("cannot read {}: {error}", entry.display()), None);
    let file = entry.canonicalize().map_err(unreadable)?;
    let root = root(&file).to_owned();
    let mut collector = Collector {
        names: Names { root, entry: file.clone(), shown: entry.to_owned() },
        resolver: resolver(),
        found: HashMap::from([(file.clone(), 0)]),
        files: vec![file],
        problems: Vec::new(),
    };
    let (mut modules, mut texts, mut bytes) = (Vec::new(), Vec::new(), 0);
    while let Some(file) = collector.files.get(modules.len()).cloned() {
        let specifier = collector.names.specifier(&file);
        match source::read(&file) {
            Err(problems) => {
                let shown = problems.into_iter().map(|problem| collector.names.in_words(problem, &file));
                collector.problems.extend(shown);
                modules.push(Module { specifier, source: String::new(), imports: Vec::new() });
                texts.push("".into());
            }
            Ok(source) => {
                bytes += source.code.len();
                let imports = collector.imports(&file, &source);
                modules.push(Module { specifier, source: source.code, imports });
                texts.push(source.text);
            }
        }
        if modules.len() > MODULES_MAX || bytes > BYTES_MAX {
            let text = format!("a program has at most {MODULES_MAX} modules with {BYTES_MAX} bytes");
            return Err(Problem::new(text, Some("bundle it, or import less")).into());
        }
    }
    let Collector { files, problems, .. } = collector;
    match problems.is_empty() {
        true => Ok(Modules { modules, files, texts }),
        false => Err(Problems(problems)),
    }
}

struct Collector {
    names: Names,
    resolver: Resolver,
    /// The number of each file.
    found: HashMap<PathBuf, usize>,
    files: Vec<PathBuf>,
    problems: Vec<Problem>,
}

impl Collector {
    /// What the imports of a module mean; notes the files.
    fn imports(&mut self, file: &Path, source: &Source) -> Vec<(String, String)> {
        let mut imports = Vec::new();
        for import in &source.imports {
            if BUILT_IN.contains(&import.specifier.as_str()) {
                imports.push((import.specifier.clone(), import.specifier.clone()));
                continue;
            }
            match self.resolve(file, &import.specifier) {
                Ok(path) => {
                    imports.push((import.specifier.clone(), self.names.specifier(&path)));
                    if !self.found.contains_key(&path) {
                        self.found.insert(path.clone(), self.files.len());
                        self.files.push(path);
                    }
                }
                Err(problem) => {
                    let span: Range<usize> = import.span.clone();
                    self.problems.push(problem.at(&self.names.shown(file), &source.text, span));
                }
            }
        }
        imports
    }

    fn resolve(&self, from: &Path, specifier: &str) -> Result<PathBuf, Problem> {
        if specifier.starts_with("node:") || specifier.starts_with("cloudflare:") {
            return Err(not_there(specifier));
        }
        match self.resolver.resolve_file(from, specifier) {
            Ok(resolution) => Ok(resolution.into_path_buf()),
            Err(ResolveError::NotFound(_)) if is_of_node(specifier) => Err(not_there(specifier)),
            Err(ResolveError::NotFound(_)) => {
                let help = match specifier.starts_with(['.', '/']) {
                    true => "paths are relative to the file that imports",
                    false => "install the package, so that it is in node_modules",
                };
                Err(Problem::new(format!("cannot find {specifier:?}"), Some(help)))
            }
            Err(error) => Err(Problem::new(format!("cannot find {specifier:?}: {error}"), None)),
        }
    }
}

fn is_of_node(specifier: &str) -> bool {
    let name = specifier.split('/').next().unwrap_or_default();
    NODE.split_whitespace().any(|known| known == name)
}

fn not_there(specifier: &str) -> Problem {
    let help = match specifier.strip_prefix("cloudflare:") {
        Some(_) => "cloudflare:workers is there",
        None => "modules of Node.js are not there; the APIs of the web are, and cloudflare:workers",
    };
    Problem::new(format!("there is no module {specifier:?}"), Some(help))
}

fn resolver() -> Resolver {
    let strings = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<String>>();
    Resolver::new(ResolveOptions {
        extensions: strings(&[".ts", ".mts", ".js", ".mjs", ".json"]),
        // TypeScript writes imports as they will be in JavaScript.
        extension_alias: vec![(".js".into(), strings(&[".ts", ".js"])), (".mjs".into(), strings(&[".mts", ".mjs"]))],
        condition_names: strings(&["workerd", "worker", "browser", "import", "module", "default"]),
        main_fields: strings(&["module", "main"]),
        ..ResolveOptions::default()
    })
}

/// The folder that names of modules are relative to: that of the package, or of the file.
fn root(file: &Path) -> &Path {
    let package = file.ancestors().skip(1).find(|folder| folder.join("package.json").is_file());
    package.or(file.parent()).unwrap_or(file)
}

/// What files are called.
struct Names {
    root: PathBuf,
    entry: PathBuf,
    /// The entry as the user calls it.
    shown: PathBuf,
}

impl Names {
    /// In stack traces.
    fn specifier(&self, file: &Path) -> String {
        let relative = relative(file, &self.root);
        let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        parts.join("/")
    }

    /// In messages: as one would write it from where one is.
    fn shown(&self, file: &Path) -> PathBuf {
        match (self.entry.parent(), self.shown.parent()) {
            _ if file == self.entry => self.shown.clone(),
            (Some(entry), Some(shown)) => tidy(&shown.join(relative(file, entry))),
            _ => file.to_owned(),
        }
    }

    fn in_words(&self, mut problem: Problem, file: &Path) -> Problem {
        let shown = self.shown(file);
        problem.text = problem.text.replace(&*file.to_string_lossy(), &shown.to_string_lossy());
        if let Some(place) = &mut problem.place {
            place.path = shown;
        }
        problem
    }
}

/// The way from a folder to a file.
fn relative(file: &Path, folder: &Path) -> PathBuf {
    let (file, folder): (Vec<Component>, Vec<Component>) = (file.components().collect(), folder.components().collect());
    let common = file.iter().zip(&folder).take_while(|(a, b)| a == b).count();
    let up = folder[common..].iter().map(|_| Component::ParentDir);
    up.chain(file[common..].iter().copied()).collect()
}

/// `a/../b` is `b`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        directory
    }

    #[test]
    fn modules_of_files_and_packages_are_found() {
        let project = project(&[
            ("package.json", "{}"),
            (
                "src/index.ts",
                "import { a } from './a.js';\nimport p from 'p/x';\nimport d from '../d.json';\nimport 'cloudflare:workers';\na; p; d;",
            ),
            ("src/a.ts", "import '.';\nexport const a = 1;"),
            ("d.json", "1"),
            (
                "node_modules/p/package.json",
                r#"{ "exports": { "./x": { "require": "./no.cjs", "import": "./yes.mjs" } } }"#,
            ),
            ("node_modules/p/yes.mjs", "export default 1;"),
        ]);
        let found = collect(&project.path().join("src/index.ts")).unwrap();
        let names: Vec<&str> = found.modules.iter().map(|module| &module.specifier[..]).collect();
        assert_eq!(names, ["src/index.ts", "src/a.ts", "node_modules/p/yes.mjs", "d.json"]);
        let imports: Vec<(&str, &str)> = found.modules[0].imports.iter().map(|(a, b)| (&a[..], &b[..])).collect();
        let expected = [
            ("./a.js", "src/a.ts"),
            ("p/x", "node_modules/p/yes.mjs"),
            ("../d.json", "d.json"),
            ("cloudflare:workers", "cloudflare:workers"),
        ];
        assert_eq!(imports, expected);
        assert_eq!(found.modules[1].imports, [(".".to_string(), "src/index.ts".to_string())]);
    }

    #[test]
    fn all_that_is_missing_is_said_with_its_place() {
        let project = project(&[
            ("a.js", "import './b.js';\nimport 'left-pad';\nimport 'node:fs';\nimport 'path';"),
            ("b.js", "\nimport './c.js'"),
        ]);
        let entry = project.path().join("a.js");
        let problems = collect(&entry).err().unwrap();
        let texts: Vec<String> = problems
            .0
            .iter()
            .map(|problem| problem.to_string().replace(&*project.path().to_string_lossy(), ""))
            .collect();
        let expected = [
            "/a.js:2: cannot find \"left-pad\"",
            "/a.js:3: there is no module \"node:fs\"",
            "/a.js:4: there is no module \"path\"",
            "/b.js:2: cannot find \"./c.js\"",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn files_have_short_names() {
        assert_eq!(relative(Path::new("/a/b/c"), Path::new("/a/d/e")), Path::new("../../b/c"));
        assert_eq!(tidy(Path::new("src/../a/./b")), Path::new("a/b"));
        assert_eq!(tidy(Path::new("../a")), Path::new("../a"));
    }
}
