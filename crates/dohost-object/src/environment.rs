//! What the host needs of the machine it runs on, apart from time that passes (which is tokio's) and the disk (which is the
//! store's): the date, chance, and a place for what blocks.
//!
//! The product has [`Machine`]. A simulation has one of its own, in which nothing comes from outside.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rand::RngCore;
use tokio::sync::oneshot;

/// See the module.
pub trait Environment: Send + Sync + 'static {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Random bytes that nobody can guess.
    fn random_bytes(&self) -> [u8; 16];

    /// Does a job that may wait for the disk where it keeps nobody from working. Called on an executor.
    fn run_blocking(&self, job: Box<dyn FnOnce() + Send>);
}

/// The machine that this process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Environment for Machine {
    fn now_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    fn random_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        bytes
    }

    fn run_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        // It tells its end itself, and goes on if nobody waits for that any more.
        drop(tokio::task::spawn_blocking(job));
    }
}

/// Does a job elsewhere, beginning now; the future is its answer. None if it panicked, or if the host is going down.
pub(crate) fn ask_blocking<T: Send + 'static, Job: FnOnce() -> T + Send + 'static>(
    environment: &Arc<dyn Environment>,
    job: Job,
) -> impl Future<Output = Option<T>> + Send + use<T, Job> {
    let (sender, receiver) = oneshot::channel();
    environment.run_blocking(Box::new(move || {
        // Whoever asked may be gone.
        let _ = sender.send(job());
    }));
    async move { receiver.await.ok() }
}
