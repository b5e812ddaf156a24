//! What an object's own imports do: its identity and its store.
//!
//! A read that the overlay can answer returns at once. One that it cannot holds the input gate, asks the store on another
//! thread, and lets go of the gate when the answer is in. A write is staged and returns at once; only when the store is far
//! behind does it wait, for what this object submitted before.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use dohost_engine::imports::{
    Alarm, BoxFuture, Caller, ConcurrencyError, Cron, Entry, Fatal, Gates, Inside, ListOptions, OpenSection,
    OpenTransaction, Step, StorageError, StorageStep, WebSockets,
};
use dohost_storage::{
    Answer, KEYS_PER_CALL_MAX, KeyRange, ListStep, Listing, ObjectNumber, Overlay, PENDING_BYTES_MAX, Page, Store,
    StoreError, check_key, check_value,
};

use crate::environment::ask_blocking;
use crate::feed::GateHold;
use crate::object::{Abort, Object, Residence, State};
use crate::streams::ObjectGates;

/// The imports of one object.
pub(crate) struct ObjectInside(pub Arc<Object>);

/// What an object is reset with that does not say why, in the words of Cloudflare's runtime.
const ABORTED: &str = "Application called abort() to reset Durable Object.";

type Pairs = Vec<(Arc<str>, Bytes)>;

impl Inside for ObjectInside {
    fn id(&self) -> String {
        self.0.id.to_string()
    }

    fn name(&self) -> Option<String> {
        self.0.name().map(|name| name.to_string())
    }

    fn class(&self) -> String {
        self.0.code.own_name.clone()
    }

    fn abort(&self, reason: Option<String>, retry_alarm: bool) -> Fatal {
        self.0.lock().abort = Some(Abort { retry_alarm });
        Fatal(reason.unwrap_or_else(|| ABORTED.into()))
    }

    fn enter(&self, caller: Caller) -> BoxFuture<()> {
        Box::pin(self.0.enter(caller))
    }

    fn websockets(&self) -> &dyn WebSockets {
        self
    }

    fn gates(&self) -> Arc<dyn Gates> {
        Arc::new(ObjectGates(self.0.clone()))
    }

    fn begin_transaction(&self, caller: Caller) -> StorageStep<OpenTransaction> {
        self.0.begin_transaction(caller)
    }

    fn block_concurrency(&self, caller: Caller) -> Step<Result<OpenSection, ConcurrencyError>> {
        self.0.block_concurrency(caller)
    }

    fn get(&self, key: String) -> StorageStep<Option<Vec<u8>>> {
        if let Err(error) = valid_key(&key) {
            return Step::Ready(Err(error));
        }
        // Nothing is allocated for what is known, which is nearly every read.
        if let Answer::Known(value) = self.storage(|storage| storage.overlay.get(&key)) {
            return Step::Ready(Ok(value.map(|value| value.to_vec())));
        }
        self.look_up(vec![key.into()], |_, _| {}, |found| found.first().map(|(_, value)| value.to_vec()))
    }

    fn get_many(&self, keys: Vec<String>) -> StorageStep<Vec<Entry>> {
        match valid_keys(keys) {
            Ok(keys) => self.look_up(keys, |_, _| {}, |found| found.into_iter().map(entry).collect()),
            Err(error) => Step::Ready(Err(error)),
        }
    }

    fn put(&self, key: String, value: Vec<u8>) -> StorageStep<()> {
        self.write(vec![Entry { key, value }], IsConfirmed(true))
    }

    fn put_many(&self, entries: Vec<Entry>) -> StorageStep<()> {
        match check_count(entries.len()) {
            Ok(()) => self.write(entries, IsConfirmed(true)),
            Err(error) => Step::Ready(Err(error)),
        }
    }

    fn delete(&self, key: String) -> StorageStep<bool> {
        match valid_keys(vec![key]) {
            Ok(keys) => self.delete_keys(keys, IsConfirmed(true), |existed| existed == 1),
            Err(error) => Step::Ready(Err(error)),
        }
    }

    fn delete_many(&self, keys: Vec<String>) -> StorageStep<u32> {
        match valid_keys(keys) {
            Ok(keys) => self.delete_keys(keys, IsConfirmed(true), |existed| existed),
            Err(error) => Step::Ready(Err(error)),
        }
    }

