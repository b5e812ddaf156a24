//! The committer: one thread (or, in simulations, whoever holds the store), one transaction at a time, one fsync each.
//!
//! It takes whatever has gathered in the queue, writes it as one transaction, and publishes what became of it. It is
//! also the only one who decides after a failure:
//!
//! * the disk was full: the file is closed and opened anew in place, which goes back to the last commit, and the store
//!   goes on serving;
//! * anything else, a failed fsync above all: nothing is written any more until the process is restarted.
//!
//! Invariant: after a write set failed, no later one of the same life is written, because it was made on top of it.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLockWriteGuard;
use redb::{Database, Durability, ReadableTable, Table};
use tracing::{error, info, warn};

use super::alarms;
use super::change::Changing;
use super::schedule::Item;
use super::sweep::{self, Sweep, Swept};
use super::{CommitError, WriteSet};
use crate::alarm::AlarmChange;
use crate::disk::Fault;
use crate::key::{Key, KvRange, write_kv};
use crate::migration::catalog::Catalog;
use crate::numbers::{ClassNumber, CommitNumber, LifeId, ObjectNumber};
use crate::open::{self, CONTRADICTION, OpenError, ROWS};
use crate::record::{Class, ObjectRecord, decode_next_object};
use crate::size::{ObjectSize, Size};
use crate::store::{Shared, Slot};

/// How long the committer rests after the full disk did not let it open the file anew. Each try reads the file; write
/// sets that come meanwhile wait so long for their refusal.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);

type Rows<'transaction> = Table<'transaction, &'static [u8], &'static [u8]>;

/// See the module.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    /// What the next commit takes.
    batch: VecDeque<Item>,
    failed_lives: HashSet<LifeId>,
    next_class: u32,
    sweep: Sweep,
    /// Set once nothing may be written any more.
    failed: Option<CommitError>,
    /// The disk is full: the next try should wait a while.
    needs_rest: bool,
}

