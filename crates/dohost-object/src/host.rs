//! The door to all objects: whoever has an event (a connection, a Worker, another object) brings it here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use dohost_engine::imports::{BoxFuture, OutgoingError, Outside, RequestOptions};
use dohost_engine::{
    Body, BodyError, DynamicCall, DynamicValues, Input, MethodCall, MixedResponse, Output, Request, Response,
};
use dohost_rpc::Value;
use dohost_storage::{ClassNumber, NAME_BYTES_MAX, Store, StoreError};
use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;
use tokio::sync::{Notify, oneshot};

use crate::alarms::history::AlarmHistory;
use crate::alarms::run::AlarmRun;
use crate::bindings::Bindings;
use crate::call_graph::{CallChain, CallGraph};
use crate::class::{Class, ClassOptions};
use crate::environment::Environment;
use crate::event::{Event, EventError, Reply, ReplySlot};
use crate::executor::{Executors, current, with_residents};
use crate::id::{IdKey, InvalidId, ObjectId};
use crate::limits::HostLimits;
use crate::outside::WorkerOutside;
use crate::streams::{input_for, mixed_reply, streamed_reply, whole_reply};
use crate::websockets::{Socket, WebSocketClient, WebSocketIo, WebSockets};

/// How often a shutdown looks whether the last object has gone.
pub(crate) const SHUTDOWN_POLL: Duration = Duration::from_millis(10);

/// Sends the requests of guests to the network.
pub trait OutgoingFetch: Send + Sync + 'static {
    /// Sends a request and waits for the whole reply. The caller is an object, so that it can be held to its share, or a
    /// Worker.
    fn fetch(&self, caller: Option<ObjectId>, request: Request) -> BoxFuture<Result<Response, OutgoingError>>;

    /// The same with streamed bodies: resolves with the head of the reply.
    fn send(
        &self,
        caller: Option<ObjectId>,
        request: http::Request<Body>,
        options: RequestOptions,
    ) -> BoxFuture<Result<http::Response<Body>, BodyError>>;

    /// Asks a server for a websocket: sends the request with the headers of an upgrade on top. Gives the head of the response, and the
    /// connection if the server agreed.
    fn upgrade(
        &self,
        caller: Option<ObjectId>,
        request: Request,
    ) -> BoxFuture<Result<(Response, Option<UpgradedConnection>), OutgoingError>>;
}

/// A connection after a handshake.
pub struct UpgradedConnection {
    /// The connection.
    pub io: Box<dyn WebSocketIo>,
    /// What was read of it beyond the handshake.
    pub read_ahead: bytes::Bytes,
}

/// What can be set about a host.
pub struct HostOptions {
    /// Threads that objects and connections run on.
    pub executors: usize,
    /// What all objects together may use.
    pub limits: HostLimits,
    /// How guests reach the network.
    pub outgoing: Arc<dyn OutgoingFetch>,
    /// The machine underneath.
    pub environment: Arc<dyn Environment>,
}

/// All objects of one data directory. Cheap to clone.
#[derive(Clone)]
pub struct Host(pub(crate) Arc<HostInner>);

pub(crate) struct HostInner {
    pub store: Store,
    /// Clients ask for names but add none, so the hash needs no secret.
    pub classes: ArcSwap<HashMap<Arc<str>, Class, FxBuildHasher>>,
    /// Held by the deploy that is under way.
    pub deploying: tokio::sync::Mutex<()>,
    pub limits: HostLimits,
    pub outgoing: Arc<dyn OutgoingFetch>,
    pub environment: Arc<dyn Environment>,
    pub executors: Executors,
    /// Calls from object to object that are under way.
    pub call_graph: Mutex<CallGraph>,
    pub last_call: AtomicU64,
    /// The last number given to whoever holds an object.
    pub last_hold: AtomicU64,
    /// What became of alarms.
    pub alarms: AlarmHistory,
    pub websockets: WebSockets,
    /// Notified when there is a new class whose alarms fire.
    pub alarms_changed: Notify,
    is_stopping: AtomicBool,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A class could not be registered.
    #[error("failed to {0}")]
    Store(#[from] StoreError),
    /// A thread could not be started.
    #[error("failed to start an executor: {0}")]
    Thread(#[from] std::io::Error),
}

/// Which object of a class.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The object of this name. One of over 1,024 bytes makes an id, but the object does not get to know it.
    Name(&'a str),
    /// The object with this id, as text.
    Id(&'a str),
}

impl Target<'_> {
    /// The id, and the name if the object may keep it.
    pub(crate) fn resolve(self, ids: &IdKey) -> Result<(ObjectId, Option<Arc<str>>), InvalidId> {
        match self {
            Target::Name(name) => Ok(named(ids, name)),
            Target::Id(id) => Ok((ids.id_from_string(id)?, None)),
        }
    }
}

/// The id, and the name if the object may keep it.
fn named(ids: &IdKey, name: &str) -> (ObjectId, Option<Arc<str>>) {
    let kept = Some(name).filter(|name| name.len() <= NAME_BYTES_MAX);
    (ids.id_from_name(name), kept.map(Arc::from))
}

/// An object that something is sent to.
pub struct Addressee<'a> {
    class: &'a Class,
    id: ObjectId,
    name: Option<Arc<str>>,
    executor: usize,
}

impl Addressee<'_> {
    /// The executor that it is pinned to, one of [`Host::executors`].
    pub fn executor(&self) -> usize {
        self.executor
    }
}

