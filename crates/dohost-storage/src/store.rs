//! The handle that everyone else holds.
//!
//! Writes go to the queue and come back through [`Progress`]; reads go straight to a snapshot of the file. What the
//! two share is the open file, behind a lock that is held for writing only while the file is opened anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use rand::RngCore;
use tracing::{error, warn};

use crate::alarm::{AlarmPlace, AlarmRow, PendingAlarm};
use crate::commit::alarm_news::AlarmNewsQueue;
use crate::commit::change::{Change, Changing};
use crate::commit::checkpoint::{Checkpointer, Checkpoints, Making};
use crate::commit::committer::Committer;
use crate::commit::progress::Subscribers;
use crate::commit::queue::{Queue, Submitted};
use crate::commit::settled::Settled;
use crate::commit::sweep::Sweep;
use crate::commit::{AlarmNews, CommitError, KeyValue, Progress, WriteSet};
use crate::disk::{Disk, Fault, Faults, FileDisk};
use crate::numbers::{ClassNumber, CommitNumber, LifeId, ObjectNumber};
use crate::open::{self, AllFaults, Birth, CONTRADICTION, OpenError};
use crate::range::KeyRange;
use crate::read::{Content, Loaded, Page, Snapshot, StoreError};
use crate::record::{Class, ObjectRecord};
use crate::rows::{File, Tables, View};
use crate::size::ObjectSize;

/// How often, and how long each time, a read waits for a store that is being opened anew.
pub(crate) const REOPENING_WAITS_MAX: usize = 100;
pub(crate) const REOPENING_WAIT: std::time::Duration = std::time::Duration::from_millis(2);

/// The file in the data directory.
pub(crate) const FILE_NAME: &str = "store.redb";

/// Memory that the store may use to keep pages of the file, unless told otherwise.
const CACHE_BYTES_DEFAULT: usize = 64 * 1024 * 1024;

/// A file of at most so many bytes is verified whenever it is opened, unless told otherwise. Takes some two milliseconds
/// for each MiB.
const VERIFY_BYTES_MAX_DEFAULT: u64 = 64 * 1024 * 1024;

/// Bytes that each of the two files of the log may have before a checkpoint must have emptied it, unless told otherwise.
const LOG_BYTES_MAX_DEFAULT: u64 = 16 * 1024 * 1024;

/// How to open a store.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Memory for pages of the file, in bytes. Overlays are not part of it.
    pub cache_bytes: usize,
    /// Files of at most so many bytes are read whole and checked against their checksums whenever they are opened.
    /// Larger ones only if they were not closed cleanly; `u64::MAX` verifies any file, which takes its time.
    pub verify_bytes_max: u64,
    /// Bytes that each of the two files of the log has before commits wait for a checkpoint, exceeded by one commit. Also bounds
    /// the rows that are in memory until then, and how long the start after a crash takes.
    pub log_bytes_max: u64,
    /// The namespace key of a data directory that is made now; from the operating system's randomness if `None`.
    pub namespace_key: Option<[u8; 32]>,
    /// The creation time of a data directory that is made now, in milliseconds since 1970; now if `None`.
    pub created_ms: Option<u64>,
    /// Who commits.
    pub committing: Committing,
}

/// Who commits what was submitted, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Committing {
    /// A thread of the store, as soon as it can.
    #[default]
    OnThread,
    /// The holder of the store, with [`Store::gather`] and [`Store::commit_gathered`]. For simulations, which decide
    /// themselves what happens when.
    ByHand,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            cache_bytes: CACHE_BYTES_DEFAULT,
            verify_bytes_max: VERIFY_BYTES_MAX_DEFAULT,
            log_bytes_max: LOG_BYTES_MAX_DEFAULT,
            namespace_key: None,
            created_ms: None,
            committing: Committing::OnThread,
        }
    }
}

/// Figures of a store since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Transactions committed, each with one fsync.
    pub transactions: u64,
    /// Write sets submitted.
    pub write_sets: u64,
}

/// An open store. Clones are cheap and share everything. The last one to go closes it.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    /// None once the store is closed.
    commits: Mutex<Option<Commits>>,
}

