//! Which alarm fires when.
//!
//! [`cron`] knows when the ticks of a schedule are, [`ticks`] what becomes of those that were missed, [`retry`] when an alarm
//! whose handler failed is tried again, and [`agenda`] which of all pending alarms is next.
//!
//! All of it decides and does nothing else: no clock, no task, no lock, no I/O. Time comes in as milliseconds since 1970, chance
//! as a number. `dohost-object` has the task that acts on what is decided here, `dohost-storage` the alarms themselves.
//!
//! Invariant: no alarm is fired before its time, whatever comes in here.

pub mod agenda;
pub mod cron;
pub mod retry;
pub mod ticks;

pub use agenda::{Agenda, Next, PageRequest};
pub use cron::{Cron, InvalidSchedule};
pub use retry::{Failure, after_failure};
pub use ticks::{Due, due, next_after};
