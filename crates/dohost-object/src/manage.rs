//! Looking after objects: what there is, and changes from outside.
//!
//! With a host, whatever an object does is respected: an object that is resident is held (see `holds`) before what it stored
//! is changed, and its next event starts from what is stored then. Without one, the data directory is worked on as it is.
//! What was read is what is durable: what a resident object wrote a moment ago may be on its way.
//!
//! All of it waits: for the disk, and for objects to finish. It belongs on a thread that may wait, never on an executor.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
pub use dohost_storage::{
    AlarmRow, AppliedMigration, CommitError, Migration, MigrationError, MigrationPlan, MissedTicks, Step, StoreError,
    StoredClass, StoredObject,
};
use dohost_storage::{
    ClassNumber, KeyRange, ListOptions, ObjectRecord, Page, Store, StoreStats, TooLong, Totals, WriteSet, check_key,
    check_value,
};

pub use crate::alarms::{AlarmFigures, AlarmOutcome, PastRun};
use crate::environment::{Environment, Machine};
use crate::executor::with_residents;
use crate::holds::HoldNumber;
use crate::host::{Host, Target};
use crate::id::{IdKey, InvalidId, ObjectId};
use crate::limits::Limits;
use crate::residents::ObjectKey;

/// How long a change from outside waits for an object to finish what it does.
pub const HOLD_TIME_MAX: Duration = Duration::from_secs(30);

/// How long an executor may take to say who is resident.
const REPORT_TIME_MAX: Duration = Duration::from_secs(10);

/// An object that has an instance, or is about to get or to lose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Its class.
    pub class: ClassNumber,
    /// Its id.
    pub id: ObjectId,
    /// Its name, if it is known.
    pub name: Option<Arc<str>>,
    /// The n-th life that its executor started.
    pub generation: u64,
    /// For how long it has had nothing to do; `None` if it has something to do.
    pub idle: Option<Duration>,
    /// Events that it handles.
    pub running: usize,
    /// Events that wait.
    pub waiting: usize,
    /// Bytes of its keys and values, once all it wrote is durable; `None` before it is loaded.
    pub bytes: Option<u64>,
}

/// An object as it is known: stored, resident, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: ObjectId,
    /// What the store has of it; `None` if it never stored anything, or nothing is durable yet.
    pub stored: Option<StoredObject>,
    /// What it does, if it is resident.
    pub resident: Option<Resident>,
}

/// What is known of the alarms of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAlarms {
    /// Those that are set, by name.
    pub pending: Vec<(Arc<str>, AlarmRow)>,
    /// The last runs, the newest first; `None` without a host, which has the memory of them.
    pub runs: Option<Vec<PastRun>>,
}

