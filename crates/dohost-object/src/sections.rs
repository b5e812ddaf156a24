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

impl State {
    /// Ends the innermost section, and those around it that were abandoned while it was open.
    fn end_section(&mut self) {
        self.gate.end_section();
        while let Some(id) = self.gate.innermost()
            && let Some(at) = self.abandoned.iter().position(|abandoned| *abandoned == id)
        {
            self.abandoned.swap_remove(at);
            self.undo();
            self.gate.end_section();
        }
    }

    /// Rolls the innermost transaction back.
    fn undo(&mut self) {
        self.storage().overlay.undo();
        if !self.is_in_transaction() {
            self.transaction_is_confirmed = false;
        }
    }

    /// Keeps what the innermost transaction wrote.
    fn keep(&mut self) {
        self.storage().overlay.keep();
        if !self.is_in_transaction() && std::mem::take(&mut self.transaction_is_confirmed) {
            self.output.wrote();
        }
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

/// An open section that the guest has a handle to.
struct Section {
    object: Arc<Object>,
    id: SectionId,
    /// Gone when the section has ended.
    timer: Option<Timer>,
}

impl Section {
    fn new(object: &Arc<Object>, id: SectionId, what: &'static str) -> Section {
        Section { object: object.clone(), id, timer: Some(Timer::start(object, what)) }
    }

    fn has_ended(&self) -> bool {
        self.timer.is_none()
    }

    /// Ends a transaction, if it is the innermost section.
    fn end_transaction(&mut self, end: impl FnOnce(&mut State)) -> Result<(), StorageError> {
        if self.has_ended() {
            return Err(StorageError::NotAllowed("the transaction has ended already".into()));
        }
        let mut state = self.object.lock();
        if state.gate.innermost() != Some(self.id) {
            let text = "a transaction or critical section inside of this transaction has not ended";
            return Err(StorageError::NotAllowed(text.into()));
        }
        end(&mut state);
        state.end_section();
        self.timer = None;
        Ok(())
    }
}

impl Transaction for Section {
    fn commit(&mut self) -> Result<(), StorageError> {
        self.end_transaction(State::keep)
    }

    fn rollback(&mut self) -> Result<(), StorageError> {
        self.end_transaction(State::undo)
    }

    fn dropped(mut self: Box<Self>) {
        if !self.has_ended() && self.end_transaction(State::undo).is_err() {
            self.object.lock().abandoned.push(self.id);
        }
    }
}

impl CriticalSection for Section {
    fn end(&mut self) -> Result<(), Fatal> {
        if self.has_ended() {
            return Ok(());
        }
        let mut state = self.object.lock();
        if state.gate.innermost() != Some(self.id) {
            let text = "a critical section was ended before a section inside of it";
            return Err(Fatal(text.into()));
        }
        state.end_section();
        drop(state);
        self.timer = None;
        Ok(())
    }

    fn dropped(self: Box<Self>) -> Result<(), Fatal> {
        match self.has_ended() {
            true => Ok(()),
            false => Err(Fatal("a critical section was dropped before its end".into())),
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
