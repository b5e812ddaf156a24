//! The object itself, as its code sees it.

use crate::bindings::dohost::object::state;
use crate::{ObjectId, Result, Storage, sections};

/// The object itself: who it is, and its store.
#[derive(Clone, Debug)]
pub struct State {
    _private: (),
}

impl State {
    pub(crate) fn new() -> State {
        State { _private: () }
    }

    /// The object's id, with the name that it was made from if that is known.
    pub fn id(&self) -> ObjectId {
        ObjectId::own(state::id(), state::name())
    }

    /// The class, as this component knows it.
    pub fn class(&self) -> String {
        state::class()
    }

    /// The object's store.
    pub fn storage(&self) -> Storage {
        Storage::new()
    }

    /// Runs `work` with nothing else of the object in between, whatever it waits for. If it fails, the object is reset, and
    /// so it is if that takes longer than 30 seconds (a limit of the class).
    ///
    /// Seldom needed: between two calls of the storage nothing interferes anyhow.
    pub async fn block_concurrency_while<T>(&self, work: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        sections::critical(work).await
    }

    /// Goes on with `work` when the reply has left. The object stays in memory meanwhile.
    pub fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        wit_bindgen::spawn_local(work);
    }

    /// Ends this life of the object at once: what was not committed is dropped, callers get the reason, and the next event
    /// starts a new instance from what is durable.
    pub fn abort(&self, reason: Option<&str>) -> ! {
        state::abort(reason);
        unreachable!("abort does not return")
    }
}