    fn list(&self, options: ListOptions) -> StorageStep<Vec<Entry>> {
        let range = KeyRange::compile(dohost_storage::ListOptions {
            start: options.start.as_deref(),
            start_after: options.start_after.as_deref(),
            end: options.end.as_deref(),
            prefix: options.prefix.as_deref(),
            reverse: options.reverse,
            limit: options.limit.map(u64::from),
        });
        let range = match range {
            Ok(Some(range)) => range,
            Ok(None) => return Step::Ready(Ok(Vec::new())),
            Err(error) => return Step::Ready(Err(StorageError::Invalid(error.to_string()))),
        };
        let bytes_max = self.0.limits().list_bytes_max;
        match self.storage(|storage| storage.overlay.list(&range)) {
            Answer::Known(pairs) => Step::Ready(list_entries(pairs, bytes_max)),
            Answer::Ask => self.fetch_list(range),
        }
    }

    fn delete_all(&self) -> StorageStep<()> {
        let mut state = self.0.lock();
        if state.is_in_transaction() {
            let text = "delete-all inside of a transaction; delete the keys one by one";
            return Step::Ready(Err(StorageError::NotAllowed(text.into())));
        }
        state.storage().overlay.delete_all();
        state.wrote(IsConfirmed(true));
        Step::Ready(Ok(()))
    }

    fn put_unconfirmed(&self, entries: Vec<Entry>) -> StorageStep<()> {
        match check_count(entries.len()) {
            Ok(()) => self.write(entries, IsConfirmed(false)),
            Err(error) => Step::Ready(Err(error)),
        }
    }

    fn delete_unconfirmed(&self, keys: Vec<String>) -> StorageStep<u32> {
        match valid_keys(keys) {
            Ok(keys) => self.delete_keys(keys, IsConfirmed(false), |existed| existed),
            Err(error) => Step::Ready(Err(error)),
        }
    }

    fn sync(&self, caller: Caller) -> Step<()> {
        let object = self.0.clone();
        let gate = object.sync_gate();
        let entered = object.enter(caller);
        Step::Wait(Box::pin(async move {
            object.leave(gate).await?;
            entered.await;
            Ok(())
        }))
    }

    fn set_alarm(&self, name: String, scheduled_time: i64, is_confirmed: bool) -> StorageStep<()> {
        self.set_alarm_at(&name, scheduled_time, IsConfirmed(is_confirmed))
    }

    fn set_cron(&self, name: String, schedule: Cron) -> StorageStep<i64> {
        self.set_alarm_by_schedule(&name, schedule)
    }

    fn get_alarm(&self, name: String) -> StorageStep<Option<i64>> {
        self.alarm_of(&name)
    }

    fn list_alarms(&self) -> StorageStep<Vec<Alarm>> {
        self.all_alarms()
    }

    fn delete_alarm(&self, name: String, is_confirmed: bool) -> StorageStep<bool> {
        self.delete_alarm_of(&name, IsConfirmed(is_confirmed))
    }
}

/// Whether output waits for a write.
#[derive(Clone, Copy)]
pub(crate) struct IsConfirmed(pub bool);

impl State {
    fn stage(&mut self, entries: Vec<Entry>, is_confirmed: IsConfirmed) {
        for Entry { key, value } in entries {
            self.storage().overlay.put(&key, value.into());
        }
        self.wrote(is_confirmed);
    }

    /// Tells the output gate of a write that everything waits for.
    pub fn wrote_confirmed(&mut self) {
        self.wrote(IsConfirmed(true));
    }

    /// Tells the output gate of a write.
    pub fn wrote(&mut self, is_confirmed: IsConfirmed) {
        if !is_confirmed.0 {
            return;
        }
        match self.transactions.last_mut() {
            Some(transaction) => transaction.is_confirmed = true,
            None => self.output.wrote(),
        }
    }
}

impl ObjectInside {
    fn storage<R>(&self, f: impl FnOnce(&mut Residence) -> R) -> R {
        f(self.0.lock().storage())
    }

