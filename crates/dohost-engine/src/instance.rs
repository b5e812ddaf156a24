//! The one live instance of an object, and the loop that feeds it events.
//!
//! An instance lives inside a single `run_concurrent` call: the loop starts a guest task for each event, and tasks
//! interleave where the guest waits. When a poll of that loop returns and nothing woke it since it last looked, every task of
//! the guest is waiting for something: that is what ends a *turn*. (A guest that was interrupted to let others run, or that yielded,
//! has not ended its turn.)
//!
//! One thing enters the guest at a time, an event or the completion of an import: when the turn that it made is over,
//! [`Events::admit_next`] says whether something else may enter. When nothing does, [`Events::turns_ended`] is called, and
//! what the turns since the last call wrote goes to be committed as one.
//!
//! A guest that was built with the synchronous ABI cannot interleave: it gets one event at a time, and the next one when it
//! is done with that. (wasmtime would queue the calls itself, but a queue inside the instance is one that nobody can limit,
//! and its cost grows with its length.)
//!
//! A component may export a construction: it is the first call of an instance, and no event starts before it is done.
//!
//! A guest task may go on after it has returned its reply. Such *background work* keeps the instance alive, and
//! [`Events::works_in_background`] tells of it.
//!
//! A trap ends everything at once: wasmtime gives up all tasks of the instance, and so does [`ObjectInstance::run`].

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt};
use wasmtime::Store;
use wasmtime::component::{Accessor, ComponentNamedList, Instance, Lower, Resource, TypedFunc};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{Request as HttpRequest, Response as HttpResponse};

use crate::bindings::types::{Request, Response};
use crate::bindings::websockets::Message;
use crate::component::{HandlerIndices, ObjectComponent, one_line};
use crate::dynamic;
use crate::event::{AlarmInfo, Body, CloseInfo, Input, Output, WebSocketEvent, WebSocketInput};
use crate::guest::{self, CpuExceeded, GuestLimits, GuestState};
use crate::host::NotAnObject;
use crate::imports::{Fatal, Inside, Outside, TaskId};
use crate::methods::Methods;
use crate::mixed::{self, Mixed, MixedRequest};
use crate::slice::{Slice, Wakes};
use crate::streams;
use crate::variables::Variables;

/// Turns that an instance may make before others get the thread.
const TURNS_AT_ONCE_MAX: usize = 128;

/// An event for the guest.
pub struct Call {
    /// What the source of events knows it by.
    pub event: usize,
    /// What the guest is given.
    pub input: Input,
}

/// Where an instance gets its events from.
pub trait Events: Sync {
    /// The next event that may start now. `None` asks the instance to end once the events that it has started are done.
    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Call>>;

    /// The guest got a task for this event; it has not run yet.
    fn started(&self, event: usize, task: TaskId);

    /// The guest returned its reply, or an exception, and its turn is not over. Not called if the instance goes down before.
    fn finished(&self, event: usize, result: Result<Output, String>);

    /// The guest got a task for its construction; it has not run yet. Not called for a component that has none.
    fn construction_started(&self, task: TaskId);

    /// The construction returned well: from now on events are asked for.
    fn constructed(&self);

    /// Whether tasks of the guest go on that have returned their replies, when no event is left that has not.
    fn works_in_background(&self, works: bool);

    /// Every guest task waits for something: may another event or completion enter? If so, it is ready to by now.
    fn admit_next(&self) -> bool;

    /// Every guest task waits for something, and nothing enters: what was written since the last call is one commit.
    fn turns_ended(&self);
}

/// Why an instance went down.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Trap {
    /// One line, fit for the caller.
    pub reason: String,
    /// The whole story with the guest's stack, for the log.
    pub detail: String,
    /// A limit of the host was exceeded.
    pub is_limit: bool,
    /// The host failed, not the guest.
    pub is_host: bool,
    /// There was no room for another instance.
    pub is_full: bool,
    /// The guest's own code said so: its construction returned an exception.
    pub is_exception: bool,
}

impl From<wasmtime::Error> for Trap {
    fn from(error: wasmtime::Error) -> Trap {
        Trap::of(&error)
    }
}

