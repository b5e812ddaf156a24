//! Durable storage: an ordered map from keys to bytes with one operation that matters.
//!
//! *Commit these write sets of these objects atomically and tell me when they are durable.* Executors hand over the
//! write set of a turn with [`Store::submit`], which never waits for the disk; one committer thread gathers what came
//! meanwhile into one record of a log, with one fsync; [`Progress`] wakes each executor once per commit. Now and then a
//! checkpoint brings what is in the log to the file; until then its rows are in memory, too. While an object is
//! resident its [`Overlay`] answers reads: staged and in-flight writes over a read cache over the store.
//!
//! Invariants: a commit number is reported durable only after the fsync that covers it; write sets become durable in
//! the order of their submission, each one whole or not at all; a life of an object that had a failed write set gets
//! no later one through.
//!
//! What this crate does not do: it has no notion of an event, a turn or a guest, it holds nothing back until a commit
//! is durable (the output gate does), and it does not see to it that an object has one life at a time. redb is the
//! store underneath; nothing outside this crate names it, but for the backends of the faulty disk.
//!
//! Where to start reading: `store` (the handle) → `commit::queue` → `commit::committer` → `log` → `commit::progress`, then
//! `commit::checkpoint` and `rows` (where a row may be). The
//! bytes on disk are described in `docs/STORAGE_FORMAT.md`, and variant by variant in [`Key`].

mod alarm;
mod commit;
pub mod disk;
mod key;
mod limits;
mod log;
pub mod migration;
mod numbers;
mod open;
mod overlay;
mod range;
mod read;
mod record;
mod registry;
mod rows;
mod size;
mod store;

pub use alarm::{
    Alarm, AlarmChange, AlarmPlace, AlarmRow, AlarmWrite, AlarmWrites, MissedTicks, PendingAlarm, Schedule, Tries,
};
pub use commit::{AlarmNews, CommitError, KeyValue, Progress, WriteSet};
pub use key::{InvalidKey, Key, KvRange};
pub use limits::{
    ALARM_NAME_BYTES_MAX, ALARM_NEWS_LEN_MAX, COMMIT_BYTES_MAX, COMMIT_LARGE_BYTES_MAX, COMMIT_SETS_MAX,
    CRON_BYTES_MAX, FAILED_RANGES_MAX, KEY_BYTES_MAX, KEYS_PER_CALL_MAX, LIST_PAGE_BYTES_MAX, LIST_PAGE_LEN_MAX,
    NAME_BYTES_MAX, PENDING_BYTES_MAX, SIZE_ROW_BYTES_MIN, SWEEP_ROWS_MAX, TAG_BYTES_MAX, TIME_ZONE_BYTES_MAX,
    TRANSFER_BYTES_MAX, TooLong, VALUE_BYTES_MAX, check_alarm_name, check_key, check_name, check_schedule, check_value,
};
pub use migration::{AppliedMigration, Effect, Migration, MigrationError, MigrationPlan, PlannedMigration, Step};
pub use numbers::{ClassNumber, CommitNumber, LifeId, ObjectNumber, WriteNumber};
pub use open::{FORMAT_VERSION, OpenError};
pub use overlay::{Answer, ListStep, Listing, Overlay, Staged};
pub use range::{InvalidList, KeyRange, ListOptions};
pub use read::{Content, Loaded, Page, StoreError};
pub use record::{Class, InvalidRecord, ObjectRecord};
pub use registry::{StoredClass, StoredObject, Totals};
pub use size::ObjectSize;
pub use store::{Committing, Store, StoreOptions, StoreStats};

#[cfg(any(test, feature = "faulty"))]
pub use disk::faulty;
