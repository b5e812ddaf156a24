//! What goes on while hosts come and go: the objects that there are, the clients, and what these have seen.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::alarms::Alarms;
use crate::client::Client;
use crate::history::Acts;
use crate::journal::Journal;
use crate::operation::Subject;
use crate::plan::Plan;
use crate::random::Random;

/// See the module.
pub struct World {
    /// What the seed decided.
    pub plan: Plan,
    /// All objects.
    pub subjects: Vec<Subject>,
    /// All clients.
    pub clients: Vec<Mutex<Client>>,
    /// Objects with alarms, and what became of these.
    pub alarms: Alarms,
    /// What the clients saw.
    pub acts: Mutex<Acts>,
    /// What happened.
    pub journal: Journal,
    values: AtomicU64,
    /// Hosts that there have been.
    hosts: AtomicUsize,
    /// Since when the disk can be written, as far as a host can tell.
    room_since: Mutex<Option<Instant>>,
}

impl World {
    /// The world of a plan.
    pub fn new(plan: Plan, random: &mut Random, alarms: Alarms) -> World {
        let subject = |class: &'static str, number| Subject { class, name: format!("{class}-{number}") };
        let probes = (0..plan.probes).map(|number| subject("probe", number));
        let counters = (0..plan.counters).map(|number| subject("counter", number));
        let subjects: Vec<Subject> = probes.chain(counters).collect();
        let mut clients = Vec::new();
        for home in 0..subjects.len() {
            for _ in 0..plan.clients_per_object {
                let client = Client { home, left: plan.operations_per_client, random: random.fork() };
                clients.push(Mutex::new(client));
            }
        }
        World {
            plan,
            subjects,
            clients,
            alarms,
            acts: Mutex::default(),
            journal: Journal::default(),
            values: AtomicU64::new(1),
            hosts: AtomicUsize::new(0),
            room_since: Mutex::default(),
        }
    }

    /// Notes that a host starts.
    pub fn host_starts(&self) {
        let host = self.hosts.fetch_add(1, Ordering::Relaxed);
        // Objects that trap may lose what is not confirmed.
        self.acts.lock().set_calm((self.plan.traps_one_in == Plan::NEVER).then_some(host));
    }

    /// Notes that the host has trouble, from which its objects may suffer.
    pub fn goes_wrong(&self) {
        self.acts.lock().set_calm(None);
    }

    /// Notes since when the disk can be written; it cannot if that is `None`.
    pub fn has_room_since(&self, since: Option<Instant>) {
        *self.room_since.lock() = since;
    }

    /// How long the disk could have been written.
    pub fn has_room_for(&self) -> Duration {
        self.room_since.lock().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// A value that nobody has written before.
    pub fn new_value(&self) -> u64 {
        self.values.fetch_add(1, Ordering::Relaxed)
    }
}
