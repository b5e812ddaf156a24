//! Cases as they are written: `conformance/cases/l2-storage/deletes.toml`.
//!
//! ```toml
//! title = "a delete tells whether there was something"
//! guest = "probe"
//! rules = ["S3"]
//!
//! [[steps]]
//! request = "POST /storage/put?key=k&value=1"
//! expect = { text = "ok" }
//!
//! [[steps]]
//! evict = "a"
//!
//! [[steps]]
//! request = "POST /storage/delete?key=k"
//! expect = { text = "true" }
//! ```
//!
//! A step is a `request`, or one of `evict`, `restart`, `crash`, `advance-clock` and `fail-next-commit`. Requests go to the
//! object `a` unless they have another `object`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// How much of a host a case is about. Each folder of cases is one: `l2-storage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// L0: guests start.
    Linking,
    /// L1: requests and responses.
    Requests,
    /// L2: storage.
    Storage,
    /// L3: order and gates.
    Ordering,
    /// L4: alarms.
    Alarms,
    /// L5: evictions, restarts, crashes.
    Lives,
    /// L6: WebSockets.
    WebSockets,
    /// L7: objects that call objects.
    Calls,
}

impl Level {
    /// All of them, from the least.
    pub const ALL: [Level; 8] = [
        Level::Linking,
        Level::Requests,
        Level::Storage,
        Level::Ordering,
        Level::Alarms,
        Level::Lives,
        Level::WebSockets,
        Level::Calls,
    ];

    /// The folder that its cases are in.
    pub fn folder(self) -> &'static str {
        match self {
            Level::Linking => "l0-linking",
            Level::Requests => "l1-requests",
            Level::Storage => "l2-storage",
            Level::Ordering => "l3-ordering",
            Level::Alarms => "l4-alarms",
            Level::Lives => "l5-lives",
            Level::WebSockets => "l6-websockets",
            Level::Calls => "l7-calls",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.folder())
    }
}

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its level and the name of its file: `l2-storage/deletes`.
    pub name: String,
    /// See [`Level`].
    pub level: Level,
    /// What holds.
    pub title: String,
    /// The component that it is tried with.
    pub guest: String,
    /// The rules of the specification that it is about.
    pub rules: BTreeSet<String>,
    /// What is done.
    pub steps: Vec<Step>,
}

/// A step of a case.
#[derive(Clone, Debug)]
pub enum Step {
    /// Asks an object.
    Request(Box<Ask>),
    /// Lets an object leave memory.
    Evict(String),
    /// Stops the host in good order and starts it again.
    Restart,
    /// Ends the host at once and starts it again.
    Crash,
    /// Lets time pass.
    AdvanceClock(Duration),
    /// Makes the next commit fail.
    FailNextCommit,
}

/// A request with what is to come of it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The request.
    pub request: crate::host::Request,
    /// So many of it are sent at once, one otherwise.
    pub at_once: usize,
    /// It is asked again and again until the answer is as expected, for so long.
    pub within: Option<Duration>,
    /// The name under which the text of the answer is kept.
    pub keep: Option<String>,
    /// The answer.
    pub expect: Expect,
}

/// What is expected of an answer; status 200 unless there is another one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// The status.
    pub status: Option<u16>,
    /// Any status of this hundred, such as 5: who answers with which one is the host's affair.
    pub status_class: Option<u16>,
    /// The whole text, without white space around it.
    pub text: Option<String>,
    /// Parts of the text.
    #[serde(default)]
    pub contains: Vec<String>,
    /// What is not in the text.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// How long the body is.
    pub len: Option<usize>,
    /// The text is that of the answer that was kept under this name.
    pub same_as: Option<String>,
    /// The text is another one.
    pub differs_from: Option<String>,
    /// Of requests that were sent at once: their answers are the numbers from the first to the last of these, each once.
    pub numbers: Option<[u64; 2]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    guest: String,
    rules: BTreeSet<String>,
    steps: Vec<StepTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StepTable {
    request: Option<String>,
    object: Option<String>,
    #[serde(default)]
    body: String,
    at_once: Option<usize>,
    within: Option<String>,
    keep: Option<String>,
    expect: Option<Expect>,
    evict: Option<String>,
    #[serde(default)]
    restart: bool,
    #[serde(default)]
    crash: bool,
    advance_clock: Option<String>,
    #[serde(default)]
    fail_next_commit: bool,
}

/// A file that is no case.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct CaseError {
    path: PathBuf,
    reason: String,
}