/// Who commits.
enum Commits {
    OnThread(JoinHandle<Committer>),
    ByHand(Box<Committer>),
}

/// What the handle and the committer share.
pub(crate) struct Shared {
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) log_faults: Arc<Faults>,
    /// Held by everyone who reads the file, and alone by who closes it.
    pub(crate) gate: RwLock<()>,
    pub(crate) tables: Mutex<Tables>,
    pub(crate) checkpoints: Checkpoints,
    /// Set once nothing may be written any more.
    failed: Mutex<Option<CommitError>>,
    pub(crate) queue: Queue,
    pub(crate) settled: Arc<Settled>,
    pub(crate) subscribers: Subscribers,
    pub(crate) alarm_news: AlarmNewsQueue,
    pub(crate) stats: Counters,
    pub(crate) cache_bytes: usize,
    pub(crate) namespace_key_hex: String,
    namespace_key: [u8; 32],
    created_ms: u64,
    pub(crate) next_object: AtomicU64,
    next_life: AtomicU64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) transactions: AtomicU64,
    write_sets: AtomicU64,
}

impl Store {
    /// Opens or makes `<directory>/store.redb`, and the directory.
    pub fn open(directory: &Path, options: StoreOptions) -> Result<Store, OpenError> {
        let disk = FileDisk::new(directory, FILE_NAME).map_err(OpenError::from_io)?;
        Store::open_disk(disk.ok_or(OpenError::InUse)?, options)
    }

    /// Opens or makes a store on any disk.
    pub fn open_disk(disk: impl Disk, options: StoreOptions) -> Result<Store, OpenError> {
        let (faults, log_faults) = (Arc::new(Faults::default()), Arc::new(Faults::default()));
        let birth = || Birth {
            namespace_key: options.namespace_key.unwrap_or_else(random_key),
            created_ms: options.created_ms.unwrap_or_else(now_ms),
        };
        let all_faults = AllFaults { of_file: &faults, of_log: &log_faults };
        let opened = open::open(&disk, all_faults, &options, birth)?;
        let shared = Arc::new(Shared {
            disk: Box::new(disk),
            faults,
            log_faults,
            gate: RwLock::new(()),
            tables: Mutex::new(opened.tables),
            checkpoints: Checkpoints::default(),
            failed: Mutex::new(None),
            queue: Queue::default(),
            settled: Arc::new(Settled::new()),
            subscribers: Subscribers::default(),
            alarm_news: AlarmNewsQueue::default(),
            stats: Counters::default(),
            cache_bytes: options.cache_bytes,
            namespace_key_hex: opened.namespace_key.iter().map(|byte| format!("{byte:02x}")).collect(),
            namespace_key: opened.namespace_key,
            created_ms: opened.created_ms,
            next_object: AtomicU64::new(opened.next_object),
            next_life: AtomicU64::new(1),
        });
        let checkpointer = Checkpointer::new(shared.clone(), opened.database, opened.applied);
        let sweep = Sweep::new(opened.retired);
        let committer = |making| Committer::new(shared.clone(), opened.log, making, opened.next_class, sweep);
        let commits = match options.committing {
            Committing::OnThread => {
                let committer = committer(Making::on_thread(checkpointer).map_err(OpenError::Io)?);
                let thread = std::thread::Builder::new().name("committer".into()).spawn(move || committer.run());
                Commits::OnThread(thread.map_err(OpenError::Io)?)
            }
            Committing::ByHand => Commits::ByHand(Box::new(committer(Making::ByHand(Box::new(checkpointer))))),
        };
        Ok(Store { handle: Arc::new(Handle { shared, commits: Mutex::new(Some(commits)) }) })
    }

    /// The class of this name, registered now if it is new. Waits for the disk; durable when it returns.
    pub fn class(&self, name: &str) -> Result<Class, StoreError> {
        let answer = self.shared().queue.class(name);
        if let Some(Commits::ByHand(committer)) = &mut *self.handle.commits.lock() {
            committer.commit_queued();
        }
        Ok(answer.recv().unwrap_or(Err(CommitError::Closed))?)
    }

