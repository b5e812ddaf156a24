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
    own: Vec<File>,
    /// Whether it is built against the WIT of dohost.
    has_wit: bool,
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

const WITH_WORKER: &str = "curl localhost:8787/increment?name=a";
const WITHOUT_WORKER: &str = "curl -X POST localhost:8787/Counter/a/increment";

impl Template {
    /// That of a language.
    pub fn of(language: Language) -> Template {
        let (name, request, own) = match language {
            Language::Js => ("JavaScript", WITH_WORKER, javascript()),
            Language::Ts => ("TypeScript", WITH_WORKER, typescript()),
            Language::Rust => ("Rust", WITHOUT_WORKER, rust()),
            Language::Python => ("Python", WITHOUT_WORKER, python()),
            Language::Go => ("Go", WITHOUT_WORKER, go()),
            Language::C => ("C", WITHOUT_WORKER, c()),
            Language::Zig => ("Zig", WITHOUT_WORKER, zig()),
            Language::AssemblyScript => ("AssemblyScript", WITHOUT_WORKER, assemblyscript()),
        };
        let has_wit = !matches!(language, Language::Js | Language::Ts | Language::Rust);
        Template { language: name, request, own, has_wit }
    }

    /// All of its files.
    pub fn files(self) -> impl Iterator<Item = File> {
        self.own.into_iter().chain(self.has_wit.then(wit).into_iter().flatten())
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
