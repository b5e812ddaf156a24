//! Bringing what is in the log to the file.
//!
//! A checkpoint takes the rows of one generation of the log, each as it was in the end, and writes them to redb in one
//! transaction, together with the number of the generation ([`Key::Log`]). Commits go on meanwhile, in the other file of the
//! log; only when that is full, too, they wait. Who reads finds the rows in memory until the file has them.
//!
//! Rows of a large commit go along without having been in the log.
//!
//! It is the only one who writes to redb, and decides after a failure:
//!
//! * the disk was full: redb is closed and opened anew in place, which goes back to the last checkpoint, and the next try
//!   comes a while later. Nothing is lost: the log has all of it. Once the log is full, commits are refused;
//! * anything else, a failed fsync above all: nothing is written any more until the process is restarted.
//!
//! [`Checkpointer`] does it, on a thread of its own or, in simulations, when it is told to; [`Checkpoints`] is where the
//! committer asks for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use redb::{Database, Durability, ReadableDatabase};
use tracing::{debug, error, info, warn};

use super::CommitError;
use crate::disk::Fault;
use crate::key::Key;
use crate::open::{self, CONTRADICTION, OpenError, OpenedFile, ROWS};
use crate::record::decode_generation;
use crate::rows::{File, FileRows, Layer};
use crate::store::Shared;

/// How long to rest at least after a full disk, and how many times as long as the last try took: each reads the file, and nobody
/// else can meanwhile.
const FULL_PAUSE_MIN: Duration = Duration::from_millis(250);
const FULL_PAUSE_TIMES: u32 = 4;

/// Rows that are written before others get the processor.
const ROWS_AT_ONCE: usize = 256;

/// What the committer and the thread of the checkpointer know together.
#[derive(Default)]
pub(crate) struct Checkpoints {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The generation to bring to the file; its rows are frozen.
    wanted: Option<u64>,
    /// Rows that go to the file along with it, and are not in the log.
    extra: Option<Layer>,
    /// Why they did not: the disk is full.
    extra_failed: Option<Arc<str>>,
    /// Why the last try failed: the disk is full.
    full: Option<Arc<str>>,
    is_closing: bool,
}

impl Checkpoints {
    /// Whether none is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.lock().wanted.is_none()
    }

    /// Waits until none is under way; an error if the disk is full.
    pub(crate) fn wait(&self) -> Result<(), Arc<str>> {
        let mut state = self.state.lock();
        while state.wanted.is_some() {
            if let Some(full) = &state.full {
                return Err(full.clone());
            }
            self.changed.wait(&mut state);
        }
        Ok(())
    }

    /// Asks for one.
    fn begin(&self, generation: u64, extra: Option<Layer>) {
        let mut state = self.state.lock();
        (state.wanted, state.extra, state.extra_failed) = (Some(generation), extra, None);
        self.changed.notify_all();
    }

    /// Waits for what became of the rows that went along with the last one.
    pub(crate) fn wait_for_extra(&self) -> Result<(), Arc<str>> {
        let waited = self.wait();
        self.state.lock().extra_failed.take().map_or(waited, Err)
    }

    /// Whether one was given up for now because the disk is full.
    pub(crate) fn is_full(&self) -> bool {
        self.state.lock().full.is_some()
    }

    /// Lets the thread end.
    pub(crate) fn close(&self) {
        self.state.lock().is_closing = true;
        self.changed.notify_all();
    }

    /// Takes note of what came of a try.
    fn done(&self, outcome: &Result<(), CommitError>) {
        let mut state = self.state.lock();
        match outcome {
            Err(CommitError::NoSpace { detail }) => state.full = Some(detail.clone()),
            _ => (state.wanted, state.full) = (None, None),
        }
        self.changed.notify_all();
    }
}

/// See the module.
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    /// None while the full disk does not let it be opened, and once it is closed.
    database: Option<Database>,
    /// The last generation that the file has everything of.
    applied: u64,
}

/// Who makes the checkpoints.
pub(crate) enum Making {
    OnThread(JoinHandle<Checkpointer>),
    ByHand(Box<Checkpointer>),
}

impl Making {
    /// Lets a thread make them.
    pub(crate) fn on_thread(checkpointer: Checkpointer) -> std::io::Result<Making> {
        let thread = std::thread::Builder::new().name("checkpointer".into()).spawn(move || checkpointer.run())?;
        Ok(Making::OnThread(thread))
    }

