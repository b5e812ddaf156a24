//! What reads give in view of the writes before them, wherever the keys are: on disk, in memory, or on their way.
//!
//! The behaviours are those that the tests of workerd's `io/actor-cache.c++` fix for Durable Objects. Each is a [`Case`]: what
//! is stored, and a script of storage calls with their answers. It is run on objects of every [`Residence`], and with each
//! write in every [`Progress`] when the next call comes. All of these runs must give the same answers, and leave the same
//! in the store after the host was killed.

mod deletes;
mod keys;
mod lists;
mod overlapping;
mod reverse_lists;

use crate::host::Setup;
use crate::http::Connection;

/// What is in memory when a script begins.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Residence {
    /// Everything: the object was filled in the same life.
    Written,
    /// Everything: the object is small and was loaded.
    Loaded,
    /// Some of what the case stores, and that some keys are missing: the object is too large to be held whole.
    Partly,
    /// Nothing.
    Cold,
}

/// How far a write of the script is when the next call comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Progress {
    /// It is in the same turn.
    Staged,
    /// Its turn has ended and its commit is on its way.
    InFlight,
    /// Its commit is on disk.
    Durable,
}

const RESIDENCES: [Residence; 4] = [Residence::Written, Residence::Loaded, Residence::Partly, Residence::Cold];
const PROGRESSES: [Progress; 3] = [Progress::Staged, Progress::InFlight, Progress::Durable];

/// Begins all keys that are only there to make an object large. Sorts before every other key; gone from lists before a case
/// gets to see them.
const BALLAST: char = '\u{0}';

struct Case {
    /// The behaviour, in a sentence.
    says: &'static str,
    /// Entries that are there and durable before the script begins, as in `a=1,b=2`.
    stored: &'static str,
    /// Steps, see the probe's `/script`, with their answers; none after a `begin` or `drop`. A list is `a=1 b=2`.
    steps: &'static [(&'static str, &'static str)],
}

/// One of the ways in which a case is run, each on an object of its own.
struct Run {
    case: &'static Case,
    /// Where the case is in its table.
    number: usize,
    residence: Residence,
    progress: Progress,
}

/// Runs every case in every way, and then tells all that went wrong.
#[track_caller]
fn check_all(cases: &'static [Case]) {
    let mut runs = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        for residence in RESIDENCES {
            runs.extend(PROGRESSES.map(|progress| Run { case, number, residence, progress }));
        }
    }
    let host = Setup::new().guest("probe").with(["--idle-timeout", "300s"]).start();
    let mut connection = host.connect();
    runs.iter().filter(|run| run.residence != Residence::Written).for_each(|run| run.store(&mut connection));
    drop(connection);

    let host = host.restart();
    let (mut connection, mut wrong, mut left) = (host.connect(), Vec::new(), Vec::new());
    for run in &runs {
        wrong.extend(run.play(&mut connection));
        left.push(run.list(&mut connection));
    }
    let setup = host.setup.clone();
    host.kill();

    let host = setup.start();
    let mut connection = host.connect();
    for (run, left) in runs.iter().zip(&left) {
        let found = run.list(&mut connection);
        if found != *left {
            wrong.push(run.complaint(&format!("there was {left:?}, and after a kill {found:?}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Run {
    /// The functions of the run's object.
    fn path(&self, function: &str) -> String {
        format!("/probe/{}-{:?}-{:?}/{function}", self.number, self.residence, self.progress)
    }

    fn complaint(&self, what: &str) -> String {
        let Run { case, residence, progress, .. } = self;
        format!("{} ({residence:?}, writes are {progress:?}): {what}", case.says)
    }

    fn list(&self, connection: &mut Connection) -> String {
        connection.get(&self.path("storage/list")).ok().to_string()
    }

    fn store(&self, connection: &mut Connection) {
        if !self.case.stored.is_empty() {
            connection.get(&self.path(&format!("storage/put-many?entries={}", self.case.stored))).ok();
        }
        if matches!(self.residence, Residence::Partly | Residence::Cold) {
            connection.get(&self.path("storage/put-many?keys=%00ballast-1,%00ballast-2&value-len=50000")).ok();
        }
    }

    /// Every second stored key, and a key right behind each of the others, which is missing.
    fn keys_to_warm(&self) -> String {
        let keys = self.case.stored.split(',').filter_map(|entry| Some(entry.split_once('=')?.0));
        let keys = keys.enumerate().map(|(at, key)| if at % 2 == 0 { key.to_string() } else { format!("{key}%00") });
        keys.collect::<Vec<_>>().join(",")
    }

    /// Runs the script; what is wrong with an answer, if one is.
    fn play(&self, connection: &mut Connection) -> Option<String> {
        match self.residence {
            Residence::Written => self.store(connection),
            Residence::Partly => {
                connection.get(&self.path(&format!("storage/get-many?keys={}", self.keys_to_warm()))).ok();
            }
            Residence::Loaded | Residence::Cold => {}
        }
        let reply = connection.post(&self.path("script"), self.script().as_bytes());
        let mut answers = reply.lines().into_iter();
        for (at, (step, wanted)) in self.case.steps.iter().enumerate() {
            if step.starts_with("begin ") || step.starts_with("drop ") {
                continue;
            }
            let answer = answers.next().unwrap_or("no answer");
            let answer = answer.split(' ').filter(|part| !part.starts_with(BALLAST)).collect::<Vec<_>>().join(" ");
            if answer != *wanted {
                return Some(self.complaint(&format!("step {at}, {step}, gave {answer:?}, not {wanted:?}")));
            }
            if self.progress == Progress::Durable && is_write(step) {
                assert_eq!(answers.next(), Some("ok"), "sync");
            }
        }
        None
    }

    fn script(&self) -> String {
        let mut script = Vec::new();
        if self.progress == Progress::InFlight {
            // Begun before the first write: none of them is held back by a commit.
            let writes = self.case.steps.iter().filter(|(step, _)| is_write(step)).count();
            script.extend(std::iter::repeat_n("call", writes));
        }
        for (step, _) in self.case.steps {
            script.push(step);
            match self.progress {
                Progress::InFlight if is_write(step) => script.push("called"),
                Progress::Durable if is_write(step) => script.push("sync"),
                _ => {}
            }
        }
        script.join("\n")
    }
}

fn is_write(step: &str) -> bool {
    step.starts_with("put") || step.starts_with("delete")
}
