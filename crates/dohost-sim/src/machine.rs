//! The machine of the simulated host: its date is virtual time, its chance the seed, and what blocks is done on the one
//! thread there is, after a while.

use std::time::Duration;

use dohost_object::Environment;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::random::Random;

/// When the first machine is switched on, in milliseconds since 1970.
pub const START_MS: u64 = 1_600_000_000_000;

/// See the module.
pub struct SimulatedMachine {
    started: Instant,
    started_ms: u64,
    random: Mutex<Random>,
    /// Reads take up to so long.
    read_ms_max: u64,
}

impl SimulatedMachine {
    /// Switched on now, which is this date.
    pub fn new(random: Random, read_ms_max: u64, started_ms: u64) -> SimulatedMachine {
        SimulatedMachine { started: Instant::now(), started_ms, random: Mutex::new(random), read_ms_max }
    }
}

impl Environment for SimulatedMachine {
    fn now_ms(&self) -> u64 {
        self.started_ms + self.started.elapsed().as_millis() as u64
    }

    fn random_bytes(&self) -> [u8; 16] {
        let mut random = self.random.lock();
        (u128::from(random.number()) << 64 | u128::from(random.number())).to_be_bytes()
    }

    fn run_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        let delay = Duration::from_millis(self.random.lock().between(0, self.read_ms_max));
        tokio::spawn(async move {
            sleep(delay).await;
            job();
        });
    }
}