    fn delete_keys<R: Send + 'static>(
        &self,
        keys: Vec<Arc<str>>,
        is_confirmed: IsConfirmed,
        then: impl FnOnce(u32) -> R + Send + 'static,
    ) -> StorageStep<R> {
        let bytes: usize = keys.iter().map(|key| key.len()).sum();
        if let Err(error) = self.0.check_turn(&self.0.lock(), bytes) {
            return Step::Ready(Err(error));
        }
        // How many there were is told later if the store has to be asked; they are gone now, so that later writes stay.
        let existed = self.look_up(keys.clone(), Overlay::replaces, |found| then(found.len() as u32));
        let mut state = self.0.lock();
        for key in &keys {
            if state.storage().overlay.get(key) != Answer::Known(None) {
                state.storage().overlay.delete(key);
                state.wrote(is_confirmed);
            }
        }
        existed
    }

    fn write(&self, entries: Vec<Entry>, is_confirmed: IsConfirmed) -> StorageStep<()> {
        if let Err(error) = entries.iter().try_for_each(valid_entry) {
            return Step::Ready(Err(error));
        }
        let object = &self.0;
        let mut state = object.lock();
        let bytes: usize = entries.iter().map(|entry| entry.key.len() + entry.value.len()).sum();
        if let Err(error) = object.check_turn(&state, bytes) {
            return Step::Ready(Err(error));
        }
        if object.check_size(&mut state, &entries).is_err() {
            drop(state);
            return self.write_if_it_fits(entries, is_confirmed);
        }
        state.stage(entries, is_confirmed);
        let last_commit = state.last_submitted;
        drop(state);
        match last_commit.filter(|_| object.host.store.pending_bytes() > PENDING_BYTES_MAX) {
            None => Step::Ready(Ok(())),
            Some(commit) => {
                let hold = GateHold::new(object);
                let settled = object.progress.durable(commit);
                Step::Wait(Box::pin(async move {
                    let outcome = settled.await;
                    drop(hold);
                    outcome.map(Ok).map_err(|error| Fatal(format!("failed to {error}")))
                }))
            }
        }
    }

    /// Writes when it is known how large the object is: what is under way counts in full where an old value is not known,
    /// so close to the limit it pays to wait.
    fn write_if_it_fits(&self, entries: Vec<Entry>, is_confirmed: IsConfirmed) -> StorageStep<()> {
        let object = self.0.clone();
        let under_way = object.lock().last_submitted;
        let hold = GateHold::new(&object);
        let keys = entries.iter().map(|entry| Arc::from(entry.key.as_str())).collect();
        let this = ObjectInside(object.clone());
        Step::Wait(Box::pin(async move {
            let _hold = hold;
            if let Some(commit) = under_way {
                object.progress.durable(commit).await.map_err(|error| Fatal(format!("failed to {error}")))?;
                object.settle(&mut object.lock());
            }
            if let Step::Wait(learned) = this.look_up(keys, |_, _| {}, |_| ()) {
                learned.await?.expect("a look at keys is never refused");
            }
            let mut state = object.lock();
            Ok(object.check_size(&mut state, &entries).map(|()| state.stage(entries, is_confirmed)))
        }))
    }

    /// Gives those of the keys that exist, in order, as they are now: what is written while the store is asked is not seen.
    /// `came` is told how many bytes there were that only the store knew.
    fn look_up<R: Send + 'static>(
        &self,
        keys: Vec<Arc<str>>,
        came: impl FnOnce(&mut Overlay, usize) + Send + 'static,
        then: impl FnOnce(Pairs) -> R + Send + 'static,
    ) -> StorageStep<R> {
        let (mut found, mut unknown) = (Pairs::new(), Vec::new());
        self.storage(|storage| {
            for key in keys {
                match storage.overlay.get(&key) {
                    Answer::Known(value) => found.extend(value.map(|value| (key, value))),
                    Answer::Ask => unknown.push(key),
                }
            }
        });
        if unknown.is_empty() {
            return Step::Ready(Ok(then(found)));
        }
        let hold = GateHold::new(&self.0);
        let read = self.ask(move |store, number| store.get_many(number, &unknown));
        let object = self.0.clone();
        Step::Wait(Box::pin(async move {
            let answered = read.await?;
            let (mut state, mut bytes) = (object.lock(), 0);
            for (key, value) in answered {
                state.storage().overlay.learn(&key, value.clone());
                bytes += value.as_ref().map_or(0, |value| key.len() + value.len());
                found.extend(value.map(|value| (key, value)));
            }
            came(&mut state.storage().overlay, bytes);
            drop(state);
            drop(hold);
            found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            Ok(Ok(then(found)))
        }))
    }

    /// Reads a list page by page, and gives it as it is now: what is written meanwhile is not seen.
    fn fetch_list(&self, range: KeyRange) -> StorageStep<Vec<Entry>> {
        let this = ObjectInside(self.0.clone());
        let overlay = self.storage(|storage| storage.overlay.within(&range));
        let bytes_max = self.0.limits().list_bytes_max;
        let hold = GateHold::new(&self.0);
        Step::Wait(Box::pin(async move {
            let _hold = hold;
            let (mut listing, mut bytes) = (Listing::new(range), 0);
            loop {
                let page = this.ask_page(&listing).await?;
                bytes += page.entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
                listing = match overlay.merge_list(listing, page) {
                    ListStep::Done(pairs) => return Ok(list_entries(pairs, bytes_max)),
                    ListStep::More(_) if bytes > bytes_max => return Ok(Err(list_too_large(bytes_max))),
                    ListStep::More(listing) => listing,
                };
            }
        }))
    }

    fn ask_page(&self, listing: &Listing) -> BoxFuture<Result<Page, Fatal>> {
        let range = listing.ask().clone();
        self.ask(move |store, number| store.list(number, &range))
    }

    /// Reads the store on a thread that may wait for the disk. Whoever asks holds the input gate until it has the answer.
    fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store, ObjectNumber) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<Result<T, Fatal>> {
        let number = self.storage(|storage| storage.number);
        let store = self.0.host.store.clone();
        let answer = ask_blocking(&self.0.host.environment, move || read(&store, number));
        Box::pin(async move {
            match answer.await {
                Some(Ok(answer)) => Ok(answer),
                Some(Err(error)) => Err(Fatal(format!("failed to {error}"))),
                None => Err(Fatal("the host failed to read the store".into())),
            }
        })
    }
}

