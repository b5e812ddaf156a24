//! The object's own store: an ordered map from keys to values.
//!
//! A value is anything that serde knows, and is stored as JSON. JSON, because `dohost objects` then shows and changes what
//! is stored, every language reads it, and it is what methods speak anyhow. What it cannot hold (a map whose keys are
//! structs; a float that is no number, which comes back as an error) and what it holds poorly (bytes) goes through
//! [`Storage::put_bytes`] in whatever form one likes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::dohost::object::storage as host;
use crate::{Alarms, Date, Error, Result, ScheduledTime, sections};

/// The object's store.
///
/// Writes need no waiting for the disk: whatever leaves the object after them waits by itself. All writes made without
/// waiting for anything but storage in between become durable together, or not at all. While storage is waited for,
/// nothing else of the object runs: to read, add and write needs no lock.
///
/// A key has 2,048 bytes at most, a value 2 MiB, and a call 128 keys.
#[derive(Clone, Debug)]
pub struct Storage {
    _private: (),
}

/// Which entries [`Storage::list_with_options`] gives; all of them by default.
///
/// ```
/// # use dohost_guest::ListOptions;
/// let options = ListOptions::new().prefix("message:").reverse(true).limit(10);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    start: Option<String>,
    start_after: Option<String>,
    end: Option<String>,
    prefix: Option<String>,
    is_reverse: bool,
    limit: Option<u32>,
}

impl Storage {
    pub(crate) fn new() -> Storage {
        Storage { _private: () }
    }

    /// The value of a key, none if there is none. One that is stored but is no such value is an error.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        match self.get_bytes(key).await? {
            Some(bytes) => decode(key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// The values of those keys that exist, 128 keys at most.
    pub async fn get_multiple<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<BTreeMap<String, T>> {
        decode_all(host::get_many(owned(keys)).await?)
    }

    /// Sets the value of a key.
    pub async fn put<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        Ok(host::put(key.to_owned(), encode(value)?).await?)
    }

    /// Sets up to 128 values, all or none.
    pub async fn put_multiple<T: Serialize>(
        &self,
        entries: impl IntoIterator<Item = (impl Into<String>, T)>,
    ) -> Result<()> {
        Ok(host::put_many(encode_all(entries)?).await?)
    }

    /// Like [`Storage::put_multiple`], but nothing that leaves the object waits for it: after a crash it may be gone although
    /// a reply that came after it had left.
    pub async fn put_unconfirmed<T: Serialize>(
        &self,
        entries: impl IntoIterator<Item = (impl Into<String>, T)>,
    ) -> Result<()> {
        Ok(host::put_unconfirmed(encode_all(entries)?).await?)
    }

