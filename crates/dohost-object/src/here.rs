//! A host on the current thread: one executor, which takes no thread of its own but lives in the runtime that it is started
//! in. For simulations, where one thread decides what happens when.

use std::time::Duration;

use dohost_storage::Store;
use tokio::time::{Instant, sleep};

use crate::class::ClassOptions;
use crate::executor::{self, Executors, with_residents};
use crate::host::{Host, HostInner, HostOptions, SHUTDOWN_POLL, StartError};
use crate::residents::Residents;

/// See the module. Belongs to the thread that it was started on, of which it is the only one.
///
/// To drop it is to pull the plug: nothing is waited for and nothing is committed any more. The runtime, which holds the
/// tasks of the objects, must be dropped before it.
pub struct HostHere {
    host: Host,
    /// What belongs to a thread stays there.
    _stays: std::marker::PhantomData<*const ()>,
}

impl HostHere {
    /// Registers the classes and makes the current thread the executor. `options.executors` does not count.
    ///
    /// # Panics
    ///
    /// Outside of a single-threaded tokio runtime.
    pub fn start(store: Store, classes: Vec<ClassOptions>, options: HostOptions) -> Result<HostHere, StartError> {
        let (executors, jobs) = Executors::here(store.progress());
        let inner = HostInner::new(store, classes, options, executors)?;
        let index = inner.executors.indices().next().expect("there is one");
        executor::move_in(index, &inner, &tokio::runtime::Handle::current(), jobs);
        Ok(HostHere { host: Host(inner), _stays: std::marker::PhantomData })
    }

    /// The door to the objects.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Lets all objects leave memory that are done within `patience`; whether all did.
    pub async fn evict_all(&self, patience: Duration) -> bool {
        with_residents(Residents::close_all);
        let deadline = Instant::now() + patience;
        loop {
            let is_empty = with_residents(|residents: &mut Residents| residents.len() == 0);
            if is_empty || Instant::now() >= deadline {
                return is_empty;
            }
            sleep(SHUTDOWN_POLL).await;
        }
    }

    /// Like [`Host::shut_down`]: refuses new events, waits for the running ones, and closes the store.
    pub async fn shut_down(&self, patience: Duration) -> bool {
        self.host.0.stop_accepting();
        let deadline = Instant::now() + patience;
        loop {
            let left = with_residents(|residents: &mut Residents| {
                residents.close_all();
                residents.len()
            });
            if left == 0 || Instant::now() >= deadline {
                self.host.0.store.close();
                return left == 0;
            }
            sleep(SHUTDOWN_POLL).await;
        }
    }
}

impl Drop for HostHere {
    fn drop(&mut self) {
        executor::move_out();
    }
}