    /// Makes a change that no object makes. Waits for the disk; durable when it returns. The inner error is the change's own,
    /// which then wrote nothing.
    pub(crate) fn change<T: Send + 'static, E: Send + 'static>(
        &self,
        apply: impl Fn(&mut Changing<'_>) -> Result<Result<T, E>, redb::Error> + Send + 'static,
    ) -> Result<Result<T, E>, StoreError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let change = Change(Box::new(move |changing| {
            // The asker waits for it below.
            let _ = sender.send(apply(changing)?);
            Ok(())
        }));
        let durable = self.shared().queue.change(change);
        if let Some(Commits::ByHand(committer)) = &mut *self.handle.commits.lock() {
            committer.commit_queued();
        }
        durable.recv().unwrap_or(Err(CommitError::Closed))?;
        // It may have been tried several times; the last one is what was written.
        receiver.try_iter().last().ok_or(StoreError::Closed)
    }

    /// Commits one write set and waits until it is durable, for whoever has no executor. Waits for the disk.
    pub fn commit(&self, set: WriteSet) -> Result<(), CommitError> {
        let life = set.life;
        let number = self.submit(set);
        // A change comes behind what was submitted before it, and so is settled after it.
        let behind = self.change(|_| Ok(Ok::<(), ()>(())));
        let outcome = self.shared().settled.outcome(number);
        self.end_life(life);
        match (outcome, behind) {
            (Some(outcome), _) => outcome,
            (None, Err(StoreError::Commit(error))) => Err(error),
            (None, _) => Err(CommitError::Closed),
        }
    }

    /// Takes what is queued for the next commit, unless something was taken and is not committed yet. Whether there is
    /// something to commit. Does not wait.
    ///
    /// # Panics
    ///
    /// If the store does not commit by hand, as for [`Store::commit_gathered`].
    pub fn gather(&self) -> bool {
        self.handle.by_hand(Committer::gather_queued)
    }

    /// Commits what was gathered, in one transaction with one fsync, and tells those who wait for it. Waits for the
    /// disk.
    pub fn commit_gathered(&self) {
        self.handle.by_hand(Committer::commit_gathered);
    }

    /// The secret of this data directory.
    pub fn namespace_key(&self) -> [u8; 32] {
        self.shared().namespace_key
    }

    /// When this data directory was made, in milliseconds since 1970.
    pub fn created_ms(&self) -> u64 {
        self.shared().created_ms
    }

    /// An identity for a new life of an object.
    pub fn new_life(&self) -> LifeId {
        LifeId(self.shared().next_life.fetch_add(1, Ordering::Relaxed))
    }

    /// Notes that a life is over: no write set of it follows. Every life that submitted something must end so.
    pub fn end_life(&self, life: LifeId) {
        self.shared().queue.end_life(life);
    }

    /// The object's record, and its whole content if that has at most `content_bytes_max` bytes of keys and values.
    /// Without a record, a number that was never used. Waits for the disk.
    ///
    /// Every write set of the object's earlier lives must be settled: a load does not see one that is on its way.
    pub fn load(&self, class: ClassNumber, id: &[u8; 32], content_bytes_max: usize) -> Result<Loaded, StoreError> {
        self.read(|snapshot| {
            let Some(record) = snapshot.record(class, id)? else {
                let number = ObjectNumber(self.shared().next_object.fetch_add(1, Ordering::Relaxed));
                let size = ObjectSize::new(0, false);
                let (content, alarms) = (Content::Whole(Vec::new()), Vec::new());
                return Ok(Loaded { number, record: None, content, alarms, size });
            };
            let (content, size) = snapshot.content(record.number, content_bytes_max)?;
            let alarms = snapshot.alarms(record.number)?.into_iter().map(|(name, row)| (name, row.alarm)).collect();
            Ok(Loaded { number: record.number, record: Some(record), content, alarms, size })
        })
    }

    /// A number for an object that has no record any more, after a write set with `forget`. Never given before.
    pub fn new_object(&self) -> ObjectNumber {
        ObjectNumber(self.shared().next_object.fetch_add(1, Ordering::Relaxed))
    }

