//! The whole host on one thread, with virtual time, faults and a seed.
//!
//! What runs is the product: real guests in the real engine, the real objects with their gates and lives, the real store.
//! What is simulated is everything around it: time, the date, chance, where blocking reads run, when commits happen, and
//! the disk. All of that is drawn from a seed, so a failure comes again as often as one likes:
//!
//! ```text
//! cargo xtask sim --from 4711 --seeds 1 --journal
//! ```
//!
//! In each seed clients work on a few objects (see `operation`) while the host gets new code, is restarted, loses power at any operation
//! on the disk, finds it full, stalled or failing (see `life`). What is checked:
//!
//! - the history of every object is linearizable (`check`): nothing acknowledged is lost, nothing comes twice, no turn is
//!   seen in the middle, nothing of a turn that trapped is ever seen;
//! - two keys that one turn writes are always equal (`operation`);
//! - of unconfirmed writes a crash takes the last ones only (`unconfirmed`);
//! - an alarm fires at least once, never before its time, and not again once it has succeeded durably (`alarms`);
//! - an object never has two instances (`journal`, and its memory in `check`);
//! - every request is answered, a host stops when it is told to, and one that crashed starts again;
//! - a seed gives the same journal every time.
//!
//! What is not covered: two threads at the same time (there is one executor and no committer's thread; the races between
//! threads are for the end-to-end tests), HTTP, Workers and the network, the CPU time of guests (there are no epochs).

pub mod alarms;
pub mod check;
pub mod client;
pub mod guests;
pub mod history;
pub mod journal;
pub mod life;
pub mod machine;
pub mod network;
pub mod operation;
pub mod plan;
pub mod random;
pub mod unconfirmed;
pub mod world;

use std::sync::Arc;

use anyhow::Result;
use dohost_storage::faulty::FaultyDisk;

use crate::alarms::Alarms;
use crate::life::{End, Weather};
use crate::plan::Plan;
use crate::random::Random;
use crate::world::World;

/// What a seed came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Everything that happened, line by line.
    pub journal: String,
    /// What must not be.
    pub violations: Vec<String>,
    /// Lives of the host that ended with a crash.
    pub crashes: usize,
    /// Acts of clients.
    pub acts: usize,
    /// Acts whose outcome was never known.
    pub open_acts: usize,
}

/// Runs a seed. An error says that nothing could run, such as that the guests were not built.
pub fn run(seed: u64) -> Result<Report> {
    let classes = guests::classes()?;
    let mut random = Random::new(seed);
    let plan = Plan::draw(&mut random);
    let world = Arc::new(World::new(plan, &mut random, Alarms::draw(seed)));
    world.journal.note(format_args!("seed {seed}: {:?}", world.plan));
    let crashes = world.journal.listening(|| {
        let mut disk = FaultyDisk::new();
        let mut crashes = 0;
        for _ in 0..world.plan.restarts {
            let (end, found) = life::live(&world, &classes, &disk, Weather::Rough, &mut random);
            disk = found;
            crashes += usize::from(end == End::Crashed);
            if end == End::Finished {
                break;
            }
        }
        life::live(&world, &classes, &disk, Weather::Calm, &mut random);
        crashes
    });
    for broken in world.alarms.broken_promises() {
        world.journal.violation(broken);
    }
    let acts = world.acts.lock();
    for broken in acts.broken_promises() {
        world.journal.violation(broken);
    }
    for unexplained in acts.unexplained() {
        world.journal.violation(unexplained.to_string());
    }
    let (journal, violations) = world.journal.read();
    let (acts, open_acts) = acts.count();
    Ok(Report { journal, violations, crashes, acts, open_acts })
}

/// The command that runs a seed once more.
pub fn command(seed: u64) -> String {
    format!("cargo xtask sim --from {seed} --seeds 1 --journal")
}
