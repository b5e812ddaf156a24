//! Alarms: what fires them, what a try of one is on its way through its object, and what the guest's imports do.
//!
//! ```text
//!  scheduler   the agenda says which alarm is due ─► an event for its object, as any other
//!  run         the event enters: is the alarm still the one that was due? ─► the handler
//!              the handler returned: the alarm is deleted, or gets its next tick, in the commit of what the handler wrote
//!  scheduler   that commit is durable, the store says that the alarm has gone: it is over
//!              or the handler failed: the store gets the time of the next try, if the alarm is still the same
//! ```
//!
//! The scheduler knows nothing but what is durable, and the object nothing of tries and times. They meet in the *stamp* of an
//! alarm, which tells each setting of it from every other.
//!
//! Invariant: an alarm is deleted by its object, with the commit of its handler, or by the scheduler when it is given up; in
//! both cases only if it is still the one that was fired.

pub(crate) mod history;
pub(crate) mod inside;
pub(crate) mod run;
pub(crate) mod scheduler;

pub use history::{AlarmFigures, AlarmOutcome, PastRun};