    /// The durable value of a key. Waits for the disk.
    pub fn get(&self, object: ObjectNumber, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.read(|snapshot| Ok(snapshot.get(object, &[key])?.pop().flatten()))
    }

    /// The durable values of several keys, in the order of the keys, all of one moment. Waits for the disk.
    pub fn get_many(&self, object: ObjectNumber, keys: &[Arc<str>]) -> Result<Vec<KeyValue>, StoreError> {
        let names: Vec<&str> = keys.iter().map(|key| &**key).collect();
        let values = self.read(|snapshot| snapshot.get(object, &names))?;
        Ok(keys.iter().cloned().zip(values).collect())
    }

    /// The durable entries from the beginning of a range, as many as a page takes (what is committed meanwhile may be among them, or
    /// a part of it); see [`crate::Listing`] for the
    /// rest of them. Waits for the disk.
    pub fn list(&self, object: ObjectNumber, range: &KeyRange) -> Result<Page, StoreError> {
        self.read(|snapshot| snapshot.list(object, range))
    }

    /// All that is stored of the alarms of an object, by name. Waits for the disk.
    pub fn alarms(&self, object: ObjectNumber) -> Result<Vec<(Arc<str>, AlarmRow)>, StoreError> {
        self.read(|snapshot| snapshot.alarms(object))
    }

    /// At most `limit` pending alarms of a class in the order of the time when they are due, behind `after`. Waits for the disk.
    pub fn pending_alarms(
        &self,
        class: ClassNumber,
        after: Option<&AlarmPlace>,
        limit: usize,
    ) -> Result<Vec<PendingAlarm>, StoreError> {
        self.read(|snapshot| snapshot.pending_alarms(class, after, limit))
    }

    /// Begins to remember changes of pending alarms, for one listener.
    pub fn listen_to_alarms(&self) {
        self.shared().alarm_news.listen();
    }

    /// The changes of pending alarms that became durable since the last time. What a commit changed is here before that commit
    /// is reported durable.
    pub fn alarm_news(&self) -> AlarmNews {
        self.shared().alarm_news.take()
    }

    /// Whether there are such changes; the task that asks last is woken when there are.
    pub fn poll_alarm_news(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared().alarm_news.poll_any(cx)
    }

    /// At most `limit` objects of a class that have a record, by id, behind `after`. Waits for the disk.
    pub fn objects(
        &self,
        class: ClassNumber,
        after: Option<[u8; 32]>,
        limit: usize,
    ) -> Result<Vec<([u8; 32], ObjectRecord)>, StoreError> {
        self.read(|snapshot| snapshot.objects(class, after.as_ref(), limit))
    }

    /// Queues a write set for the next commit. Never waits for the disk and never fails: what becomes of it is asked
    /// of [`Progress`] under the number returned. Commits happen in the order of these numbers.
    pub fn submit(&self, set: WriteSet) -> CommitNumber {
        let shared = self.shared();
        shared.stats.write_sets.fetch_add(1, Ordering::Relaxed);
        let settle_stopped = |number| {
            shared.settled.fail(number, number, &CommitError::Closed);
            shared.subscribers.publish(&shared.settled, number);
        };
        match shared.queue.submit(set, settle_stopped) {
            Submitted::Queued(number) | Submitted::Stopped(number) => number,
        }
    }

    /// The number that was given last. See [`Progress::give_up`].
    pub fn last_submitted(&self) -> CommitNumber {
        self.shared().queue.last_submitted()
    }

    /// Bytes of keys and values submitted and not settled. See [`crate::PENDING_BYTES_MAX`] for what to do about it.
    pub fn pending_bytes(&self) -> usize {
        self.shared().queue.pending_bytes()
    }

    /// A view of the commits for one executor.
    pub fn progress(&self) -> Progress {
        self.shared().subscribers.subscribe(self.shared().settled.clone())
    }

    /// Figures since the store was opened.
    pub fn stats(&self) -> StoreStats {
        let stats = &self.shared().stats;
        StoreStats {
            transactions: stats.transactions.load(Ordering::Relaxed),
            write_sets: stats.write_sets.load(Ordering::Relaxed),
        }
    }