    /// Has the rows of a generation, which are frozen, brought to the file. With them go `extra` rows, if there is
    /// room for them; otherwise they are forgotten.
    pub(crate) fn begin(&mut self, checkpoints: &Checkpoints, generation: u64, extra: Option<Layer>) {
        checkpoints.begin(generation, extra);
        if let Making::ByHand(checkpointer) = self {
            checkpointer.step(generation);
        }
    }

    /// Tries again what failed because the disk was full. A thread does that by itself.
    pub(crate) fn try_again(&mut self, checkpoints: &Checkpoints) {
        let wanted = checkpoints.state.lock().wanted;
        if let (Making::ByHand(checkpointer), Some(generation)) = (self, wanted) {
            checkpointer.step(generation);
        }
    }

    /// Ends it; a checkpoint that is under way is finished before, unless the disk is full.
    pub(crate) fn end(self, checkpoints: &Checkpoints) -> Option<Checkpointer> {
        checkpoints.close();
        match self {
            Making::OnThread(thread) => {
                thread.join().inspect_err(|_| error!("the checkpointer stopped with a panic")).ok()
            }
            Making::ByHand(checkpointer) => Some(*checkpointer),
        }
    }
}

impl Checkpointer {
    pub(crate) fn new(shared: Arc<Shared>, database: Database, applied: u64) -> Checkpointer {
        Checkpointer { shared, database: Some(database), applied }
    }

    /// The last generation that the file has everything of.
    pub(crate) fn applied(&self) -> u64 {
        self.applied
    }

    /// Makes checkpoints until the store is closed: the thread of the checkpointer.
    fn run(mut self) -> Checkpointer {
        let shared = self.shared.clone();
        let checkpoints = &shared.checkpoints;
        let mut pause = FULL_PAUSE_MIN;
        loop {
            let generation = {
                let mut state = checkpoints.state.lock();
                let mut has_rested = false;
                loop {
                    let needs_rest = state.full.is_some() && !has_rested;
                    match state.wanted {
                        Some(generation) if !needs_rest => break generation,
                        // Whoever closes the store tries once more.
                        _ if state.is_closing => return self,
                        Some(_) => has_rested = checkpoints.changed.wait_for(&mut state, pause).timed_out(),
                        None => checkpoints.changed.wait(&mut state),
                    }
                }
            };
            let began = Instant::now();
            self.step(generation);
            pause = FULL_PAUSE_MIN.max(began.elapsed() * FULL_PAUSE_TIMES);
        }
    }

