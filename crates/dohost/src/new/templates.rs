//! The files of new projects. Those in a language that has a counter among the guests are that counter, whole.

use std::borrow::Cow;

use clap::ValueEnum;

/// The languages that there are projects for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// JavaScript, with a Worker in front
    Js,
    /// TypeScript, with a Worker in front
    Ts,
    Rust,
    Python,
    Go,
    C,
    Zig,
    #[value(name = "assemblyscript")]
    AssemblyScript,
}

/// A project.
pub struct Template {
    /// Its language as people write it.
    pub language: &'static str,
    /// A first request, as a sentence.
    pub request: &'static str,
    /// All of its files.
    pub files: Vec<File>,
}

/// A file of a project. Its path is relative.
#[derive(Clone)]
pub struct File {
    pub path: Cow<'static, str>,
    pub text: Cow<'static, str>,
}

/// Files below a directory of this repository.
macro_rules! files {
    ($directory:literal: $($path:literal),+ $(,)?) => {
        [$(file($path, include_str!(concat!("../../../../", $directory, "/", $path)))),+]
    };
}

/// Files of the templates. Slashes of their paths are dots in their names here.
macro_rules! template {
    ($directory:literal: $($path:literal = $name:literal),+ $(,)?) => {
        [$(file($path, include_str!(concat!("../../templates/", $directory, "/", $name)))),+]
    };
}

/// What projects in languages with a build script have of their own.
macro_rules! built {
    ($directory:literal) => {
        template!($directory:
            "setup.sh" = "setup.sh",
            "dohost.toml" = "dohost.toml",
            "README.md" = "README.md",
            ".gitignore" = "gitignore",
        )
    };
}

const WITH_WORKER: &str = "curl localhost:8787/increment?name=a";
const WITHOUT_WORKER: &str = "curl -X POST localhost:8787/Counter/a/increment";

impl Template {
    /// That of a language.
    pub fn of(language: Language) -> Template {
        let (name, request, mut files) = match language {
            Language::Js => ("JavaScript", WITH_WORKER, javascript()),
            Language::Ts => ("TypeScript", WITH_WORKER, typescript()),
            Language::Rust => ("Rust", WITHOUT_WORKER, rust()),
            Language::Python => ("Python", WITHOUT_WORKER, python()),
            Language::Go => ("Go", WITHOUT_WORKER, go()),
            Language::C => ("C", WITHOUT_WORKER, c()),
            Language::Zig => ("Zig", WITHOUT_WORKER, zig()),
            Language::AssemblyScript => ("AssemblyScript", WITHOUT_WORKER, assemblyscript()),
        };
        if !matches!(language, Language::Js | Language::Ts | Language::Rust) {
            files.extend(wit());
        }
        Template { language: name, request, files }
    }
}

impl File {
    fn below(self, directory: &str) -> File {
        File { path: format!("{directory}/{}", self.path).into(), ..self }
    }
}

fn file(path: &'static str, text: &'static str) -> File {
    File { path: path.into(), text: text.into() }
}

fn javascript() -> Vec<File> {
    template!("js":
        "src/index.js" = "src.index.js",
        "tests/counter.toml" = "tests.counter.toml",
        "dohost.toml" = "dohost.toml",
        "README.md" = "README.md",
        ".gitignore" = "gitignore",
    )
    .into()
}

fn typescript() -> Vec<File> {
    let own = template!("ts":
        "src/index.ts" = "src.index.ts",
        "dohost.toml" = "dohost.toml",
        "README.md" = "README.md",
        "tsconfig.json" = "tsconfig.json",
    );
    let shared = template!("js": "tests/counter.toml" = "tests.counter.toml", ".gitignore" = "gitignore");
    own.into_iter().chain(shared).collect()
}

fn rust() -> Vec<File> {
    let own = template!("rust":
        "src/lib.rs" = "src.lib.rs",
        "Cargo.toml" = "Cargo.toml",
        "rust-toolchain.toml" = "rust-toolchain.toml",
        "dohost.toml" = "dohost.toml",
        "README.md" = "README.md",
        ".gitignore" = "gitignore",
        "vendor/dohost/guests/Cargo.toml" = "vendor.Cargo.toml",
    );
    let shared = test().into_iter().chain(own);
    let crates = files!("crates/dohost-guest":
        "Cargo.toml",
        "src/alarms.rs",
        "src/bindings.rs",
        "src/call.rs",
        "src/class.rs",
        "src/env.rs",
        "src/error.rs",
        "src/lib.rs",
        "src/log.rs",
        "src/message.rs",
        "src/namespace.rs",
        "src/outgoing.rs",
        "src/sections.rs",
        "src/state.rs",
        "src/storage.rs",
        "src/time.rs",
        "src/websocket.rs",
        "src/worker.rs",
    )
    .into_iter()
    .map(|file| file.below("vendor/dohost/crates/dohost-guest"));
    let macros = files!("crates/dohost-guest-macros":
        "Cargo.toml",
        "src/collect.rs",
        "src/derive.rs",
        "src/event.rs",
        "src/exports.rs",
        "src/glue.rs",
        "src/lib.rs",
        "src/method.rs",
        "src/object.rs",
        "src/types.rs",
        "src/wit.rs",
    )
    .into_iter()
    .map(|file| file.below("vendor/dohost/crates/dohost-guest-macros"));
    let wit = dohost_wit().into_iter().chain(wasi_wit()).map(|file| file.below("vendor/dohost"));
    shared.chain(crates).chain(macros).chain(wit).collect()
}

