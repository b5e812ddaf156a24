//! The committer: one thread (or, in simulations, whoever holds the store), one record of the log at a time, one fsync each.
//!
//! It takes whatever has gathered in the queue, works out which rows that changes, appends them to the log, and publishes
//! what became of it. When the log is half full it has a checkpoint made of it, which goes on beside it.
//!
//! After a failure:
//!
//! * the disk was full: those write sets are refused, and the store goes on serving;
//! * anything else, a failed fsync above all: nothing is written any more until the process is restarted.
//!
//! Invariant: after a write set failed, no later one of the same life is written, because it was made on top of it.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tracing::error;

use super::alarms;
use super::change::Changing;
use super::checkpoint::Making;
use super::schedule::Item;
use super::sweep::{self, Sweep, Swept};
use super::{CommitError, WriteSet};
use crate::alarm::AlarmChange;
use crate::disk::Fault;
use crate::key::{Key, KvRange, write_kv};
use crate::log::Log;
use crate::migration::catalog::Catalog;
use crate::numbers::{ClassNumber, CommitNumber, LifeId, ObjectNumber};
use crate::open::CONTRADICTION;
use crate::record::{Class, ObjectRecord, decode_next_object};
use crate::rows::{Batch, Layer, ReadRows};
use crate::size::{ObjectSize, Size};
use crate::store::{REOPENING_WAIT, REOPENING_WAITS_MAX, Shared};

/// How long the committer rests when there is no file to read, because the disk is full. Write sets that come meanwhile wait
/// so long for their refusal.
const FULL_PAUSE: Duration = Duration::from_millis(250);

/// See the module.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    log: Log,
    making: Making,
    /// Memory of the active rows, about.
    active_bytes: usize,
    /// What the next commit takes.
    batch: VecDeque<Item>,
    failed_lives: HashSet<LifeId>,
    next_class: u32,
    sweep: Sweep,
    /// There is no file to read: the next try should wait a while.
    needs_rest: bool,
}

/// Why a batch was not written.
enum Failure {
    File(redb::Error),
    /// The file makes no sense.
    Contradiction,
    /// The file is closed, because the disk is full.
    NoFile,
}

impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Failure {
        Failure::File(error)
    }
}