    /// Removes a key; true if it existed.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        Ok(host::delete(key.to_owned()).await?)
    }

    /// Removes up to 128 keys, all or none; how many of them existed.
    pub async fn delete_multiple(&self, keys: &[&str]) -> Result<u32> {
        Ok(host::delete_many(owned(keys)).await?)
    }

    /// Like [`Storage::delete_multiple`], and unconfirmed like [`Storage::put_unconfirmed`].
    pub async fn delete_unconfirmed(&self, keys: &[&str]) -> Result<u32> {
        Ok(host::delete_unconfirmed(owned(keys)).await?)
    }

    /// Removes every key, and every alarm, atomically.
    pub async fn delete_all(&self) -> Result<()> {
        Ok(host::delete_all().await?)
    }

    /// All entries, in key order. They are in memory at once: walk through a large store with
    /// [`Storage::list_with_options`].
    pub async fn list<T: DeserializeOwned>(&self) -> Result<Vec<(String, T)>> {
        self.list_with_options(ListOptions::new()).await
    }

    /// The entries in a range, in key order or its reverse.
    pub async fn list_with_options<T: DeserializeOwned>(&self, options: ListOptions) -> Result<Vec<(String, T)>> {
        decode_all(host::list(options.into_wire()).await?)
    }

    /// The bytes of a key, as they are stored.
    pub async fn get_bytes(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(host::get(key.to_owned()).await?)
    }

    /// Stores bytes as they are. Without a copy if it gets a `Vec`.
    pub async fn put_bytes(&self, key: &str, bytes: impl Into<Vec<u8>>) -> Result<()> {
        Ok(host::put(key.to_owned(), bytes.into()).await?)
    }

    /// The entries in a range, with their values as they are stored.
    pub async fn list_bytes(&self, options: ListOptions) -> Result<Vec<(String, Vec<u8>)>> {
        let entries = host::list(options.into_wire()).await?;
        Ok(entries.into_iter().map(|entry| (entry.key, entry.value)).collect())
    }

    /// Runs `work` as a transaction: what it writes becomes durable together if it succeeds, and is undone if it fails.
    ///
    /// Needed only if it waits for something other than storage in between. Nothing else enters the object meanwhile.
    /// Transactions nest.
    ///
    /// ```no_run
    /// # use dohost_guest::*;
    /// # async fn f(storage: Storage, stub: Stub) -> Result<()> {
    /// storage
    ///     .transaction(async |storage| {
    ///         storage.put("state", "reserved").await?;
    ///         stub.fetch_with_str("http://bank/pay").await?;
    ///         storage.put("state", "paid").await
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn transaction<T>(&self, work: impl AsyncFnOnce(Storage) -> Result<T>) -> Result<T> {
        sections::transaction(work).await
    }

    /// Sets the object's alarm, at a [`Date`] or a `Duration` from now: [`DurableObject::alarm`](crate::DurableObject::alarm) is
    /// called then. It takes the place of the one that was there. A time that has passed means at once.
    ///
    /// The class has to be a `#[durable_object(alarm)]`.
    pub async fn set_alarm(&self, time: impl Into<ScheduledTime>) -> Result<()> {
        self.alarms().set("", time).await
    }

    /// When the object's alarm is due; none if there is none.
    pub async fn get_alarm(&self) -> Result<Option<Date>> {
        self.alarms().get("").await
    }

    /// Deletes the object's alarm; true if there was one.
    pub async fn delete_alarm(&self) -> Result<bool> {
        self.alarms().delete("").await
    }

    /// Alarms with names, of which an object may have many, and with schedules.
    pub fn alarms(&self) -> Alarms {
        Alarms::new()
    }

    /// Returns when every write made before is durable. Needed only to measure or to pace.
    pub async fn sync(&self) {
        host::sync().await;
    }
}

impl ListOptions {
    /// All entries.
    pub fn new() -> ListOptions {
        ListOptions::default()
    }

    /// Keys from this one on, this one included.
    pub fn start(self, key: impl Into<String>) -> ListOptions {
        ListOptions { start: Some(key.into()), ..self }
    }

    /// Keys after this one. Not together with `start`.
    pub fn start_after(self, key: impl Into<String>) -> ListOptions {
        ListOptions { start_after: Some(key.into()), ..self }
    }

    /// Keys before this one, this one excluded.
    pub fn end(self, key: impl Into<String>) -> ListOptions {
        ListOptions { end: Some(key.into()), ..self }
    }

    /// Only keys that begin with this.
    pub fn prefix(self, prefix: impl Into<String>) -> ListOptions {
        ListOptions { prefix: Some(prefix.into()), ..self }
    }

    /// In descending order. `start` stays the lower bound, and `limit` counts from the upper one.
    pub fn reverse(self, is_reverse: bool) -> ListOptions {
        ListOptions { is_reverse, ..self }
    }

    /// At most so many entries, 1 or more.
    pub fn limit(self, limit: u32) -> ListOptions {
        ListOptions { limit: Some(limit), ..self }
    }

    fn into_wire(self) -> host::ListOptions {
        let ListOptions { start, start_after, end, prefix, is_reverse, limit } = self;
        host::ListOptions { start, start_after, end, prefix, reverse: is_reverse, limit }
    }
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::new(format!("what is stored as {key:?} does not fit: {error}")))
}

fn encode_all<T: Serialize>(entries: impl IntoIterator<Item = (impl Into<String>, T)>) -> Result<Vec<host::Entry>> {
    let entry = |(key, value): (_, T)| Ok(host::Entry { key: Into::into(key), value: encode(&value)? });
    entries.into_iter().map(entry).collect()
}

fn decode_all<C: FromIterator<(String, T)>, T: DeserializeOwned>(entries: Vec<host::Entry>) -> Result<C> {
    let entry = |entry: host::Entry| decode(&entry.key, &entry.value).map(|value| (entry.key, value));
    entries.into_iter().map(entry).collect()
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}
