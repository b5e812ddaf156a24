//! What clients ask of objects, which acts that is, and what the replies say of them.

use dohost_engine::{Request, Response};
use dohost_object::{EventError, Reply};

use crate::history::{Act, Cell, Place};
use crate::random::Random;

/// An object of the world.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its class.
    pub class: &'static str,
    /// Its name.
    pub name: String,
}

/// One request of a client.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The object that it goes to.
    pub target: usize,
    /// Path and query.
    pub url: String,
    deed: Deed,
}

/// What the request does. Objects are numbers of subjects.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Deed {
    Add,
    Count,
    Put(u64),
    Get,
    Delete,
    PutPair(u64),
    GetPair,
    Append(u64),
    GetLog,
    PutUnconfirmed(u64),
    PutAndSync(u64),
    SeeUnconfirmed,
    Remember,
    Sync,
    /// Writes and traps: leaves nothing.
    Trap,
    /// Writes, waits until that is durable, and traps.
    PutThenTrap(u64),
    /// Writes both keys in one transaction, with other turns in between.
    PutPairSlowly(u64),
    /// Begins as if to write both keys, and thinks better of it.
    RollBack,
    /// Adds one over a wait, in a critical section.
    AddSlowly,
    /// Adds one in a transaction that waits before it ends.
    AddInTransaction,
    /// Writes and fails in its own words: the write stays.
    PutThenThrow(u64),
    /// Has another object add to its log.
    AppendElsewhere(usize, u64),
    /// The same, and counts then.
    AppendElsewhereThenAdd(usize, u64),
}

/// What a reply says of the acts of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Understood {
    /// One for each act: what it came to, if that is known.
    Done(Vec<Option<Act>>),
    /// Nobody knows what came of it.
    Unknown,
    /// It has no effect.
    Never,
    /// No host may answer this.
    Wrong(String),
}

impl Operation {
    /// Draws an operation on the object `home`, or now and then on another one. `value` was never used before.
    pub fn draw(
        random: &mut Random,
        subjects: &[Subject],
        home: usize,
        value: u64,
        filler: usize,
        traps: bool,
    ) -> Operation {
        let any = |random: &mut Random| random.below(subjects.len() as u64) as usize;
        let target = if random.one_in(10) { any(random) } else { home };
        let deed = match subjects[target].class {
            "counter" if random.one_in(4) => Deed::Count,
            "counter" => Deed::Add,
            _ if traps => match random.below(4) {
                0 | 1 => Deed::Trap,
                2 => Deed::PutThenTrap(value),
                _ => Deed::PutThenThrow(value),
            },
            _ => match random.below(36) {
                0..4 => Deed::Add,
                4 => Deed::Count,
                5..7 => Deed::Put(value),
                7 => Deed::Get,
                8 => Deed::Delete,
                9..12 => Deed::PutPair(value),
                12..14 => Deed::GetPair,
                14..16 => Deed::Append(value),
                16 => Deed::GetLog,
                17..19 => Deed::Remember,
                19 => Deed::Sync,
                20 | 21 => Deed::PutPairSlowly(value),
                22 => Deed::RollBack,
                23 | 24 => Deed::AddSlowly,
                25 => Deed::AddInTransaction,
                26..29 => Deed::PutUnconfirmed(value),
                29 => Deed::SeeUnconfirmed,
                30 => Deed::PutAndSync(value),
                _ => match (any(random), random.one_in(2)) {
                    (other, _) if other == target || subjects[other].class == "counter" => Deed::Add,
                    (other, true) => Deed::AppendElsewhere(other, value),
                    (other, false) => Deed::AppendElsewhereThenAdd(other, value),
                },
            },
        };
        let url = url(&deed, subjects, subjects[target].class, random, &"x".repeat(filler));
        Operation { target, url, deed }
    }