/// Figures of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Objects that are resident; `None` without a host.
    pub residents: Option<usize>,
    /// Events that they handle, and that wait for them.
    pub events: usize,
    /// What is stored.
    pub stored: Totals,
    /// The store since it was opened.
    pub store: StoreStats,
    /// Bytes of write sets on their way.
    pub pending_bytes: usize,
    /// Websockets of all objects; `None` without a host.
    pub websockets: Option<usize>,
    /// Alarms that are set.
    pub alarms_pending: u64,
    /// What became of alarms since the host was started; `None` without a host.
    pub alarms: Option<AlarmFigures>,
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManageError {
    /// No class has this name.
    #[error("there is no class {name}")]
    NoClass {
        /// The name.
        name: String,
        /// Those that there are.
        classes: Vec<String>,
    },
    /// Text that is no id of the class.
    #[error("{0}")]
    InvalidId(#[from] InvalidId),
    /// The object is not stored and not resident.
    #[error("there is no such object in the class {class}")]
    NoObject {
        /// The class.
        class: String,
    },
    /// A key, a value or a name is too long.
    #[error("failed to {0}")]
    TooLong(#[from] TooLong),
    /// The object may not have so much.
    #[error("the object would have {bytes} bytes of keys and values, the limit storage is {bytes_max}")]
    TooLarge {
        /// How much it would have.
        bytes: u64,
        /// How much it may have.
        bytes_max: u64,
    },
    /// The object is busy.
    #[error("the object did not finish what it does within {HOLD_TIME_MAX:?}")]
    Busy,
    /// An executor does not answer, or the host is going down.
    #[error("the host does not answer: it is going down, or a guest keeps a thread busy")]
    NoAnswer,
    /// The store failed.
    #[error("failed to {0}")]
    Store(#[from] StoreError),
    /// A commit failed.
    #[error("failed to {0}")]
    Commit(#[from] CommitError),
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Management {
    store: Store,
    host: Option<Host>,
    environment: Arc<dyn Environment>,
}

/// An object that is meant.
struct Object {
    class: StoredClass,
    id: ObjectId,
    /// The name it was named by.
    name: Option<Arc<str>>,
}

/// Lets an object go when it is dropped.
struct Held<'a> {
    host: &'a Host,
    key: ObjectKey,
    number: HoldNumber,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let (key, number) = (self.key, self.number);
        let executors = &self.host.0.executors;
        executors.run_on(executors.of(&key.id), move || with_residents(|residents| residents.release(key, number)));
    }
}

impl Management {
    /// Looks after the objects of a host.
    pub fn of_host(host: &Host) -> Management {
        let environment = host.0.environment.clone();
        Management { store: host.0.store.clone(), host: Some(host.clone()), environment }
    }

    /// Looks after the objects of a data directory that no host runs on.
    pub fn of_store(store: Store) -> Management {
        Management { store, host: None, environment: Arc::new(Machine) }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.environment.now_ms()
    }

    /// All classes that are stored, by name, with the number of their objects.
    pub fn classes(&self) -> Result<Vec<(StoredClass, u64)>, ManageError> {
        let classes = self.store.classes()?.into_iter();
        classes
            .map(|class| self.store.object_count(class.class.number).map(|count| (class, count)).map_err(Into::into))
            .collect()
    }

    /// Whether the host serves a class of this name.
    pub fn is_served(&self, class: &str) -> bool {
        self.host.as_ref().is_some_and(|host| host.class(class).is_some())
    }

    /// At most `limit` objects of a class that have stored something, by id, behind `after`; with `name_prefix` only those
    /// with such a name.
    pub fn objects(
        &self,
        class: &str,
        after: Option<&str>,
        limit: usize,
        name_prefix: Option<&str>,
    ) -> Result<Vec<Known>, ManageError> {
        let class = self.class(class)?;
        let after = after.map(|after| IdKey::new(&class.class.unique_key).id_from_string(after)).transpose()?;
        let number = class.class.number;
        let stored = self.store.registry(number, after.map(|id| id.0), limit, name_prefix)?;
        let mut residents: std::collections::HashMap<_, _> =
            self.residents(Some(number))?.into_iter().map(|resident| (resident.id, resident)).collect();
        let known = |stored: StoredObject| {
            let id = ObjectId(stored.id);
            Known { id, resident: residents.remove(&id), stored: Some(stored) }
        };
        Ok(stored.into_iter().map(known).collect())
    }

    /// The objects that are resident, of one class or of all.
    pub fn residents(&self, class: Option<ClassNumber>) -> Result<Vec<Resident>, ManageError> {
        let Some(host) = &self.host else { return Ok(Vec::new()) };
        let executors = &host.0.executors;
        let (sender, receiver) = mpsc::channel();
        for index in executors.indices() {
            let sender = sender.clone();
            executors.run_on(index, move || {
                let _ = sender.send(with_residents(|residents| residents.report()));
            });
        }
        let mut all = Vec::new();
        for _ in executors.indices() {
            all.extend(receiver.recv_timeout(REPORT_TIME_MAX).map_err(|_| ManageError::NoAnswer)?);
        }
        all.retain(|resident: &Resident| class.is_none_or(|class| class == resident.class));
        Ok(all)
    }

    /// One object.
    pub fn object(&self, class: &str, target: Target<'_>) -> Result<Known, ManageError> {
        let object = self.meant(class, target)?;
        let stored = self.store.stored_object(object.class.class.number, object.id.0)?;
        let resident = self.resident(&object)?;
        if stored.is_none() && resident.is_none() {
            return Err(ManageError::NoObject { class: class.into() });
        }
        Ok(Known { id: object.id, stored, resident })
    }

    /// The alarms of an object by name, and at most `runs_max` of its last runs, the newest first.
    pub fn alarms(&self, class: &str, target: Target<'_>, runs_max: usize) -> Result<KnownAlarms, ManageError> {
        let object = self.meant(class, target)?;
        let number = object.class.class.number;
        let stored = self.store.stored_object(number, object.id.0)?;
        let pending = match &stored {
            Some(stored) => self.store.alarms(stored.record.number)?,
            None => Vec::new(),
        };
        let runs = self.host.as_ref().map(|host| host.0.alarms.of(number, object.id, runs_max));
        if stored.is_none() && runs.as_ref().is_none_or(Vec::is_empty) && self.resident(&object)?.is_none() {
            return Err(ManageError::NoObject { class: class.into() });
        }
        Ok(KnownAlarms { pending, runs })
    }

    /// At most `limit` entries of an object in the order of their keys, behind `after`, with keys that begin with `prefix`;
    /// fewer if they are large.
    pub fn keys(
        &self,
        class: &str,
        target: Target<'_>,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Page, ManageError> {
        let record = self.record(&self.meant(class, target)?)?;
        let options = ListOptions { prefix, start_after: after, limit: Some(limit), ..ListOptions::default() };
        match KeyRange::compile(options) {
            Ok(Some(range)) => Ok(self.store.list(record.number, &range)?),
            // Nothing can be there.
            _ => Ok(Page::default()),
        }
    }

    /// The value of a key; `None` if the object has no such key.
    pub fn get(&self, class: &str, target: Target<'_>, key: &str) -> Result<Option<Bytes>, ManageError> {
        check_key(key)?;
        let record = self.record(&self.meant(class, target)?)?;
        Ok(self.store.get(record.number, key)?)
    }

    /// Writes a key, or with `None` deletes it; the object is evicted before. Whether the key was there. A write makes the
    /// object if it is not there.
    pub fn put(&self, class: &str, target: Target<'_>, key: &str, value: Option<Bytes>) -> Result<bool, ManageError> {
        check_key(key)?;
        value.as_ref().map_or(Ok(()), |value| check_value(value))?;
        let object = self.meant(class, target)?;
        let _held = self.hold(&object, None)?;
        let number = object.class.class.number;
        let loaded = self.store.load(number, &object.id.0, 0)?;
        if loaded.record.is_none() && value.is_none() {
            return Err(ManageError::NoObject { class: class.into() });
        }
        let old_len = self.store.get(loaded.number, key)?.map(|value| value.len());
        let len = |value_len: Option<usize>| value_len.map_or(0, |value_len| (key.len() + value_len) as u64);
        let new_len = value.as_ref().map(Bytes::len);
        let bytes = loaded.size.bytes() + len(new_len) - len(old_len);
        let bytes_max = self.limits(class).storage_bytes_max;
        if bytes > bytes_max && len(new_len) > len(old_len) {
            return Err(ManageError::TooLarge { bytes, bytes_max });
        }
        let mut set = WriteSet::new(loaded.number, self.store.new_life());
        let now_ms = self.now_ms();
        let record = match loaded.record {
            Some(record) => ObjectRecord { active_ms: now_ms, ..record },
            None => {
                let name = object.name.as_deref().map(str::to_owned);
                ObjectRecord { number: loaded.number, name, created_ms: now_ms, active_ms: now_ms }
            }
        };
        set.record = Some((number, object.id.0, record));
        set.size = Some(loaded.size);
        set.writes.push((key.into(), value));
        self.store.commit(set)?;
        Ok(old_len.is_some())
    }

    /// Ends the life of an object if it is resident: what runs may finish. Whether it was.
    pub fn evict(&self, class: &str, target: Target<'_>) -> Result<bool, ManageError> {
        self.end(class, target, None)
    }

    /// Ends the life of an object at once if it is resident: its callers get an error. Whether it was.
    pub fn reset(&self, class: &str, target: Target<'_>) -> Result<bool, ManageError> {
        self.end(class, target, Some("the operator asked for it"))
    }

    /// Resets an object and deletes all it stored, its name too.
    pub fn delete(&self, class: &str, target: Target<'_>) -> Result<(), ManageError> {
        let object = self.meant(class, target)?;
        let was_resident = self.resident(&object)?.is_some();
        let _held = self.hold(&object, Some("the operator deleted it"))?;
        let number = object.class.class.number;
        let loaded = self.store.load(number, &object.id.0, 0)?;
        if loaded.record.is_none() {
            return if was_resident { Ok(()) } else { Err(ManageError::NoObject { class: class.into() }) };
        }
        let mut set = WriteSet::new(loaded.number, self.store.new_life());
        (set.clear, set.forget, set.size) = (true, Some((number, object.id.0)), Some(loaded.size));
        Ok(self.store.commit(set)?)
    }

    /// How many websockets an object has; none without a host.
    pub fn websockets(&self, class: &str, target: Target<'_>) -> Result<usize, ManageError> {
        let object = self.meant(class, target)?;
        let key = ObjectKey { class: object.class.class.number, id: object.id };
        Ok(self.host.as_ref().map_or(0, |host| host.0.websockets.len_of(&key)))
    }

    /// Figures of everything. Reads all objects.
    pub fn figures(&self) -> Result<Figures, ManageError> {
        let residents = self.residents(None)?;
        let (mut stored, mut alarms_pending) = (Totals::default(), 0);
        for class in self.store.classes()? {
            let totals = self.store.totals(class.class.number)?;
            stored.objects += totals.objects;
            stored.bytes += totals.bytes;
            alarms_pending += self.store.alarm_count(class.class.number)?;
        }
        Ok(Figures {
            residents: self.host.is_some().then_some(residents.len()),
            events: residents.iter().map(|resident| resident.running + resident.waiting).sum(),
            stored,
            store: self.store.stats(),
            pending_bytes: self.store.pending_bytes(),
            websockets: self.host.as_ref().map(|host| host.0.websockets.len()),
            alarms_pending,
            alarms: self.host.as_ref().map(|host| host.0.alarms.figures()),
        })
    }

    /// The migrations that were applied, in order.
    pub fn migrations(&self) -> Result<Vec<AppliedMigration>, ManageError> {
        Ok(self.store.applied_migrations()?)
    }

    /// What a list of migrations would do at the next start.
    pub fn plan(&self, migrations: &[Migration]) -> Result<MigrationPlan, MigrationError> {
        self.store.plan_migrations(migrations)
    }

    fn class(&self, name: &str) -> Result<StoredClass, ManageError> {
        let mut classes = self.store.classes()?;
        match classes.iter().position(|class| class.name == name) {
            Some(at) => Ok(classes.swap_remove(at)),
            None => {
                let classes = classes.into_iter().map(|class| class.name).collect();
                Err(ManageError::NoClass { name: name.into(), classes })
            }
        }
    }

    fn meant(&self, class: &str, target: Target<'_>) -> Result<Object, ManageError> {
        let class = self.class(class)?;
        let (id, name) = target.resolve(&IdKey::new(&class.class.unique_key))?;
        Ok(Object { class, id, name })
    }

    fn record(&self, object: &Object) -> Result<ObjectRecord, ManageError> {
        let stored = self.store.stored_object(object.class.class.number, object.id.0)?;
        let missing = || ManageError::NoObject { class: object.class.name.clone() };
        stored.map(|stored| stored.record).ok_or_else(missing)
    }

    fn limits(&self, class: &str) -> Limits {
        let class = self.host.as_ref().and_then(|host| host.class(class));
        class.map_or_else(Limits::default, |class| class.code().limits.clone())
    }

    fn resident(&self, object: &Object) -> Result<Option<Resident>, ManageError> {
        let Some(host) = &self.host else { return Ok(None) };
        let key = ObjectKey { class: object.class.class.number, id: object.id };
        let (sender, receiver) = mpsc::channel();
        let executors = &host.0.executors;
        executors.run_on(executors.of(&key.id), move || {
            let _ = sender.send(with_residents(|residents| residents.report_one(&key)));
        });
        receiver.recv_timeout(REPORT_TIME_MAX).map_err(|_| ManageError::NoAnswer)
    }

    fn end(&self, class: &str, target: Target<'_>, end_now: Option<&str>) -> Result<bool, ManageError> {
        let object = self.meant(class, target)?;
        let was_resident = self.resident(&object)?.is_some();
        // An object that sleeps may have websockets, which a reset closes.
        if was_resident || end_now.is_some() {
            drop(self.hold(&object, end_now)?);
        }
        Ok(was_resident)
    }

    /// Ends the life of an object and lets none begin until what this gives is dropped.
    fn hold(&self, object: &Object, end_now: Option<&str>) -> Result<Option<Held<'_>>, ManageError> {
        let Some(host) = &self.host else { return Ok(None) };
        // A class that nobody serves has no lives.
        let Some(class) = host.class(&object.class.name) else { return Ok(None) };
        let number = HoldNumber(host.0.last_hold.fetch_add(1, Ordering::Relaxed));
        let (class, id, end_now) = (class.clone(), object.id, end_now.map(str::to_owned));
        let held = Held { host, key: ObjectKey { class: class.0.number, id }, number };
        let (tell, told) = mpsc::channel();
        let executors = &host.0.executors;
        executors.run_on(executors.of(&id), move || {
            with_residents(|residents| residents.hold(&class, id, number, end_now.as_deref(), tell));
        });
        // If it is not given in time, it is asked for no more when `held` goes.
        told.recv_timeout(HOLD_TIME_MAX).map_err(|_| ManageError::Busy)?;
        Ok(Some(held))
    }
}