impl Host {
    /// Registers the classes and starts the executors.
    pub fn start(store: Store, classes: Vec<ClassOptions>, options: HostOptions) -> Result<Host, StartError> {
        let (executors, idle) = Executors::prepare(options.executors, || store.progress())?;
        let inner = HostInner::new(store, classes, options, executors)?;
        Executors::start(&inner, idle)?;
        Ok(Host(inner))
    }

    /// The class of this name.
    pub fn class(&self, name: &str) -> Option<Class> {
        self.0.classes.load().get(name).cloned()
    }

    /// The names of all classes, in order.
    pub fn class_names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.0.classes.load().keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The threads that objects run on, for connections to run on them too.
    pub fn executors(&self) -> &Executors {
        &self.0.executors
    }

    /// Sends a request to an object and waits for the reply, and for the commit that the reply depends on.
    ///
    /// Dropping the future gives up the reply, not the event.
    pub async fn fetch(&self, class: &Class, target: Target<'_>, request: Request) -> Result<Reply, InvalidId> {
        let (id, name) = target.resolve(&class.0.ids)?;
        let reply = self.0.clone().send(class, id, name, Input::Fetch(request), None).await;
        Ok(whole_reply(reply, class.body_bytes_max()).await)
    }

    /// The object of this name, for whoever wants to know where it is before it sends something.
    pub fn object_named<'a>(&self, class: &'a Class, name: &str) -> Addressee<'a> {
        let (id, name) = named(&class.0.ids, name);
        Addressee { class, id, name, executor: self.0.executors.of(&id).number() }
    }

    /// The same with streamed bodies: resolves with the head of the reply. A class that takes no streams gets the whole
    /// body.
    pub async fn fetch_streamed(
        &self,
        object: Addressee<'_>,
        request: http::Request<Body>,
    ) -> Reply<http::Response<Body>> {
        let input = input_for(object.class, request).await?;
        streamed_reply(self.send_to(object, input).await)
    }

    /// The same with a whole request, and the reply in the form in which the object gives it: a streamed one resolves with
    /// its head.
    pub async fn fetch_mixed(&self, object: Addressee<'_>, request: Request) -> Reply<MixedResponse> {
        mixed_reply(self.send_to(object, Input::Fetch(request)).await)
    }

    /// Calls a method of an object, like [`Host::fetch`].
    pub async fn call(&self, object: Addressee<'_>, call: MethodCall) -> Reply<Option<Value>> {
        self.send_to(object, Input::Method(call)).await.map(Output::into_value)
    }

    /// Calls a method of an object that only the object knows, like [`Host::fetch`].
    pub async fn call_dynamic(&self, object: Addressee<'_>, call: DynamicCall) -> Reply<DynamicValues> {
        self.send_to(object, Input::Dynamic(call)).await.map(Output::into_dynamic)
    }

    fn send_to(&self, object: Addressee<'_>, input: Input) -> impl Future<Output = Reply<Output>> + Send + use<> {
        let Addressee { class, id, name, .. } = object;
        self.0.send(class, id, name, input, None)
    }

    /// The other end of a websocket that an object accepted, for the one who asks first.
    pub fn take_websocket_client(&self, name: &str) -> Option<WebSocketClient> {
        self.0.websockets.take_client(name)
    }

    /// Makes the imports of one instance of a Worker with these bindings.
    pub fn worker_outside(&self, bindings: &Bindings) -> Box<dyn Outside> {
        Box::new(WorkerOutside { host: self.0.clone(), bindings: bindings.clone() })
    }

    /// Refuses new events, waits for the running ones for up to `patience`, commits everything, and closes the store.
    /// Must not be called on an executor. Returns whether all objects ended in time.
    pub fn shut_down(&self, patience: Duration) -> bool {
        self.0.stop_accepting();
        self.0.websockets.close_all();
        let deadline = std::time::Instant::now() + patience;
        let all_ended = loop {
            // Once at least: those that have nothing to do end well.
            let all_ended = self.close_objects() == 0;
            if all_ended || std::time::Instant::now() >= deadline {
                break all_ended;
            }
            std::thread::sleep(SHUTDOWN_POLL);
        };
        self.0.executors.stop();
        self.0.store.close();
        all_ended
    }

    /// Asks all objects to end; how many are still there.
    fn close_objects(&self) -> usize {
        let (sender, receiver) = std::sync::mpsc::channel();
        let executors = &self.0.executors;
        for index in executors.indices() {
            let sender = sender.clone();
            executors.run_on(index, move || {
                let left = with_residents(|residents| {
                    residents.close_all();
                    residents.len()
                });
                let _ = sender.send(left);
            });
        }
        drop(sender);
        receiver.into_iter().sum()
    }
}