    /// Waits until everything submitted is settled, stops the committer and closes the file cleanly, so that the next
    /// start needs no repair. May wait for the disk as long as the disk takes. Later submits fail, a second close does
    /// nothing.
    pub fn close(&self) {
        self.handle.close();
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// A checkpoint that finds the disk full makes redb refuse everything until the store was opened anew, which takes a
    /// moment. Readers have no part in that, so they wait for it, if it does not take long.
    pub(crate) fn read<T>(&self, read: impl Fn(&Snapshot) -> Result<T, StoreError>) -> Result<T, StoreError> {
        for _ in 0..REOPENING_WAITS_MAX {
            match self.read_once(&read) {
                Err(StoreError::Reopening) => std::thread::sleep(REOPENING_WAIT),
                answer => return answer,
            }
        }
        self.read_once(&read)
    }

    fn read_once<T>(&self, read: impl Fn(&Snapshot) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let shared = self.shared();
        let _gate = shared.gate.read();
        let view = match shared.view() {
            Err(StoreError::NoSpace) => {
                // Whoever cannot read will not write either: without this, nobody might ever open it.
                shared.queue.open_again();
                return Err(StoreError::NoSpace);
            }
            view => view?,
        };
        // redb trusts what it reads, and panics where that makes no sense.
        catch_unwind(AssertUnwindSafe(|| read(&Snapshot { rows: view })))
            .unwrap_or_else(|_| Err(StoreError::Damaged { detail: CONTRADICTION.into() }))
    }
}

impl Shared {
    /// What is durable. For those who hold the gate.
    pub(crate) fn view(&self) -> Result<View, StoreError> {
        let tables = self.tables.lock();
        View::new(&tables).ok_or(match tables.file {
            File::Full => StoreError::NoSpace,
            File::Open(_) | File::Closed => StoreError::Closed,
        })
    }

    /// Why nothing may be written any more.
    pub(crate) fn failed(&self) -> Option<CommitError> {
        self.failed.lock().clone()
    }

    /// Decides how to go on after the log could not be written, and gives the error that write sets get.
    pub(crate) fn after_log_failure(&self, error: &std::io::Error) -> CommitError {
        match self.log_faults.worst() {
            Some(Fault::Full(detail)) => {
                self.log_faults.forget_full();
                warn!(%detail, "a commit found the disk full");
                CommitError::NoSpace { detail }
            }
            Some(Fault::Fatal(detail)) => self.fail_for_good(detail),
            None => self.fail_for_good(error.to_string().into()),
        }
    }

    /// Lets nothing be written any more. The error that everybody gets.
    pub(crate) fn fail_for_good(&self, detail: Arc<str>) -> CommitError {
        let mut failed = self.failed.lock();
        if let Some(failed) = &*failed {
            return failed.clone();
        }
        error!(%detail, "the disk failed: nothing is written any more; check the disk, then restart");
        self.faults.give_up(&detail);
        self.log_faults.give_up(&detail);
        failed.insert(CommitError::DiskFailed { detail }).clone()
    }
}

impl Handle {
    fn by_hand<R>(&self, f: impl FnOnce(&mut Committer) -> R) -> R {
        match &mut *self.commits.lock() {
            Some(Commits::ByHand(committer)) => f(committer),
            _ => panic!("the store does not commit by hand, or was closed"),
        }
    }

    fn close(&self) {
        let mut commits = self.commits.lock();
        let Some(last) = commits.take() else {
            return;
        };
        self.shared.queue.close();
        let committer = match last {
            Commits::OnThread(thread) => thread.join(),
            Commits::ByHand(mut committer) => {
                committer.commit_queued();
                Ok(committer.run())
            }
        };
        match committer {
            Ok(committer) => committer.close(),
            Err(_) => {
                error!("the committer stopped with a panic");
                self.shared.checkpoints.close();
            }
        }
        self.shared.disk.release();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

fn random_key() -> [u8; 32] {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    key
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