impl Object {
    /// Whether the object may have these entries too, as far as its size is known.
    fn check_size(&self, state: &mut State, entries: &[Entry]) -> Result<(), StorageError> {
        let Residence { overlay, size, .. } = state.storage();
        // Of a key that comes twice only the last value stays.
        let mut seen = HashSet::new();
        let stays = entries.iter().rev().filter(|entry| entries.len() == 1 || seen.insert(&entry.key));
        let growth = stays.map(|entry| overlay.growth_max(&entry.key, Some(entry.value.len()))).sum::<i64>();
        let max = self.limits().storage_bytes_max;
        // A write that makes nothing larger is always allowed: it may be the way out.
        if growth <= 0 || overlay.size_max(size).saturating_add_signed(growth) <= max {
            return Ok(());
        }
        Err(StorageError::TooLarge(format!("the object would have more than {max} bytes stored, the limit storage")))
    }

    /// Whether the turn may write so many bytes more.
    pub fn check_turn(&self, state: &State, bytes: usize) -> Result<(), StorageError> {
        let max = self.limits().turn_writes_bytes_max;
        if state.staged_in_turn_bytes() + bytes <= max {
            return Ok(());
        }
        let text = match state.is_in_transaction() {
            true => format!("more than {max} bytes written in one transaction, the limit turn-writes"),
            false => format!("more than {max} bytes written without waiting in between, the limit turn-writes"),
        };
        Err(StorageError::TooLarge(text))
    }
}

fn valid_key(key: &str) -> Result<(), StorageError> {
    check_key(key).map_err(|error| StorageError::TooLarge(error.to_string()))
}

fn valid_entry(entry: &Entry) -> Result<(), StorageError> {
    valid_key(&entry.key)?;
    check_value(&entry.value).map_err(|error| StorageError::TooLarge(error.to_string()))
}

/// Checks keys, sorts them and drops duplicates.
fn valid_keys(keys: Vec<String>) -> Result<Vec<Arc<str>>, StorageError> {
    check_count(keys.len())?;
    keys.iter().try_for_each(|key| valid_key(key))?;
    let mut keys: Vec<Arc<str>> = keys.into_iter().map(Arc::from).collect();
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

fn check_count(count: usize) -> Result<(), StorageError> {
    match count <= KEYS_PER_CALL_MAX {
        true => Ok(()),
        false => Err(StorageError::Invalid(format!("{count} keys in one call, the most is {KEYS_PER_CALL_MAX}"))),
    }
}

fn list_entries(pairs: Pairs, bytes_max: usize) -> Result<Vec<Entry>, StorageError> {
    let bytes: usize = pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
    match bytes <= bytes_max {
        true => Ok(pairs.into_iter().map(entry).collect()),
        false => Err(list_too_large(bytes_max)),
    }
}

fn list_too_large(bytes_max: usize) -> StorageError {
    StorageError::TooLarge(format!(
        "the list has more than {bytes_max} bytes; ask with a limit and go on with start-after"
    ))
}

fn entry((key, value): (Arc<str>, Bytes)) -> Entry {
    Entry { key: key.to_string(), value: value.to_vec() }
}
