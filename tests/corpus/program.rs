//! A program of the corpus, and the requests in its first comment.
//!
//! ```text
//! // What it is about.
//! //
//! //> GET /first
//! //> POST /second -H content-type:text/plain -d the rest of the line is the body
//! //| GET /third      begins while the one before runs
//! //! restart         the runtime is killed and started again on what was stored
//! ```
//!
//! A body that begins with `"` is a JSON string, for what does not fit in a line.

use std::path::{Path, PathBuf};

use heck::ToShoutySnakeCase;

pub struct Program {
    pub name: String,
    pub file: PathBuf,
    pub source: String,
    pub steps: Vec<Step>,
}

#[derive(Debug, PartialEq)]
pub enum Step {
    /// Requests that run at the same time, begun in this order.
    Send(Vec<Request>),
    Restart,
}

#[derive(Debug, PartialEq)]
pub struct Request {
    /// As it is written, for the transcript.
    pub line: String,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Program {
    /// The exported classes of objects, each with the name of its binding.
    pub fn classes(&self) -> Vec<(String, String)> {
        let names = self.source.lines().filter_map(|line| line.strip_prefix("export class ")?.split(' ').next());
        names.map(|name| (name.to_string(), name.to_shouty_snake_case())).collect()
    }

    /// The name of the host that it is asked by.
    pub fn host(&self) -> String {
        format!("{}.example.com", self.name)
    }

    /// Where workerd's answers are.
    pub fn answers(&self) -> PathBuf {
        corpus().join("answers").join(format!("{}.txt", self.name))
    }

    pub fn recorded(&self) -> Result<String, String> {
        std::fs::read_to_string(self.answers())
            .map_err(|error| format!("no recorded answers ({error}): cargo xtask corpus --record"))
    }
}

/// `tests/corpus`.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus")
}

/// What the programs import, each with its path relative to them.
pub fn modules() -> Vec<(String, PathBuf)> {
    let mut modules: Vec<_> = files(&corpus().join("programs/lib"))
        .map(|file| (format!("lib/{}", file.file_name().expect("a name").to_str().expect("ASCII")), file))
        .collect();
    modules.sort();
    modules
}

pub fn all() -> Vec<Program> {
    let mut files: Vec<_> = files(&corpus().join("programs")).collect();
    files.sort();
    files.into_iter().map(read).collect()
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").path()).filter(|file| file.extension().is_some_and(|end| end == "js"))
}

fn read(file: PathBuf) -> Program {
    let source = std::fs::read_to_string(&file).expect("a program is text");
    let name = file.file_stem().expect("a name").to_str().expect("ASCII").to_string();
    let steps = steps(&source).unwrap_or_else(|line| panic!("{name}: what is {line:?}?"));
    assert!(!steps.is_empty(), "{name} is sent nothing");
    Program { name, file, source, steps }
}

/// The line that makes no sense is the error.
fn steps(source: &str) -> Result<Vec<Step>, &str> {
    let mut steps = Vec::new();
    for line in source.lines().take_while(|line| line.starts_with("//")) {
        if let Some(request) = line.strip_prefix("//> ") {
            steps.push(Step::Send(vec![self::request(request).ok_or(line)?]));
        } else if let Some(request) = line.strip_prefix("//| ") {
            let Some(Step::Send(group)) = steps.last_mut() else { return Err(line) };
            group.push(self::request(request).ok_or(line)?);
        } else if line == "//! restart" {
            steps.push(Step::Restart);
        } else if line.starts_with("//!") {
            return Err(line);
        }
    }
    Ok(steps)
}

fn request(line: &str) -> Option<Request> {
    let (head, body) = line.split_once(" -d ").unwrap_or((line, ""));
    let body = if body.starts_with('"') { serde_json::from_str(body).ok()? } else { body.to_string() };
    let mut words = head.split_whitespace();
    let (method, target) = (words.next()?.to_string(), words.next()?.to_string());
    let mut headers = Vec::new();
    while let Some(word) = words.next() {
        let (name, value) = words.next().filter(|_| word == "-H")?.split_once(':')?;
        headers.push((name.to_string(), value.to_string()));
    }
    Some(Request { line: line.to_string(), method, target, headers, body })
}

#[test]
fn requests_are_read_from_the_first_comment() {
    let source =
        "// About.\n//> GET /a\n//| POST /b -H x-a:1 -H x-b:2 -d \"two\\nlines\"\n//! restart\ncode\n//> GET /no\n";
    let steps = steps(source).expect("it makes sense");
    assert_eq!(steps.len(), 2, "{steps:?}");
    let Step::Send(group) = &steps[0] else { panic!("{steps:?}") };
    assert_eq!(group[0].target, "/a");
    assert_eq!(group[1].headers, [("x-a".into(), "1".into()), ("x-b".into(), "2".into())]);
    assert_eq!(group[1].body, "two\nlines");
    assert_eq!(steps[1], Step::Restart);
    assert!(self::steps("//> GET\n").is_err());
    assert!(self::steps("//| GET /first\n").is_err());
    assert!(self::steps("//> GET / -X y\n").is_err());
}