impl Trap {
    pub(crate) fn of(error: &wasmtime::Error) -> Trap {
        if let Some(code) = error.downcast_ref() {
            return Trap::with(in_words(code));
        }
        let reason = if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
            trap.to_string()
        } else if let Some(cpu) = error.downcast_ref::<CpuExceeded>() {
            cpu.to_string()
        } else if let Some(fatal) = error.downcast_ref::<Fatal>() {
            fatal.to_string()
        } else if let Some(foreign) = error.downcast_ref::<NotAnObject>() {
            foreign.to_string()
        } else if let Some(failed) = error.downcast_ref::<ConstructionFailed>() {
            failed.to_string()
        } else {
            one_line(error)
        };
        Trap {
            reason,
            detail: format!("{error:?}"),
            is_limit: error.is::<CpuExceeded>(),
            is_host: error.is::<Fatal>(),
            is_full: error.is::<wasmtime::PoolConcurrencyLimitError>() || is_out_of_memory(error),
            is_exception: error.is::<ConstructionFailed>(),
        }
    }

    /// More than the reason, for whoever wrote the guest: where it trapped. None if the guest did not fail by itself, or has no names that
    /// could be told.
    pub fn story(&self) -> Option<&str> {
        let is_its_own = !(self.is_limit || self.is_host || self.is_full || self.is_exception);
        (is_its_own && !self.detail.contains("<unknown>!<wasm function")).then_some(self.detail.as_str())
    }

    pub(crate) fn of_limit(reason: String) -> Trap {
        Trap { is_limit: true, ..Trap::with(reason) }
    }

    /// There is no more to tell than the reason.
    fn with(reason: String) -> Trap {
        Trap { detail: reason.clone(), reason, is_limit: false, is_host: false, is_full: false, is_exception: false }
    }
}