    /// Looks at every cell of an object.
    pub fn looks(subject: &Subject, target: usize) -> Vec<Operation> {
        let deeds: &[Deed] = match subject.class {
            "counter" => &[Deed::Count],
            _ => &[Deed::Count, Deed::Get, Deed::GetPair, Deed::GetLog, Deed::SeeUnconfirmed],
        };
        let look = |deed: &Deed| {
            let url = url(deed, &[], subject.class, &mut Random::new(0), "");
            Operation { target, url, deed: deed.clone() }
        };
        deeds.iter().map(look).collect()
    }

    /// The request as it is sent.
    pub fn request(&self) -> Request {
        let (path, query) = match self.url.split_once('?') {
            Some((path, query)) => (path.to_string(), Some(query.to_string())),
            None => (self.url.clone(), None),
        };
        let text = str::to_string;
        Request {
            method: text("GET"),
            scheme: text("http"),
            authority: text("simulation"),
            path,
            query,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Its acts, as they stand in the history while their outcome is unknown.
    pub fn acts(&self) -> Vec<(Place, Act)> {
        let here = |cell| Place { object: self.target, cell };
        match self.deed {
            Deed::Add | Deed::AddSlowly | Deed::AddInTransaction => vec![(here(Cell::Count), Act::Increment(None))],
            Deed::Count => vec![(here(Cell::Count), Act::Count(0))],
            Deed::Put(value) | Deed::PutThenTrap(value) | Deed::PutThenThrow(value) => {
                vec![(here(Cell::Register), Act::Set(value))]
            }
            Deed::Get => vec![(here(Cell::Register), Act::Get(None))],
            Deed::Delete => vec![(here(Cell::Register), Act::Delete(None))],
            Deed::PutPair(value) | Deed::PutPairSlowly(value) => vec![(here(Cell::Pair), Act::Set(value))],
            Deed::GetPair => vec![(here(Cell::Pair), Act::Get(None))],
            Deed::Append(value) => vec![(here(Cell::Log), Act::Append(value, None))],
            Deed::GetLog => vec![(here(Cell::Log), Act::Text(Vec::new()))],
            Deed::Remember => vec![(here(Cell::Memory), Act::Remember(0, 0))],
            Deed::PutUnconfirmed(value) => vec![(here(Cell::Unconfirmed), Act::PutUnconfirmed(value))],
            Deed::PutAndSync(value) => vec![(here(Cell::Unconfirmed), Act::PutAndSync(value))],
            Deed::SeeUnconfirmed => vec![(here(Cell::Unconfirmed), Act::SeeUnconfirmed(Vec::new()))],
            Deed::Sync => vec![(here(Cell::Unconfirmed), Act::Sync)],
            Deed::Trap | Deed::RollBack => Vec::new(),
            Deed::AppendElsewhere(object, value) => vec![(Place { object, cell: Cell::Log }, Act::Append(value, None))],
            Deed::AppendElsewhereThenAdd(object, value) => {
                vec![
                    (Place { object, cell: Cell::Log }, Act::Append(value, None)),
                    (here(Cell::Count), Act::Increment(None)),
                ]
            }
        }
    }

    /// What the reply says.
    pub fn understand(&self, reply: &Reply) -> Understood {
        match reply {
            Ok(response) => self.understand_response(response),
            Err(EventError::Exception(_)) if matches!(self.deed, Deed::PutThenThrow(_)) => self.as_acted(),
            Err(EventError::Exception(text)) => Understood::Wrong(format!("an exception: {text}")),
            Err(EventError::NotStarted(_) | EventError::Overloaded(_) | EventError::StartFailed(_)) => {
                Understood::Never
            }
            Err(
                EventError::Reset(_) | EventError::TimedOut(_) | EventError::CommitFailed(_) | EventError::ShuttingDown,
            ) => Understood::Unknown,
            Err(
                error @ (EventError::ConstructionFailed(_)
                | EventError::Loop(_)
                | EventError::TooLarge(_)
                | EventError::NotOffered(_)
                | EventError::InvalidArguments(_)
                | EventError::ResultTooLarge(_)),
            ) => Understood::Wrong(error.to_string()),
        }
    }

    fn understand_response(&self, response: &Response) -> Understood {
        let text = String::from_utf8_lossy(&response.body);
        let done = |act| Understood::Done(vec![Some(act)]);
        let answer = match (&self.deed, response.status) {
            (Deed::Trap | Deed::PutThenTrap(_) | Deed::PutThenThrow(_), _) => None,
            (Deed::AppendElsewhere(..), 502) => Some(Understood::Unknown),
            // It did not count, but who can tell what the other one did.
            (Deed::AppendElsewhereThenAdd(..), 502) => Some(Understood::Done(vec![None, None])),
            (Deed::Count, 404) => Some(done(Act::Count(0))),
            (Deed::Get, 404) => Some(done(Act::Get(None))),
            (Deed::GetLog, 404) => Some(done(Act::Text(Vec::new()))),
            (deed, 200) => match deed {
                Deed::Add => text.parse().ok().map(|number| done(Act::Increment(Some(number)))),
                Deed::Count => text.parse().ok().map(|number| done(Act::Count(number))),
                Deed::Get => value(&text).map(|value| done(Act::Get(Some(value)))),
                Deed::Delete => text.parse().ok().map(|existed| done(Act::Delete(Some(existed)))),
                Deed::GetPair => pair(&text).map(|value| done(Act::Get(value))),
                Deed::GetLog => {
                    let values = text.split_terminator(',').map(value);
                    values.collect::<Option<Vec<u64>>>().map(|log| done(Act::Text(log)))
                }
                Deed::Remember => text.parse().ok().map(|number| done(Act::Remember(number, 0))),
                Deed::AppendElsewhereThenAdd(_, appended) => text.parse().ok().map(|number| {
                    Understood::Done(vec![Some(Act::Append(*appended, None)), Some(Act::Increment(Some(number)))])
                }),
                Deed::AddSlowly | Deed::AddInTransaction => {
                    let number = text.lines().nth(1).and_then(|number| number.parse().ok());
                    number.map(|number| done(Act::Increment(Some(number))))
                }
                Deed::PutPairSlowly(_) | Deed::RollBack | Deed::PutAndSync(_)
                    if text.lines().all(|line| ["ok", "begun", "none", "slept"].contains(&line)) =>
                {
                    Some(self.as_acted())
                }
                Deed::SeeUnconfirmed if text.trim_end() == "nothing" => Some(done(Act::SeeUnconfirmed(Vec::new()))),
                Deed::SeeUnconfirmed => {
                    let values = text.split_whitespace().map(|entry| value(entry.strip_prefix("soft-")?));
                    values.collect::<Option<Vec<u64>>>().map(|values| done(Act::SeeUnconfirmed(values)))
                }
                _ if text.trim_end() == "ok" => Some(self.as_acted()),
                _ => None,
            },
            _ => None,
        };
        answer.unwrap_or_else(|| {
            Understood::Wrong(format!("status {} {}", response.status, text.trim_end().replace('\n', ", ")))
        })
    }

    /// Everything took effect, and there is nothing to learn from the answer.
    fn as_acted(&self) -> Understood {
        Understood::Done(self.acts().into_iter().map(|(_, act)| Some(act)).collect())
    }
}

fn url(deed: &Deed, subjects: &[Subject], class: &str, random: &mut Random, filler: &str) -> String {
    // A read of a key that is not there keeps a turn waiting, where reads wait.
    let beside = if random.one_in(2) { "&beside=nothing" } else { "" };
    let elsewhere = |object: usize, value: u64| {
        let Subject { class, name } = &subjects[object];
        format!("class={class}&name={name}&path=/storage/append?key=log%26value={value}-{filler},")
    };
    match deed {
        Deed::Add if class == "counter" => "/increment".to_string(),
        Deed::Count if class == "counter" => "/value".to_string(),
        Deed::Add => format!("/storage/increment?key=count{beside}"),
        Deed::Count => "/storage/get?key=count".to_string(),
        Deed::Put(value) => format!("/storage/put?key=register&value={value}-{filler}"),
        Deed::Get => "/storage/get?key=register".to_string(),
        Deed::Delete => "/storage/delete?key=register".to_string(),
        Deed::PutPair(value) => format!("/storage/put-each?keys=pair,pair-2&value={value}-{filler}{beside}"),
        Deed::GetPair if random.one_in(2) => "/storage/list?prefix=pair".to_string(),
        Deed::GetPair => "/storage/get-many?keys=pair,pair-2".to_string(),
        Deed::Append(value) => format!("/storage/append?key=log&value={value}-{filler},"),
        Deed::GetLog => "/storage/get?key=log".to_string(),
        // Whatever comes behind the number, a dash ends it.
        Deed::PutUnconfirmed(value) => format!("/steps?do=put-unconfirmed+soft-{value}-+x"),
        Deed::PutAndSync(value) => format!("/steps?do=put-unconfirmed+soft-{value}-+x&do=sync"),
        Deed::SeeUnconfirmed => "/steps?do=list+soft-".to_string(),
        Deed::Remember => "/memory".to_string(),
        Deed::Sync => "/storage/sync".to_string(),
        Deed::PutPairSlowly(value) => {
            let wait = wait(random);
            format!(
                "/steps?do=begin+T&do=put+pair+{value}-{filler}&do={wait}&do=put+pair-2+{value}-{filler}&do=commit+T"
            )
        }
        Deed::RollBack => {
            let end = random.pick(&["rollback", "drop"]);
            format!("/steps?do=begin+T&do=put+pair+0-undone&do={}&do={end}+T", wait(random))
        }
        Deed::AddSlowly => "/steps?do=enter+S&do=slow-increment+count&do=leave+S".to_string(),
        Deed::AddInTransaction => format!("/steps?do=begin+T&do=increment+count&do={}&do=commit+T", wait(random)),
        Deed::Trap if random.one_in(4) => "/steps?do=put+register+0-aborted&do=abort+on+purpose".to_string(),
        Deed::Trap if random.one_in(3) => {
            format!("/steps?do=begin+T&do=put+pair+0-trapped&do={}&do=trap", wait(random))
        }
        Deed::Trap if random.one_in(2) => "/put-then-trap?key=register&value=0-trapped".to_string(),
        Deed::Trap => "/put-then-yield-then-trap?key=pair&value=0-trapped".to_string(),
        Deed::PutThenTrap(value) => format!("/put-then-wait-then-trap?key=register&value={value}-{filler}"),
        Deed::PutThenThrow(value) => format!("/put-then-exception?key=register&value={value}-{filler}"),
        Deed::AppendElsewhere(object, value) => format!("/namespace/call?{}", elsewhere(*object, *value)),
        Deed::AppendElsewhereThenAdd(object, value) => {
            format!("/namespace/call-then-increment?key=count&{}", elsewhere(*object, *value))
        }
    }
}

/// A step that takes a while, or at least gives others a chance.
fn wait(random: &mut Random) -> String {
    match random.below(3) {
        0 => "yield".to_string(),
        1 => "get+nothing".to_string(),
        _ => format!("sleep+{}", random.between(1, 20)),
    }
}

/// The number that a value begins with.
fn value(text: &str) -> Option<u64> {
    text.split_once('-').unwrap_or((text, "")).0.parse().ok()
}

/// The value of both keys, if there is one. None if they differ.
fn pair(text: &str) -> Option<Option<u64>> {
    let mut lines = text.lines();
    let (first, second) = (lines.next(), lines.next());
    match (first, second) {
        (None, None) => Some(None),
        (Some(first), Some(second)) => {
            let (first, second) = (first.strip_prefix("pair=")?, second.strip_prefix("pair-2=")?);
            (first == second).then(|| value(first).map(Some)).flatten()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_whose_keys_differ_is_no_answer() {
        assert_eq!(pair(""), Some(None));
        assert_eq!(pair("pair=7-x\npair-2=7-x\n"), Some(Some(7)));
        assert_eq!(pair("pair=7-x\npair-2=8-x\n"), None);
        assert_eq!(pair("pair=7-x\n"), None);
    }
}