fn python() -> Vec<File> {
    let guest = files!("guests/counter-python": "app.py", "build.sh", "wit/counter.wit");
    with_test(guest, built!("python"))
}

fn go() -> Vec<File> {
    let guest = files!("guests/counter-go":
        "build.sh",
        "counter/counter.go",
        "export_dohost_object_handler/handler.go",
        "export_wit_world/methods.go",
        "memory/memory.go",
        "wit/counter.wit",
    );
    with_test(guest, built!("go"))
}

fn c() -> Vec<File> {
    let guest = files!("guests/counter-c": "main.c", "build.sh", "wit/counter.wit");
    with_test(guest, built!("c"))
}

fn zig() -> Vec<File> {
    let guest = files!("guests/counter-zig": "counter.zig", "abi.zig", "build.sh", "wit/counter.wit");
    with_test(guest, built!("zig"))
}

fn assemblyscript() -> Vec<File> {
    let guest = files!("guests/counter-assemblyscript":
        "counter.ts",
        "abi.ts",
        "exports.mjs",
        "package.json",
        "package-lock.json",
        "build.sh",
        "wit/counter.wit",
    );
    with_test(guest, built!("assemblyscript"))
}

fn with_test<const N: usize>(guest: [File; N], own: [File; 4]) -> Vec<File> {
    guest.into_iter().chain(own).chain(test()).collect()
}

/// The script that every counter without a Worker passes.
fn test() -> [File; 1] {
    template!("common": "tests/counter.toml" = "tests.counter.toml")
}

/// The WIT that tools build a project against, laid out as they want it.
fn wit() -> Vec<File> {
    let dohost = dohost_wit().into_iter().map(|file| {
        let name = file.path.strip_prefix("wit/").expect("it is there").to_owned();
        File { path: format!("wit/deps/dohost/{name}").into(), ..file }
    });
    dohost.chain(wasi_wit()).collect()
}

fn dohost_wit() -> Vec<File> {
    files!(".":
        "wit/alarms.wit",
        "wit/dynamic.wit",
        "wit/mixed.wit",
        "wit/object.wit",
        "wit/streaming.wit",
        "wit/websockets.wit",
        "wit/worker.wit",
    )
    .into()
}

fn wasi_wit() -> Vec<File> {
    files!(".":
        "wit/deps/cli.wit",
        "wit/deps/clocks.wit",
        "wit/deps/filesystem.wit",
        "wit/deps/http.wit",
        "wit/deps/random.wit",
        "wit/deps/sockets.wit",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Files in a directory of this repository and below it, by their paths in it.
    fn present(directory: &str) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(directory);
        let mut found = BTreeSet::new();
        let mut left = vec![root.clone()];
        while let Some(folder) = left.pop() {
            for entry in std::fs::read_dir(folder).expect("a directory") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => left.push(path),
                    false => {
                        found.insert(path.strip_prefix(&root).expect("it is below").display().to_string());
                    }
                }
            }
        }
        found
    }

    fn in_template(language: Language, directory: &str) -> BTreeSet<String> {
        let files = Template::of(language).files.into_iter();
        files.filter_map(|file| file.path.strip_prefix(directory).map(str::to_owned)).collect()
    }

    #[test]
    fn projects_have_all_that_they_are_built_of() {
        let wit = present("wit").into_iter().filter(|path| path.ends_with(".wit")).collect();
        assert_eq!(in_template(Language::Rust, "vendor/dohost/wit/"), wit);
        let crates = [
            ("dohost-guest", "vendor/dohost/crates/dohost-guest/"),
            ("dohost-guest-macros", "vendor/dohost/crates/dohost-guest-macros/"),
        ];
        for (name, below) in crates {
            assert_eq!(in_template(Language::Rust, below), present(&format!("crates/{name}")), "{name}");
        }
        for language in [Language::C, Language::Zig, Language::Go, Language::Python, Language::AssemblyScript] {
            let value = language.to_possible_value().expect("it is a value");
            let guest = present(&format!("guests/counter-{}", value.get_name()));
            let template = in_template(language, "");
            let missing: Vec<_> = guest.difference(&template).collect();
            assert_eq!(missing, Vec::<&String>::new(), "{}", value.get_name());
        }
    }
}