/// What a handler of `wasi:http` gave instead of a response.
fn in_words(code: &ErrorCode) -> String {
    match code {
        ErrorCode::InternalError(Some(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// Whether the system refused memory or another mapping.
fn is_out_of_memory(error: &wasmtime::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == std::io::ErrorKind::OutOfMemory)
}

/// The construction of an object returned an exception.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ConstructionFailed(String);

/// A live instance of an object.
pub struct ObjectInstance {
    store: Store<GuestState>,
    slice: Arc<Slice>,
    exports: Exports,
    takes_strict_turns: bool,
}

type Fetch = TypedFunc<(Request,), (Result<Response, String>,)>;
type Handle = TypedFunc<(Resource<HttpRequest>,), (HandleResult,)>;
type HandleAlarm = TypedFunc<(AlarmInfo,), Done>;
type HandleMessage = TypedFunc<(u64, Message), Done>;
type HandleClose = TypedFunc<(u64, CloseInfo), Done>;
type HandleError = TypedFunc<(u64, String), Done>;
/// What a handler gives that gives nothing.
type Done = (Result<(), String>,);
type HandleResult = Result<Resource<HttpResponse>, ErrorCode>;

#[derive(Clone)]
struct Exports {
    instance: Instance,
    handler: Option<Handler>,
    methods: Arc<Methods>,
    construct: Option<TypedFunc<(), (Result<(), String>,)>>,
    dynamic: Option<dynamic::CallFunc>,
    alarm: Option<HandleAlarm>,
    websocket: Option<WebSocketHandler>,
}

/// The functions that take what comes on websockets.
#[derive(Clone, Copy)]
struct WebSocketHandler {
    message: HandleMessage,
    close: HandleClose,
    error: HandleError,
}

/// The function that takes requests.
#[derive(Clone, Copy)]
enum Handler {
    Object(Fetch),
    Http(Handle),
    Mixed(mixed::Fetch),
}

impl ObjectComponent {
    /// Makes a new instance with these variables and imports; runs the component's start code.
    ///
    /// Dropping the future drops the instance.
    pub async fn instantiate(
        &self,
        log_name: Arc<str>,
        limits: &GuestLimits,
        variables: Variables,
        inside: Box<dyn Inside>,
        outside: Box<dyn Outside>,
    ) -> Result<ObjectInstance, Trap> {
        let (mut store, slice) = guest::store(&self.engine, log_name, limits, variables, Some(inside), outside);
        let exports = {
            let mut starting = pin!(self.exports(&mut store));
            std::future::poll_fn(|cx| {
                let poll = slice.poll(|| starting.as_mut().poll(cx));
                slice.pause_turn();
                poll
            })
            .await?
        };
        Ok(ObjectInstance { store, slice, exports, takes_strict_turns: self.takes_strict_turns })
    }

    async fn exports(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Exports> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        let handler = match &self.handler {
            None => None,
            Some(HandlerIndices::Object(indices)) => {
                let object = indices.load(&mut *store, &instance)?;
                Some(Handler::Object(object.dohost_object_handler().func_fetch()))
            }
            Some(HandlerIndices::Http(indices)) => {
                let service = indices.load(&mut *store, &instance)?;
                Some(Handler::Http(service.wasi_http_handler().func_handle()))
            }
            Some(HandlerIndices::Mixed(fetch)) => Some(Handler::Mixed(instance.get_typed_func(&mut *store, fetch)?)),
        };
        let construct = self.construct.as_ref().map(|construct| instance.get_typed_func(&mut *store, construct));
        let dynamic = self.dynamic.as_ref().map(|call| instance.get_typed_func(&mut *store, call)).transpose()?;
        let alarm = self.alarm.as_ref().map(|alarm| instance.get_typed_func(&mut *store, alarm)).transpose()?;
        let construct = construct.transpose()?;
        let websocket = self.websocket.as_ref().map(|indices| {
            Ok::<_, wasmtime::Error>(WebSocketHandler {
                message: instance.get_typed_func(&mut *store, indices.message)?,
                close: instance.get_typed_func(&mut *store, indices.close)?,
                error: instance.get_typed_func(&mut *store, indices.error)?,
            })
        });
        let websocket = websocket.transpose()?;
        Ok(Exports { instance, handler, methods: self.methods.clone(), construct, dynamic, alarm, websocket })
    }
}

impl ObjectInstance {
    /// Feeds the instance events until there are no more, or until it traps.
    ///
    /// Dropping the future drops the instance with everything that it was doing.
    pub async fn run(mut self, events: &dyn Events) -> Result<(), Trap> {
        let slice = self.slice.clone();
        let (exports, takes_strict_turns) = (self.exports.clone(), self.takes_strict_turns);
        let wakes = Arc::new(Wakes::default());
        let waker = wakes.waker();
        let feed = async |accessor: &Accessor<GuestState>| {
            if let Some(construct) = exports.construct {
                construct_object(accessor, construct, events).await?;
            }
            feed(accessor, &exports, takes_strict_turns, events, &wakes).await
        };
        let mut running = pin!(self.store.run_concurrent(feed));
        std::future::poll_fn(|cx| {
            wakes.begin(cx);
            let mut guest = Context::from_waker(&waker);
            let poll = take_turns(&slice, &wakes, events, || running.as_mut().poll(&mut guest).map(Result::flatten));
            wakes.end(cx);
            poll
        })
        .await
        .map_err(Trap::from)
    }
}

/// Polls the guest until nothing more can be done now.
fn take_turns(
    slice: &Slice,
    wakes: &Wakes,
    events: &dyn Events,
    mut guest: impl FnMut() -> Poll<wasmtime::Result<()>>,
) -> Poll<wasmtime::Result<()>> {
    for _ in 0..TURNS_AT_ONCE_MAX {
        match slice.poll(&mut guest) {
            Poll::Ready(Ok(())) => {
                events.turns_ended();
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {}
        }
        if slice.was_preempted() {
            slice.pause_turn();
            return Poll::Pending;
        }
        if wakes.take() {
            // It has more to do in the same turn.
            slice.pause_turn();
            continue;
        }
        slice.end_turn();
        if !events.admit_next() {
            events.turns_ended();
            return Poll::Pending;
        }
    }
    // Others get the thread now. Whether the last turn is over is not known, so nothing is committed yet.
    wakes.again();
    Poll::Pending
}

/// Makes the first call of an instance.
async fn construct_object(
    accessor: &Accessor<GuestState>,
    construct: TypedFunc<(), (Result<(), String>,)>,
    events: &dyn Events,
) -> wasmtime::Result<()> {
    let started = accessor.with(|access| construct.start_call_concurrent(access, ()))?;
    events.construction_started(TaskId(started.task()));
    let (result,) = construct.finish_call_concurrent(accessor, started).await?;
    result.map_err(|exception| wasmtime::Error::from(ConstructionFailed(exception)))?;
    events.constructed();
    Ok(())
}

/// Starts events as they come and finishes them as they are done.
async fn feed(
    accessor: &Accessor<GuestState>,
    exports: &Exports,
    takes_strict_turns: bool,
    events: &dyn Events,
    wakes: &Wakes,
) -> wasmtime::Result<()> {
    let mut tasks = Tasks::default();
    let (mut has_ended, mut worked_in_background) = (false, false);
    std::future::poll_fn(|cx| {
        // wasmtime polls this before everything else that it waits for, in each round, so no wake up to now needs another one. What
        // is done here does: it may be work for wasmtime, and this the last that it polls in the round.
        wakes.take();
        let mut may_start = true;
        loop {
            while let Poll::Ready(Some(done)) = tasks.poll_next(cx) {
                if let Err(error) = done {
                    return Poll::Ready(Err(error));
                }
                wakes.again();
            }
            let works_in_background = tasks.is_empty() && accessor.poll_no_interesting_tasks(cx).is_pending();
            if works_in_background != worked_in_background {
                events.works_in_background(works_in_background);
                worked_in_background = works_in_background;
            }
            if has_ended && tasks.is_empty() {
                return if works_in_background { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            if !may_start || has_ended || (takes_strict_turns && !tasks.is_empty()) {
                return Poll::Pending;
            }
            match events.poll_event(cx) {
                Poll::Ready(Some(call)) => {
                    tasks.push(start(accessor, exports, call, events));
                    may_start = false;
                    wakes.again();
                }
                Poll::Ready(None) => has_ended = true,
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

/// The future of the end of an event.
type Task<'a> = Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send + 'a>>;

/// The events that have begun. Mostly that is one or none, and keeping track of who is to be polled costs more than one poll
/// too many: so one has a place of its own.
#[derive(Default)]
struct Tasks<'a> {
    first: Option<Task<'a>>,
    others: FuturesUnordered<Task<'a>>,
}

impl<'a> Tasks<'a> {
    fn is_empty(&self) -> bool {
        self.first.is_none() && self.others.is_empty()
    }

    fn push(&mut self, task: Task<'a>) {
        match self.first {
            None => self.first = Some(task),
            Some(_) => self.others.push(task),
        }
    }

    /// The next event that has ended. To be polled again until nothing has.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<wasmtime::Result<()>>> {
        if let Some(first) = &mut self.first
            && let Poll::Ready(done) = first.as_mut().poll(cx)
        {
            self.first = None;
            return Poll::Ready(Some(done));
        }
        if self.others.is_empty() { Poll::Pending } else { self.others.poll_next_unpin(cx) }
    }
}

/// Starts one guest task, now or when the future is polled for the first time, which gives its end.
fn start<'a>(accessor: &'a Accessor<GuestState>, exports: &'a Exports, call: Call, events: &'a dyn Events) -> Task<'a> {
    let Call { event, input } = call;
    match (input, exports.handler) {
        (Input::Fetch(request), Some(Handler::Object(fetch))) => start_fetch(accessor, fetch, event, request, events),
        (Input::Fetch(request), Some(Handler::Http(handle))) => match streams::request(request) {
            Ok(request) => start_handle(accessor, handle, event, request, events),
            Err(reason) => finish(event, Err(reason), events),
        },
        (Input::Http(request), Some(Handler::Http(handle))) => start_handle(accessor, handle, event, request, events),
        (Input::Fetch(request), Some(Handler::Mixed(fetch))) => {
            start_mixed(accessor, fetch, event, Mixed::Whole(request), events)
        }
        (Input::Http(request), Some(Handler::Mixed(fetch))) => {
            start_mixed(accessor, fetch, event, Mixed::Streamed(request), events)
        }
        (Input::Http(_), Some(Handler::Object(_))) => {
            finish(event, Ok(Output::NotOffered("the handler of the object takes no streams".into())), events)
        }
        (Input::Fetch(_) | Input::Http(_), None) => {
            let methods = exports.methods.interface.method_names();
            let text = format!("the object takes no requests, it has methods only: {methods}");
            finish(event, Ok(Output::NotOffered(text)), events)
        }
        (Input::Dynamic(call), _) => match exports.dynamic {
            Some(function) => Box::pin(async move {
                let started = |task| events.started(event, task);
                let result = dynamic::call(accessor, function, call, started).await?;
                events.finished(event, result);
                Ok(())
            }),
            None => {
                let text = format!("the object has no method {:?} any more", call.method);
                finish(event, Ok(Output::NotOffered(text)), events)
            }
        },
        (Input::Method(call), _) => Box::pin(async move {
            let started = |task| events.started(event, task);
            let output = exports.methods.call(accessor, exports.instance, call, started).await?;
            events.finished(event, Ok(output));
            Ok(())
        }),
        (Input::Alarm(None), _) => finish(event, Ok(Output::Alarm { was_called: false }), events),
        (Input::Alarm(Some(info)), _) => match exports.alarm {
            Some(alarm) => start_call(accessor, alarm, (info,), event, || Output::Alarm { was_called: true }, events),
            None => finish(event, Ok(Output::NotOffered("the object has no handler for alarms".into())), events),
        },
        (Input::WebSocket(come), _) => match exports.websocket {
            Some(handler) => start_websocket(accessor, handler, event, come, events),
            None => finish(event, Ok(Output::NotOffered("the object has no handler for websockets".into())), events),
        },
    }
}

/// For an event that the guest cannot be given.
fn finish<'a>(event: usize, result: Result<Output, String>, events: &'a dyn Events) -> Task<'a> {
    Box::pin(async move {
        events.finished(event, result);
        Ok(())
    })
}

fn start_fetch<'a>(
    accessor: &'a Accessor<GuestState>,
    fetch: Fetch,
    event: usize,
    request: Request,
    events: &'a dyn Events,
) -> Task<'a> {
    let started = accessor.with(|access| fetch.start_call_concurrent(access, (request,)));
    if let Ok(started) = &started {
        events.started(event, TaskId(started.task()));
    }
    Box::pin(async move {
        let (reply,) = fetch.finish_call_concurrent(accessor, started?).await?;
        events.finished(event, reply.map(Output::Response));
        Ok(())
    })
}

fn start_mixed<'a>(
    accessor: &'a Accessor<GuestState>,
    fetch: mixed::Fetch,
    event: usize,
    request: MixedRequest,
    events: &'a dyn Events,
) -> Task<'a> {
    let started = accessor.with(|mut access| {
        let request = mixed::give(&mut access, request)?;
        fetch.start_call_concurrent(access, (request,))
    });
    if let Ok(started) = &started {
        events.started(event, TaskId(started.task()));
    }
    Box::pin(async move {
        let (reply,) = fetch.finish_call_concurrent(accessor, started?).await?;
        let reply = match reply {
            Ok(reply) => Ok(accessor.with(|mut access| mixed::take(&mut access, reply))?),
            Err(exception) => Err(exception),
        };
        events.finished(event, reply);
        Ok(())
    })
}

fn start_websocket<'a>(
    accessor: &'a Accessor<GuestState>,
    handler: WebSocketHandler,
    event: usize,
    WebSocketEvent { websocket, what }: WebSocketEvent,
    events: &'a dyn Events,
) -> Task<'a> {
    let output = || Output::WebSocket;
    match what {
        WebSocketInput::Message(message) => {
            start_call(accessor, handler.message, (websocket, message), event, output, events)
        }
        WebSocketInput::Close(info) => start_call(accessor, handler.close, (websocket, info), event, output, events),
        WebSocketInput::Error(text) => start_call(accessor, handler.error, (websocket, text), event, output, events),
    }
}