/// What became of the write sets of a transaction that was committed, where it is not "durable".
#[derive(Default)]
struct Written {
    refused: Vec<(u64, CommitError)>,
    classes: Vec<(usize, Result<Class, CommitError>)>,
    /// Lives that had a set refused in this batch.
    failed_lives: HashSet<LifeId>,
    swept: Swept,
    alarms: Vec<AlarmChange>,
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, next_class: u32, sweep: Sweep) -> Committer {
        let (batch, failed_lives) = (VecDeque::new(), HashSet::new());
        Committer { shared, batch, failed_lives, next_class, sweep, failed: None, needs_rest: false }
    }

    /// Commits until the queue is closed and empty: the thread of the committer.
    pub(crate) fn run(mut self) {
        while self.sweep_or_gather() {
            self.commit_gathered();
            // Executors that wait for a processor go first: what they hand in comes into the next commit, and not into the one
            // after. If nobody waits for one, this costs nothing.
            std::thread::yield_now();
            if std::mem::take(&mut self.needs_rest) {
                std::thread::sleep(REOPEN_PAUSE);
            }
        }
    }

    /// Takes items for the next commit as [`Committer::gather`], or none at all if there is something to sweep instead
    /// of waiting.
    fn sweep_or_gather(&mut self) -> bool {
        (self.sweep.wants_step() && self.shared.queue.is_idle()) || self.gather()
    }

    /// Takes items for the next commit, without waiting for them. Whether there is something to commit.
    pub(crate) fn gather_queued(&mut self) -> bool {
        !self.batch.is_empty() || self.shared.queue.take_queued(&mut self.batch, !self.failed_lives.is_empty())
    }

    /// Waits for items and takes them for the next commit; false once the queue is closed and empty.
    pub(crate) fn gather(&mut self) -> bool {
        self.shared.queue.take(&mut self.batch, !self.failed_lives.is_empty())
    }

    /// Commits what was taken and publishes what became of it.
    pub(crate) fn commit_gathered(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        let outcome = self.commit(&batch);
        self.settle(&mut batch, outcome);
        // Empty by now: only its memory is kept.
        self.batch = batch;
    }

    /// Commits what was taken and what is queued, without waiting for more.
    pub(crate) fn commit_queued(&mut self) {
        while self.gather_queued() {
            self.commit_gathered();
        }
    }

    /// Writes a batch as one transaction. `Err` fails all of it.
    fn commit(&mut self, batch: &VecDeque<Item>) -> Result<Written, CommitError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        self.open_again_if_closed()?;
        let shared = self.shared.clone();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let slot = shared.database.read();
            match &*slot {
                Slot::Open(database) => Ok(self.write(database, batch)),
                Slot::Full | Slot::Closed => Err(CommitError::Closed),
            }
        }));
        match result {
            Ok(Ok(Ok(written))) => Ok(written),
            Ok(Ok(Err(error))) => Err(self.after_failure(&error.to_string())),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(self.after_failure(&format!("the file is damaged ({CONTRADICTION})"))),
        }
    }

    fn write(&mut self, database: &Database, batch: &VecDeque<Item>) -> Result<Written, redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let mut written = Written::default();
        let mut changes = false;
        {
            let mut rows = transaction.open_table(ROWS)?;
            let mut buffer = Vec::new();
            let mut next_object = None;
            for (position, item) in batch.iter().enumerate() {
                match item {
                    Item::Set { number, set, .. } => match self.refusal(&rows, set, &written)? {
                        Some(refusal) => {
                            written.failed_lives.insert(set.life);
                            written.refused.push((*number, refusal));
                        }
                        None => {
                            write_set(&mut rows, set, CommitNumber(*number), &mut buffer, &mut written)?;
                            let number = set.record.as_ref().map(|(_, _, record)| record.number.0 + 1);
                            next_object = next_object.max(number);
                            changes = true;
                        }
                    },
                    Item::EndLife(_) | Item::OpenAgain => {}
                    Item::Class { name, .. } => {
                        let (class, is_new) = self.class(&mut rows, name)?;
                        written.classes.push((position, class));
                        changes |= is_new;
                    }
                    Item::Change { change, .. } => {
                        let (next_class, swept) = (&mut self.next_class, &mut written.swept);
                        (change.0)(&mut Changing { rows: &mut rows, next_class, swept })?;
                        changes = true;
                    }
                }
            }
            if let Some(next_object) = next_object {
                raise_next_object(&mut rows, next_object)?;
            }
            if changes || batch.is_empty() {
                self.sweep.step(&mut rows, &mut written.swept)?;
                changes = true;
            }
        }
        if changes {
            transaction.commit()?;
            self.shared.stats.transactions.fetch_add(1, Ordering::Relaxed);
        } else {
            transaction.abort()?;
        }
        Ok(written)
    }

    fn refusal(&self, rows: &Rows<'_>, set: &WriteSet, written: &Written) -> Result<Option<CommitError>, redb::Error> {
        if self.failed_lives.contains(&set.life) || written.failed_lives.contains(&set.life) {
            return Ok(Some(CommitError::EarlierFailed));
        }
        let Some((class, id, record)) = &set.record else {
            return Ok(None);
        };
        let key = Key::Object { class: *class, id: *id }.encode();
        let stored = rows.get(&key[..])?.map(|value| ObjectRecord::decode(value.value()));
        match stored {
            Some(Ok(stored)) if stored.number == record.number => Ok(None),
            None => Ok(None),
            // Writing it would orphan the keys under the other number.
            Some(_) => Ok(Some(CommitError::RecordExists)),
        }
    }

    fn class(&mut self, rows: &mut Rows<'_>, name: &str) -> Result<(Result<Class, CommitError>, bool), redb::Error> {
        let key = Key::Class { name: name.to_owned() }.encode();
        if let Some(stored) = rows.get(&key[..])? {
            let class = Class::decode(stored.value()).map_err(|error| redb::Error::Corrupted(error.to_string()))?;
            return Ok((Ok(class), false));
        }
        let catalog = Catalog::load(rows)?;
        if let Some(departed) = catalog.departed.get(name) {
            let name = name.into();
            let error = match departed.has_left {
                true => CommitError::ClassLeft { name },
                false => CommitError::ClassLeaving { name },
            };
            return Ok((Err(error), false));
        }
        let unique_key = catalog.unique_key_for(&self.shared.namespace_key_hex, name);
        let class = Class { number: ClassNumber(self.next_class), unique_key };
        // Not given back if the commit fails: it may have reached the disk.
        self.next_class += 1;
        rows.insert(&key[..], &class.encode()[..])?;
        Ok((Ok(class), true))
    }

    /// Publishes what became of a batch and empties it.
    fn settle(&mut self, batch: &mut VecDeque<Item>, mut outcome: Result<Written, CommitError>) {
        match &mut outcome {
            Ok(written) => {
                self.sweep.committed(std::mem::take(&mut written.swept));
                self.shared.alarm_news.add(std::mem::take(&mut written.alarms));
            }
            Err(_) => self.sweep.failed(),
        }
        let mut through = None;
        let mut bytes_settled = 0;
        let mut classes = VecDeque::new();
        if let Ok(written) = outcome.as_ref() {
            self.failed_lives.extend(&written.failed_lives);
            for (number, refusal) in &written.refused {
                self.shared.settled.fail(*number, *number, refusal);
            }
            classes.extend(written.classes.iter().cloned());
        }
        let (mut answers, mut changes) = (Vec::new(), Vec::new());
        for (position, item) in batch.drain(..).enumerate() {
            match item {
                Item::Set { number, bytes, set } => {
                    through = Some(number);
                    bytes_settled += bytes;
                    let size = set.size.as_ref();
                    match &outcome {
                        Ok(_) => drop(size.map(ObjectSize::commit)),
                        Err(error) => {
                            size.map(ObjectSize::roll_back);
                            self.failed_lives.insert(set.life);
                            self.shared.settled.fail(number, number, error);
                        }
                    }
                }
                Item::OpenAgain => {}
                Item::EndLife(life) => {
                    self.failed_lives.remove(&life);
                }
                Item::Class { reply, .. } => {
                    let answer = match &outcome {
                        Ok(_) => match classes.pop_front() {
                            Some((at, answer)) if at == position => answer,
                            _ => {
                                unreachable!("every class item of a committed batch has an answer")
                            }
                        },
                        Err(error) => Err(error.clone()),
                    };
                    answers.push((reply, answer));
                }
                Item::Change { reply, .. } => changes.push((reply, outcome.as_ref().map(drop).map_err(Clone::clone))),
            }
        }
        self.shared.queue.settled(bytes_settled);
        if let Some(through) = through {
            self.shared.subscribers.publish(&self.shared.settled, through);
        }
        for (reply, answer) in answers {
            // The asker may have gone; the class is registered all the same.
            let _ = reply.send(answer);
        }
        for (reply, answer) in changes {
            let _ = reply.send(answer);
        }
    }

    /// Decides how to go on after a transaction failed, and gives the error that its write sets get.
    fn after_failure(&mut self, cause: &str) -> CommitError {
        let detail = match self.shared.faults.worst() {
            Some(Fault::Full(detail)) => detail,
            Some(Fault::Fatal(detail)) => return self.fail_for_good(detail),
            None => return self.fail_for_good(cause.into()),
        };
        warn!(%detail, "a commit found the disk full, opening the store anew");
        let shared = self.shared.clone();
        let mut slot = shared.database.write();
        // Closes the file, which writes nothing after a failure.
        let failed = std::mem::replace(&mut *slot, Slot::Full);
        drop(catch_unwind(AssertUnwindSafe(|| drop(failed))));
        match self.open_again(slot) {
            Err(failed) if failed.is_permanent() => failed,
            _ => CommitError::NoSpace { detail },
        }
    }

    fn open_again_if_closed(&mut self) -> Result<(), CommitError> {
        let shared = self.shared.clone();
        if matches!(*shared.database.read(), Slot::Full) { self.open_again(shared.database.write()) } else { Ok(()) }
    }

    /// Opens the file anew. Readers wait so long.
    fn open_again(&mut self, mut slot: RwLockWriteGuard<'_, Slot>) -> Result<(), CommitError> {
        self.shared.faults.forget_full();
        let shared = self.shared.clone();
        // Its repair verifies it anyhow.
        let result = open::open_database(&*shared.disk, &shared.faults, shared.cache_bytes, 0);
        let failure = match result {
            Ok((database, _)) => {
                *slot = Slot::Open(database);
                info!("the store is open again, at its last commit");
                return Ok(());
            }
            Err(failure) => failure,
        };
        drop(slot);
        match (self.shared.faults.worst(), failure) {
            (Some(Fault::Fatal(detail)), _) => Err(self.fail_for_good(detail)),
            (Some(Fault::Full(detail)), _) => {
                self.needs_rest = true;
                Err(CommitError::NoSpace { detail })
            }
            // Not even the backend could be made, so nobody noted a fault.
            (None, OpenError::NoSpace) => {
                self.needs_rest = true;
                Err(CommitError::NoSpace { detail: "opening the file failed".into() })
            }
            (None, failure) => Err(self.fail_for_good(failure.to_string().into())),
        }
    }

    fn fail_for_good(&mut self, detail: Arc<str>) -> CommitError {
        error!(%detail, "the disk failed: nothing is written any more; check the disk, then restart");
        let failed = CommitError::DiskFailed { detail };
        self.failed = Some(failed.clone());
        failed
    }
}