impl HostInner {
    /// Registers the classes.
    pub fn new(
        store: Store,
        classes: Vec<ClassOptions>,
        options: HostOptions,
        executors: Executors,
    ) -> Result<Arc<HostInner>, StoreError> {
        let websockets = WebSockets::new(&options.limits);
        let mut by_name = HashMap::default();
        for options in classes {
            let class = Class::new(&store.class(&options.name)?, options);
            by_name.insert(class.0.name.clone(), class);
        }
        Ok(Arc::new(HostInner {
            store,
            classes: ArcSwap::from_pointee(by_name),
            deploying: tokio::sync::Mutex::default(),
            limits: options.limits,
            outgoing: options.outgoing,
            environment: options.environment,
            executors,
            call_graph: Mutex::default(),
            last_call: AtomicU64::new(0),
            last_hold: AtomicU64::new(0),
            alarms: AlarmHistory::default(),
            websockets,
            alarms_changed: Notify::new(),
            is_stopping: AtomicBool::new(false),
        }))
    }

    /// The class with this number, if it is served.
    pub fn class_of(&self, number: ClassNumber) -> Option<Class> {
        self.classes.load().values().find(|class| class.0.number == number).cloned()
    }

    /// Refuses new events from now on.
    pub fn stop_accepting(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Sends an event on its way now; the future is its reply. The chain is that of a call from another object.
    pub fn send(
        self: &Arc<Self>,
        class: &Class,
        id: ObjectId,
        name: Option<Arc<str>>,
        input: Input,
        chain: Option<Arc<CallChain>>,
    ) -> impl Future<Output = Reply<Output>> + Send + use<> {
        self.send_event(class, id, name, EventOf { input, chain, alarm: None, begins: None })
    }

    /// The same for the try of an alarm.
    pub fn send_alarm(
        self: &Arc<Self>,
        class: &Class,
        run: Arc<AlarmRun>,
    ) -> impl Future<Output = Reply<Output>> + Send + use<> {
        let id = ObjectId(run.alarm.id);
        self.send_event(
            class,
            id,
            None,
            EventOf { input: Input::Alarm(None), chain: None, alarm: Some(run), begins: None },
        )
    }

    /// The same for what has come on a websocket; tells when the event begins.
    pub fn send_websocket(
        self: &Arc<Self>,
        socket: &Socket,
        input: Input,
        begins: oneshot::Sender<()>,
    ) -> impl Future<Output = Reply<Output>> + Send + use<> {
        let event = EventOf { input, chain: None, alarm: None, begins: Some(begins) };
        self.send_event(&socket.class, socket.key.id, socket.name.clone(), event)
    }

    fn send_event(
        self: &Arc<Self>,
        class: &Class,
        id: ObjectId,
        name: Option<Arc<str>>,
        event: EventOf,
    ) -> impl Future<Output = Reply<Output>> + Send + use<> {
        let home = current();
        let (reply, receiver) = ReplySlot::new(home);
        let class = class.clone();
        let EventOf { input, chain, alarm, begins } = event;
        let event = Box::new(Event { input, reply, chain, alarm, begins });
        self.executors.run_on(self.executors.of(&id), move || {
            with_residents(|residents| residents.deliver(&class, id, name, event));
        });
        let progress = self.executors.progress(home).clone();
        async move {
            let Ok(gated) = receiver.await else {
                return Err(EventError::ShuttingDown);
            };
            if let Some(commit) = gated.after
                && let Err(error) = progress.durable(commit).await
            {
                return Err(EventError::of_commit(&error));
            }
            gated.reply
        }
    }
}

/// An event without the place where its reply goes.
struct EventOf {
    input: Input,
    chain: Option<Arc<CallChain>>,
    alarm: Option<Arc<AlarmRun>>,
    begins: Option<oneshot::Sender<()>>,
}
