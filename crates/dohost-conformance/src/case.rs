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
//! A step is one of these. What asks an object asks `a`, unless it has another `object`.
//!
//! | step | what happens |
//! | --- | --- |
//! | `request = "METHOD /path"` | a request, with a `body`; `at-once` sends several, `within` asks until the answer is as expected |
//! | `begin = "METHOD /path"` | the same, and nobody waits for the answer |
//! | `pending = "NAME"` | what was begun has no answer yet |
//! | `answer = "NAME"` | its answer is waited for |
//! | `call = "method"` | a method is called, with `arguments` in JSON |
//! | `stream = "METHOD /path"` | a request begins whose body is still to come |
//! | `write = "text"`, `end = true` | a part of that body, and its end |
//! | `read = 5`, `read-rest = true` | so many bytes of the reply's body, or all that is left of it |
//! | `websocket = "/path"` | a websocket is asked for; status 101 is expected |
//! | `send = "text"`, `close = "CODE REASON"` | a message, a close frame |
//! | `receive = true` | the next message; an end is the text `closed CODE REASON` |
//! | `silent = "NAME"` | no message has come on the websocket |
//! | `break-off = "NAME"` | the client of a request, a stream or a websocket is gone |
//! | `evict = "OBJECT"`, `restart = true`, `crash = true` | as it says |
//! | `advance-clock = "5s"` | time passes for objects |
//! | `fail-next-commit = true` | as it says |
//! | `hold-commits = true` | nothing becomes durable, until `hold-commits = false` |
//!
//! What is begun, streamed or opened has a `name`, `it` if there is none; so have the steps that go on with it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::host::{Ability, Request};

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
    /// Begins to ask an object.
    Begin(String, Request),
    /// What was begun has no answer.
    Pending(String),
    /// What was begun gets its answer.
    Answer(String, Box<Expect>),
    /// Calls a method.
    Call(Box<Call>),
    /// Begins a request whose body is streamed.
    Stream(String, Request),
    /// Sends a part of that body.
    Write(String, Vec<u8>),
    /// Ends it.
    End(String),
    /// Reads so many bytes of the reply, or all that is left.
    Read(String, Option<usize>, Box<Expect>),
    /// Asks for a websocket.
    WebSocket(String, Request, Box<Expect>),
    /// Sends a text on it.
    Send(String, String),
    /// Sends a close frame on it.
    Close(String, u16, String),
    /// Takes the next message.
    Receive(String, Box<Expect>),
    /// Nothing has come on it.
    Silent(String),
    /// The client of what was begun, streamed or opened is gone.
    BreakOff(String),
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
    /// Holds commits, or lets them go.
    HoldCommits(bool),
}

impl Step {
    /// What a host has to be able to do for it.
    pub fn needs(&self) -> Option<Ability> {
        Some(match self {
            Step::Request(_) => return None,
            // Whatever it names was made by a step that needs more.
            Step::BreakOff(_) => return None,
            Step::Begin(..) | Step::Pending(_) | Step::Answer(..) => Ability::Begin,
            Step::Call(_) => Ability::CallMethods,
            Step::Stream(..) | Step::Write(..) | Step::End(_) | Step::Read(..) => Ability::StreamBodies,
            Step::WebSocket(..) | Step::Send(..) | Step::Close(..) | Step::Receive(..) | Step::Silent(_) => {
                Ability::WebSockets
            }
            Step::Evict(_) => Ability::Evict,
            Step::Restart => Ability::Restart,
            Step::Crash => Ability::Crash,
            Step::AdvanceClock(_) => Ability::AdvanceClock,
            Step::FailNextCommit => Ability::FailCommits,
            Step::HoldCommits(_) => Ability::HoldCommits,
        })
    }
}

/// A call of a method with what is to come of it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The name of the object.
    pub object: String,
    /// The method.
    pub method: String,
    /// Its arguments, by name, in JSON.
    pub arguments: String,
    /// The result, in JSON.
    pub expect: Expect,
}