fn write_set(
    rows: &mut Rows<'_>,
    set: &WriteSet,
    number: CommitNumber,
    buffer: &mut Vec<u8>,
    written: &mut Written,
) -> Result<(), redb::Error> {
    if let Some((class, id)) = set.forget {
        rows.remove(&Key::Object { class, id }.encode()[..])?;
    }
    if let Some((class, id, record)) = &set.record {
        rows.insert(&Key::Object { class: *class, id: *id }.encode()[..], &record.encode()[..])?;
    }
    if set.clear {
        alarms::clear(rows, set.object, &mut written.alarms)?;
    }
    if let Some(writes) = &set.alarms {
        alarms::write(rows, set.object, writes, &mut written.alarms)?;
    }
    let mut size = set.size.as_ref().map(ObjectSize::written);
    if let (Some(handle), true) = (&set.size, sweep::may_retire(set)) {
        sweep::retire(rows, set.object)?;
        written.swept.retired.push(set.object);
        handle.write(Size { bytes: 0, through: number, has_row: false });
        return Ok(());
    }
    if set.clear {
        rows.retain_in::<&[u8], _>(KvRange::with_size(set.object).as_slices(), |_, _| false)?;
        size = size.map(|size| Size { bytes: 0, has_row: false, ..size });
    }
    let (mut added, mut removed) = (0, 0);
    for (key, value) in &set.writes {
        write_kv(buffer, set.object, key);
        let old = match value {
            Some(value) => {
                added += (key.len() + value.len()) as u64;
                rows.insert(&buffer[..], Bytes::as_ref(value))?
            }
            None => rows.remove(&buffer[..])?,
        };
        removed += old.map_or(0, |old| (key.len() + old.value().len()) as u64);
    }
    match (&set.size, size) {
        (Some(handle), Some(before)) => {
            let bytes = (before.bytes + added).saturating_sub(removed);
            let has_row = write_size(rows, set.object, before, bytes)?;
            handle.write(Size { bytes, through: number, has_row });
        }
        // Not known: a row that would not be true any more goes, and the next load counts.
        _ if !set.clear => drop(rows.remove(&Key::Size { object: set.object }.encode()[..])?),
        _ => {}
    }
    Ok(())
}

/// Brings the row of an object's size up to date; whether there is one now.
fn write_size(rows: &mut Rows<'_>, object: ObjectNumber, before: Size, bytes: u64) -> Result<bool, redb::Error> {
    let needs_row = Size::needs_row(bytes);
    if needs_row == before.has_row && (!needs_row || bytes == before.bytes) {
        return Ok(needs_row);
    }
    let key = Key::Size { object }.encode();
    match needs_row {
        true => drop(rows.insert(&key[..], &bytes.to_be_bytes()[..])?),
        false => drop(rows.remove(&key[..])?),
    }
    Ok(needs_row)
}

pub(crate) fn raise_next_object(rows: &mut Rows<'_>, next_object: u64) -> Result<(), redb::Error> {
    let key = Key::NextObject.encode();
    let stored = match rows.get(&key[..])? {
        Some(stored) => {
            decode_next_object(stored.value()).map_err(|error| redb::Error::Corrupted(error.to_string()))?
        }
        None => {
            return Err(redb::Error::Corrupted("the next object number row is missing".into()));
        }
    };
    if next_object > stored {
        rows.insert(&key[..], &next_object.to_be_bytes()[..])?;
    }
    Ok(())
}
