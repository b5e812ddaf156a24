//! Critical sections and transactions, as the guest's imports see them.
//!
//! A transaction is a critical section with a savepoint in the overlay. Both have a time that they may take, after which the
//! life ends: whoever waits inside for something that is kept outside would wait for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dohost_engine::imports::{
    Caller, ConcurrencyError, CriticalSection, Fatal, OpenSection, OpenTransaction, Step, StorageError, StorageStep,
    Transaction,
};
use futures_util::FutureExt;
use tokio::task::AbortHandle;

use crate::input_gate::{SectionId, Ticket, TooDeep};
use crate::object::{EndReason, Object, State};

impl Object {
    /// See `transactions.begin`.
    pub fn begin_transaction(self: &Arc<Self>, caller: Caller) -> StorageStep<OpenTransaction> {
        let too_deep = StorageError::NotAllowed(self.too_deep());
        self.open_section(caller, move |object, opened| {
            let id = opened.map_err(|TooDeep| too_deep)?;
            let mut state = object.lock();
            // What was written before is no part of it.
            let is_outermost = !state.is_in_transaction();
            let leaving = is_outermost.then(|| object.submit(&mut state));
            state.storage().overlay.begin();
            state.transactions.push(TransactionState { id, is_confirmed: false });
            drop(state);
            if let Some(leaving) = leaving {
                leaving.go();
            }
            Ok(OpenTransaction(Box::new(Section::new(object, id, "a transaction"))))
        })
    }

    /// See `concurrency.block-concurrency`.
    pub fn block_concurrency(self: &Arc<Self>, caller: Caller) -> Step<Result<OpenSection, ConcurrencyError>> {
        let too_deep = ConcurrencyError::TooDeep(self.too_deep());
        self.open_section(caller, move |object, opened| {
            let id = opened.map_err(|TooDeep| too_deep)?;
            Ok(OpenSection(Box::new(Section::new(object, id, "a critical section"))))
        })
    }

    /// Opens a section and goes on, at once if that is possible.
    fn open_section<R: Send + 'static>(
        self: &Arc<Self>,
        caller: Caller,
        then: impl FnOnce(&Arc<Object>, Result<SectionId, TooDeep>) -> R + Send + 'static,
    ) -> Step<R> {
        let mut opening = Opening { object: self.clone(), caller, ticket: None };
        if let Some(opened) = (&mut opening).now_or_never() {
            return Step::Ready(then(self, opened));
        }
        let object = self.clone();
        Step::Wait(Box::pin(async move {
            let opened = opening.await;
            Ok(then(&object, opened))
        }))
    }

    fn too_deep(&self) -> String {
        let max = self.limits().section_depth_max;
        format!("{max} critical sections and transactions lie inside each other, the limit section-depth")
    }
}

/// What belongs to an open transaction beside its savepoint.
pub(crate) struct TransactionState {
    id: SectionId,
    /// It wrote something that output must wait for.
    pub is_confirmed: bool,
}

impl State {
    /// Keeps what the innermost section wrote, if it is a transaction, and ends it.
    fn keep_section(&mut self) {
        if let Some(TransactionState { is_confirmed, .. }) = self.pop_transaction() {
            self.storage().overlay.keep();
            match self.transactions.last_mut() {
                Some(outer) => outer.is_confirmed |= is_confirmed,
                None if is_confirmed => self.output.wrote(),
                None => {}
            }
        }
        self.gate.end_section();
    }

    /// Rolls the innermost section back, if it is a transaction, and ends it.
    fn undo_section(&mut self) {
        if self.pop_transaction().is_some() {
            self.storage().overlay.undo();
        }
        self.gate.end_section();
    }

    fn pop_transaction(&mut self) -> Option<TransactionState> {
        let innermost = self.gate.innermost();
        self.transactions.pop_if(|transaction| Some(transaction.id) == innermost)
    }
}

/// The future of an open section.
struct Opening {
    object: Arc<Object>,
    caller: Caller,
    ticket: Option<Ticket>,
}

impl Future for Opening {
    type Output = Result<SectionId, TooDeep>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Opening { object, caller, ticket } = self.get_mut();
        let depth_max = object.limits().section_depth_max;
        object.lock().gate.poll_section(*caller, depth_max, ticket, cx.waker())
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.object.lock().gate.give_up(ticket);
        }
    }
}

/// A section that the guest has a handle to.
struct Section {
    object: Arc<Object>,
    id: SectionId,
    /// Gone when the section has ended.
    timer: Option<Timer>,
}

/// Why a section cannot end now.
enum NotInnermost {
    HasEnded,
    HasOpenInside,
}

impl Section {
    fn new(object: &Arc<Object>, id: SectionId, what: &'static str) -> Section {
        Section { object: object.clone(), id, timer: Some(Timer::start(object, what)) }
    }

    /// Ends the section, if it is the innermost one.
    fn end_with(&mut self, end: impl FnOnce(&mut State)) -> Result<(), NotInnermost> {
        let mut state = self.object.lock();
        if !state.gate.is_open_section(self.id) {
            return Err(NotInnermost::HasEnded);
        }
        if state.gate.innermost() != Some(self.id) {
            return Err(NotInnermost::HasOpenInside);
        }
        end(&mut state);
        drop(state);
        self.timer = None;
        Ok(())
    }

    fn end_transaction(&mut self, end: impl FnOnce(&mut State)) -> Result<(), StorageError> {
        let text = match self.end_with(end) {
            Ok(()) => return Ok(()),
            Err(NotInnermost::HasEnded) => "the transaction has ended already",
            Err(NotInnermost::HasOpenInside) => "a transaction or critical section inside of the transaction is open",
        };
        Err(StorageError::NotAllowed(text.into()))
    }
}

impl Transaction for Section {
    fn commit(&mut self) -> Result<(), StorageError> {
        self.end_transaction(State::keep_section)
    }

    fn rollback(&mut self) -> Result<(), StorageError> {
        self.end_transaction(State::undo_section)
    }

    fn dropped(self: Box<Self>) {
        let mut state = self.object.lock();
        // What lies inside goes with it.
        while state.gate.is_open_section(self.id) {
            state.undo_section();
        }
    }
}

impl CriticalSection for Section {
    fn end(&mut self) -> Result<(), Fatal> {
        match self.end_with(State::keep_section) {
            Ok(()) | Err(NotInnermost::HasEnded) => Ok(()),
            Err(NotInnermost::HasOpenInside) => {
                Err(Fatal("a critical section was ended before a section inside of it".into()))
            }
        }
    }

    fn dropped(self: Box<Self>) -> Result<(), Fatal> {
        match self.object.lock().gate.is_open_section(self.id) {
            false => Ok(()),
            true => Err(Fatal("a critical section was dropped before its end".into())),
        }
    }
}

/// Ends the life of an object unless it is dropped in time.
pub(crate) struct Timer(AbortHandle);

impl Timer {
    /// `what` has as long as a section may take.
    pub fn start(object: &Arc<Object>, what: &'static str) -> Timer {
        let (object, max) = (Arc::downgrade(object), object.limits().section_time_max);
        let task = tokio::spawn(async move {
            tokio::time::sleep(max).await;
            if let Some(object) = object.upgrade() {
                let text = format!("{what} took longer than {max:?}, the limit section-time");
                object.doom(EndReason::TimedOut(text));
            }
        });
        Timer(task.abort_handle())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
