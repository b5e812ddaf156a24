//! What this instance knows that the next one will not, and how it asks for its own end.

use std::cell::{Cell, RefCell};

use crate::dohost::object::state;
use crate::reply::Failure;
use crate::steps::ok;

thread_local! {
    static MEMORY: Cell<u32> = const { Cell::new(0) };
    static NOTES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// How often this instance was asked that, 1 if it is fresh.
pub fn memory() -> u32 {
    MEMORY.set(MEMORY.get() + 1);
    MEMORY.get()
}

/// Remembers that something has happened, after all that has happened before.
pub fn note(note: &str) -> Result<String, Failure> {
    NOTES.with_borrow_mut(|notes| notes.push(note.to_string()));
    ok()
}

/// In the order in which they were made.
pub fn notes() -> Vec<String> {
    NOTES.with_borrow(Clone::clone)
}

/// Does not return if the host keeps its word.
pub fn abort(reason: &[&str]) -> Result<String, Failure> {
    let reason = reason.join(" ");
    state::abort(Some(reason.as_str()).filter(|reason| !reason.is_empty()));
    Err(Failure::of_probe("abort returned"))
}