/// Starts a task with a function that gives nothing but an exception.
fn start_call<'a, Params>(
    accessor: &'a Accessor<GuestState>,
    function: TypedFunc<Params, Done>,
    params: Params,
    event: usize,
    output: fn() -> Output,
    events: &'a dyn Events,
) -> Task<'a>
where
    Params: ComponentNamedList + Lower + Send + Sync + 'static,
{
    let started = accessor.with(|access| function.start_call_concurrent(access, params));
    if let Ok(started) = &started {
        events.started(event, TaskId(started.task()));
    }
    Box::pin(async move {
        let (result,) = function.finish_call_concurrent(accessor, started?).await?;
        events.finished(event, result.map(|()| output()));
        Ok(())
    })
}

fn start_handle<'a>(
    accessor: &'a Accessor<GuestState>,
    handle: Handle,
    event: usize,
    request: http::Request<Body>,
    events: &'a dyn Events,
) -> Task<'a> {
    let started = accessor.with(|mut access| {
        let state = access.get();
        let (request, _) = HttpRequest::from_http(state.http().hooks, request);
        let request = state.table.push(request)?;
        handle.start_call_concurrent(access, (request,))
    });
    if let Ok(started) = &started {
        events.started(event, TaskId(started.task()));
    }
    Box::pin(async move {
        let (reply,) = handle.finish_call_concurrent(accessor, started?).await?;
        let reply = match reply {
            Ok(response) => Ok(accessor.with(|mut access| {
                let response = access.get().table.delete(response)?;
                response.into_http(&mut access, async { Ok(()) })
            })?),
            Err(code) => Err(format!("the handler failed: {}", in_words(&code))),
        };
        events.finished(event, reply.map(Output::Http));
        Ok(())
    })
}