impl Case {
    /// All cases below a folder, in the order of their names.
    pub fn all(folder: &Path) -> Result<Vec<Case>, CaseError> {
        let mut cases = Vec::new();
        for level in Level::ALL {
            let folder = folder.join(level.folder());
            let unreadable = |error: std::io::Error| CaseError { path: folder.clone(), reason: error.to_string() };
            if !folder.is_dir() {
                continue;
            }
            let mut paths = Vec::new();
            for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
                paths.push(entry.map_err(unreadable)?.path());
            }
            paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
            paths.sort();
            for path in paths {
                cases.push(Case::read(&path, level)?);
            }
        }
        Ok(cases)
    }

    fn read(path: &Path, level: Level) -> Result<Case, CaseError> {
        let wrong = |reason: String| CaseError { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Case::parse(&name, level, &text).map_err(wrong)
    }

    /// Reads a case; the error says what is wrong with it.
    pub fn parse(name: &str, level: Level, text: &str) -> Result<Case, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.rules.is_empty() || file.steps.is_empty() {
            return Err("a case is about a rule, and has steps".into());
        }
        let steps = file.steps.into_iter().enumerate();
        let steps = steps.map(|(at, table)| step(table).map_err(|reason| format!("step {}: {reason}", at + 1)));
        Ok(Case {
            name: format!("{level}/{name}"),
            level,
            title: file.title,
            guest: file.guest,
            rules: file.rules,
            steps: steps.collect::<Result<_, _>>()?,
        })
    }
}

fn step(table: StepTable) -> Result<Step, String> {
    let duration =
        |text: &str| humantime::parse_duration(text).map_err(|error| format!("{text:?} is no time: {error}"));
    let actions = [
        table.request.is_some(),
        table.evict.is_some(),
        table.restart,
        table.crash,
        table.advance_clock.is_some(),
        table.fail_next_commit,
    ];
    if actions.iter().filter(|is_there| **is_there).count() != 1 {
        return Err("a step does one thing".into());
    }
    if let Some(line) = &table.request {
        let (method, target) = line.split_once(' ').ok_or("a request is a method and a path")?;
        if !target.starts_with('/') {
            return Err("a path begins with /".into());
        }
        let request = crate::host::Request {
            object: table.object.unwrap_or_else(|| "a".into()),
            method: method.into(),
            target: target.into(),
            body: table.body.into_bytes(),
        };
        return Ok(Step::Request(Box::new(Ask {
            request,
            at_once: table.at_once.unwrap_or(1),
            within: table.within.as_deref().map(duration).transpose()?,
            keep: table.keep,
            expect: table.expect.unwrap_or_default(),
        })));
    }
    if table.expect.is_some() || table.at_once.is_some() || table.within.is_some() || table.keep.is_some() {
        return Err("only a request has an answer".into());
    }
    Ok(match (table.evict, table.advance_clock) {
        (Some(object), _) => Step::Evict(object),
        (None, Some(by)) => Step::AdvanceClock(duration(&by)?),
        (None, None) if table.restart => Step::Restart,
        (None, None) if table.crash => Step::Crash,
        (None, None) => Step::FailNextCommit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(steps: &str) -> Result<Case, String> {
        let text = format!("title = \"t\"\nguest = \"probe\"\nrules = [\"S1\"]\n{steps}");
        Case::parse("mine", Level::Storage, &text)
    }

    #[test]
    fn a_case_has_a_level_rules_and_steps() {
        let case = parsed(
            "[[steps]]\nrequest = \"GET /x?y\"\nobject = \"b\"\nat-once = 3\nwithin = \"2s\"\nexpect = { numbers = [1, 3] }\n\
             [[steps]]\nadvance-clock = \"5s\"\n[[steps]]\nfail-next-commit = true",
        );
        let case = case.expect("a case");
        assert_eq!(case.name, "l2-storage/mine");
        let [Step::Request(ask), Step::AdvanceClock(by), Step::FailNextCommit] = case.steps.as_slice() else {
            panic!("{:?}", case.steps);
        };
        assert_eq!((ask.request.object.as_str(), ask.request.target.as_str(), ask.at_once), ("b", "/x?y", 3));
        assert_eq!((ask.within, *by), (Some(Duration::from_secs(2)), Duration::from_secs(5)));
        assert_eq!(ask.expect.numbers, Some([1, 3]));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (steps, reason) in [
            ("steps = []", "has steps"),
            ("[[steps]]\nrestart = true\ncrash = true", "step 1: a step does one thing"),
            ("[[steps]]\nexpect = {}", "a step does one thing"),
            ("[[steps]]\nrestart = true\nexpect = {}", "only a request"),
            ("[[steps]]\nrequest = \"GET\"", "a method and a path"),
            ("[[steps]]\nrequest = \"GET x\"", "begins with /"),
            ("[[steps]]\nadvance-clock = \"soon\"", "is no time"),
            ("[[steps]]\nrequest = \"GET /\"\nexpect = { txt = \"\" }", "unknown field"),
        ] {
            let error = parsed(steps).expect_err(steps);
            assert!(error.contains(reason), "{steps}: {error}");
        }
    }
}