    /// Brings the frozen rows to the file, or notes why not.
    fn step(&mut self, generation: u64) {
        let shared = self.shared.clone();
        let extra = shared.checkpoints.state.lock().extra.take();
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let goes_along = extra.is_some();
            match self.bring(generation, extra) {
                Err(CommitError::NoSpace { detail }) if goes_along => {
                    shared.checkpoints.state.lock().extra_failed = Some(detail);
                    // It may be them alone that found no room.
                    self.bring(generation, None)
                }
                outcome => outcome,
            }
        }));
        let panicked = |_| Err(shared.fail_for_good("a checkpoint stopped with a panic".into()));
        shared.checkpoints.done(&tried.unwrap_or_else(panicked));
    }

    /// Brings the frozen rows to the file, and those beside them.
    pub(crate) fn bring(&mut self, generation: u64, extra: Option<Layer>) -> Result<(), CommitError> {
        if let Some(failed) = self.shared.failed() {
            return Err(failed);
        }
        self.open_again()?;
        let shared = self.shared.clone();
        let frozen = shared.tables.lock().frozen.clone();
        let frozen = frozen.expect("there is something to bring to the file");
        let database = self.database.as_ref().expect("it was opened");
        let write = || {
            let (frozen, extra) = (frozen.read(), extra.unwrap_or_default());
            let rows = frozen.iter().chain(&extra);
            write(database, rows, generation)?;
            Ok::<_, redb::Error>((frozen.len() + extra.len(), file_rows(database)?))
        };
        let written = catch_unwind(AssertUnwindSafe(write));
        match written {
            Ok(Ok((rows, file))) => {
                shared.tables.lock().thaw(file);
                self.applied = generation;
                debug!(rows, generation, "checkpoint");
                Ok(())
            }
            Ok(Err(error)) => self.after_failure(generation, &error.to_string()),
            Err(_) => self.after_failure(generation, &format!("the file is damaged ({CONTRADICTION})")),
        }
    }

    /// Decides how to go on after a transaction failed. It may have come to the file all the same.
    fn after_failure(&mut self, generation: u64, cause: &str) -> Result<(), CommitError> {
        let shared = self.shared.clone();
        let detail = match shared.faults.worst() {
            Some(Fault::Full(detail)) => detail,
            Some(Fault::Fatal(detail)) => return Err(shared.fail_for_good(detail)),
            None => return Err(shared.fail_for_good(cause.into())),
        };
        warn!(%detail, "a checkpoint found the disk full, opening the store anew; the log has what is not in the file");
        // Whoever reads is done, or waits until it is open again.
        let gate = shared.gate.write();
        shared.tables.lock().file = File::Full;
        let failed = self.database.take();
        // Closes the file, which writes nothing after a failure.
        drop(catch_unwind(AssertUnwindSafe(|| drop(failed))));
        let opened = self.open_closed();
        drop(gate);
        match opened {
            Err(failed) if failed.is_permanent() => Err(failed),
            Ok(()) if self.has(generation) => {
                shared.tables.lock().frozen = None;
                self.applied = generation;
                Ok(())
            }
            _ => Err(CommitError::NoSpace { detail }),
        }
    }

    /// Whether the file has everything of a generation.
    fn has(&self, generation: u64) -> bool {
        let tables = self.shared.tables.lock();
        let File::Open(rows) = &tables.file else { return false };
        let row = catch_unwind(AssertUnwindSafe(|| rows.get(&Key::Log.encode()[..])));
        let row = row.ok().and_then(Result::ok).flatten();
        row.and_then(|row| decode_generation(row.value()).ok()).is_some_and(|stored| stored >= generation)
    }

    /// Opens the file anew if it is closed because the disk was full. Readers wait so long.
    pub(crate) fn open_again(&mut self) -> Result<(), CommitError> {
        if self.database.is_some() {
            return Ok(());
        }
        let shared = self.shared.clone();
        let _gate = shared.gate.write();
        self.open_closed()
    }

    /// Opens the file, which is closed, for who holds the gate.
    fn open_closed(&mut self) -> Result<(), CommitError> {
        let shared = self.shared.clone();
        shared.faults.forget_full();
        // Its repair verifies it anyhow.
        let opened = open::open_database(&*shared.disk, &shared.faults, shared.cache_bytes, 0);
        let opened = opened.and_then(|OpenedFile { database, .. }| Ok((file_rows(&database)?, database)));
        let failure = match opened {
            Ok((rows, database)) => {
                self.database = Some(database);
                shared.tables.lock().file = File::Open(Arc::new(rows));
                info!("the store is open again, at its last checkpoint");
                return Ok(());
            }
            Err(failure) => failure,
        };
        match (shared.faults.worst(), failure) {
            (Some(Fault::Fatal(detail)), _) => Err(shared.fail_for_good(detail)),
            (Some(Fault::Full(detail)), _) => Err(CommitError::NoSpace { detail }),
            // Not even the backend could be made, so nobody noted a fault.
            (None, OpenError::NoSpace) => Err(CommitError::NoSpace { detail: "opening the file failed".into() }),
            (None, failure) => Err(shared.fail_for_good(failure.to_string().into())),
        }
    }

    /// Closes the file cleanly, so that the next start needs no repair.
    pub(crate) fn close(mut self) {
        let _gate = self.shared.gate.write();
        self.shared.tables.lock().file = File::Closed;
        let Some(database) = self.database.take() else { return };
        match catch_unwind(AssertUnwindSafe(|| database.close())) {
            Ok(Ok(())) => info!("the store is closed"),
            Ok(Err(error)) => error!(%error, "failed to close the store, the next start will repair it"),
            Err(_) => error!("failed to close the store: {CONTRADICTION}; the next start will verify it"),
        }
    }
}

/// Writes the rows of a generation to the file, in one transaction; of several for one key the last one counts.
pub(crate) fn write<'a>(
    database: &Database,
    rows: impl Iterator<Item = (&'a Bytes, &'a Option<Bytes>)>,
    generation: u64,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    {
        let mut table = transaction.open_table(ROWS)?;
        for (at, (key, value)) in rows.enumerate() {
            match value {
                Some(value) => drop(table.insert(&key[..], &value[..])?),
                None => drop(table.remove(&key[..])?),
            }
            if at % ROWS_AT_ONCE == ROWS_AT_ONCE - 1 {
                std::thread::yield_now();
            }
        }
        table.insert(&Key::Log.encode()[..], &generation.to_be_bytes()[..])?;
    }
    transaction.commit()?;
    Ok(())
}

/// The rows in the file as of now.
pub(crate) fn file_rows(database: &Database) -> Result<FileRows, redb::Error> {
    Ok(database.begin_read()?.open_table(ROWS)?)
}