/// What became of the write sets of a batch that was committed, where it is not "durable".
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
    pub(crate) fn new(shared: Arc<Shared>, log: Log, making: Making, next_class: u32, sweep: Sweep) -> Committer {
        let (batch, failed_lives) = (VecDeque::new(), HashSet::new());
        let active_bytes = 0;
        Committer { shared, log, making, active_bytes, batch, failed_lives, next_class, sweep, needs_rest: false }
    }

    /// Commits until the queue is closed and empty: the thread of the committer.
    pub(crate) fn run(mut self) -> Committer {
        while self.sweep_or_gather() {
            self.commit_gathered();
            // Executors that wait for a processor go first: what they hand in comes into the next commit, and not into the one
            // after. If nobody waits for one, this costs nothing.
            thread::yield_now();
            if std::mem::take(&mut self.needs_rest) {
                thread::sleep(FULL_PAUSE);
            }
        }
        self
    }

    /// Brings everything to the file and closes it cleanly.
    pub(crate) fn close(mut self) {
        let Some(mut checkpointer) = self.making.end(&self.shared.checkpoints) else { return };
        let is_frozen = self.shared.tables.lock().frozen.is_some();
        let mut bring = || {
            if is_frozen {
                checkpointer.bring(self.log.generation() - 1, None)?;
            }
            if !self.log.is_empty() {
                self.shared.tables.lock().freeze();
                checkpointer.bring(self.log.generation(), None)?;
            }
            self.log.close(checkpointer.applied()).map_err(|error| self.shared.after_log_failure(&error))
        };
        if self.shared.failed().is_none()
            && let Err(error) = bring()
        {
            error!(%error, "failed to bring the log to the file, the next start does");
        }
        checkpointer.close();
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
        match self.commit(&batch) {
            // Room is missing in the file of redb, where large write sets go. The log may have some for each by itself.
            Err(CommitError::NoSpace { .. }) if batch.len() > 1 && batch.iter().any(Item::is_large) => {
                while !batch.is_empty() {
                    let mut part = part_of(&mut batch);
                    let outcome = self.commit(&part);
                    self.settle(&mut part, outcome);
                }
            }
            outcome => self.settle(&mut batch, outcome),
        }
        if self.is_over(self.log.bytes_max() / 2) && self.shared.checkpoints.is_idle() {
            // What goes wrong is noted, and the next commit meets it.
            let _ = self.begin_checkpoint(None);
        }
        // Empty by now: only its memory is kept.
        self.batch = batch;
    }

    /// Commits what was taken and what is queued, without waiting for more.
    pub(crate) fn commit_queued(&mut self) {
        while self.gather_queued() {
            self.commit_gathered();
        }
    }

    /// Writes a batch as one record of the log. `Err` fails all of it.
    fn commit(&mut self, batch: &VecDeque<Item>) -> Result<Written, CommitError> {
        if batch.iter().any(|item| matches!(item, Item::OpenAgain)) {
            self.try_checkpoint_again();
        }
        self.make_room()?;
        let (mut waits, mut tries) = (0..REOPENING_WAITS_MAX, 0..1);
        let next_class = self.next_class;
        loop {
            if let Some(failed) = self.shared.failed() {
                return Err(failed);
            }
            // What a try before this one made of them does not count.
            batch.iter().for_each(Item::roll_back);
            self.next_class = next_class;
            let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare(batch)));
            match prepared.unwrap_or(Err(Failure::Contradiction)) {
                Ok((written, rows)) => return self.write(rows).map(|()| written),
                Err(Failure::File(error)) => match (error, self.shared.faults.worst()) {
                    // The checkpointer is about to open the file anew.
                    (redb::Error::PreviousIo, Some(Fault::Full(_))) => thread::sleep(REOPENING_WAIT),
                    // Or has just done so.
                    (redb::Error::PreviousIo, None) if waits.next().is_some() => thread::sleep(REOPENING_WAIT),
                    (_, Some(Fault::Fatal(detail))) => return Err(self.shared.fail_for_good(detail)),
                    (error, _) => return Err(self.shared.fail_for_good(error.to_string().into())),
                },
                Err(Failure::Contradiction) => {
                    return Err(self.shared.fail_for_good(format!("the file is damaged ({CONTRADICTION})").into()));
                }
                Err(Failure::NoFile) if tries.next().is_some() => self.try_checkpoint_again(),
                Err(Failure::NoFile) => {
                    self.needs_rest = true;
                    return Err(CommitError::NoSpace { detail: "the store waits to be opened anew".into() });
                }
            }
        }
    }

    /// Sees to it that the log has room for a commit.
    fn make_room(&mut self) -> Result<(), CommitError> {
        let is_thrifty = self.shared.checkpoints.is_full();
        self.log.be_thrifty(is_thrifty).map_err(|error| self.shared.after_log_failure(&error))?;
        let max = self.log.bytes_max();
        if !self.is_over(max) {
            return Ok(());
        }
        self.wait_for_checkpoint()?;
        if self.is_over(max) { self.begin_checkpoint(None) } else { Ok(()) }
    }

    /// Whether the log, or its rows in memory, have so many bytes.
    fn is_over(&self, bytes: u64) -> bool {
        self.log.bytes().max(self.active_bytes as u64) >= bytes
    }

    /// Waits until no checkpoint is under way.
    fn wait_for_checkpoint(&mut self) -> Result<(), CommitError> {
        self.try_checkpoint_again();
        self.shared.checkpoints.wait().map_err(|detail| CommitError::NoSpace { detail })
    }

    fn try_checkpoint_again(&mut self) {
        let shared = self.shared.clone();
        self.making.try_again(&shared.checkpoints);
    }

    /// Has a checkpoint made of the log, and of rows that are not in it, and goes on in its other file.
    fn begin_checkpoint(&mut self, extra: Option<Layer>) -> Result<(), CommitError> {
        if let Some(failed) = self.shared.failed() {
            return Err(failed);
        }
        let (shared, generation) = (self.shared.clone(), self.log.generation());
        self.log.rotate();
        shared.tables.lock().freeze();
        self.active_bytes = 0;
        self.making.begin(&shared.checkpoints, generation, extra);
        Ok(())
    }

    /// Makes the rows of a commit durable, and lets readers see them.
    fn write(&mut self, rows: Batch) -> Result<(), CommitError> {
        if rows.staged().is_empty() {
            return Ok(());
        }
        if rows.bytes() as u64 > self.log.bytes_max() / 4 {
            // In the log it would soon be in the way, and be written twice for a saving that it does not notice.
            self.wait_for_checkpoint()?;
            self.begin_checkpoint(Some(rows.into_staged()))?;
            self.shared.checkpoints.wait_for_extra().map_err(|detail| CommitError::NoSpace { detail })?;
            self.shared.failed().map_or(Ok(()), Err)?;
            self.log.note_extra();
        } else {
            self.log.append(rows.staged()).map_err(|error| self.shared.after_log_failure(&error))?;
            self.active_bytes += rows.publish();
        }
        self.shared.stats.transactions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Works out the rows of a commit.
    fn prepare(&mut self, batch: &VecDeque<Item>) -> Result<(Written, Batch), Failure> {
        let shared = self.shared.clone();
        let _gate = shared.gate.read();
        let mut rows = Batch::new(shared.view().map_err(|_| Failure::NoFile)?);
        let mut written = Written::default();
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
                    }
                },
                Item::EndLife(_) | Item::OpenAgain => {}
                Item::Class { name, .. } => written.classes.push((position, self.class(&mut rows, name)?)),
                Item::Change { change, .. } => {
                    let (next_class, swept) = (&mut self.next_class, &mut written.swept);
                    (change.0)(&mut Changing { rows: &mut rows, next_class, swept })?;
                }
            }
        }
        if let Some(next_object) = next_object {
            raise_next_object(&mut rows, next_object)?;
        }
        if !rows.staged().is_empty() || batch.is_empty() {
            self.sweep.step(&mut rows, &mut written.swept)?;
        }
        Ok((written, rows))
    }

    fn refusal(&self, rows: &Batch, set: &WriteSet, written: &Written) -> Result<Option<CommitError>, redb::Error> {
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

    fn class(&mut self, rows: &mut Batch, name: &str) -> Result<Result<Class, CommitError>, redb::Error> {
        let key = Key::Class { name: name.to_owned() }.encode();
        if let Some(stored) = rows.get(&key[..])? {
            let class = Class::decode(stored.value()).map_err(|error| redb::Error::Corrupted(error.to_string()))?;
            return Ok(Ok(class));
        }
        let catalog = Catalog::load(rows)?;
        if let Some(departed) = catalog.departed.get(name) {
            let name = name.into();
            let error = match departed.has_left {
                true => CommitError::ClassLeft { name },
                false => CommitError::ClassLeaving { name },
            };
            return Ok(Err(error));
        }
        let unique_key = catalog.unique_key_for(&self.shared.namespace_key_hex, name);
        let class = Class { number: ClassNumber(self.next_class), unique_key };
        // Not given back if the commit fails: it may have reached the disk.
        self.next_class += 1;
        rows.insert(&key, class.encode());
        Ok(Ok(class))
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
}

/// Takes the beginning of a batch: a large write set, or what stands before the first one.
fn part_of(batch: &mut VecDeque<Item>) -> VecDeque<Item> {
    let len = match batch.iter().position(Item::is_large) {
        Some(at) => at.max(1),
        None => batch.len(),
    };
    let rest = batch.split_off(len);
    std::mem::replace(batch, rest)
}

fn write_set(
    rows: &mut Batch,
    set: &WriteSet,
    number: CommitNumber,
    buffer: &mut Vec<u8>,
    written: &mut Written,
) -> Result<(), redb::Error> {
    if let Some((class, id)) = set.forget {
        rows.remove(&Key::Object { class, id }.encode()[..])?;
    }
    if let Some((class, id, record)) = &set.record {
        rows.insert(&Key::Object { class: *class, id: *id }.encode(), record.encode());
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
        rows.remove_range(KvRange::with_size(set.object).as_slices())?;
        size = size.map(|size| Size { bytes: 0, has_row: false, ..size });
    }
    let (mut added, mut removed) = (0, 0);
    for (key, value) in &set.writes {
        write_kv(buffer, set.object, key);
        let old = match value {
            Some(value) => {
                added += (key.len() + value.len()) as u64;
                rows.replace(buffer, value.clone())?
            }
            None => rows.remove(buffer)?,
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
fn write_size(rows: &mut Batch, object: ObjectNumber, before: Size, bytes: u64) -> Result<bool, redb::Error> {
    let needs_row = Size::needs_row(bytes);
    if needs_row == before.has_row && (!needs_row || bytes == before.bytes) {
        return Ok(needs_row);
    }
    let key = Key::Size { object }.encode();
    match needs_row {
        true => rows.insert(&key, bytes.to_be_bytes().to_vec()),
        false => drop(rows.remove(&key[..])?),
    }
    Ok(needs_row)
}

pub(crate) fn raise_next_object(rows: &mut Batch, next_object: u64) -> Result<(), redb::Error> {
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
        rows.insert(&key, next_object.to_be_bytes().to_vec());
    }
    Ok(())
}