/// A request with what is to come of it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The request.
    pub request: Request,
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

/// A step as it is written. Which one it is its first key says: see [`StepTable::action`].
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct StepTable {
    request: Option<String>,
    begin: Option<String>,
    pending: Option<String>,
    answer: Option<String>,
    call: Option<String>,
    stream: Option<String>,
    write: Option<String>,
    end: Option<bool>,
    read: Option<usize>,
    read_rest: Option<bool>,
    websocket: Option<String>,
    send: Option<String>,
    close: Option<String>,
    receive: Option<bool>,
    silent: Option<String>,
    break_off: Option<String>,
    evict: Option<String>,
    restart: Option<bool>,
    crash: Option<bool>,
    advance_clock: Option<String>,
    fail_next_commit: Option<bool>,
    hold_commits: Option<bool>,

    object: Option<String>,
    body: Option<String>,
    arguments: Option<String>,
    name: Option<String>,
    at_once: Option<usize>,
    within: Option<String>,
    keep: Option<String>,
    expect: Option<Expect>,
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

    /// What a host has to be able to do for it, beyond requests.
    pub fn needs(&self) -> BTreeSet<Ability> {
        self.steps.iter().filter_map(Step::needs).collect()
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

/// What something has for a name if nobody gives it one.
const NAME: &str = "it";

fn step(mut table: StepTable) -> Result<Step, String> {
    let step = action(&mut table)?;
    // What is left belongs to no step of this kind.
    let left = [
        ("object", table.object.is_some()),
        ("body", table.body.is_some()),
        ("arguments", table.arguments.is_some()),
        ("name", table.name.is_some()),
        ("at-once", table.at_once.is_some()),
        ("within", table.within.is_some()),
        ("keep", table.keep.is_some()),
        ("expect", table.expect.is_some()),
    ];
    match left.into_iter().find(|(_, is_left)| *is_left) {
        Some((key, _)) => Err(format!("a step of this kind has no {key}")),
        None => Ok(step),
    }
}

/// What is done; takes what belongs to it.
fn action(table: &mut StepTable) -> Result<Step, String> {
    let mut actions = Vec::new();
    if let Some(line) = table.request.take() {
        actions.push(Step::Request(Box::new(Ask {
            request: request(&line, table)?,
            at_once: table.at_once.take().unwrap_or(1),
            within: table.within.take().as_deref().map(duration).transpose()?,
            keep: table.keep.take(),
            expect: table.expect.take().unwrap_or_default(),
        })));
    }
    if let Some(line) = table.begin.take() {
        actions.push(Step::Begin(name(table), request(&line, table)?));
    }
    actions.extend(table.pending.take().map(Step::Pending));
    if let Some(name) = table.answer.take() {
        actions.push(Step::Answer(name, expect(table)));
    }
    if let Some(method) = table.call.take() {
        actions.push(Step::Call(Box::new(Call {
            object: object(table),
            method,
            arguments: table.arguments.take().unwrap_or_else(|| "{}".into()),
            expect: *expect(table),
        })));
    }
    if let Some(line) = table.stream.take() {
        actions.push(Step::Stream(name(table), request(&line, table)?));
    }
    if let Some(text) = table.write.take() {
        actions.push(Step::Write(name(table), text.into_bytes()));
    }
    if said(table.end.take())? {
        actions.push(Step::End(name(table)));
    }
    if let Some(len) = table.read.take() {
        actions.push(Step::Read(name(table), Some(len), expect(table)));
    }
    if said(table.read_rest.take())? {
        actions.push(Step::Read(name(table), None, expect(table)));
    }
    if let Some(target) = table.websocket.take() {
        let mut expect = expect(table);
        if expect.status_class.is_none() {
            expect.status.get_or_insert(101);
        }
        actions.push(Step::WebSocket(name(table), request(&format!("GET {target}"), table)?, expect));
    }
    if let Some(text) = table.send.take() {
        actions.push(Step::Send(name(table), text));
    }
    if let Some(frame) = table.close.take() {
        let (code, reason) = frame.split_once(' ').unwrap_or((&frame, ""));
        let code = code.parse().map_err(|_| format!("{frame:?} begins with no code"))?;
        actions.push(Step::Close(name(table), code, reason.into()));
    }
    if said(table.receive.take())? {
        actions.push(Step::Receive(name(table), expect(table)));
    }
    actions.extend(table.silent.take().map(Step::Silent));
    actions.extend(table.break_off.take().map(Step::BreakOff));
    actions.extend(table.evict.take().map(Step::Evict));
    actions.extend(said(table.restart.take())?.then_some(Step::Restart));
    actions.extend(said(table.crash.take())?.then_some(Step::Crash));
    if let Some(by) = table.advance_clock.take() {
        actions.push(Step::AdvanceClock(duration(&by)?));
    }
    actions.extend(said(table.fail_next_commit.take())?.then_some(Step::FailNextCommit));
    actions.extend(table.hold_commits.take().map(Step::HoldCommits));
    match <[Step; 1]>::try_from(actions) {
        Ok([step]) => Ok(step),
        Err(_) => Err("a step does one thing".into()),
    }
}

fn request(line: &str, table: &mut StepTable) -> Result<Request, String> {
    let (method, target) = line.split_once(' ').ok_or("a request is a method and a path")?;
    if !target.starts_with('/') {
        return Err("a path begins with /".into());
    }
    let body = table.body.take().unwrap_or_default().into_bytes();
    Ok(Request { object: object(table), method: method.into(), target: target.into(), body })
}

fn object(table: &mut StepTable) -> String {
    table.object.take().unwrap_or_else(|| "a".into())
}

fn name(table: &mut StepTable) -> String {
    table.name.take().unwrap_or_else(|| NAME.into())
}

fn expect(table: &mut StepTable) -> Box<Expect> {
    Box::new(table.expect.take().unwrap_or_default())
}

/// A step that is written `= false` is none.
fn said(value: Option<bool>) -> Result<bool, String> {
    match value {
        Some(false) => Err("leave it out instead of saying false".into()),
        said => Ok(said.is_some()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{text:?} is no time: {error}"))
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
    fn steps_that_go_on_name_what_they_go_on_with() {
        let case = parsed(
            "[[steps]]\nbegin = \"GET /x\"\nname = \"one\"\n[[steps]]\nanswer = \"one\"\n[[steps]]\nwebsocket = \"/y\"\n\
             [[steps]]\nclose = \"4000 I am done\"\n[[steps]]\nread = 5\nexpect = { text = \"12345\" }",
        );
        let case = case.expect("a case");
        let [Step::Begin(one, _), Step::Answer(same, _), Step::WebSocket(it, request, expect), close, read] =
            case.steps.as_slice()
        else {
            panic!("{:?}", case.steps);
        };
        assert_eq!((one.as_str(), same.as_str(), it.as_str()), ("one", "one", "it"));
        assert_eq!((request.target.as_str(), expect.status), ("/y", Some(101)));
        assert!(matches!(close, Step::Close(_, 4000, reason) if reason == "I am done"), "{close:?}");
        assert!(matches!(read, Step::Read(_, Some(5), _)), "{read:?}");
        let needs: Vec<Ability> = case.needs().into_iter().collect();
        assert_eq!(needs, [Ability::Begin, Ability::StreamBodies, Ability::WebSockets]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (steps, reason) in [
            ("steps = []", "has steps"),
            ("[[steps]]\nrestart = true\ncrash = true", "step 1: a step does one thing"),
            ("[[steps]]\nexpect = {}", "a step does one thing"),
            ("[[steps]]\nrestart = true\nexpect = {}", "has no expect"),
            ("[[steps]]\npending = \"x\"\nname = \"y\"", "has no name"),
            ("[[steps]]\nrestart = false", "leave it out"),
            ("[[steps]]\nclose = \"bye\"", "no code"),
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
